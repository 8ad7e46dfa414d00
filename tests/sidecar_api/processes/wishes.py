"""Processes of which something is asked, what was asked before, and asking it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from activity_center.processes import apply
from sidecar_api.processes.controls import VALID, Asked, ask
from sidecar_api.processes.webhooks import Messenger
from tests.activity_center.processes.entries import NOW, entry_of


def process(state: str = "running", **more: Any) -> dict[str, Any]:
    """A process as the API shows it, folded from one entry."""
    own = {"channel": "ssl", "state": state, "controls": ["cancel", "retry", "cleanup"]}
    began = entry_of("prc_1", "process.started", organization="northwind", own=own)
    found = apply(None, began)
    assert found is not None
    return {**found[0].as_dict(), **more}


def row(kind: str = "cancel", state: str = "requested", age: timedelta = timedelta()) -> Any:
    """A request of some age."""
    at = NOW - age
    return {
        "id": f"ctl_{kind}_{state}",
        "kind": kind,
        "attempt": 1,
        "state": state,
        "by": {"id": "usr_mk", "name": "mira"},
        "at": at.isoformat(),
        "expires_at": (at + VALID).isoformat(),
        "reason": None,
        "answer": None,
    }


def wish(
    shown: Mapping[str, Any],
    kind: str = "cancel",
    *,
    id_: str = "ctl_1",
    asked: Asked | None = None,
    messenger: Messenger | None = None,
    record: Callable[[dict[str, Any]], None] = lambda _: None,
    latest: Iterable[Mapping[str, Any]] = (),
    now: datetime = NOW,
) -> tuple[dict[str, Any], str]:
    """Ask something of a process, of a sidecar that knows of nothing else unless ``asked`` does.

    Args:
        latest: the processes of its id, a moment later.
    """
    return ask(
        shown,
        kind,
        id_=id_,
        by={},
        reason="",
        asked=asked or Asked(),
        messenger=messenger or Messenger({}),
        record=record,
        latest=lambda: latest,
        now=now,
    )
