"""Cancel, retry, clean up: people ask for it here, and programs hear of it here."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, cast

from flask import Blueprint, Response, current_app, g, request

from sidecar_api import asking, ending
from sidecar_api.conditional import json_answer
from sidecar_api.failures import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    Unavailable,
)
from sidecar_api.openapi import Parameter, operation
from sidecar_api.openapi.processes import LONGEST_REASON
from sidecar_api.processes import controls, live
from sidecar_api.processes.webhooks import Messenger
from sidecar_api.services import services
from sidecar_api.text import is_text

blueprint = Blueprint("controls", __name__, url_prefix="/api/v1/processes")

LONGEST_WAIT: Final = 30
AT_ONCE: Final = 300
"""Programs that wait at the same time, in one process of the server."""
STEP: Final = 0.25
"""Seconds between two looks: a program hears of a control so much later at most."""
PERMISSION: Final = "process:control"
_EXTENSION: Final = "activity_center_controls"
_KEY: Final = re.compile(rf"[!-~]{{1,{controls.LONGEST_KEY}}}")
_IN: Final = Parameter(
    "organization", "Id of its organization, where several have a process with this id."
)
_HEADER: Final = Parameter(
    "Idempotency-Key",
    "Names the wish: sent again, it is the same wish and is recorded once.",
    {"type": "string", "minLength": 1, "maxLength": controls.LONGEST_KEY},
    place="header",
    required=True,
)
_TEXT: Final = (
    "It is recorded first. The answer is the request as it stands; the process's own program takes "
    "it up, or nobody does by expires_at: follow the process. Refused with 409 when the process "
    "does not offer it now, or somebody has asked for something already."
)


@dataclass(frozen=True, slots=True)
class _Parts:
    asked: controls.Asked
    messenger: Messenger
    waiting: threading.BoundedSemaphore


@blueprint.post("/<path:process>/cancel")
@operation(
    "Cancel a process",
    description=_TEXT,
    parameters=[_HEADER, _IN],
    body="Wish",
    answer="Asked",
    status=202,
    failures=[Forbidden, NotFound, Conflict],
    permission=PERMISSION,
)
def cancel(process: str) -> Response:
    """Ask to cancel."""
    return _ask(process, "cancel")


@blueprint.post("/<path:process>/retry")
@operation(
    "Try a process again",
    description=_TEXT,
    parameters=[_HEADER, _IN],
    body="Wish",
    answer="Asked",
    status=202,
    failures=[Forbidden, NotFound, Conflict],
    permission=PERMISSION,
)
def retry(process: str) -> Response:
    """Ask for another attempt."""
    return _ask(process, "retry")


@blueprint.post("/<path:process>/cleanup")
@operation(
    "Clean up after a process",
    description=f"{_TEXT} After a process that fell silent, when nobody takes it up, a receipt "
    "says what is left.",
    parameters=[_HEADER, _IN],
    body="Wish",
    answer="Asked",
    status=202,
    failures=[Forbidden, NotFound, Conflict],
    permission=PERMISSION,
)
def cleanup(process: str) -> Response:
    """Ask to clean up."""
    return _ask(process, "cleanup")


@blueprint.get("/<path:process>/controls")
@operation(
    "Read what is asked of a process",
    description="For its program: waits until something is asked that nobody has taken yet. It "
    "takes it with an activity process.control_taken, and later says process.control_done.",
    parameters=[
        Parameter(
            "wait",
            "Seconds to wait for something.",
            {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0},
        ),
        _IN,
    ],
    answer="Controls",
    failures=[Forbidden, NotFound, RateLimited],
    permission=PERMISSION,
    senders=True,
)
def asked_of(process: str) -> Response:
    """What is open, as soon as there is something."""
    arguments = asking.arguments()
    until = monotonic() + arguments["wait"]
    live().ready()
    slot = g.pop("slot", None)
    if slot is not None:
        slot.release()  # to wait is no work
    waiting = _parts().waiting
    if not waiting.acquire(blocking=False):
        raise RateLimited("Too many programs wait for controls.", retry_after=5)
    try:
        while True:
            found = _mine(process, arguments["organization"] or "")
            now = datetime.now(UTC)
            rows = controls.open_controls(found, now) if found is not None else []
            left = until - monotonic()
            if rows or left <= 0 or ending.begun():
                break
            if ending.pause(min(STEP, left)):
                break
    finally:
        waiting.release()
    if found is None:
        raise _unknown()
    return json_answer({"controls": rows})


def _mine(process: str, organization: str) -> dict[str, Any] | None:
    """The process of the program that asks; ``None``: there is none, or it is another's.

    Raises:
        Forbidden: a person asks who may watch it, and not control it.
    """
    found = _named(process, organization)
    sender = asking.sender()
    if sender is None:
        return _allowed(found, PERMISSION) if found else None
    for one in found:
        if sender.organizations is None or one["organization"]["id"] in sender.organizations:
            return one
    return None


def _ask(process: str, kind: str) -> Response:
    key, reason = _key(), _reason()
    live().ready()
    found = _allowed(_named(process, asking.arguments()["organization"] or ""), PERMISSION)
    if found is None:
        raise _unknown()
    if not services().recording.on:
        raise Unavailable(
            "Nothing can be asked of processes: it could not be recorded.",
            hint="The operator names the collector's HTTP address: sidecar.recording.url.",
        )
    reader, parts, hub = asking.reader(), _parts(), live()

    def record(fields: dict[str, Any]) -> None:
        services().recording.must(reader, f"process.{kind}", request, {}, fields)

    row, wrong = controls.ask(
        found,
        kind,
        id_=controls.control_id(services().secret, reader.id, found, kind, key),
        by={"id": reader.id, "name": reader.full_name or reader.name},
        reason=reason,
        asked=parts.asked,
        messenger=parts.messenger,
        record=record,
        latest=lambda: hub.named(found["id"]),
        now=datetime.now(UTC),
    )
    if wrong:
        raise Conflict(wrong, hint="Reload to see how the process is now.")
    response = json_answer({"request": row})
    response.status_code = 202
    return response


def _named(process: str, organization: str) -> list[dict[str, Any]]:
    return [
        one
        for one in live().named(process)
        if not organization or one["organization"]["id"] == organization
    ]


def _allowed(found: list[dict[str, Any]], permission: str) -> dict[str, Any] | None:
    """The one process that the reader means; ``None``: there is none that they may watch.

    Raises:
        Forbidden: they may watch it, and not control it.
        BadRequest: organizations of theirs have several of this id.
    """
    scope = asking.scope()
    seen = [one for one in found if scope.watches(one)]
    mine = [one for one in seen if scope.controls(one)]
    if len(mine) > 1:
        raise BadRequest(
            "Several organizations of yours have a process with this id.",
            parameter="organization",
            hint="Say which one.",
        )
    if mine or not seen:
        return mine[0] if mine else None
    raise Forbidden(
        f"This needs the permission {permission} for this process.",
        permission=permission,
        organization=_organization(seen[0]),
        hint="Ask an owner or administrator for a role that has it.",
    )


def _organization(process: Mapping[str, Any]) -> str:
    return str(process["organization"]["id"])


def _unknown() -> NotFound:
    return NotFound(
        "There is no such process that is live.",
        hint="Controls end an hour after the process has ended; see its history.",
    )


def _key() -> str:
    given = request.headers.get(_HEADER.name, "")
    if not _KEY.fullmatch(given):
        raise BadRequest(
            f"The header {_HEADER.name} must have 1 to {controls.LONGEST_KEY} characters.",
            parameter=_HEADER.name,
            hint="Send a fresh random value for each wish, and the same one to send it again.",
        )
    return given


def _reason() -> str:
    body = asking.json_body()
    unknown = sorted(set(body) - {"reason"})
    if unknown:
        raise BadRequest(
            "The body has a member that is not known.",
            parameter=unknown[0][:100],
            hint='Send {} or {"reason": "..."}.',
        )
    reason = body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON or not is_text(reason):
        raise BadRequest(
            f"reason must be text of at most {LONGEST_REASON} characters.",
            parameter="reason",
        )
    return reason.strip()


def _parts() -> _Parts:
    found = current_app.extensions.get(_EXTENSION)
    if found is None:
        hooks = {
            name: channel.webhook
            for name, channel in services().config.channels.items()
            if channel.webhook is not None
        }
        made = _Parts(controls.Asked(), Messenger(hooks), threading.BoundedSemaphore(AT_ONCE))
        found = current_app.extensions.setdefault(_EXTENSION, made)
    return cast(_Parts, found)
