"""What a program declares of a process before it begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from activity_center.emit.controls import KINDS
from activity_center.emit.event import resource_group

if TYPE_CHECKING:
    from activity_center.emit.process import Process

Handler = Callable[["Process"], Any]

SHORTEST_LEASE: Final = 3.0
LONGEST_LEASE: Final = 30 * 86400.0
_CHANNEL: Final = re.compile("[a-z][a-z0-9-]{0,62}")
"""As in the configuration's section ``channels``."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The facts of a process that stay.

    Attributes:
        steps: names.
        controls: what persons may ask.
        effects: control -> what it does.
        handlers: control -> what the program does then.
        lease: seconds of silence that are normal.
        said: arguments of :meth:`Emitter.emit`, for each activity.
        doubts: what was declared and cannot be meant, in words for the log.
    """

    channel: str
    name: str
    steps: tuple[str, ...]
    controls: tuple[str, ...]
    effects: Mapping[str, str]
    handlers: Mapping[str, Handler]
    lease: float
    said: Mapping[str, Any]
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        channel: str,
        name: str,
        *,
        target: Any,
        steps: Iterable[str],
        controls: Iterable[str],
        effects: Mapping[str, str] | None,
        handlers: Mapping[str, Handler | None],
        lease: float,
        said: Mapping[str, Any],
    ) -> Declared:
        """Return what the arguments of :meth:`Emitter.process` declare."""
        ours = {kind: one for kind, one in handlers.items() if one is not None}
        named = {*controls, *ours}
        doubts = [
            f"there is no control {kind!r}: {', '.join(KINDS)}"
            for kind in dict.fromkeys((*controls, *(effects or ())))
            if kind not in KINDS
        ]
        if _CHANNEL.fullmatch(str(channel)) is None:
            doubts.append(
                f"{channel!r} is no name of a channel: lower-case letters, digits and -, as ssl"
                " or git-deploy (activity-center processes channels)"
            )
        resource = {} if target is None else {"resource": resource_group(target)}
        return cls(
            channel=str(channel),
            name=str(name),
            steps=tuple(str(one) for one in steps),
            controls=tuple(kind for kind in KINDS if kind in named),
            effects={kind: str(text) for kind, text in (effects or {}).items() if kind in KINDS},
            handlers=ours,
            lease=_bounded(lease),
            said={**said, **resource},
            doubts=tuple(doubts),
        )

    def as_fields(self, state: str) -> dict[str, Any]:
        """Return what each activity says of the process in a state."""
        process: dict[str, Any] = {
            "name": self.name,
            "channel": self.channel,
            "state": state,
            "controls": self.controls,
        }
        if state == "running":
            process["lease"] = datetime.now(UTC) + timedelta(seconds=self.lease)
        return process


def _bounded(lease: float) -> float:
    """A lease that can be added to a time; what is no number is the longest."""
    try:
        return max(SHORTEST_LEASE, min(LONGEST_LEASE, lease)) if lease == lease else LONGEST_LEASE
    except TypeError:
        return LONGEST_LEASE
