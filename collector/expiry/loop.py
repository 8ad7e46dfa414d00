"""The loop in a collector: one leader, by a lease, writes what has expired.

Two leaders for a moment do no harm: an expiry's id follows from its proposal.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from activity_center.agents import Policies
from activity_center.errors import ActivityCenterError
from activity_center.setup.lease import EXPIRY, Lease
from activity_center.streams import STATE_INDEX
from collector.expiry.overdue import cursor, move, overdue
from collector.expiry.record import Recorder

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

LEASE: Final = "expiry"
PAUSE: Final = 5.0
"""Seconds between two rounds."""
RETRY: Final = 30.0
"""Seconds until the next try to lead, or after a failure."""
_log = structlog.get_logger("collector.expiry")


def once(
    client: OpenSearch,
    recorder: Recorder,
    policies: Policies,
    now: int,
    lease: Lease | None = None,
) -> int:
    """Write what has expired by now; return how many entries are new.

    Args:
        policies: how long a proposal may wait, besides its own time.
        now: Unix time in ms.
        lease: is checked before each entry.

    Raises:
        ClusterError: OpenSearch does not answer; the next round begins where this one did.
    """
    new = 0
    for proposal in overdue(client, policies, cursor(client, policies), now):
        if lease is not None:
            lease.check()
        new += recorder.record(proposal)
    move(client, policies, now)
    return new


class ExpiryLoop:
    """Writes expiries in a thread of a collector's first worker.

    Args:
        client: of the account that may search and keep state (``opensearch.maintain``).
        policies: see :func:`once`.
        active: without it nothing is started.
    """

    def __init__(self, client: OpenSearch, policies: Policies, *, active: bool = True) -> None:
        self._client = client
        self._policies = policies
        self._active = active
        self._recorder = Recorder(client)
        self._said = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        if self._active:
            self._thread.start()

    def stop(self) -> None:
        """End; waits for the round that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(PAUSE)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                # A lease of a process that died elsewhere runs out while we wait.
                wait = EXPIRY + PAUSE
                with Lease(self._client, LEASE, index=STATE_INDEX, wait=wait, poll=PAUSE) as lease:
                    self._lead(lease)
            except ActivityCenterError as wrong:
                self._not_leading(wrong)
            except Exception:  # a mistake of ours must not end expiry without a word
                _log.exception("expiry failed; it is tried again")
            self._stop.wait(RETRY)

    def _not_leading(self, wrong: ActivityCenterError) -> None:
        """Another one leads, which is as it should be; or nobody can, which is told once."""
        if wrong.where and wrong.where.endswith(f"/lease-{LEASE}"):
            _log.debug("not leading", why=wrong.message)
        elif wrong.message != self._said:
            self._said = wrong.message
            _log.warning("proposals do not expire", why=wrong.message, hint=wrong.hint)

    def _lead(self, lease: Lease) -> None:
        _log.info("leading: this collector writes what expires")
        while not self._stop.is_set():
            lease.check()
            now = int(time.time() * 1000)
            new = once(self._client, self._recorder, self._policies, now, lease)
            self._said = ""
            if new:
                _log.info("proposals expired", entries=new)
            self._stop.wait(PAUSE)
