"""A person's day: sign in, do this and that, sign out; now and then something else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from activity_center.demo.workload.cast import Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event
from activity_center.demo.workload.kinds import Deed, Kind
from activity_center.demo.workload.more_kinds import KINDS
from activity_center.demo.workload.world import World, do, native


def session(
    world: World, dice: Dice, when: datetime, person: Person, action: str, **more: Any
) -> Event:
    """Return a sign-in event of the person."""
    activity = {
        "origin": "ui",
        "resource": {"type": "user", "id": person.id, "name": person.full_name},
    }
    outcome = "failure" if action == "user.login_failed" else "success"
    return native(
        dice, when, world.organization, action, person, activity=activity, outcome=outcome, **more
    )


def deed(world: World, dice: Dice, when: datetime, person: Person) -> Event:
    """Let the person do one thing of their own choice, or one that nobody did yet."""
    kinds = world.kinds_for(person)
    open_ = [(kind, one) for kind, one in world.todo if kind in kinds]
    if open_ and dice.chance(80 if person.role == "staff" else 45):
        kind, chosen = dice.pick(open_)
    else:
        kind = dice.weighted([(one, sum(deed[2] for deed in one.deeds)) for one in kinds])
        chosen = dice.weighted([(one, one[2]) for one in kind.deeds])
    done(world, kind, chosen)
    return do(world, dice, when, person, kind, chosen)


def done(world: World, kind: Kind, chosen: Deed) -> None:
    """Note that this was done at least once."""
    if (kind, chosen) in world.todo:
        world.todo.remove((kind, chosen))


def denied(world: World, dice: Dice, when: datetime, person: Person) -> Event:
    """Let the person try what the role does not allow."""
    kinds = [
        kind
        for kind in KINDS
        if person.role not in kind.by
        and "staff" not in kind.by
        and world.organization.kind in kind.at
    ]
    kind = dice.pick(kinds)
    action = dice.pick(kind.deeds)[0]
    return native(
        dice,
        when,
        world.organization,
        action,
        person,
        activity={
            "origin": "ui",
            "resource": world.one(kind, dice).group(),
            "result": "denied",
        },
        event={"type": ["denied"], "reason": f"the role {person.role} may not do this"},
        outcome="failure",
    )


def mistyped(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    """Return one or two refused sign-ins before the good one."""
    return [
        session(
            world,
            dice,
            when + timedelta(seconds=20 * number + dice.between(0, 9)),
            person,
            "user.login_failed",
            event={"reason": "wrong password"},
        )
        for number in range(dice.between(1, 2))
    ]


def rare_account_event(world: World, dice: Dice, when: datetime, person: Person) -> Event:
    """Return what happens to an account once in a while."""
    names = ("reset_password", "change_password", "mfa_enabled", "mfa_disabled", "session_revoked")
    return session(world, dice, when, person, f"user.{dice.pick(names)}")
