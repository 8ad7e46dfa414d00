"""The loop in a collector: everybody watches its own figures, one leader does the rest.

Two leaders for a moment do no harm: alerts have ids that follow from what they are about.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from activity_center.alerting import Rule
from activity_center.errors import ClusterError
from activity_center.setup.lease import Lease
from collector.alerts.own_figures import own_figures
from collector.alerts.rounds import Round, Rounds, rules_here
from collector.leading import LeadingLoop

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.config import Config

LEASE: Final = "alerts"
_GRACE: Final = 5.0


class AlertLoop(LeadingLoop):
    """Evaluates alert rules in a thread of a collector's first worker.

    Args:
        client: see :class:`collector.leading.LeadingLoop`.
        active: without it nothing is started, and no rule is read.

    Raises:
        VocabularyError: a rule is wrong.
    """

    def __init__(self, client: OpenSearch, config: Config, *, active: bool = True) -> None:
        leads, idle = "this collector evaluates the alert rules", "alert rules are not evaluated"
        super().__init__(client, LEASE, leads=leads, idle=idle, active=active)
        self._config = config
        self._rules: list[Rule] = rules_here(config.alerts) if active else []
        self._rounds = Rounds(client, config.alerts, self._rules)

    def start(self) -> None:
        """Begin, and return at once."""
        if self.active:
            self.log.info("evaluating alert rules", rules=len(self._rules))
        super().start()

    def prepare(self) -> None:
        """Watch the own figures, and see whether OpenSearch can be asked at all."""
        self._own_figures()
        self._rounds.check()
        self.said = ""

    def round(self, lease: Lease) -> None:
        """Evaluate what is due."""
        self._tell(self._rounds.once(_now(), tell=False))
        self._rounds.messenger.begin(lambda: self._may_tell(lease))
        self._own_figures()

    def stop(self) -> None:
        """End; what a webhook took is still noted."""
        super().stop()
        self._rounds.messenger.wait(_GRACE)

    def _may_tell(self, lease: Lease) -> None:
        if self.stopping.is_set():
            raise ClusterError("the collector ends; alerts are told by the next one that leads")
        lease.check()

    def _own_figures(self) -> None:
        if any(rule.kind == "figure" for rule in self._rules):
            self._tell(self._rounds.figures(_now(), own_figures(self._config)))

    def _tell(self, done: Round) -> None:
        for one in done.alerts:
            self.log.warning(
                "alert", rule=one.rule.name, severity=one.rule.severity, message=one.message
            )
        for name in done.cut:
            self.log.warning("a rule found more groups than are told", rule=name)


def _now() -> int:
    return int(time.time() * 1000)
