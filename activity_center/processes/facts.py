"""What one entry says of its whole process: who began it, on what it works, what it offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from activity_center.processes import reading

MOST_DECLARED: Final = 500
"""Steps that a producer announces."""
_INNER: Final = frozenset({"process", "step"})
"""Resources that are the process itself: no target."""
_PERSON: Final = ("id", "name", "full_name", "email")


def initiator(activity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Who began it: who prompted the agent, else the person; with the agent's name."""
    person = reading.part(activity, "activity", "initiator")
    if not person:
        person = reading.part(activity, "user")
    agent = reading.part(activity, "gen_ai", "agent")
    found: dict[str, Any] = {name: reading.text(person, name) or None for name in _PERSON}
    found["agent"] = reading.text(agent, "name") or reading.text(agent, "id") or None
    return found if any(found.values()) else None


def facts(activity: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What an entry says of the whole process; what it does not say stays."""
    ours = reading.part(activity, "activity")
    said = reading.part(ours, "process")
    effects = reading.part(said, "effects")
    return [
        ("channel", reading.text(said, "channel")),
        ("name", reading.text(said, "name")),
        ("organization", reading.text(reading.part(activity, "organization"), "name")),
        ("project", reading.text(ours, "project")),
        ("workspace", reading.text(ours, "workspace")),
        ("environment", reading.text(ours, "environment")),
        ("target", _target(reading.part(ours, "resource"))),
        ("server", _server(activity)),
        ("cloud_account", _named(reading.part(activity, "cloud", "account"))),
        ("steps", reading.texts(said, "steps", MOST_DECLARED)),
        ("controls", reading.texts(said, "controls", 3)),
        ("effects", {k: v for k, v in effects.items() if isinstance(v, str)} or None),
        ("case", reading.text(reading.part(ours, "case"), "id")),
    ]


def _target(resource: Mapping[str, Any]) -> dict[str, Any] | None:
    if not (resource.get("id") or resource.get("name")) or resource.get("type") in _INNER:
        return None
    target: dict[str, Any] = {
        name: reading.text(resource, name) or None for name in ("type", "id", "name", "url")
    }
    parent = reading.part(resource, "parent")
    target["parent"] = (
        {name: reading.text(parent, name) or None for name in ("type", "id", "name")}
        if parent
        else None
    )
    return target


def _server(activity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The server it works on: the target or what holds it, else the host."""
    resource = reading.part(activity, "activity", "resource")
    for one in (resource, reading.part(resource, "parent")):
        if one.get("type") == "server":
            return _named(one)
    return _named(reading.part(activity, "host"))


def _named(one: Mapping[str, Any]) -> dict[str, Any] | None:
    id_, name = reading.text(one, "id"), reading.text(one, "name")
    return {"id": id_ or None, "name": name or id_} if id_ or name else None
