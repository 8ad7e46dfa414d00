"""What names a chain, and its place in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activity_center.agents.entry import CALL_OF


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What names a chain.

    Attributes:
        organization: its id, or empty.
        id: of its proposal, or of the tool's call.
        called: it is the call's.
    """

    organization: str
    id: str
    called: bool = False

    @property
    def shown(self) -> str:
        """The id that the API shows."""
        return f"{CALL_OF}{self.id}" if self.called else self.id


@dataclass(frozen=True, slots=True)
class Place:
    """A chain in the order of a list.

    Attributes:
        begun: when its first entry happened, in ms since 1970.
        key: which one it is.
    """

    begun: int
    key: Key

    @property
    def order(self) -> tuple[int, Key]:
        """Newest first, then by organization and id."""
        return -self.begun, self.key

    def as_list(self) -> list[Any]:
        """Return it for a cursor."""
        return [self.begun, self.key.organization, self.key.id, self.key.called]

    @classmethod
    def of(cls, kept: list[Any]) -> Place:
        """Read one of :meth:`as_list`."""
        return cls(kept[0], Key(*kept[1:]))
