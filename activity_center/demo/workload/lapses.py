"""Chains that end otherwise than they should, or have not ended: one for each verdict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from activity_center.demo.workload.agents import (
    Chain,
    approve,
    begin,
    deciders,
    execute,
    propose,
)
from activity_center.demo.workload.cast import Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event
from activity_center.demo.workload.tools import TOOLS
from activity_center.demo.workload.world import World

Lapse = Callable[[Chain], None]
MINUTE: Final = 60_000
"""Milliseconds."""


def lapse(verdict: str, world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    """Return the entries of a chain that comes to a verdict.

    Args:
        verdict: key of :data:`LAPSES`.
        person: who asks the agent.
    """
    name, story = LAPSES[verdict]
    tool = next(one for one in TOOLS if one.name == name)
    if verdict == "approved_by_initiator":
        person = dice.pick(world.organization.with_roles("owner", "admin"))
    one = begin(world, dice, when, person, tool)
    story(one)
    return one.events


def _after(one: Chain, milliseconds: int) -> int:
    one.when += timedelta(milliseconds=milliseconds)
    return milliseconds


def _without_approval(one: Chain) -> None:
    propose(one)
    _after(one, 2 * MINUTE)
    execute(one, "executed")


def _twice(one: Chain) -> None:
    propose(one)
    approve(one, deciders(one)[0], _after(one, 3 * MINUTE))
    execute(one, "failed")
    _after(one, MINUTE)
    execute(one, "executed")


def _late(one: Chain) -> None:
    propose(one)
    approve(one, deciders(one)[0], _after(one, 42 * MINUTE))
    execute(one, "executed")


def _member(one: Chain) -> None:
    propose(one)
    members = one.world.organization.with_roles("member")
    other = next(person for person in members if person.id != one.initiator.id)
    approve(one, other, _after(one, 4 * MINUTE))
    execute(one, "executed")


def _own(one: Chain) -> None:
    propose(one)
    approve(one, one.initiator, _after(one, MINUTE))
    execute(one, "executed")


def _standing(one: Chain) -> None:
    propose(one)
    decision = {"outcome": "auto_approved", "source": "hook", "scope": "always"}
    more: dict[str, Any] = {"decision": {**decision, "wait_ms": _after(one, 40)}}
    one.add("agent.proposal.auto_approved", "approved", one.initiator, more)
    execute(one, "executed")


def _unconfirmed(one: Chain) -> None:
    propose(one)
    other = next(name for name in one.tool.targets if name != one.name)
    approve(one, deciders(one)[0], _after(one, 2 * MINUTE), typed=other)
    execute(one, "executed")


def _fast(one: Chain) -> None:
    propose(one)
    approve(one, deciders(one)[0], _after(one, 700))
    execute(one, "executed")


def _untold(one: Chain) -> None:
    """The tool does not say with which parameters it ran."""
    propose(one)
    approve(one, deciders(one)[0], _after(one, 3 * MINUTE))
    told = len(one.events)
    execute(one, "executed")
    for event in one.events[told:]:
        del event.record["gen_ai"]["tool"]["call"]["arguments"]


def _cancelled(one: Chain) -> None:
    propose(one)
    decision = {"outcome": "cancelled", "source": "hook", "wait_ms": _after(one, 5 * MINUTE)}
    more: dict[str, Any] = {"decision": {**decision, "reason": "the alarm is over"}}
    one.add("agent.proposal.cancelled", "cancelled", one.initiator, more)


def _not_run(one: Chain) -> None:
    propose(one)
    approve(one, deciders(one)[0], _after(one, 6 * MINUTE))


def _pending(one: Chain) -> None:
    propose(one, minutes=20 * 60)


def _end_alone(one: Chain) -> None:
    """The beginning was before what is kept."""
    execute(one, "executed")
    del one.events[0]


LAPSES: Final[dict[str, tuple[str, Lapse]]] = {
    "executed_without_approval": ("run_command", _without_approval),
    "executed_twice": ("deploy", _twice),
    "decided_after_expiry": ("execute_approved_plan", _late),
    "approver_lacked_permission": ("deploy", _member),
    "approved_by_initiator": ("run_ssh_command", _own),
    "standing_approval_on_destructive": ("run_command", _standing),
    "confirmation_missing": ("run_ssh_command", _unconfirmed),
    "approved_too_fast": ("run_command", _fast),
    "not_bound": ("downsize_server", _untold),
    "cancelled": ("restart_service", _cancelled),
    "approved": ("downsize_server", _not_run),
    "pending": ("deploy", _pending),
    "unknown": ("execute_approved_plan", _end_alone),
}
"""Verdict -> the tool, and how it comes to it."""
