"""Processes as the protocol tells them, for the browser's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

Process = dict[str, Any]


def iso(ago: float = 0) -> str:
    """Return the moment so many seconds ago."""
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(one: Process) -> Process:
    """A process in a list."""
    return {name: value for name, value in one.items() if name not in ("steps", "output")}


def step(index: int, name: str, state: str = "pending", **rest: Any) -> dict[str, Any]:
    """One step."""
    row = {
        "id": name.lower().replace(" ", "-"),
        "name": name,
        "index": index,
        "state": state,
        "progress": 1.0 if state == "done" else 0.0,
        "started": None if state == "pending" else iso(60 - 10 * index),
        "ended": iso(50 - 10 * index) if state in ("done", "failed") else None,
        "duration_ms": 10_000 if state in ("done", "failed") else None,
        "error": None,
    }
    return {**row, **rest}


def process(id_: str, **rest: Any) -> Process:
    """A running process of northwind with three steps, the second one running."""
    made: Process = {
        "id": id_,
        "channel": "server-provisioning",
        "name": f"Provision {id_}",
        "organization": {"id": "northwind", "name": "Northwind Labs"},
        "project": None,
        "workspace": None,
        "environment": None,
        "target": {"type": "server", "id": id_, "name": id_, "url": None, "parent": None},
        "server": {"id": id_, "name": id_},
        "cloud_account": {"id": "acc", "name": "Hetzner fsn1"},
        "initiator": {
            "id": "usr_mk",
            "name": "mira",
            "full_name": "Mira Kovač",
            "email": None,
            "agent": None,
        },
        "attempt": 1,
        "attempts": [],
        "state": "running",
        "stalled": False,
        "cleaned": False,
        "progress": 0.4,
        "controls": [],
        "effects": {},
        "started": iso(72),
        "ended": None,
        "updated": iso(1),
        "lease": iso(-60),
        "duration_ms": None,
        "error": None,
        "steps": [
            step(0, "Reserve address", "done"),
            step(1, "Create compute instance", "running"),
            step(2, "Harden firewall"),
        ],
        "output": {"lines": [], "bytes": 0, "total": 0},
        "requests": [],
        "receipt": None,
        "case": None,
    }
    return {**made, **rest}
