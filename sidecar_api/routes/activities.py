"""The record: lists, one entry, what occurs in it, and how it is spread over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from flask import Blueprint, Response, request

from sidecar_api import asking, refusing
from sidecar_api.access import Scope
from sidecar_api.conditional import json_answer
from sidecar_api.cursors import binding
from sidecar_api.failures import BadRequest, Forbidden, NotFound
from sidecar_api.ids import LONGEST_ID
from sidecar_api.moments import written
from sidecar_api.openapi import MOMENT, TOKEN, Parameter, operation
from sidecar_api.recording import FETCH, FETCH_ALL, details_of
from sidecar_api.search import FACETS, Filters, Page
from sidecar_api.search.page import DEEPEST, SIZES
from sidecar_api.search.searching import CARD_ROWS
from sidecar_api.services import services

blueprint = Blueprint("activities", __name__, url_prefix="/api/v1")

_PAGE: Final = Parameter(
    "page",
    f"Number of the page, up to {DEEPEST:,} entries deep; beyond, use cursor.",
    {"type": "integer", "minimum": 1, "maximum": DEEPEST, "default": 1},
)
_SIZE: Final = Parameter(
    "size", "Entries on a page.", {"type": "integer", "enum": list(SIZES), "default": SIZES[0]}
)
_CURSOR: Final = Parameter(
    "cursor",
    "next or previous of an answer: as deep as one likes, with the same filters.",
    TOKEN,
)
_AS_OF: Final = Parameter(
    "as_of",
    "page.as_of of an earlier answer: what came in later does not shift the pages.",
    MOMENT,
)
_INCLUDE: Final = Parameter(
    "include",
    "What the answer holds beside the page: facets, histogram, or both with a comma.",
    {"type": "string", "enum": ["facets", "histogram", "facets,histogram", "histogram,facets"]},
)
LIST: Final = (_PAGE, _SIZE, _CURSOR, _AS_OF, _INCLUDE)
"""Parameters of every list beside the filters."""


@blueprint.get("/activities")
@operation(
    "List activities",
    description="Newest first. Different filters all hold; values of one filter are any of.",
    parameters=LIST,
    filters=True,
    answer="ActivityPage",
    failures=[Forbidden],
    permission="org:audit",
)
def activities() -> Response:
    """A page of the record."""
    return listed({})


@blueprint.get("/users/<path:user>/activities")
@operation(
    "List what one user did",
    parameters=(*LIST, Parameter("user", "Id, name or e-mail address.", place="path")),
    filters=True,
    answer="ActivityPage",
    failures=[Forbidden, NotFound],
    permission="org:audit",
)
def of_user(user: str) -> Response:
    """A page of what one user did."""
    return listed({"actor": _bounded(user, "user")})


@blueprint.get("/resources/<resource_type>/<path:resource_id>/activities")
@operation(
    "List what happened to one resource",
    parameters=LIST,
    filters=True,
    answer="ActivityPage",
    failures=[Forbidden, NotFound],
    permission="org:audit",
)
def of_resource(resource_type: str, resource_id: str) -> Response:
    """A page of what happened to one resource."""
    resource_type, resource_id = _as_sent(resource_type, resource_id)
    return listed(
        {
            "resource_type": _bounded(resource_type, "resource_type"),
            "resource_id": _bounded(resource_id, "resource_id"),
        }
    )


def _as_sent(resource_type: str, resource_id: str) -> tuple[str, str]:
    """Type and id where the type has a slash (``deployments/scale``), which comes as ``%2F``.

    WSGI hands over the path decoded, and with it the slash as one that parts.
    """
    decoded = resource_type, resource_id
    raw = str(request.environ.get("RAW_URI", "")).partition("?")[0]
    kind, _, id_ = raw.removesuffix("/activities").partition("/resources/")[2].partition("/")
    sent = unquote(kind), unquote(id_)
    return sent if "/".join(sent) == "/".join(decoded) else decoded


@blueprint.get("/activities/<activity>")
@operation(
    "Read one activity",
    parameters=[Parameter("activity", "Its id.", place="path")],
    description="All that is kept of it; changed fields with old and new value.",
    answer="Activity",
    failures=[NotFound],
    permission="org:audit",
)
def one(activity: str) -> Response:
    """One entry; one that the reader may not see is not there."""
    found = services().search.one(asking.scope(), activity)
    if found is None:
        raise refusing.absent("activity", activity)
    details = {"resource": activity, "organization": found.get("organization", {}).get("id")}
    services().recording.read(asking.reader(), FETCH, request, details)
    return json_answer(found)


@blueprint.get("/activities/facets")
@operation(
    "List the values that occur",
    description="Of what this reader may see, under the filters given, most frequent first.",
    parameters=[
        Parameter(
            "name", "Which; default: all.", {"type": "string", "enum": sorted(FACETS)}, many=True
        ),
        Parameter(
            "contains", "A part of the value.", {"type": "string", "minLength": 1, "maxLength": 100}
        ),
    ],
    filters=True,
    answer="FacetAnswer",
    failures=[Forbidden],
    permission="org:audit",
)
def facets() -> Response:
    """Values with counts."""
    asked, filters, scope = asking.arguments(), asking.filters(), asking.scope()
    found = services().search.facets(
        scope, filters, asked["name"] or tuple(FACETS), contains=asked["contains"]
    )
    _record(filters, scope, contains=asked["contains"])
    return json_answer({"facets": found})


@blueprint.get("/activities/histogram")
@operation(
    "Count activities over time",
    filters=True,
    answer="Histogram",
    failures=[Forbidden],
    permission="org:audit",
)
def histogram() -> Response:
    """Counts over time, failed ones apart."""
    filters, scope = asking.filters(), asking.scope()
    found = services().search.histogram(scope, filters)
    _record(filters, scope)
    return json_answer(found)


@blueprint.get("/activities/recent")
@operation(
    "List the latest activities",
    description="For a card on a dashboard.",
    parameters=[
        Parameter("organization", f"Of this organization alone. {asking.OF_NONE}"),
        Parameter(
            "count",
            "How many.",
            {"type": "integer", "minimum": 1, "maximum": 20, "default": CARD_ROWS},
        ),
    ],
    answer="ActivityList",
    failures=[Forbidden],
    permission="org:audit",
)
def recent() -> Response:
    """The latest entries."""
    asked, filters, scope = asking.arguments(), asking.filters(), asking.scope()
    found = services().search.recent(scope, asked["organization"], asked["count"])
    _record(filters, scope)
    return json_answer({"activities": found})


def listed(fixed: Mapping[str, str]) -> Response:
    """Answer a page of what matches the request's filters and ``fixed`` ones, and record it.

    Args:
        fixed: filters that the address says.
    """
    filters = asking.filters(fixed)
    asked = asking.arguments()
    scope = asking.scope()
    bound = binding(scope, filters.canonical(), str(asked["size"]))
    include = (asked["include"] or "").split(",")
    rest: dict[str, Any] = {
        "size": asked["size"],
        "facets": tuple(FACETS) if "facets" in include else (),
        "histogram": "histogram" in include,
    }
    page = services().search.page(scope, filters, **_where(asked, bound), **rest)
    _record(filters, scope)
    return _answer(page, bound)


def _record(filters: Filters, scope: Scope, contains: str | None = None) -> None:
    """Record that somebody has looked: what shows the same is one record a minute.

    Args:
        contains: what values were looked for with.
    """
    details = details_of(filters, scope)
    if contains:
        details["contains"] = contains
    services().recording.read(scope.reader, FETCH_ALL, request, details)


def _where(asked: Mapping[str, Any], bound: bytes) -> dict[str, Any]:
    """Which page is meant: by cursor, or by number."""
    as_of = None if asked["as_of"] is None else asking.as_of(asked["as_of"])
    if asked["cursor"] is not None:
        for other in ("page", "as_of"):
            if other in request.args:
                raise BadRequest(
                    f"The cursor says already what {other} would.",
                    parameter=other,
                    hint=f"Leave {other} out.",
                )
        held = services().cursors.open(asked["cursor"], bound)
        return {
            held["side"]: held["at"],
            "number": held["number"],
            "as_of": datetime.fromisoformat(held["as_of"]),
        }
    return {"number": asked["page"], "as_of": as_of}


def _answer(page: Page, bound: bytes) -> Response:
    before = (page.number - 1) * page.size
    shown = len(page.activities)
    as_of = written(page.as_of)
    sealer = services().cursors

    def cursor(side: str, at: Any, number: int) -> str:
        return sealer.seal({"side": side, "at": at, "number": number, "as_of": as_of}, bound)

    more = page.last is not None and before + shown < page.total
    earlier = page.first is not None and page.number > 1
    body: dict[str, Any] = {
        "activities": page.activities,
        "page": {
            "number": page.number,
            "size": page.size,
            "total": page.total,
            "from": before + 1 if shown else 0,
            "to": before + shown if shown else 0,
            "as_of": as_of,
            "next": cursor("after", page.last, page.number + 1) if more else None,
            "previous": cursor("before", page.first, page.number - 1) if earlier else None,
        },
    }
    if page.facets:
        body["facets"] = page.facets
    if page.histogram:
        body["histogram"] = page.histogram
    # Two answers that differ in as_of alone (and in the cursors that carry it) mean the same.
    same = {**body, "page": [page.number, page.size, page.total]}
    return json_answer(body, tag=same)


def _bounded(value: str, name: str) -> str:
    if len(value) > LONGEST_ID:
        raise BadRequest(f"{name} may have {LONGEST_ID} characters.", parameter=name)
    return value
