"""Live processes: one reader of the bus per process of the server, and all who watch.

::

    bus ──→ Listening   reads; looks at the time
            ├── Taking  folds entries into processes; keeps the last changes in a ring
            └── Hub     gives each change to the groups that may see it, made once a group
                ├── Group   same rights, same filter
                └── Member  one connection; one that falls behind reads the ring at its pace

A client comes back with its offset and gets just what it missed, from any sidecar, also one
that was started anew: it folds what the bus has from its oldest entry on, and so makes the same
changes again. Where that cannot be said (another epoch, no longer kept, other rights, or one of
the two sidecars knows less than the other), it is told so and gets a snapshot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sidecar_api.failures import RateLimited
from sidecar_api.processes import messages
from sidecar_api.processes.groups import Group, Groups, Member
from sidecar_api.processes.listening import Listening, Tick
from sidecar_api.processes.messages import Message
from sidecar_api.processes.places import NO_PLACE, NOWHERE, Offsets
from sidecar_api.processes.view import View

if TYPE_CHECKING:
    from activity_center.bus import Reader
    from activity_center.processes import Key
    from sidecar_api.access import Scope
    from sidecar_api.processes.messages import Reason
    from sidecar_api.processes.ring import Change
    from sidecar_api.processes.taking import Earlier, Taking, Took

PER_READER: Final = 20
IN_ALL: Final = 1000
"""Connections of one reader, and of all, in one process."""
PATIENCE: Final = 15.0
"""Seconds that who comes waits for the processes to be there."""
_TOLD: Final = 1.0
"""Seconds between two words to all that the bus cannot be read, or can again."""
MOST_CHANGES: Final = 1000
MOST_BYTES: Final = 1024 * 1024
"""Of what somebody missed; beyond, a snapshot is less."""


class Hub:
    """All live processes, and all who watch them.

    Args:
        open_reader: opens the bus.
        earlier: what the bus no longer has, see :mod:`sidecar_api.processes.earlier`.
        secret: of the sidecar, for offsets.
        tick: see :data:`.listening.Tick`.
        per_reader, in_all: how many connections there may be.

    Attributes:
        lock: held while anything of the hub is looked at or changed.
    """

    def __init__(
        self,
        open_reader: Callable[[], Reader],
        earlier: Earlier,
        secret: bytes,
        *,
        tick: Tick = lambda _all, _now: None,
        per_reader: int = PER_READER,
        in_all: int = IN_ALL,
    ) -> None:
        self.lock = threading.RLock()
        self.delivered = self.resets = 0
        self._told = float("-inf")
        self._said: datetime | None = None
        self._offsets = Offsets(secret)
        self._per_reader = per_reader
        self._in_all = in_all
        self._groups = Groups()
        self._listening = Listening(
            open_reader,
            earlier,
            tick,
            self.lock,
            took=self._publish,
            anew=self._anew,
            heard=self._heard,
            over=self._end,
        )

    # -- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read the bus, once."""
        self._listening.start()

    def stop(self) -> None:
        """End it; for tests."""
        self._listening.stop()

    @property
    def stale_since(self) -> datetime | None:
        """Since when the bus, or a part of it, cannot be read; ``None``: it can."""
        return self._listening.stale_since

    @property
    def _taking(self) -> Taking:
        return self._listening.taking

    @property
    def end(self) -> int:
        """Number of the next change."""
        return self._taking.ring.end

    def counts(self) -> dict[str, int]:
        """Return how much there is of what."""
        with self.lock:
            return {
                "groups": len(self._groups),
                "connections": self._groups.total(),
                "processes": len(self._taking.board),
                "delivered": self.delivered,
                "resets": self.resets,
            }

    def named(self, id_: str) -> list[dict[str, Any]]:
        """Return the processes with an id, as the API shows them: of each organization one."""
        now = datetime.now(UTC)
        with self.lock:
            return [kept.process.as_dict(now) for key, kept in self._taking.board if key[1] == id_]

    # -- who watches -----------------------------------------------------------------

    def view(self, scope: Scope, **wanted: str) -> View:
        """Return the view of a reader, with what they alone may see of what there is or was."""
        view, person = View.of(scope, **wanted), scope.reader.id
        with self.lock:
            held = self._taking.board.begun_by(person)
            shown = [(kept.subject, kept.channel, key[1]) for key, kept in held]
            for one in [*shown, *self._taking.ring.begun_by(person)]:
                if not view.by_role(one[0]) and view.wants(*one):
                    return view.with_own(person)
        return view

    def ready(self) -> None:
        """Wait until the processes are there, or for as long as is fair."""
        self.start()
        self._listening.loaded.wait(PATIENCE)

    def join(self, member: Member, offset: str = "") -> tuple[bool | None, Message | None]:
        """Let somebody watch; :meth:`leave` in any case.

        Args:
            offset: of an earlier connection.

        Returns:
            Whether they go on where they were (``None``: they were nowhere), and the message
            with which they begin; none where they missed nothing.

        Raises:
            RateLimited: this reader has too many connections, or there are too many in all.
        """
        with self.lock:
            self._admit(member.reader)
            group = self._groups.join(member)
            member.number = self._taking.ring.end
            return self._begin(group, offset)

    def leave(self, member: Member) -> None:
        """Somebody no longer watches."""
        with self.lock:
            self._groups.leave(member)

    def move(self, member: Member, view: View) -> None:
        """Somebody has other rights now: their next messages are a reset and a snapshot."""
        with self.lock:
            self._groups.leave(member)
            member.view = view
            member.lost = "rights"
            self._groups.join(member)

    def once(self, view: View, offset: str = "") -> tuple[bool | None, Message]:
        """As :meth:`join`, for who asks again and again instead: one message in any case."""
        with self.lock:
            group = self._groups.group(view)
            recovered, found = self._begin(group, offset)
            return recovered, found or messages.delta(*self._at(group), ())

    def pending(self, member: Member) -> list[Message]:
        """Return the messages that a member has not had; then it is up to date."""
        with self.lock:
            taking = self._taking
            number, member.number = member.number, taking.ring.end
            lost, member.lost = member.lost, ""
            changes = None if lost else taking.ring.after(number)
            group = self._groups.group(member.view)
            if changes is not None and group.view.loses(changes):
                lost, changes = "rights", None
            mine = None if changes is None else self._seen(group, changes)
            if mine is None or _too_much(mine):
                self.resets += 1
                return [messages.reset(lost or "slow"), self._snapshot(group)]
            return [messages.delta(*self._at(group), mine)] if mine else []

    def moved(self, member: Member) -> Message:
        """Return a message that moves the client's offset alone, so that it does not get old."""
        with self.lock:
            group = self._groups.group(member.view)
            return messages.delta(*self._at(group), ())

    def _admit(self, reader: str) -> None:
        if self._groups.of(reader) >= self._per_reader:
            raise RateLimited(
                f"You have {self._per_reader} connections to live processes already.",
                retry_after=30,
                hint="Close one of them.",
            )
        if self._groups.total() >= self._in_all:
            raise RateLimited("Too many connections to live processes are open.", retry_after=60)

    # -- what they get ---------------------------------------------------------------

    def _begin(self, group: Group, offset: str) -> tuple[bool | None, Message | None]:
        if not offset:
            return None, self._snapshot(group)
        taking = self._taking
        places = self._offsets.open(offset, group.binding)
        missed = None
        if places is not None and taking.sure:
            group.bound = group.bound or taking.mark in places
            missed = taking.ring.missed(places, {**taking.places.of, taking.mark: NOWHERE})
        if missed is None or group.view.loses(missed):
            return False, self._snapshot(group)
        mine = self._seen(group, [*missed, *self._again(missed)])
        if _too_much(mine):
            return False, self._snapshot(group)
        return True, messages.delta(*self._at(group), mine) if mine else None

    def _again(self, missed: list[Change]) -> list[Change]:
        """The whole of processes whose entries come on several lines of the bus.

        Which of them comes first is not the same in every sidecar; the state itself is.
        """
        found: dict[Key, Change] = {}
        for one in missed:
            key = (one.subject.organization, one.process)
            kept = self._taking.board.get(key)
            if kept is not None and kept.mixed and key not in found:
                found[key] = one._replace(body=kept.whole())
        return list(found.values())

    def _seen(self, group: Group, changes: Iterable[Change]) -> list[bytes]:
        """Those of the changes that the group sees, as JSON."""
        sees = group.view.sees
        seen = [one for one in changes if sees(one.subject, one.channel, one.process)]
        group.bound = group.bound or any(one.lone for one in seen)
        return [one.body for one in seen]

    def _snapshot(self, group: Group) -> Message:
        epoch = self._taking.places.epoch
        of = (self._taking.ring.end, *self._taking.board.size)  # what ended goes without a change
        if group.written is None or group.written[0] != of or group.written[1].epoch != epoch:
            shown, cut = self._taking.board.shown(group.view, datetime.now(UTC))
            cut = cut or self._taking.partial
            group.bound = group.bound or cut or any(kept.lone for kept in shown)
            group.written = (of, messages.snapshot(*self._at(group), shown, cut=cut))
        return group.written[1]

    def _at(self, group: Group) -> tuple[str, str]:
        """Epoch and offset of now."""
        taking = self._taking
        places = taking.places.of if taking.sure else NO_PLACE
        if group.bound:
            places = {**places, taking.mark: NOWHERE}
        return taking.places.epoch, self._offsets.seal(places, group.binding)

    # -- the bus ---------------------------------------------------------------------

    def _anew(self) -> None:
        for _, kept in self._taking.board:
            self._groups.show_own(kept.subject)
        self._reset("history")

    def _heard(self) -> None:
        """Tell all whether the bus can be read; who is behind hears it with the next ping."""
        now, since = time.monotonic(), self.stale_since
        if since == self._said or now - self._told < _TOLD:  # each has to be answered
            return
        self._said, self._told = since, now
        with self.lock:
            end, said = self._taking.ring.end, messages.ping(since)
            for group in self._groups:
                group.send(end, said)

    def _publish(self, took: Took) -> None:
        changes = took.changes
        of: dict[Group, list[bytes]] = {}
        for change in changes:
            self._groups.show_own(change.subject)
        if took.gap:
            self._reset("gap")
            return
        for change in changes:
            for group in self._groups.seeing(change):
                of.setdefault(group, []).append(change.body)
                group.bound = group.bound or change.lone
        for group in self._groups if took.gone else ():
            sees = group.view.sees
            if any(sees(one.subject, one.channel, key[1]) for key, one in took.gone.items()):
                of.pop(group, None)
                self._begin_anew(group, "room")
        if any(change.former is not None for change in changes):
            for group in self._groups:
                if group.view.loses(changes):
                    of.pop(group, None)
                    self._begin_anew(group, "rights")
        end = self._taking.ring.end
        for group, bodies in of.items():
            group.send(end, messages.delta(*self._at(group), bodies).body)
            self.delivered += len(group.members)

    def _reset(self, reason: Reason) -> None:
        """Everybody begins anew: what they have may be less than all."""
        for group in self._groups:
            group.written, group.bound = None, False
            self._begin_anew(group, reason)

    def _begin_anew(self, group: Group, reason: Reason) -> None:
        bodies = (messages.reset(reason).body, self._snapshot(group).body)
        group.begin_anew(self._taking.ring.end, reason, *bodies)
        self.resets += len(group.members)

    def _end(self) -> None:
        with self.lock:
            for member in self._groups.members():
                member.end(messages.GOING_AWAY, "the server goes away")


def _too_much(bodies: list[bytes]) -> bool:
    return len(bodies) > MOST_CHANGES or sum(map(len, bodies)) > MOST_BYTES
