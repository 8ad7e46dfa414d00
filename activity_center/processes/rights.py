"""Who a process belongs to: what decides who may watch it.

Anybody who may send for an organization can send an entry with the id of a process of somebody
else. So what rights depend on is said by one sender alone: the one of the entry that was
received first (``event.ingested``, which the collector sets, as it does ``activity.sender``).
Whoever comes later, with whatever time and sequence, changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.processes import reading
from activity_center.processes.attempt import Latest

MOST_SENDERS: Final = 8
"""Senders of one process that are remembered, those that came first."""


@dataclass(slots=True)
class _Said:
    """What one sender said.

    Attributes:
        first: when its first entry was received.
        initiator: of the entry that was received first of those that name one.
        values: name of a fact -> what its latest entry says; its own process it may move.
    """

    first: tuple[Any, ...]
    initiator: Latest = field(default_factory=Latest)
    values: dict[str, Latest] = field(default_factory=dict)


@dataclass(slots=True)
class Rights:
    """What decides who may watch one process; the same in whatever order entries are folded."""

    _senders: dict[str, _Said] = field(default_factory=dict)

    def take(
        self,
        place: tuple[Any, ...],
        activity: Mapping[str, Any],
        initiator: Mapping[str, Any] | None,
        values: Mapping[str, Any],
    ) -> None:
        """Take over what an entry says.

        Args:
            place: of the entry among those of its sender.
            initiator: who began the process, as the entry has it.
            values: what else it says, by name.
        """
        sender = reading.text(reading.part(activity, "activity"), "sender")
        ingested = reading.moment(reading.part(activity, "event"), "ingested")
        received = (ingested is None, ingested or 0, *place)
        said = self._senders.get(sender)
        if said is None:
            said = self._senders[sender] = _Said(received)
            if len(self._senders) > MOST_SENDERS:
                del self._senders[max(self._senders, key=lambda one: self._senders[one].first)]
        said.first = min(said.first, received)
        if initiator and (not said.initiator.place or received < said.initiator.place):
            said.initiator = Latest(received, initiator)
        for name, value in values.items():
            said.values.setdefault(name, Latest()).put(place, value)

    @property
    def initiator(self) -> dict[str, Any] | None:
        """Who began it, as its sender has it."""
        found = self._owner()
        return found.initiator.value if found else None

    def value(self, name: str) -> Any:
        """What its sender says, ``None``: nothing."""
        found = self._owner()
        said = found.values.get(name) if found else None
        return said.value if said else None

    def _owner(self) -> _Said | None:
        if len(self._senders) == 1:
            (found,) = self._senders.values()
            return found
        return min(self._senders.values(), key=lambda one: one.first, default=None)
