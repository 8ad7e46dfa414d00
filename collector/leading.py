"""Work that a collector does beside taking and delivering: a thread, and one leader among many.

Leadership is a lease in the state index (:mod:`activity_center.setup.lease`). Two leaders for a
moment must do no harm: what a round writes has ids that follow from what it is about.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import structlog

from activity_center.errors import ActivityCenterError
from activity_center.setup.lease import EXPIRY, Lease
from activity_center.streams import STATE_INDEX

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

PAUSE: Final = 5.0
"""Seconds between two rounds of a leader."""
RETRY: Final = 30.0
"""Seconds until the next try to lead, or after a failure."""
_GRACE: Final = 5.0


class Loop(ABC):
    """Does its work again and again in a thread of a collector's first worker.

    Args:
        name: of the thread, and of what is logged.
        active: without it nothing is started.
        every: seconds between two times.
        first: seconds before the first one.
    """

    def __init__(self, name: str, *, active: bool, every: float, first: float = 0.0) -> None:
        self.name = name
        self.active = active
        self.stopping = threading.Event()
        self.log: Any = structlog.get_logger(f"collector.{name}")
        self._every = every
        self._first = first
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        if self.active:
            self._thread.start()

    def stop(self) -> None:
        """End; waits a little for what is under way, which the next run goes on with."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join(_GRACE)

    @abstractmethod
    def once(self) -> None:
        """Do the work that is due.

        Raises:
            ActivityCenterError: see :meth:`cannot`; any other exception is a mistake of ours.
        """

    @abstractmethod
    def cannot(self, wrong: ActivityCenterError) -> None:
        """Say that it could not be done this time."""

    def _run(self) -> None:
        self.stopping.wait(self._first)
        while not self.stopping.is_set():
            try:
                self.once()
            except ActivityCenterError as wrong:
                self.cannot(wrong)
            except Exception:  # a mistake of ours must not end it without a word
                self.log.exception(f"{self.name} failed; it is tried again")
            self.stopping.wait(self._every)


class LeadingLoop(Loop):
    """A loop of rounds, in the one collector that has the lease of its name.

    Args:
        client: of the account that may search and keep state (``opensearch.maintain``).
        leads: what a leader does, as a sentence for the log.
        idle: what does not happen where nobody can lead.
    """

    def __init__(
        self, client: OpenSearch, name: str, *, leads: str, idle: str, active: bool = True
    ) -> None:
        super().__init__(name, active=active, every=RETRY)
        self.client = client
        self._leads = leads
        self._idle = idle
        self.said = ""

    @abstractmethod
    def round(self, lease: Lease) -> None:
        """Do one round; ``lease.check()`` before what only a leader may do."""

    def prepare(self) -> None:
        """What every collector does before it tries to lead."""

    def once(self) -> None:
        """Wait for the lease, then go round until it is lost or the collector ends."""
        self.prepare()
        # A lease of a process that died elsewhere runs out while we wait.
        wait = EXPIRY + PAUSE
        with Lease(self.client, self.name, index=STATE_INDEX, wait=wait, poll=PAUSE) as lease:
            self.log.info(f"leading: {self._leads}")
            while not self.stopping.is_set():
                lease.check()
                self.round(lease)
                self.said = ""
                self.stopping.wait(PAUSE)

    def cannot(self, wrong: ActivityCenterError) -> None:
        """Another one leads, which is as it should be; or nobody can, which is told once."""
        if wrong.where and wrong.where.endswith(f"/lease-{self.name}"):
            self.log.debug("not leading", why=wrong.message)
        elif wrong.message != self.said:
            self.said = wrong.message
            self.log.warning(self._idle, why=wrong.message, hint=wrong.hint)
