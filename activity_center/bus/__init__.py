"""The step bus: what collectors publish of processes, and sidecars read.

Each collector process writes one **stream** of its own. Its entries have ascending
positions (gaps are normal) within an **epoch**; a new epoch begins when positions begin
anew, or when something was lost that was or should have been published. Two kinds: embedded
in a folder of this machine, and Redis Streams (Valkey alike).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from activity_center.config_processes import BusConfig
    from activity_center.errors import BusUnavailable

Place = tuple[str, int]
"""(epoch, position): everything up to it was read, or published."""

NOWHERE: Place = ("", 0)


class Published(NamedTuple):
    """One entry.

    Attributes:
        stream: the collector process that published it.
        position: ascending within stream and epoch.
        body: the activity as JSON, as it is stored.
    """

    stream: str
    epoch: str
    position: int
    body: bytes


class Gap(NamedTuple):
    """Something of this stream may be missing: what is kept of it follows, from its oldest on."""

    stream: str
    epoch: str


def advance(places: dict[str, Place], item: Published | Gap) -> None:
    """Note in ``places`` that ``item`` was handled: what the next ``read`` goes on from."""
    places[item.stream] = (item.epoch, item.position if isinstance(item, Published) else 0)


class Reader(Protocol):
    """Reads all streams; safe for several threads or greenlets.

    Attributes:
        trouble: why a stream could not be read the last time while the others could; ``None``:
            all could. What such a stream does not say is no silence of its programs.
    """

    trouble: BusUnavailable | None

    def read(self, after: Mapping[str, Place], wait: float) -> list[Published | Gap]:
        """Return what comes after these places, in order within each stream.

        One answer is bounded; ask again for the rest. Keep the places with :func:`advance`.

        Args:
            after: stream -> place; a stream that is not named is read from its oldest entry.
            wait: seconds to wait for something when there is nothing yet.

        Raises:
            BusUnavailable: it cannot be asked now.
        """

    def first(self) -> dict[str, Place]:
        """Return the place of each stream's oldest entry; streams without any are left out.

        Raises:
            BusUnavailable: it cannot be asked now.
        """

    def close(self) -> None:
        """Let it go; may be called twice."""


class Writer(Protocol):
    """Writes one stream; one thread uses it."""

    def state(self) -> Place:
        """Return the epoch and the last position there; :data:`NOWHERE`: there is nothing.

        Raises:
            BusUnavailable: it cannot be asked now.
        """

    def begin(self, epoch: str) -> None:
        """Forget what is there and begin an epoch.

        Raises:
            BusUnavailable: it cannot be asked now.
        """

    def publish(self, after: Place, entries: Sequence[tuple[int, bytes]]) -> Place:
        """Add entries, all or none; those whose position is there already are left out.

        Args:
            after: where the stream was when this writer last looked.
            entries: (position, body), ascending, behind ``after``.

        Returns:
            Where the stream is now. Another epoch, or a position below ``after``: it lost
            something, and nothing was added.

        Raises:
            BusUnavailable: it is not known whether they were added; the same call can be repeated.
        """

    def touch(self) -> None:
        """Say that the stream lives: one that did not for a week is forgotten.

        Raises:
            BusUnavailable: it cannot be asked now.
        """

    def close(self) -> None:
        """Let it go; may be called twice."""


def open_reader(config: BusConfig) -> Reader:
    """Return a reader of the bus; nothing is connected to before the first question.

    Raises:
        ConfigError: the bus is a Redis and its client is not installed, or the CA file is wrong.
    """
    if config.url:
        from activity_center.bus.redis import RedisReader

        return RedisReader(config)
    from activity_center.bus.embedded import EmbeddedReader

    return EmbeddedReader(config)


def open_writer(config: BusConfig, stream: str) -> Writer:
    """Return the writer of ``stream``; nothing is connected to before the first question.

    Raises:
        ConfigError: see :func:`open_reader`.
    """
    if config.url:
        from activity_center.bus.redis import RedisWriter

        return RedisWriter(config, stream)
    from activity_center.bus.embedded import EmbeddedWriter

    return EmbeddedWriter(config, stream)
