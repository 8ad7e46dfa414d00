"""The loop in a collector: whoever gets the lease does what is due, the others find nothing.

Where Index State Management is there, that carries the same policies out, and only the copies
that it makes are counted here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activity_center.errors import ActivityCenterError
from activity_center.policies import policies
from activity_center.setup import ism
from activity_center.setup.lease import EXPIRY
from collector.leading import Loop
from collector.retention.engine import LEASE, run
from collector.retention.guard import guard

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

EVERY: Final = 600.0
"""Seconds between two rounds; ISM's own pace."""
FIRST: Final = 60.0
"""Seconds before the first one: a collector that starts has more urgent things to do."""
_WAIT: Final = EXPIRY + 5.0
"""Seconds: the lease of a process that died elsewhere runs out meanwhile."""


class RetentionLoop(Loop):
    """Carries retention out in a thread of a collector's first worker.

    Args:
        client: of the account that may do so (``opensearch.maintain``).
        active: without it nothing is started.
        every, first: see :class:`collector.leading.Loop`.
    """

    def __init__(
        self,
        client: OpenSearch,
        *,
        active: bool = True,
        every: float = EVERY,
        first: float = FIRST,
    ) -> None:
        super().__init__("retention", active=active, every=every, first=first)
        self._client = client
        self._policies = policies() if active else {}

    def cannot(self, wrong: ActivityCenterError) -> None:
        """Another one has the lease, which is as it should be; or nobody can."""
        if wrong.where and wrong.where.endswith(f"/lease-{LEASE}"):
            self.log.debug("another one does retention", why=wrong.message)
        else:
            self.log.warning(
                "no retention this time", why=wrong.message, where=wrong.where, hint=wrong.hint
            )

    def once(self) -> None:
        """Do what is due."""
        work = guard if ism.is_there(self._client) else run
        for one in work(self._client, self._policies, wait=_WAIT).steps:
            facts = {"index": one.index, "tier": one.tier, "entries": one.documents}
            if one.failed:
                self.log.error(f"retention: {one.action} failed", why=one.failed, **facts)
            else:
                self.log.info(f"retention: {one.action}", **facts)
