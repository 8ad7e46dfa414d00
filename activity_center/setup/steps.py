"""The words of a plan: what a step is about, what happens to it, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from activity_center.setup.compare import Difference


class Kind(StrEnum):
    """What a step is about; the order is the order of applying."""

    STATE_INDEX = "state index"
    COMPONENT = "component template"
    TEMPLATE = "index template"
    REPOSITORY = "snapshot repository"
    POLICY = "retention policy"
    STREAM = "data stream"
    MANAGED = "managed indices"
    SETTING = "cluster setting"
    ROLE = "role"
    MONITOR = "monitor"


class Action(StrEnum):
    """What happens to it; ``SKIP`` is what this account may not see or set."""

    CREATE = "create"
    CHANGE = "change"
    LEAVE = "leave"
    SKIP = "skip"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Step:
    """One object of the plan.

    Attributes:
        reason: why, in words; for ``REFUSE`` also what to do.
        differences: between cluster and desired state, field by field.
        body: what is sent when applied.
    """

    kind: Kind
    name: str
    action: Action
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    body: Any = None

    def as_json(self) -> dict[str, Any]:
        """The step as plain values, for ``--json``."""
        return {
            "kind": str(self.kind),
            "name": self.name,
            "action": str(self.action),
            "reason": self.reason,
            "differences": [one._asdict() for one in self.differences],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps, in the order of applying."""

    steps: tuple[Step, ...]

    def of(self, *actions: Action) -> tuple[Step, ...]:
        """The steps with one of ``actions``."""
        return tuple(step for step in self.steps if step.action in actions)

    @property
    def drift(self) -> bool:
        """Whether applying would change anything."""
        return bool(self.of(Action.CREATE, Action.CHANGE))

    @property
    def refused(self) -> tuple[Step, ...]:
        """What stands in the way; nothing is applied while there is any."""
        return self.of(Action.REFUSE)
