"""Who reads a hub of the test's own process, without a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar_api.processes import Hub, View
from sidecar_api.processes.feed import Feed
from sidecar_api.processes.messages import Message
from tests.integration.process import until
from tests.sidecar_api.processes.peer import Told

SECRET = bytes(32)
ALL = View(True, ())
ACME, UMBRELLA = "acme", "umbrella"


class Client(Told):
    """Who reads a hub at their own pace."""

    def __init__(
        self,
        hub: Hub,
        view: View = ALL,
        *,
        reader: str = "usr_a",
        after: Told | None = None,
    ) -> None:
        super().__init__(after)
        self.feed = Feed(hub, reader, view)
        begin = self.feed.begin(self.offset)
        # All there is, in answer to a place, says that it could not be gone on from.
        self.recovered = begin[0].kind == "delta" if self.offset else None
        self._take(begin)

    def _take(self, messages: Iterable[Message]) -> None:
        for one in messages:
            self.take(one.body)

    def read(self, seconds: float = 0.2) -> Client:
        """Take what there is."""
        self._take(self.feed.next(seconds))
        return self

    def until(self, condition: Callable[[], bool]) -> Client:
        """Take messages until something holds."""
        until(lambda: condition() or (self.read() and condition()))
        return self

    def leave(self) -> Client:
        """Watch no longer."""
        self.feed.close()
        return self
