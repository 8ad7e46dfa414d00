"""Exactly once: find an event in the generations that may hold it, and remove second copies.

Which generations may hold an event ``e`` besides the write index, where ``create`` itself
finds it (409)?

1. Whoever delivered it before, from whatever collector: those that still took writes
   at ``e.time`` less an hour, for nothing is delivered before it happens. The hour covers
   clocks that differ and times up to ten minutes ahead that are accepted.
2. Our own tries whose answer was lost, whatever clocks say: those from the write index
   of the first try on.

Nearly every live event has none, and then nothing is asked. What remains is a request
that is executed after we looked: :mod:`collector.deliver.rechecks`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog
from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, OpenSearchException

from collector.deliver.bulk import failure
from collector.deliver.generations import Generations, Stream
from collector.records import Entry

_log = structlog.get_logger(__name__)

MARGIN_MS: Final = 3_600_000
_IDS: Final = 1000
_LOOK: Final = "docs._id,docs.found,docs._source,docs.error,docs._seq_no,docs._primary_term"


class Copy(NamedTuple):
    """A stored document; ``hash`` is its ``event.hash``, ``""`` when it has none."""

    backing: str
    id: str
    hash: str
    seq_no: int
    primary_term: int


@dataclass(slots=True)
class Found:
    """What a look brought.

    Attributes:
        copies: id -> stored copies, oldest generation first.
        unsure: ids of which an index could not say whether it holds them.
    """

    copies: dict[str, list[Copy]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)


def oldest_place(stream: Stream, entry_time: int, floor: str | None) -> int:
    """Return the oldest generation that may hold an event; the last one means: none to ask.

    Args:
        entry_time: the event's time, Unix ms.
        floor: the write index at its first try; ``None`` when it was never tried, and
            a name that is no generation when that is not known.
    """
    ends = [backing.created for backing in stream.backing[1:]]
    place = bisect_left(ends, entry_time - MARGIN_MS)
    return place if floor is None else min(place, stream.place(floor) or 0)


class Once:
    """Looks into backing indices by name, in real time (no refresh needed).

    Args:
        client: may read by ``_mget``.
        maintain: may delete; ``None``: second copies stay, are counted and logged.

    Attributes:
        asked: documents looked for.
        removed: second copies removed.
        left: second copies found that could not be removed, counted at each look.
    """

    def __init__(
        self,
        client: OpenSearch,
        maintain: OpenSearch | None,
        generations: Generations,
        timeout: float,
    ) -> None:
        self.asked = 0
        self.removed = 0
        self.left = 0
        self._client = client
        self._maintain = maintain
        self._generations = generations
        self._timeout = timeout

    def find(self, stream: Stream, wanted: Mapping[int, Sequence[str]]) -> Found:
        """Look for ids in generations of ``stream``.

        Args:
            wanted: generation -> ids to look for there.

        Raises:
            RequestFailed: no answer.
        """
        found = Found()
        for place in sorted(wanted):
            index = stream.backing[place].name
            ids = wanted[place]
            for start in range(0, len(ids), _IDS):
                self._look(stream.name, index, ids[start : start + _IDS], found)
        return found

    def find_in(self, stream: str, index: str, ids: Sequence[str]) -> Found:
        """Look for ids in one index.

        Raises:
            RequestFailed: no answer.
        """
        found = Found()
        for start in range(0, len(ids), _IDS):
            self._look(stream, index, ids[start : start + _IDS], found)
        return found

    def _look(self, stream: str, index: str, ids: Sequence[str], found: Found) -> None:
        self.asked += len(ids)
        try:
            answer = self._client.mget(
                body={"ids": list(dict.fromkeys(ids))},
                index=index,
                params={
                    "_source_includes": "event.hash",
                    "filter_path": _LOOK,
                    "request_timeout": self._timeout,
                },
            )
        except NotFoundError:
            if self._is_gone(stream, index):
                return
            found.unsure.update(ids)
            return
        except OpenSearchException as wrong:
            raise failure(wrong) from wrong
        seen = set()
        for document in answer.get("docs", ()):
            id_ = document["_id"]
            seen.add(id_)
            if "error" in document:
                if not self._is_gone(stream, index):
                    found.unsure.add(id_)
            elif document.get("found"):
                found.copies.setdefault(id_, []).append(_copy(index, document))
        found.unsure.update(id_ for id_ in ids if id_ not in seen)

    def _is_gone(self, stream: str, index: str) -> bool:
        """Whether retention has deleted ``index`` in the meantime."""
        now = self._generations.get(stream, timeout=self._timeout)
        if now is not None and now.place(index) is not None:
            now = self._generations.get(stream, fresh=True, timeout=self._timeout)
        return now is None or now.place(index) is None

    def remove(self, stream: str, copies: Sequence[Copy]) -> None:
        """Remove second copies, each only as it was seen.

        Raises:
            RequestFailed: no answer; they are still to be removed.
        """
        if not copies:
            return
        if self._maintain is None:
            self._leave(stream, copies, "no opensearch.maintain credential is configured")
            return
        lines: list[dict[str, Any]] = [
            {
                "delete": {
                    "_index": copy.backing,
                    "_id": copy.id,
                    "if_seq_no": copy.seq_no,
                    "if_primary_term": copy.primary_term,
                }
            }
            for copy in copies
        ]
        try:
            answer = self._maintain.bulk(body=lines, params={"request_timeout": self._timeout})
        except OpenSearchException as wrong:
            raise failure(wrong) from wrong
        for copy, item in zip(copies, answer["items"], strict=True):
            status = item["delete"]["status"]
            if status == 200:
                self.removed += 1
                _log.warning("second copy removed", stream=stream, index=copy.backing, id=copy.id)
            elif status != 404:
                self._leave(stream, [copy], f"{status}: {item['delete'].get('error', {})}"[:300])

    def _leave(self, stream: str, copies: Sequence[Copy], why: str) -> None:
        self.left += len(copies)
        for copy in copies:
            _log.error("second copy left", stream=stream, index=copy.backing, id=copy.id, why=why)


def second_copies(copies: Sequence[Copy], entry: Entry | None) -> list[Copy]:
    """Return the copies to remove: all but the oldest that are the same event.

    Args:
        copies: of one id, oldest generation first.
        entry: our event: where the oldest is another event, ours is not to stay either
            (it goes to the rejected store).
    """
    first, *rest = copies
    same = {first.hash} if entry is None else {first.hash, entry.hash}
    return [copy for copy in rest if copy.hash and copy.hash in same]


def _copy(index: str, document: dict[str, Any]) -> Copy:
    event = document.get("_source", {}).get("event", {})
    hash_ = event.get("hash", "") if isinstance(event, dict) else ""
    return Copy(index, document["_id"], hash_, document["_seq_no"], document["_primary_term"])
