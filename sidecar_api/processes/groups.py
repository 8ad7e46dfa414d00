"""Who is connected: groups with one view each, and their members.

What a group gets is made once; each member goes at its own pace. One that cannot take it now
falls behind: it reads the ring from where it is, and gets a fresh snapshot when the ring has
outrun it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Protocol

from sidecar_api.processes import frames

if TYPE_CHECKING:
    from sidecar_api.access import Subject
    from sidecar_api.processes.messages import Message, Reason
    from sidecar_api.processes.ring import Change
    from sidecar_api.processes.view import View


class Member(Protocol):
    """One open connection.

    Attributes:
        reader: id of who watches.
        view: what they watch.
        number: changes with lower numbers it was given; of one that has not fallen behind
            only as of when it last did.
        lost: why it must begin anew when it reads on by itself; empty: it need not.
    """

    reader: str
    view: View
    number: int
    lost: Reason | Literal[""]

    def offer(self, frame: bytes, number: int) -> None:
        """Take frames without waiting.

        Args:
            number: of the change after the last one in it.
        """

    def begin_anew(self, reason: Reason, frame: bytes, number: int) -> None:
        """Take a reset and a snapshot without waiting; who has fallen behind reads them later.

        Args:
            reason: of the reset.
            frame, number: as in :meth:`offer`.
        """

    def end(self, code: int, reason: str) -> None:
        """Close it without waiting."""


class Group:
    """Members with one view.

    Attributes:
        binding: what their offsets are bound to.
        bound: this sidecar knows less of what they see than others may, or cannot show all of
            it: it alone can tell how it goes on.
    """

    __slots__ = ("binding", "bound", "members", "view", "written")

    def __init__(self, view: View) -> None:
        self.view = view
        self.binding = view.binding()
        self.bound = False
        self.members: dict[Member, None] = {}
        self.written: tuple[tuple[int, ...], Message] | None = None
        """The last snapshot, with the number of the next change and the board's size then."""

    def send(self, number: int, *bodies: bytes) -> None:
        """Give messages to all members, all in one piece."""
        frame = frames.texts(*bodies)
        for member in [*self.members]:
            member.offer(frame, number)

    def begin_anew(self, number: int, reason: Reason, *bodies: bytes) -> None:
        """Give all members a reset and a snapshot; none is left with less than all."""
        frame = frames.texts(*bodies)
        for member in [*self.members]:
            member.begin_anew(reason, frame, number)


class Groups:
    """All groups of one process."""

    def __init__(self) -> None:
        self._groups: dict[View, Group] = {}
        self._readers: defaultdict[str, dict[Member, None]] = defaultdict(dict)
        self._seeing: dict[tuple[object, ...], tuple[Group, ...]] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter([*self._groups.values()])

    def __len__(self) -> int:
        return len(self._groups)

    def members(self) -> list[Member]:
        """Return all members."""
        return [member for group in self._groups.values() for member in group.members]

    def of(self, reader: str) -> int:
        """Return how many connections a reader has."""
        return len(self._readers.get(reader, ()))

    def total(self) -> int:
        """Return how many connections there are."""
        return sum(len(members) for members in self._readers.values())

    def group(self, view: View) -> Group:
        """Return the group of a view, or a lone one that nobody is in."""
        return self._groups.get(view) or Group(view)

    def join(self, member: Member) -> Group:
        """Add a member to the group of its view."""
        group = self._groups.get(member.view)
        if group is None:
            group = self._groups[member.view] = Group(member.view)
            self._seeing.clear()
        group.members[member] = None
        self._readers[member.reader][member] = None
        return group

    def leave(self, member: Member) -> None:
        """Remove a member, whether or not it is there."""
        group = self._groups.get(member.view)
        if group is not None:
            group.members.pop(member, None)
            if not group.members:
                del self._groups[member.view]
                self._seeing.clear()
        mine = self._readers.get(member.reader)
        if mine is not None:
            mine.pop(member, None)
            if not mine:
                del self._readers[member.reader]

    def show_own(self, subject: Subject) -> None:
        """Let a person see what they began where no role of theirs shows it to them."""
        for member in [*self._readers.get(subject.initiator, ())]:
            view = member.view
            if view.reader or view.by_role(subject):
                continue
            self.leave(member)
            member.view = view.with_own(member.reader)
            self.join(member)

    def seeing(self, change: Change) -> tuple[Group, ...]:
        """Return the groups that a change is for."""
        key = (change.subject, change.channel, change.process)
        found = self._seeing.get(key)
        if found is None:
            if len(self._seeing) > 10_000:
                self._seeing.clear()
            found = self._seeing[key] = tuple(
                group
                for group in self._groups.values()
                if group.view.sees(change.subject, change.channel, change.process)
            )
        return found
