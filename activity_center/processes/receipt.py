"""What an early end left: what the end says of it, and what cleaning up afterwards changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.processes import reading
from activity_center.processes.attempt import Latest

MOST_TOLD: Final = 100
"""Entries of each list."""
_LISTS: Final = ("undone", "left_behind", "needs_person")
Lists = dict[str, list[str]]
"""Those that were said; an empty one says that there is nothing."""


@dataclass(slots=True)
class Receipt:
    """Both, each from the entry with the highest place."""

    _end: Latest = field(default_factory=Latest)
    _cleanup: Latest = field(default_factory=Latest)

    def take(self, place: tuple[Any, ...], activity: Mapping[str, Any], *, cleanup: bool) -> None:
        """Take over what an entry says.

        Args:
            place: of the entry; the number of its attempt comes first.
            cleanup: it is said of cleaning up.
        """
        told = reading.part(activity, "activity", "receipt")
        lists = {name: reading.texts(told, name, MOST_TOLD) for name in _LISTS}
        said: Lists = {name: one for name, one in lists.items() if one is not None}
        if said:
            (self._cleanup if cleanup else self._end).put(place, said)

    def of(self, attempt: int) -> Lists | None:
        """Return what is left of an attempt; ``None``: nobody said it.

        What cleaning up says of goes before. Of what it says nothing, all stays as it was, but
        for what it has undone.
        """
        end, cleanup = (
            one.value if one.place[:1] == (attempt,) else None for one in (self._end, self._cleanup)
        )
        if not end or not cleanup:
            return end or cleanup
        undone: list[str] = cleanup.get("undone", [])
        made: Lists = {
            name: [one for one in listed if name == "undone" or one not in undone]
            for name, listed in end.items()
        } | cleanup
        if "undone" in made:
            both = dict.fromkeys([*end.get("undone", []), *undone])
            made["undone"] = list(both)[:MOST_TOLD]
        return made
