"""What is new since a place: polled by arrival, with an overlap for what arrives late.

An entry is found some seconds after its ``event.ingested`` (spool, delivery, refresh), and two
collectors need not be equally fast, so the place remembers what of the last minute has been
given out, and how many entries there are before that minute. What arrives later than the window
reaches back, such as what a collector kept while OpenSearch was away, is not found again one by
one, but there are more than were counted then: that something was missed can be told.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activity_center.clauses import Clause, all_of, any_of
from sidecar_api.moments import milliseconds

WINDOW: Final = 60_000
"""Milliseconds that the window reaches back; it fits 16 bits."""
AHEAD: Final = timedelta(seconds=30)
"""How far ahead a collector's clock may be for what it received to be given at once. What is
further ahead waits: a place there would leave everybody else's entries behind."""
REACH: Final = 24 * 3_600_000
"""Milliseconds before the window in which entries are counted: what a collector delivers later
than this is not noticed."""
MOST_SEEN: Final = 256
"""Entries remembered; where more arrive in a minute the window gets shorter."""
_RECORD: Final = struct.Struct(">6sH")


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody is who follows.

    Attributes:
        latest: ``event.ingested`` of the last entry in order, Unix ms.
        latest_id: its ``event.id``.
        since: start of the window, Unix ms: all entries from here to the last one that have
            been given out are in ``seen``.
        seen: digest of ``_id`` -> ``event.ingested``, Unix ms, not after ``latest``.
        counted_from: start of what is counted, Unix ms.
        counted: entries known from there to ``since``.
    """

    latest: int
    latest_id: str
    since: int
    seen: dict[bytes, int]
    counted_from: int
    counted: int

    @classmethod
    def at(cls, moment: datetime) -> Place:
        """Return the place at ``moment`` before anything is known of what is there."""
        latest = milliseconds(moment)
        since = max(0, latest - WINDOW)
        return cls(latest, "\U0010ffff", since, {}, max(0, since - REACH), 0)

    def beginning(self, before: int, within: int, there: list[dict[str, Any]]) -> Place:
        """Return the place after all that is there now.

        Args:
            before: entries before the window.
            within: entries in the window.
            there: its newest hits, in order, one more than are remembered.
        """
        made = self.advanced(there)
        remembered = sum(1 for at in made.seen.values() if at >= made.since)
        return replace(made, counted=before + within - remembered)

    @classmethod
    def read(cls, written: Sequence[Any]) -> Place:
        """Return the place that was written so. It was sealed: it is one of ours."""
        latest, latest_id, since, packed, counted_from, counted = written
        records = _RECORD.iter_unpack(base64.urlsafe_b64decode(packed))
        seen = {digest: latest - offset for digest, offset in records}
        return cls(latest, latest_id, since, seen, counted_from, counted)

    def written(self) -> list[Any]:
        """Return it as JSON: ``[latest, latest_id, since, "seen", counted_from, counted]``."""
        packed = b"".join(
            _RECORD.pack(digest, self.latest - at) for digest, at in self.seen.items()
        )
        seen = base64.urlsafe_b64encode(packed).decode()
        return [self.latest, self.latest_id, self.since, seen, self.counted_from, self.counted]

    @property
    def full(self) -> bool:
        """Whether more entries share its moment and id than it can hold: begin anew.

        A beginning is not. What is not full fits :data:`sidecar_api.cursors.MAX_LENGTH`.
        """
        return len(self.seen) > MOST_SEEN + 1

    def clause(self) -> Clause:
        """Return the clause of what may be new: behind the last entry, or late in the window."""
        possible: list[Clause] = [
            {"range": {"event.ingested": {"gt": self.latest, "format": "epoch_millis"}}},
            all_of(
                _between(self.latest, self.latest),
                {"range": {"event.id": {"gte": self.latest_id}}},
            ),
        ]
        if self.since <= self.latest:
            possible.append(_between(self.since, self.latest))
        return any_of(*possible)

    def reaches(self, hit: dict[str, Any]) -> bool:
        """Whether :meth:`clause` finds a hit."""
        place = _place(hit)
        return place[0] >= self.since or place >= (self.latest, self.latest_id)

    @property
    def counted_at(self) -> datetime:
        """The moment at which a filter that goes by the clock is counted: the same as before."""
        return datetime.fromtimestamp((self.counted_from + REACH) / 1000, UTC)

    def before(self) -> Clause:
        """Return the clause of what is counted."""
        return _between(self.counted_from, self.since - 1)

    def recounted(self, counted: int = 0) -> Place:
        """Return the place with a count that begins later."""
        return replace(self, counted_from=max(0, self.since - REACH), counted=counted)

    def advanced(self, given: list[dict[str, Any]]) -> Place:
        """Return the place after these hits, which are in order, have been given out."""
        last = max([(self.latest, self.latest_id), *map(_place, given)])
        seen = {**self.seen, **{digest(hit): _place(hit)[0] for hit in given}}
        since = max(last[0] - WINDOW, self.since)
        newest = sorted(seen.values(), reverse=True)
        if len(newest) > MOST_SEEN:
            # All entries of a millisecond are remembered, or that millisecond is left out.
            since = max(since, newest[MOST_SEEN] + 1)
        kept = {key: at for key, at in seen.items() if at >= since}
        # The search begins at the last one, so whatever shares its place is remembered too.
        kept |= {digest(hit): last[0] for hit in given if _place(hit) == last}
        if last == (self.latest, self.latest_id):
            kept |= {key: at for key, at in self.seen.items() if at == last[0]}
        since = min(since, last[0] + 1)
        counted = self.counted + _older(seen, since) - _older(self.seen, self.since)
        return Place(last[0], last[1], since, kept, self.counted_from, counted)


def order(*, reverse: bool = False) -> list[dict[str, Any]]:
    """Return the sort of a search body: by arrival; the positions rest on it.

    Args:
        reverse: latest first.
    """
    how = (
        {"order": "desc", "missing": "_last"} if reverse else {"order": "asc", "missing": "_first"}
    )
    return [{"event.ingested": dict(how)}, {"event.id": dict(how)}]


def digest(hit: dict[str, Any]) -> bytes:
    """Return what is remembered of an entry."""
    return hashlib.blake2b(hit["_id"].encode(), digest_size=6).digest()


def _older(seen: dict[bytes, int], since: int) -> int:
    return sum(1 for at in seen.values() if at < since)


def _place(hit: dict[str, Any]) -> tuple[int, str]:
    ingested, id_ = hit["sort"]
    return int(ingested), id_ or ""


def _between(first: int, last: int) -> Clause:
    return {"range": {"event.ingested": {"gte": first, "lte": last, "format": "epoch_millis"}}}
