"""The loop in a collector: everybody watches its own figures, one leader does the rest.

Leadership is a lease in the state index (``activity_center.setup.lease``). Two leaders for a
moment do no harm: alerts have ids that follow from what they are about.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from activity_center.alerting import Rule
from activity_center.errors import ActivityCenterError
from activity_center.setup.lease import EXPIRY, Lease
from activity_center.streams import STATE_INDEX
from collector.alerts.own_figures import own_figures
from collector.alerts.rounds import Round, Rounds, rules_here

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.config import Config

LEASE: Final = "alerts"
PAUSE: Final = 5.0
"""Seconds between two rounds."""
RETRY: Final = 30.0
"""Seconds until the next try to lead, or after a failure."""
_log = structlog.get_logger("collector.alerts")


class AlertLoop:
    """Evaluates alert rules in a thread of a collector's first worker.

    Args:
        client: of the account that may search and keep state (``opensearch.maintain``).
        active: without it nothing is started, and no rule is read.

    Raises:
        VocabularyError: a rule is wrong.
    """

    def __init__(self, client: OpenSearch, config: Config, *, active: bool = True) -> None:
        self._client = client
        self._config = config
        self._active = active
        self._rules: list[Rule] = rules_here(config.alerts) if active else []
        self._rounds = Rounds(client, config.alerts, self._rules)
        self._said = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        if not self._active:
            return
        _log.info("evaluating alert rules", rules=len(self._rules))
        self._thread.start()

    def stop(self) -> None:
        """End; waits for the round that is under way, but not for a webhook that hangs."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(PAUSE)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._own_figures()
                self._rounds.check()
                self._said = ""
                # A lease of a process that died elsewhere runs out while we wait.
                wait = EXPIRY + PAUSE
                with Lease(self._client, LEASE, index=STATE_INDEX, wait=wait, poll=PAUSE) as lease:
                    self._lead(lease)
            except ActivityCenterError as wrong:
                self._not_leading(wrong)
            except Exception:  # a mistake of ours must not end alerting without a word
                _log.exception("alerting failed; it is tried again")
            self._stop.wait(RETRY)

    def _not_leading(self, wrong: ActivityCenterError) -> None:
        """Another one leads, which is as it should be; or nobody can, which is told once."""
        if wrong.where and wrong.where.endswith(f"/lease-{LEASE}"):
            _log.debug("not leading", why=wrong.message)
        elif wrong.message != self._said:
            self._said = wrong.message
            _log.warning("alert rules are not evaluated", why=wrong.message, hint=wrong.hint)

    def _lead(self, lease: Lease) -> None:
        _log.info("leading: this collector evaluates the alert rules")
        while not self._stop.is_set():
            lease.check()
            self._tell(self._rounds.once(_now()))
            self._own_figures()
            self._stop.wait(PAUSE)

    def _own_figures(self) -> None:
        if any(rule.kind == "figure" for rule in self._rules):
            self._tell(self._rounds.figures(_now(), own_figures(self._config)))

    def _tell(self, done: Round) -> None:
        for one in done.alerts:
            _log.warning(
                "alert", rule=one.rule.name, severity=one.rule.severity, message=one.message
            )
        for name in done.cut:
            _log.warning("a rule found more groups than are told", rule=name)


def _now() -> int:
    return int(time.time() * 1000)
