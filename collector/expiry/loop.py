"""The loop in a collector: one leader, by a lease, writes what has expired.

Two leaders for a moment do no harm: an expiry's id follows from its proposal.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from activity_center.agents import Policies
from activity_center.setup.lease import Lease
from collector.expiry.overdue import cursor, move, overdue
from collector.expiry.record import Recorder
from collector.leading import LeadingLoop

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

LEASE: Final = "expiry"


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


class ExpiryLoop(LeadingLoop):
    """Writes expiries in a thread of a collector's first worker.

    Args:
        client: see :class:`collector.leading.LeadingLoop`.
        policies: see :func:`once`.
        active: without it nothing is started.
    """

    def __init__(self, client: OpenSearch, policies: Policies, *, active: bool = True) -> None:
        leads = "this collector writes what expires"
        super().__init__(client, LEASE, leads=leads, idle="proposals do not expire", active=active)
        self._policies = policies
        self._recorder = Recorder(client)

    def round(self, lease: Lease) -> None:
        """Write what has expired."""
        now = int(time.time() * 1000)
        new = once(self.client, self._recorder, self._policies, now, lease)
        if new:
            self.log.info("proposals expired", entries=new)
