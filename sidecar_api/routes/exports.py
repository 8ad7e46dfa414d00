"""The export: the filters' whole answer as a file, streamed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final, cast

from flask import Blueprint, Response, request

from sidecar_api import asking, moments
from sidecar_api.access import Scope
from sidecar_api.conditional import PRIVATE
from sidecar_api.export.manifest import Tally
from sidecar_api.export.resume import Tickets, location
from sidecar_api.export.write import FORMATS, PAGE, Format, ahead, gzipped, written
from sidecar_api.failures import BadRequest, Forbidden, RateLimited, Unavailable
from sidecar_api.limits import limits
from sidecar_api.openapi import TOKEN, Parameter, operation
from sidecar_api.recording import EXPORT, details_of
from sidecar_api.search import Filters
from sidecar_api.search.filters import NONE
from sidecar_api.search.present import activity
from sidecar_api.services import services

blueprint = Blueprint("exports", __name__, url_prefix="/api/v1")

_LARGEST: Final = 9_999_999_999
Hits = Generator[dict[str, Any], None, None]


@blueprint.get("/activities/export")
@operation(
    "Export activities",
    description=(
        "All that the filters find, newest first, without a limit, streamed. The last line is a "
        "manifest with count and SHA-256: a file without it was cut off. Content-Location is the "
        "address at which the same export can be had again; add &offset= and the bytes that you "
        "have to go on with a download that broke. The export is recorded before its first byte."
    ),
    parameters=[
        Parameter(
            "format",
            "Form of the file.",
            {"type": "string", "enum": sorted(FORMATS)},
            required=True,
        ),
        Parameter(
            "resume",
            "As Content-Location of an earlier export has it.",
            TOKEN,
        ),
        Parameter(
            "offset",
            "Bytes (before compression) that you have already; with resume.",
            {"type": "integer", "minimum": 0, "maximum": _LARGEST, "default": 0},
        ),
    ],
    filters=True,
    media=["text/csv", "application/x-ndjson"],
    failures=[Forbidden, RateLimited, Unavailable],
    permission="org:audit:export",
)
def export() -> Response:
    """The file, or why there is none; once its first byte is sent, it is cut off instead."""
    asked = asking.arguments()
    filters = asking.filters()
    if asked["offset"] and asked["resume"] is None:
        raise BadRequest(
            "offset needs resume: without it this would be another export.",
            parameter="offset",
            hint="Ask for the Content-Location of the export that you have a part of.",
        )
    form = FORMATS[asked["format"]]
    scope = _exported(filters)
    tickets = Tickets(services().secret)
    if asked["resume"] is None:
        as_of = tickets.begin()
        token = tickets.seal(scope, filters, form.name, as_of)
    else:
        token = asked["resume"]
        as_of = tickets.open(token, scope, filters, form.name)
    response = Response(content_type=form.media)
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{_name(form, filters, as_of)}"'
    )
    response.headers["Content-Location"] = location(request.path, filters, form.name, token)
    response.headers["Cache-Control"] = PRIVATE
    response.vary.add("Accept-Encoding")
    if request.method != "HEAD":
        _begin(response, scope, filters, form, as_of, asked["offset"])
    return response


def _exported(filters: Filters) -> Scope:
    """What the reader may export; own deeds alone when the filter names them as the actor."""
    scope = asking.scope()
    own = filters.values("actor") == (scope.reader.id,)
    return scope.for_export(filters.values("organization"), own=own)


def _begin(
    response: Response, scope: Scope, filters: Filters, form: Format, as_of: datetime, offset: int
) -> None:
    """Read the first page and make the record; only then is there an answer at all."""
    slot = limits().export(scope.reader)
    hits = cast(Hits, services().search.scan(scope, filters, as_of=as_of, page_size=PAGE))
    try:
        first = list(islice(hits, 1))  # the whole first page had to come for it
        details = {
            **details_of(filters, scope),
            "format": form.name,
            "as_of": moments.written(as_of),
        }
        if offset:
            details["resumed_at"] = offset
        begun = {**details, "stage": "begun"}
        services().recording.must(scope.reader, EXPORT, request, begun)
    except BaseException:
        hits.close()
        slot.release()
        raise
    tally = Tally(form.name, filters.canonical(), as_of)
    rest = ahead(hits, PAGE - 1)
    activities = (activity(hit) for hit in chain(first, rest))
    body: Iterator[bytes] = written(form, activities, tally, offset)
    if request.accept_encodings.quality("gzip") > 0:
        response.headers["Content-Encoding"] = "gzip"
        body = gzipped(body)
    response.response = body

    recording, asked = services().recording, asking.lasting()

    def end() -> None:
        rest.close()
        hits.close()  # and with it the point in time
        slot.release()
        result = {**details, "stage": "ended", "count": tally.count, "complete": tally.closed}
        recording.read(scope.reader, EXPORT, asked, result)

    response.call_on_close(end)


def _name(form: Format, filters: Filters, as_of: datetime) -> str:
    named = filters.values("organization")
    of = named[0] if len(named) == 1 and named[0] != NONE else "all"
    return f"activities-{of}-{as_of:%Y%m%dT%H%M%SZ}.{form.suffix}"
