"""The live tail as server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, cast

import orjson
from flask import Blueprint, Flask, Response, current_app, request

from sidecar_api import asking, events
from sidecar_api.access import Scope
from sidecar_api.cursors import MAX_LENGTH, Sealer, binding
from sidecar_api.failures import BadRequest, Failure, Forbidden, RateLimited, Unavailable
from sidecar_api.follow import Event, Hub, Watch
from sidecar_api.openapi import MOMENT, Parameter, operation
from sidecar_api.recording import FETCH_ALL, details_of
from sidecar_api.search.newer import Place
from sidecar_api.services import services

blueprint = Blueprint("stream", __name__, url_prefix="/api/v1")

_EXTENSION: Final = "activity_center_hub"


@blueprint.get("/activities/stream")
@operation(
    "Follow new activities",
    description=(
        "Server-sent events. event: activity has an activity as data and its place as id; a "
        "client that comes back with Last-Event-ID (browsers do so by themselves) gets what it "
        "missed, each exactly once. event: reset says that more was missed than is caught up "
        "with, or that something arrived too late to be given: read the list again. A comment "
        "comes every 15 seconds of silence. The record's own entries (activity_log.*) come only "
        "where a filter asks for them."
    ),
    parameters=[
        Parameter(
            "as_of",
            "page.as_of of the list that is shown: begin there instead of now.",
            MOMENT,
        ),
        Parameter(
            "Last-Event-ID",
            "Id of the last event that was received.",
            {"type": "string", "maxLength": MAX_LENGTH},
            place="header",
        ),
    ],
    filters=True,
    media=events.MEDIA,
    failures=[Forbidden, RateLimited, Unavailable],
    permission="org:audit",
)
def stream() -> Response:
    """The events, until the client goes, may not see them any more, or the process ends."""
    filters = asking.filters()
    asked = asking.arguments()["as_of"]
    since = None if asked is None else asking.as_of(asked)
    scope = asking.scope()
    sealer = Sealer(services().secret, "stream", "Last-Event-ID")
    bound = binding(scope, filters.canonical())
    place, lost = _place(sealer, bound)
    response = events.response()
    if request.method == "HEAD":
        return response
    services().recording.read(scope.reader, FETCH_ALL, request, details_of(filters, scope))
    watch = hub().watch(scope, filters, place, since=since)
    response.response = _lines(watch, lost, sealer, bound, _Still(scope), events.here())
    response.call_on_close(watch.close)
    return response


def hub() -> Hub:
    """Return the watches of this process."""
    found = current_app.extensions.get(_EXTENSION)
    if found is None:  # it opens nothing until somebody watches
        found = current_app.extensions.setdefault(_EXTENSION, Hub(services().search))
    return cast(Hub, found)


def _place(sealer: Sealer, bound: bytes) -> tuple[Place | None, bool]:
    """The place that the client comes back with, and whether it brings one that is of no use.

    A browser sends it again and again, and would give up for good over a 4xx: a place of other
    filters, or of what the reader might see before, is answered with a reset.
    """
    given = request.headers.get("Last-Event-ID", "")
    if not given:
        return None, False
    try:
        return Place.read(sealer.open(given, bound)), False
    except BadRequest:
        return None, True


class _Still:
    """Whether a reader is recognized and may see just what they could when the stream opened.

    To look is no use of their session: an open page that nobody sits at prolongs none.
    """

    def __init__(self, scope: Scope) -> None:
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        self._asked = asking.lasting()
        self._query = scope.query()

    def __call__(self) -> bool:
        with self._app.app_context():
            found = services()
            try:
                reader = found.identity.authenticate(self._asked, use=False)
            except Failure:
                return False
            return reader is not None and found.access.scope(reader).query() == self._query


def _lines(
    watch: Watch,
    lost: bool,
    sealer: Sealer,
    bound: bytes,
    allowed: _Still,
    here: Callable[[], bool],
) -> Iterator[bytes]:
    yield events.OPEN
    if lost:
        yield b"event: reset\ndata: {}\n\n"
    try:
        for event in watch.events(allowed, here):
            yield _written(event, sealer, bound)
    except Failure:
        # The head is sent: the client comes back with its place, and is told then.
        return
    finally:
        watch.close()


def _written(event: Event, sealer: Sealer, bound: bytes) -> bytes:
    """One event; a beat without data moves the client's place alone (section 9.2.6)."""
    place = f"id: {sealer.seal(event.place.written(), bound)}\n"
    if event.kind == "beat":
        return f": alive\n{place}\n".encode()
    data = orjson.dumps(event.activity or {})  # one line: JSON has no raw line ends
    return f"event: {event.kind}\n{place}data: ".encode() + data + b"\n\n"
