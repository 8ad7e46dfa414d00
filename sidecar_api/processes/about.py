"""What the sidecar's own records say of a process, so that they are found as its others are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def about(process: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record of a process says of it, as arguments of the emitter.

    Args:
        process: as the API shows it; the lists in it are not needed.
    """
    target = _told(process.get("target") or {})
    itself = {"type": "process", "id": process["id"], "name": process.get("name")}
    return _told(
        {
            "organization": _told(process["organization"]),
            "resource": target or itself,
            "activity.process.id": process["id"],
            "activity.process.channel": process.get("channel"),
            "activity.process.name": process.get("name"),
            "activity.process.attempt": process["attempt"],
            "activity.workspace": process.get("workspace"),
            "activity.project": process.get("project"),
            "activity.environment": process.get("environment"),
            "activity.case.id": process.get("case"),
        }
    )


def _told(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in said.items() if one}
