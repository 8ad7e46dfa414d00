"""The history of processes: lists of them, one of them, its entries and its output."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Response, request

from activity_center.processes import Key
from sidecar_api import asking, refusing
from sidecar_api.access import Reach, Scope, Subject
from sidecar_api.conditional import json_answer
from sidecar_api.cursors import Sealer, binding
from sidecar_api.failures import BadRequest, Forbidden, NotFound, Unavailable
from sidecar_api.line import Line
from sidecar_api.openapi import MOMENT, TOKEN, Parameter, operation
from sidecar_api.processes import live
from sidecar_api.processes.history import History
from sidecar_api.processes.history_query import DEEPEST, STATES, Wanted
from sidecar_api.recording import FETCH, FETCH_ALL
from sidecar_api.search import Filters
from sidecar_api.search.filters import MOST_WORDS, NONE
from sidecar_api.search.page import SIZES
from sidecar_api.services import services

PATIENCE: Final = 10.0
"""Seconds that a replay waits for others."""
replaying: Final = Line(PATIENCE)
"""Each holds up to 16 MiB and takes seconds of computing: others wait for their turn."""
blueprint = Blueprint("history", __name__, url_prefix="/api/v1")

_PERMISSION: Final = "process:view"
_PROCESS: Final = Parameter("process", "Its id.", place="path")
_ORGANIZATION: Final = Parameter(
    "organization",
    f"Where several organizations have a process of that id: of which one. {asking.OF_NONE}",
)
_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "event": ("id", "kind", "action", "outcome", "reason", "sequence"),
    "organization": ("id", "name"),
    "user": ("id", "name", "full_name"),
    "error": ("message",),
    "ecs": ("version",),
    "activity": ("lens", "retention", "schema_version", "process", "control"),
}
"""What the fold and a replay need of an entry of the audit trail."""
_TEXTS: Final = ("organization", "server", "cloud_account", "target", "initiator")


@blueprint.get("/processes")
@operation(
    "List processes",
    description=(
        "Newest first, one row a process, running ones too. state is that of its latest attempt; "
        "from and to are times between which something of it began or ended."
    ),
    parameters=[
        Parameter("state", "Any of them.", {"type": "string", "enum": list(STATES)}, many=True),
        Parameter("channel", "Any of them.", {"type": "string", "maxLength": 128}, many=True),
        Parameter("organization", f"Its id. {asking.OF_NONE}"),
        Parameter("server", "Id, or a part of the name."),
        Parameter("cloud_account", "Id, or a part of the name."),
        Parameter("target", "What it works on: id, or a part of the name."),
        Parameter("initiator", "Who began it: id, login name, full name or e-mail address."),
        Parameter("from", "Time or date, included.", MOMENT),
        Parameter("to", "Time, not included, or date, included.", MOMENT),
        asking.RANGE,
        Parameter("q", "Words in its name, target, server, people or id."),
        Parameter(
            "page",
            f"Number of the page, up to {DEEPEST:,} processes deep.",
            {"type": "integer", "minimum": 1, "maximum": DEEPEST, "default": 1},
        ),
        Parameter(
            "size",
            "Processes on a page.",
            {"type": "integer", "enum": list(SIZES), "default": SIZES[0]},
        ),
    ],
    answer="ProcessPage",
    failures=[Forbidden],
    permission=_PERMISSION,
)
def processes() -> Response:
    """A page of processes."""
    asked, scope = asking.arguments(), asking.scope()
    wanted = _wanted(asked)
    if wanted.organization not in ("", NONE):
        Filters.parse({"organization": [wanted.organization]})  # its form
        scope.check_watching(wanted.organization)
    number, size = asked["page"], asked["size"]
    if number * size > DEEPEST:
        raise BadRequest(
            f"Pages reach {DEEPEST:,} processes.", parameter="page", hint="Narrow the time range."
        )
    found = History(services().client).page(scope, wanted, number=number, size=size)
    _record(scope, wanted)
    begin, shown = (number - 1) * size, len(found.processes)
    page = {
        "number": number,
        "size": size,
        "total": found.total,
        "approximate": found.approximate,
        "from": begin + 1 if shown else 0,
        "to": begin + shown if shown else 0,
    }
    return json_answer({"processes": found.processes, "page": page})


@blueprint.get("/processes/<path:process>")
@operation(
    "Read one process",
    description="As docs/process-stream.md has it; of one that is live, as it is now.",
    parameters=[_PROCESS, _ORGANIZATION],
    answer="OneProcess",
    failures=[NotFound],
    permission=_PERMISSION,
)
def one(process: str) -> Response:
    """One process."""
    scope = asking.scope()
    wanted = asking.arguments()["organization"]
    id_ = _bounded(process)
    running = [
        one
        for one in live().named(id_)
        if scope.watches(one) and wanted in (None, one["organization"]["id"] or NONE)
    ]
    key = _key(scope, id_, wanted, [one["organization"]["id"] for one in running])
    found = History(services().client).one(key)
    stored = found[0].as_dict() if found else None
    whole = found is None or found[1]
    body = next((one for one in running if one["organization"]["id"] == key[0]), stored)
    # The hub may begin in the middle; whose a process is, the record knows from its beginning.
    if body is None or not scope.watches(body) or (stored and not scope.watches(stored)):
        raise refusing.absent("process", process, may="watch")
    if stored and _fuller(stored, body):
        body = stored
    _note(scope, key)
    return json_answer({"process": body, "whole": whole})


@blueprint.get("/processes/<path:process>/entries")
@operation(
    "List what happened to a process",
    description=(
        "Every entry of it in the order of their times, up to 1,000 at once. Of what "
        "people asked, which is of the audit trail, only who, what, when and why, unless the "
        "reader may see the entry there."
    ),
    parameters=[_PROCESS, _ORGANIZATION, Parameter("after", "next of the last answer.", TOKEN)],
    answer="ProcessEntries",
    failures=[NotFound],
    permission=_PERMISSION,
)
def entries(process: str) -> Response:
    """A page of the entries of a process."""
    asked, scope = asking.arguments(), asking.scope()
    key = _watched(scope, process, asked["organization"])
    sealer, bound = _sealer("after"), binding(scope, [], "entries", *key)
    after = sealer.open(asked["after"], bound) if asked["after"] is not None else None
    found = History(services().client).entries(key, after)
    _note(scope, key)
    rows = [row if _opened(scope, row) else _shown(row) for row in found.rows]
    return json_answer({"entries": rows, "next": found.next and sealer.seal(found.next, bound)})


@blueprint.get("/processes/<path:process>/replay")
@operation(
    "Replay a process",
    description=(
        "What each entry of it changed, in the order of their times, as deltas of "
        "docs/process-stream.md, from nothing on; without what it printed. whole: to its end. One "
        "is made at a time: refused with 503 when others' took too long."
    ),
    parameters=[_PROCESS, _ORGANIZATION],
    answer="ProcessReplay",
    failures=[NotFound, Unavailable],
    permission=_PERMISSION,
)
def replay(process: str) -> Response:
    """How a process went."""
    scope = asking.scope()
    key = _watched(scope, process, asking.arguments()["organization"])
    with replaying.turn(scope.reader.id):
        frames, whole = History(services().client).replay(key)
    _note(scope, key)
    return json_answer({"frames": frames, "whole": whole})


@blueprint.get("/processes/<path:process>/output")
@operation(
    "Read the output of a process",
    description="All of it in order, about 1 MiB at once. It is kept for 30 days.",
    parameters=[
        _PROCESS,
        _ORGANIZATION,
        Parameter(
            "attempt",
            "Of this attempt; default: of all.",
            {"type": "integer", "minimum": 1, "maximum": 1_000_000_000},
        ),
        Parameter("step", "Of this step, by id or name; default: of all.", {"maxLength": 512}),
        Parameter("from", "next of the last answer.", TOKEN),
    ],
    answer="ProcessOutput",
    failures=[NotFound],
    permission=_PERMISSION,
)
def output(process: str) -> Response:
    """A page of the output of a process."""
    asked, scope = asking.arguments(), asking.scope()
    step = asking.text(asked["step"], "step")
    key = _watched(scope, process, asked["organization"])
    further = (str(asked["attempt"]), step)
    sealer, bound = _sealer("from"), binding(scope, [], "output", *key, *further)
    after = sealer.open(asked["from"], bound) if asked["from"] is not None else None
    history = History(services().client)
    found = history.output(key, attempt=asked["attempt"], step=step, after=after)
    _note(scope, key)
    return json_answer(
        {"output": found.rows, "next": found.next and sealer.seal(found.next, bound)}
    )


def _opened(scope: Scope, entry: Mapping[str, Any]) -> bool:
    """Whether the reader sees all of an entry of a process that they may watch.

    Of the audit trail: by a role that opens it there, or because they did it themselves.
    """
    lens, user = entry["activity"]["lens"], entry.get("user")
    own = isinstance(user, Mapping) and user.get("id") == scope.reader.id
    if lens == "process" or scope.everything or own:
        return True
    subject = Subject.of(entry)
    return any(
        lens in one.lenses
        and Reach(one.organization, one.workspaces, one.resources).covers(subject)
        for one in scope.openings
    )


def _shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the audit trail without what is nobody's but its readers': addresses, session."""
    made = {name: one for name, one in entry.items() if name in ("id", "@timestamp", "partial")}
    for name, members in _SHOWN.items():
        group = entry.get(name)
        if isinstance(group, Mapping):
            made[name] = {one: group[one] for one in members if one in group}
    return made


def _wanted(asked: Mapping[str, Any]) -> Wanted:
    """The filters of a list.

    Raises:
        BadRequest: one of them is wrong.
    """
    start, end = asking.period(asked, datetime.now(UTC))
    words = asking.text(asked["q"], "q")
    if len(words.split()) > MOST_WORDS:
        raise BadRequest(f"At most {MOST_WORDS} words.", parameter="q")
    return Wanted(
        states=tuple(sorted(set(asked["state"]))),
        channels=tuple(sorted({asking.text(one, "channel") for one in asked["channel"]})),
        start=start,
        end=end,
        text=words,
        **{name: asking.text(asked[name], name) for name in _TEXTS},
    )


def _watched(scope: Scope, process: str, organization: str | None) -> Key:
    """The stored process that the reader means.

    Raises:
        NotFound: there is none that they may watch.
        BadRequest: there are several.
    """
    return _key(scope, _bounded(process), organization, [])


def _key(scope: Scope, id_: str, organization: str | None, known: list[str]) -> Key:
    """Which process an id means.

    Args:
        known: organizations of which it is known that they have one that the reader may watch.
    """
    if organization is not None:
        asking.text(organization, "organization")
    keys = {(one, id_) for one in known}
    keys |= set(History(services().client).keys(scope, id_, organization))
    if len(keys) > 1:
        raise BadRequest(
            "Several organizations have a process with this id.",
            parameter="organization",
            hint=asking.SAY_WHICH,
        )
    if not keys:
        raise refusing.absent("process", id_, may="watch")
    return keys.pop()


def _fuller(stored: Mapping[str, Any], running: Mapping[str, Any]) -> bool:
    """Whether the record knows more than the hub, which may begin in the middle."""
    return bool((stored["updated"] or "") >= (running["updated"] or ""))


def _bounded(process: str) -> str:
    if len(process) > 256:
        raise refusing.absent("process", process, may="watch")
    return process


def _sealer(parameter: str) -> Sealer:
    return Sealer(services().secret, "history", parameter)


def _record(scope: Scope, wanted: Wanted) -> None:
    """Record that somebody has looked."""
    details = asking.looked(scope, wanted.organization, scope.watched, of="processes")
    services().recording.read(scope.reader, FETCH_ALL, request, details)


def _note(scope: Scope, key: Key) -> None:
    details = {"resource": key[1], "organization": key[0] or None}
    services().recording.read(scope.reader, FETCH, request, details)
