"""What requests about AI agents have in common: filters, which chain is meant, how many count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from flask import request

from activity_center.agents import verdicts
from activity_center.streams import ORGANIZATION_ID
from sidecar_api import asking, refusing
from sidecar_api.access import Scope
from sidecar_api.agents.chains import Chains, Read
from sidecar_api.agents.judging import MOST_JUDGED, Judge
from sidecar_api.agents.places import Key, Place
from sidecar_api.agents.query import IMPACTS, ORIGINS, RESULTS, STATES, Wanted
from sidecar_api.agents.remembered import Remembered
from sidecar_api.failures import BadRequest
from sidecar_api.openapi import MOMENT, Parameter
from sidecar_api.recording import FETCH, FETCH_ALL
from sidecar_api.search.filters import NONE
from sidecar_api.services import services

PERMISSION: Final = "org:audit"


def _several(name: str, description: str, values: tuple[str, ...] = ()) -> Parameter:
    schema = {"type": "string", "enum": list(values)} if values else {"type": "string"}
    return Parameter(name, f"{description} Any of them.", {**schema, "maxLength": 256}, many=True)


PERIOD: Final = (
    Parameter("organization", f"Its id. {asking.OF_NONE}"),
    Parameter("from", "Proposed then or later: time, or date.", MOMENT),
    Parameter("to", "Proposed before: time, or date, included.", MOMENT),
    asking.RANGE,
)
FILTERS: Final = (
    _several("state", "How far it has come.", STATES),
    _several("verdict", "What is said of it, also beside what is graver.", tuple(verdicts())),
    _several("impact", "What the action can do.", IMPACTS),
    _several("result", "How it ended.", RESULTS),
    _several("source", "What it was done through.", ORIGINS),
    _several("action", "Exactly this action, at any stage."),
    _several("agent", "Id or name of the agent."),
    _several("tool", "Name of the tool."),
    Parameter("approver", "Who decided: id, login name, full name or e-mail address."),
    Parameter("initiator", "Who asked the agent: id, login name, full name or e-mail address."),
    Parameter("target", "Server or site, or what belongs to it: id, or a part of the name."),
    *PERIOD,
)
COUNTED: Final = (
    f"Counted over the newest chains of the period, {MOST_JUDGED:,} at most in all: counted says "
    "how many of how many."
)
PROPOSAL: Final = Parameter("proposal", "Its id.", place="path")
IN: Final = Parameter(
    "organization",
    f"Where several organizations have one of that id: of which one. {asking.OF_NONE}",
)
_LISTS: Final = {
    "state": "states",
    "verdict": "verdicts",
    "impact": "impacts",
    "result": "results",
    "source": "sources",
    "action": "actions",
    "agent": "agents",
    "tool": "tools",
}


def chains() -> Chains:
    """Return the questions about chains."""
    return Chains(services().client)


def judge(now: datetime | None = None) -> Judge:
    """Return who judges them, by the configured policies."""
    return Judge(services().config.approval_policies, now)


def remembered() -> Remembered:
    """Return what was decided here a moment ago."""
    return Remembered(Path(services().config.sidecar.data_dir))


def wanted(asked: Mapping[str, Any], now: datetime) -> Wanted:
    """Return the filters of a request.

    Args:
        now: where ``range`` ends.

    Raises:
        BadRequest: one of them is wrong.
        Forbidden: an organization is named of which the reader may see nothing.
    """
    start, end = asking.period(asked, now)
    several: dict[str, Any] = {}
    for name, member in _LISTS.items():
        several[member] = tuple(sorted({asking.text(one, name) for one in asked.get(name, ())}))
    found = Wanted(
        organization=organization(asked["organization"]) or "",
        start=start,
        end=end,
        **several,
        approver=asking.text(asked.get("approver"), "approver"),
        initiator=asking.text(asked.get("initiator"), "initiator"),
        target=asking.text(asked.get("target"), "target"),
    )
    if found.organization:
        asking.check_organizations([found.organization])
    return found


def organization(value: str | None) -> str | None:
    """Return an organization's id; ``NONE``: what has none is meant.

    Raises:
        BadRequest: it is neither.
    """
    if value not in (None, NONE) and not ORGANIZATION_ID.fullmatch(value):
        raise BadRequest(
            "This can be no organization's id.",
            parameter="organization",
            hint=f"GET /api/v1/organizations lists yours. {asking.OF_NONE}",
        )
    return value


def key_of(scope: Scope, id_: str) -> Key:
    """Return the chain that a reader means by an id, and by ``organization``.

    Raises:
        NotFound: there is none that they may see.
        BadRequest: there are several.
    """
    of = organization(asking.arguments()["organization"])
    found = chains().keys(scope, id_, of) if bounded(id_) else []
    return _the_one(found, id_)


def owned(id_: str, sender: str, organizations: frozenset[str] | None) -> Key:
    """Return the chain that a program means, of those that it proposed itself.

    Raises:
        NotFound: there is none.
        BadRequest: there are several.
    """
    of = organization(asking.arguments()["organization"])
    found = chains().owned(id_, sender) if bounded(id_) else []
    mine = [
        one
        for one in found
        if of in (None, one.organization or NONE)
        and (organizations is None or one.organization in organizations)
    ]
    return _the_one(mine, id_)


def _the_one(found: list[Key], id_: str) -> Key:
    if len(found) > 1:
        raise BadRequest(
            "Several organizations have one with this id.",
            parameter="organization",
            hint=asking.SAY_WHICH,
        )
    if not found:
        raise refusing.absent("proposal", id_)
    return found[0]


def whole(key: Key, *, program: bool = False) -> Read:
    """Return a chain with all its entries, and what was decided here a moment ago.

    Args:
        program: of what is stored alone. What is kept here of a decision lacks its reason and
            its arguments, by which a program goes.

    Raises:
        NotFound: it is gone.
    """
    found = chains().read([key])
    if not found:
        raise refusing.absent("proposal", key.shown)
    return found[0] if program else found[0].having(remembered().entry(key))


def bounded(id_: str) -> bool:
    """Whether this can be an id."""
    return 0 < len(id_) <= 300


def newest(places: list[Place], as_of: datetime) -> Iterator[Read]:
    """Yield the chains of which answers with counts consist: see :data:`COUNTED`."""
    yield from chains().walk((one.key for one in places[:MOST_JUDGED]), as_of)


def counted(places: list[Place], *, more: bool) -> dict[str, Any]:
    """Return of how many chains :func:`newest` is, and of how many there are."""
    looked = min(len(places), MOST_JUDGED)
    return {"chains": looked, "of": len(places), "approximate": more or looked < len(places)}


def record(scope: Scope, filters: Wanted, of: str) -> None:
    """Record that somebody has looked at many.

    An organization sees who read its trail: a record each, as of activities.

    Args:
        of: what they have looked at: "proposals", for example.
    """
    details = asking.looked(scope, filters.organization, scope.organizations, of=of)
    services().recording.read(scope.reader, FETCH_ALL, request, details)


def note(scope: Scope, id_: str, organization: str | None) -> None:
    """Record that somebody has looked at one."""
    details = {"resource": id_, "organization": organization or None}
    services().recording.read(scope.reader, FETCH, request, details)


def now() -> datetime:
    """Return this moment in whole milliseconds, as stored times are."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
