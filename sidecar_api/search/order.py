"""The order of the log, and places in it."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Position: TypeAlias = list[Any]
"""Sort values of an entry: JSON that a cursor can carry. Opaque to all but this package."""

NEWEST_FIRST: Final = ("@timestamp", "_seq_no", "_index")
"""Sort keys, all descending.

Many entries share a millisecond; among those the one that was stored later comes first.
Sequence number and index together name a document (an index of ours has one shard), and both
stay with it, so a position means the same in every search and every PIT. ``event.id`` and
``event.hash`` instead cost three times as much: text is looked up for every hit that is newer
than those seen before, and a log is stored from old to new.
"""


def sort(*, reverse: bool = False) -> list[dict[str, Any]]:
    """Return the sort of a search body.

    Args:
        reverse: oldest first.
    """
    return [{name: {"order": "asc" if reverse else "desc"}} for name in NEWEST_FIRST]
