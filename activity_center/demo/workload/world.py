"""What exists in an organization at a moment, and the words about what happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from activity_center.demo.workload.cast import CLI, Organization, Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event, Transport
from activity_center.demo.workload.kinds import Deed, Kind
from activity_center.demo.workload.more_kinds import KINDS

CONSOLE: Final = "https://console.example"
PLACES: Final = {
    "saas": (
        ("checkout", "shop", "production"),
        ("checkout", "shop", "staging"),
        ("search", "platform", "production"),
        ("reports", "data-lab", "development"),
    ),
    "agency": (
        ("bakery", "clients", "production"),
        ("oak-dental", "clients", "production"),
        ("theme", "studio", "development"),
    ),
    "enterprise": (
        ("portal", "customer-apps", "production"),
        ("portal", "customer-apps", "staging"),
        ("fleet", "telemetry", "production"),
        ("backoffice", "internal", "production"),
    ),
}
"""Kind of organization -> project, workspace and environment that its things stand in."""
NOWHERE: Final = frozenset(
    {
        *("account", "activity_log", "admin_role", "admin_user", "agent", "api_token", "budget"),
        *("checkout", "cloud_account", "conversation", "finops_rule", "invitation", "invoice"),
        *("memory", "organization", "payment", "payment_method", "plan", "policy", "provider"),
        *("release", "role", "role_permission", "ssh_key", "standing_approval", "subscription"),
        *("tool_call", "user", "wallet"),
    }
)
"""Types of resources that belong to the organization as a whole, or to a person."""


@dataclass(slots=True)
class Thing:
    """A resource with its present state."""

    kind: Kind
    id: str
    name: str
    state: dict[str, Any]

    def group(self) -> dict[str, Any]:
        """Return ``activity.resource``."""
        return {
            "type": self.kind.type,
            "id": self.id,
            "name": self.name,
            "url": f"{CONSOLE}/{self.kind.type}/{self.id}",
        }


@dataclass(slots=True)
class World:
    """One organization and what it has; changed by what is done.

    Attributes:
        todo: deeds that nobody has done yet: a month shows each at least once.
    """

    organization: Organization
    things: dict[str, list[Thing]] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    todo: list[tuple[Kind, Deed]] = field(default_factory=list)

    def add(self, kind: Kind, dice: Dice) -> Thing:
        """Make a new thing."""
        number = self.made[kind.prefix] = self.made.get(kind.prefix, 0) + 1
        name = kind.names[(number - 1) % len(kind.names)]
        if number > len(kind.names):
            name = f"{name} {(number - 1) // len(kind.names) + 1}"
        state = {key: dice.pick(values) for key, values in kind.state.items()}
        thing = Thing(kind, f"{kind.prefix}_{dice.hex(6)}", name, state)
        self.things.setdefault(kind.prefix, []).append(thing)
        return thing

    def one(self, kind: Kind, dice: Dice) -> Thing:
        """Return one that exists, or make one."""
        there = self.things.get(kind.prefix)
        return dice.pick(there) if there else self.add(kind, dice)

    def kinds_for(self, person: Person) -> list[Kind]:
        """Return what this person may act on here."""
        return [
            kind for kind in KINDS if person.role in kind.by and self.organization.kind in kind.at
        ]


def populated(organization: Organization, dice: Dice) -> World:
    """Return an organization with what it had before the story begins."""
    world = World(organization)
    for kind in KINDS:
        if organization.kind in kind.at:
            for _ in range(kind.many):
                world.add(kind, dice)
            world.todo += [(kind, deed) for deed in kind.deeds]
    return world


def native(
    dice: Dice,
    when: datetime,
    organization: Organization | None,
    action: str,
    person: Person | None,
    *,
    activity: dict[str, Any] | None = None,
    event: dict[str, Any] | None = None,
    outcome: str = "success",
    sender: str = "platform",
    transport: Transport = "forward",
    **groups: Any,
) -> Event:
    """Return an event in the emitter's form.

    Args:
        when: with any offset; the record has the organization's.
        person: whose session caused it; address and browser are this person's.
        activity, event: further fields of these two groups.
        groups: further top-level groups.
    """
    offset = timezone(timedelta(hours=organization.offset if organization else 0))
    local = when.astimezone(offset)
    stamp = local.isoformat(timespec="microseconds")
    record: dict[str, Any] = {
        "@timestamp": stamp,
        "event": {
            "id": dice.event_id(),
            "action": action,
            "outcome": outcome,
            "timezone": stamp[26:],
            **(event or {}),
        },
    }
    if organization is not None:
        record["organization"] = organization.group()
    if person is not None:
        record["user"] = person.user()
        record["source"] = {"ip": person.ip}
        record["user_agent"] = {"original": person.browser}
        record["http"] = {"request": {"id": f"req_{dice.hex(8)}"}}
    record["service"] = {"name": sender}
    if activity:
        record["activity"] = {**_place(organization, activity.get("resource", {})), **activity}
    _merge(record, groups)
    return Event(local, transport, sender, "native", record)


def _place(organization: Organization | None, resource: dict[str, Any]) -> dict[str, str]:
    """Where a resource stands: the same for the same name, whatever happens to it."""
    name = resource.get("name")
    if organization is None or not name or resource.get("type") in NOWHERE:
        return {}
    there = PLACES[organization.kind]
    project, workspace, environment = there[sum(name.encode()) % len(there)]
    if resource["type"] == "workspace":
        workspace = name
    return {"project": project, "workspace": workspace, "environment": environment}


def _merge(record: dict[str, Any], groups: dict[str, Any]) -> None:
    for name, value in groups.items():
        old = record.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            value = {**old, **value}
        record[name] = value


def do(world: World, dice: Dice, when: datetime, person: Person, kind: Kind, deed: Deed) -> Event:
    """Let the person do it, change the world, and return what is recorded."""
    action, mode, _ = deed
    thing = world.add(kind, dice) if mode == "create" else world.one(kind, dice)
    origin = dice.weighted((("ui", 7), ("api", 2), ("cli", 1)))
    activity: dict[str, Any] = {"origin": origin, "resource": thing.group()}
    if action.endswith((".fetch_all", "_all")):
        del activity["resource"]["id"], activity["resource"]["url"]
    broken = action not in _NEVER_FAIL and mode != "access" and dice.chance(4)
    groups: dict[str, Any] = {}
    if mode == "create":
        activity["new_value"] = dict(thing.state)
    elif mode == "delete":
        activity["old_value"] = dict(thing.state)
        if not broken:
            world.things[kind.prefix].remove(thing)
    elif mode == "update":
        _change(thing, dice, activity, keep=broken)
    if origin != "ui":
        groups["user_agent"] = {"original": CLI if origin == "cli" else "python-requests/2.32.5"}
        groups["metadata"] = {"request_ms": dice.between(8, 900)}
    if kind.type == "user" and mode != "access":
        target = f"{thing.name}{thing.id[-2:]}"
        groups["user"] = {"target": {"id": thing.id, "email": f"{target}@contractor.example"}}
    if broken:
        groups["error"] = dice.pick(_ERRORS)
        activity["result"] = "failed"
    elif mode == "event":
        groups.setdefault("metadata", {})["duration_ms"] = dice.between(40, 9000)
    outcome = "failure" if broken or action.endswith(".failed") else "success"
    return native(
        dice,
        when,
        world.organization,
        action,
        person,
        activity=activity,
        event={"duration": dice.between(3, 4000) * 1_000_000},
        outcome=outcome,
        **groups,
    )


def _change(thing: Thing, dice: Dice, activity: dict[str, Any], *, keep: bool) -> None:
    """Give one or two fields another value; a change of the plan alone is a scalar."""
    before = dict(thing.state)
    names = [name for name, values in thing.kind.state.items() if len(values) > 1]
    for _ in range(dice.between(1, 2)):
        name = dice.pick(names)
        others = [value for value in thing.kind.state[name] if value != before[name]]
        thing.state[name] = dice.pick(others)
    after = dict(thing.state)
    if keep:
        thing.state = dict(before)
    changed = [name for name in before if before[name] != after[name]]
    if changed == ["plan"]:
        activity["old_value"], activity["new_value"] = before["plan"], after["plan"]
    else:
        activity["old_value"], activity["new_value"] = before, after


_NEVER_FAIL: Final = frozenset({"user.login_failed", "finops.rule.fired", "billing.payment.failed"})
_ERRORS: Final = (
    {"type": "QuotaExceeded", "message": "The quota of the project is used up: 8 of 8 servers"},
    {"type": "Timeout", "message": "Connect to 10.0.0.12:22 timed out after 10 s"},
    {"type": "Conflict", "message": "Another operation on this resource is running"},
    {"code": "E1203", "type": "ProviderError", "message": "The provider answered 503 three times"},
)
