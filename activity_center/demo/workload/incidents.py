"""What nobody does every day: an attack, a clean-up that went too far, rights that grew."""

from __future__ import annotations

from datetime import datetime, timedelta

from activity_center.demo.workload.cast import CURL, Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event
from activity_center.demo.workload.kinds import INFRASTRUCTURE, Kind
from activity_center.demo.workload.more_kinds import KINDS, PEOPLE
from activity_center.demo.workload.office import done, session
from activity_center.demo.workload.world import World, do, native

STRANGER = "198.51.100.213"


def password_attack(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    """Dozens of refused sign-ins from one strange address; the account is locked at the end."""
    events = []
    for _ in range(dice.between(18, 40)):
        when += timedelta(milliseconds=dice.between(400, 4000))
        events.append(
            session(
                world,
                dice,
                when,
                person,
                "user.login_failed",
                event={"reason": "wrong password"},
                source={"ip": STRANGER},
                user_agent={"original": CURL},
            )
        )
    events.append(
        session(
            world, dice, when + timedelta(seconds=1), person, "user.locked", source={"ip": STRANGER}
        )
    )
    later = when + timedelta(minutes=dice.between(20, 90))
    events.append(session(world, dice, later, person, "user.reset_password"))
    return events


def mass_deletion(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    """One person removes many things of one kind within minutes."""
    prefix = "sit" if world.organization.kind == "agency" else "vol"
    kind = next(one for one in KINDS if one.prefix == prefix)
    while len(world.things.get(prefix, ())) < 14:
        world.add(kind, dice)
    deletion = next(one for one in kind.deeds if one[1] == "delete")
    events = []
    for _ in range(12):
        when += timedelta(seconds=dice.between(2, 15))
        events.append(do(world, dice, when, person, kind, deletion))
    done(world, kind, deletion)
    return events


def escalation(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    """A member becomes admin, makes a token with all rights, and lowers the defences."""
    members = world.organization.with_roles("member")
    chosen = dice.pick(members)
    target = {**chosen.brief(), "roles": ["admin"]}
    events = [
        native(
            dice,
            when,
            world.organization,
            "user.role_change",
            person,
            activity={
                "origin": "ui",
                "resource": {"type": "user", "id": chosen.id, "name": chosen.full_name},
                "old_value": {"roles": ["member"]},
                "new_value": {"roles": ["admin"]},
            },
            user={"target": target},
        )
    ]
    token = next(one for one in PEOPLE if one.prefix == "tok")
    firewall = next(one for one in INFRASTRUCTURE if one.prefix == "fwr")
    steps: tuple[tuple[Kind, str], ...] = (
        (token, "api_token.create"),
        (firewall, "firewall.add"),
    )
    for kind, action in steps:
        when += timedelta(minutes=dice.between(2, 30))
        chosen_deed = next(one for one in kind.deeds if one[0] == action)
        events.append(do(world, dice, when, chosen, kind, chosen_deed))
    when += timedelta(minutes=2)
    events.append(session(world, dice, when, chosen, "user.mfa_disabled"))
    return events


def break_glass(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    """The emergency account is used at night, with a reason."""
    reason = {"reason": "identity provider is down, incident 2217"}
    return [session(world, dice, when, person, "user.break_glass", event=reason)]
