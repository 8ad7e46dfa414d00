"""The loop in a collector: whoever gets the lease does what is due, the others find nothing.

Where Index State Management is there, that carries the same policies out, and only the copies
that it makes are counted here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import structlog

from activity_center.errors import ActivityCenterError
from activity_center.policies import policies
from activity_center.setup import ism
from activity_center.setup.lease import EXPIRY
from collector.retention.engine import run
from collector.retention.guard import guard

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

EVERY: Final = 600.0
"""Seconds between two rounds; ISM's own pace."""
FIRST: Final = 60.0
"""Seconds before the first one: a collector that starts has more urgent things to do."""
_WAIT: Final = EXPIRY + 5.0
"""Seconds: the lease of a process that died elsewhere runs out meanwhile."""
_GRACE: Final = 5.0
_log = structlog.get_logger("collector.retention")


class RetentionLoop:
    """Carries retention out in a thread of a collector's first worker.

    Args:
        client: of the account that may do so (``opensearch.maintain``).
        active: without it nothing is started.
    """

    def __init__(
        self,
        client: OpenSearch,
        *,
        active: bool = True,
        every: float = EVERY,
        first: float = FIRST,
    ) -> None:
        self._client = client
        self._first = first
        self._active = active
        self._every = every
        self._policies = policies() if active else {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        if self._active:
            self._thread.start()

    def stop(self) -> None:
        """End; a step that takes long is cut short, and the next run goes on from there."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_GRACE)

    def _run(self) -> None:
        self._stop.wait(self._first)
        while not self._stop.is_set():
            try:
                self._once()
            except ActivityCenterError as wrong:
                _log.debug("no retention this time", why=wrong.message)
            except Exception:  # a mistake of ours must not end retention without a word
                _log.exception("retention failed; it is tried again")
            self._stop.wait(self._every)

    def _once(self) -> None:
        work = guard if ism.is_there(self._client) else run
        for one in work(self._client, self._policies, wait=_WAIT).steps:
            facts = {"index": one.index, "tier": one.tier, "entries": one.documents}
            if one.failed:
                _log.error(f"retention: {one.action} failed", why=one.failed, **facts)
            else:
                _log.info(f"retention: {one.action}", **facts)
