"""What is remembered of processes that are no longer held: whose they are, and how they ended.

Without it a late entry would make them somebody else's, or let them run again. It is put down as
the few entries from which that follows, and folded again when something more comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from activity_center.processes import ENDED_BY, Process, apply
from activity_center.processes.rights import Rights

if TYPE_CHECKING:
    from activity_center.processes import Key

MOST: Final = 50_000
"""Processes that are remembered; of more, the organization with the most forgets its oldest."""
_KEPT: Final = (
    *("channel", "name", "attempt", "state", "started", "ended", "updated"),
    *("controls", "cleaned", "lease"),
)


class _Known(NamedTuple):
    """What is known of one process; ``began``: its producer said something of it."""

    rights: Rights
    began: bool
    organization: str | None
    top: dict[str, Any]


class Former:
    """The processes that are remembered.

    Args:
        most: how many.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._count = 0
        self._of: defaultdict[str, dict[str, _Known]] = defaultdict(dict)

    def put(self, process: Process) -> None:
        """Remember a process."""
        self.forget(process.key)
        shown = process.as_dict()
        known = _Known(
            process.rights,
            process.begun,
            shown["organization"]["name"],
            {name: shown[name] for name in _KEPT},
        )
        organization, id_ = process.key
        self._of[organization][id_] = known
        self._count += 1
        if self._count > self._most:
            most = max(self._of, key=lambda name: len(self._of[name]))
            self.forget((most, next(iter(self._of[most]))))

    def get(self, key: Key) -> Process | None:
        """Return a process as it is remembered."""
        organization, id_ = key
        known = self._of[organization].get(id_) if organization in self._of else None
        if known is None:
            return None
        process = Process(id=id_, organization=organization)
        for entry in _entries(key, known) if known.began else ():
            apply(process, entry)
        process.rights = known.rights
        return process

    def forget(self, key: Key) -> None:
        """It is held again, or there is no room."""
        organization, id_ = key
        if organization in self._of and self._of[organization].pop(id_, None) is not None:
            self._count -= 1
            if not self._of[organization]:
                del self._of[organization]


def _entries(key: Key, known: _Known) -> Iterator[dict[str, Any]]:
    """Entries of which the process follows; anything that was really said counts before."""
    top = known.top
    organization = {"id": key[0], "name": known.organization}
    said = {"id": key[1], "attempt": top["attempt"]}
    facts = {name: top[name] for name in ("channel", "name", "controls")}
    ends = ENDED_BY.get(top["state"])
    first = {**said, **facts} if ends else {**said, **facts, "state": top["state"]}
    heard = {}
    if not ends and top["lease"]:
        first["lease"] = top["lease"]
    elif not ends:  # the lease of who names none counts from when it was last heard of
        heard = {"ingested": top["updated"]}
    ended = top["ended"] or top["updated"]
    told = [("process.started", top["started"] or ended, first)]
    told += [(ends, ended, said)] if ends else []
    told += [("process.cleaned_up", ended, said)] if top["cleaned"] else []
    for action, at, process in told:
        yield {
            "@timestamp": at,
            "event": {"action": action, **heard},
            "organization": organization,
            "activity": {"lens": "process", "process": process},
        }
