"""Cancel, retry, clean up: people ask for it here, and programs hear of it here."""

from __future__ import annotations

import re
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
from sidecar_api.search.filters import NONE
from sidecar_api.services import services
from sidecar_api.text import is_text

blueprint = Blueprint("controls", __name__, url_prefix="/api/v1/processes")

LONGEST_WAIT: Final = 30
PROGRAMS: Final = 300
PEOPLE: Final = 60
"""Requests that wait at the same time, in one process of the server."""
STEP: Final = 0.25
"""Seconds between two looks: a program hears of a control so much later at most."""
PERMISSION: Final = "process:control"
_EXTENSION: Final = "activity_center_controls"
_KEY: Final = re.compile(rf"[!-~]{{1,{controls.LONGEST_KEY}}}")
_IN: Final = Parameter(
    "organization",
    f"Id of its organization, where several have a process with this id. {asking.OF_NONE}",
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
    programs: controls.Waiting
    people: controls.Waiting


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
    "takes it with an activity process.control_taken, and later says process.control_done. "
    "A program that may send for several organizations says which one it means, if any.",
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
    sender = asking.sender()
    if sender is None:
        waiting, who = _parts().people, asking.reader().id
        # Whoever could not hear of anything does not wait for it.
        if _mine(process, arguments["organization"]) is None:
            raise _unknown()
    else:
        waiting, who = _parts().programs, sender.name
    with waiting.place(who):
        slot = g.pop("slot", None)
        if slot is not None:
            slot.release()  # to wait is no work
        rows = _wait(process, arguments["organization"], until)
    if rows is None:
        raise _unknown()
    return json_answer({"controls": rows})


def _wait(process: str, organization: str | None, until: float) -> list[controls.Row] | None:
    """What is open, once there is something or it is ``until`` (monotonic seconds).

    A program waits for a process too that is not known: its beginning may be on its way.
    """
    looked, rows = None, None
    while True:
        left = until - monotonic()
        # Time alone opens nothing; what does moves the end of all changes.
        if looked != (end := live().end) or left <= 0:
            looked = end
            found = _mine(process, organization)
            rows = controls.open_controls(found, datetime.now(UTC)) if found else None
            if found is None and asking.sender() is None:
                return None
        if rows or left <= 0 or ending.begun() or ending.pause(min(STEP, left)):
            return rows


def _mine(process: str, organization: str | None) -> dict[str, Any] | None:
    """The process of who asks; ``None``: there is none, or it is another's.

    A program that names an empty organization means what the collector makes of that: the
    only one for which it may send, or none.

    Raises:
        Forbidden: a person asks who may watch it, and not control it.
        BadRequest: there are several.
    """
    sender = asking.sender()
    if sender is None:
        return _allowed(_named(process, organization))
    may = sender.organizations
    found = [one for one in live().named(process) if may is None or _organization(one) in may]
    if organization or (may is None and organization is not None):
        found = [one for one in found if _is_of(one, organization)]
    if len(found) > 1:
        raise _several()
    return found[0] if found else None


def _ask(process: str, kind: str) -> Response:
    key, reason = _key(), _reason()
    live().ready()
    found = _allowed(_named(process, asking.arguments()["organization"]))
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


def _named(process: str, organization: str | None) -> list[dict[str, Any]]:
    """Those of that id; ``None``: of every organization."""
    found = live().named(process)
    return [one for one in found if organization is None or _is_of(one, organization)]


def _allowed(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The one process that the reader means; ``None``: there is none that they may watch.

    Raises:
        Forbidden: they may watch it, and not control it.
        BadRequest: organizations of theirs have several of this id.
    """
    scope = asking.scope()
    seen = [one for one in found if scope.watches(one)]
    mine = [one for one in seen if scope.controls(one)]
    if len(mine) > 1:
        raise _several()
    if mine or not seen:
        return mine[0] if mine else None
    raise Forbidden(
        f"This needs the permission {PERMISSION} for this process.",
        permission=PERMISSION,
        organization=_organization(seen[0]),
        hint="Ask an owner or administrator for a role that has it.",
    )


def _organization(process: Mapping[str, Any]) -> str:
    return str(process["organization"]["id"])


def _is_of(process: Mapping[str, Any], organization: str | None) -> bool:
    """Whether a process is of an organization; empty, or ``NONE``: of none."""
    return (_organization(process) or NONE) == (organization or NONE)


def _several() -> BadRequest:
    return BadRequest(
        "Several organizations of yours have a process with this id.",
        parameter="organization",
        hint=asking.SAY_WHICH,
    )


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
        made = _Parts(
            controls.Asked(),
            Messenger(hooks),
            controls.Waiting(PROGRAMS),
            controls.Waiting(PEOPLE),
        )
        found = current_app.extensions.setdefault(_EXTENSION, made)
    return cast(_Parts, found)
