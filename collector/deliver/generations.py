"""Which backing indices a data stream has, and since when each takes writes.

A document id is unique in one backing index only: after a rollover the same ``create``
succeeds again. So delivery has to know the older generations that may hold an event.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, OpenSearchException

from collector.deliver.bulk import Unauthorized, failure

_log = structlog.get_logger(__name__)

CACHE_SECONDS: Final = 10.0
YOUNG_SECONDS: Final = 120.0
"""After a rollover: a request that was under way may still write to the index before."""


@dataclass(frozen=True, slots=True)
class Backing:
    """A backing index; ``created`` is Unix time in ms, or later where it cannot be read."""

    name: str
    created: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A data stream at a moment.

    Attributes:
        backing: oldest first; the last one takes the writes.
        write_since: :func:`time.monotonic` at which the write index was first seen, or before.
    """

    name: str
    backing: tuple[Backing, ...]
    write_since: float

    @property
    def write(self) -> Backing:
        """The index that takes the writes."""
        return self.backing[-1]

    @property
    def young(self) -> bool:
        """Whether the last rollover was a moment ago."""
        return len(self.backing) > 1 and time.monotonic() - self.write_since < YOUNG_SECONDS

    def place(self, index: str) -> int | None:
        """Return which generation ``index`` is, from 0 on; ``None`` when it is none."""
        for place, backing in enumerate(self.backing):
            if backing.name == index:
                return place
        return None


class Generations:
    """Reads data streams, and remembers them for some seconds.

    Args:
        client: reads the streams.
        maintain: reads the creation dates where ``client`` may not; or ``None``.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        client: OpenSearch,
        maintain: OpenSearch | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._readers = [client] if maintain is None else [client, maintain]
        self._clock = clock
        self._streams: dict[str, Stream | None] = {}
        self._read_at: dict[str, float] = {}
        self._created: dict[str, int] = {}
        self._lock = threading.Lock()
        self._warned = False

    def get(self, stream: str, *, fresh: bool = False, timeout: float = 30.0) -> Stream | None:
        """Return ``stream``, or ``None`` when there is no such data stream.

        Args:
            fresh: ask now, whatever is remembered.
            timeout: seconds.

        Raises:
            RequestFailed: the cluster gave no answer.
        """
        with self._lock:
            age = time.monotonic() - self._read_at.get(stream, float("-inf"))
            if age < CACHE_SECONDS and not fresh:
                return self._streams[stream]
            before = self._streams.get(stream)
        found = self._ask(stream, before, timeout)
        with self._lock:
            self._streams[stream] = found
            self._read_at[stream] = time.monotonic()
        return found

    def write_indices(self) -> dict[str, str]:
        """Return stream -> write index, as far as remembered."""
        with self._lock:
            return {name: one.write.name for name, one in self._streams.items() if one}

    def _ask(self, stream: str, before: Stream | None, timeout: float) -> Stream | None:
        try:
            answer = self._client.transport.perform_request(
                "GET", f"/_data_stream/{stream}", params={"request_timeout": timeout}
            )
        except NotFoundError:
            return None
        except OpenSearchException as wrong:
            raise failure(wrong) from wrong
        indices = answer["data_streams"][0]["indices"]
        names = {index["index_uuid"]: index["index_name"] for index in indices}
        created = self._creation_dates(stream, names, timeout)
        backing = tuple(Backing(name, created[uuid]) for uuid, name in names.items())
        now = time.monotonic()
        if before is not None and before.write.name == backing[-1].name:
            since = before.write_since
        elif before is not None:
            since = now
        else:
            since = now - max(0.0, self._clock() - backing[-1].created / 1000)
        return Stream(stream, backing, since)

    def _creation_dates(self, stream: str, names: dict[str, str], timeout: float) -> dict[str, int]:
        """Return creation dates in ms by UUID; the present where no right lets us read them.

        Later than the truth is safe: more generations are asked than need be. Names come
        again when a stream is deleted and made anew, so the UUID is what is remembered.
        """
        now = int(self._clock() * 1000)
        if len(names) > 1 and not self._created.keys() >= names.keys():
            read = self._read_dates(stream, timeout)
            for uuid, name in names.items():
                self._created.setdefault(uuid, read.get(name, now))
        return {uuid: self._created.get(uuid, now) for uuid in names}

    def _read_dates(self, stream: str, timeout: float) -> dict[str, int]:
        for reader in self._readers:
            try:
                answer: dict[str, Any] = reader.transport.perform_request(
                    "GET",
                    f"/{stream}/_settings/index.creation_date",
                    params={"request_timeout": timeout, "flat_settings": "true"},
                )
            except OpenSearchException as wrong:
                if isinstance(failure(wrong), Unauthorized):
                    continue
                raise failure(wrong) from wrong
            return {
                name: int(index["settings"]["index.creation_date"])
                for name, index in answer.items()
            }
        if not self._warned:
            self._warned = True
            _log.warning(
                "creation dates of backing indices cannot be read: for an hour,"
                " every generation is asked for every event",
                hint="give the collector's role indices:monitor/settings/get",
            )
        return {}
