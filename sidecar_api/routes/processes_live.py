"""Live processes: by WebSocket, as server-sent events, and by asking again and again."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, g, request
from flask_sock import Sock
from simple_websocket import Server
from werkzeug.exceptions import BadRequest as Malformed

from sidecar_api import asking, ending, events, refusing
from sidecar_api.access import Scope
from sidecar_api.conditional import PRIVATE, answer
from sidecar_api.failures import (
    BadRequest,
    Failure,
    Forbidden,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from sidecar_api.identity.bearer import credential
from sidecar_api.limits import limits
from sidecar_api.openapi import TOKEN, Parameter, operation
from sidecar_api.origin import is_own
from sidecar_api.processes import View, live, messages
from sidecar_api.processes.feed import Feed
from sidecar_api.processes.messages import Message
from sidecar_api.processes.sockets import RECHECK, Closing, Socket
from sidecar_api.search.filters import NONE
from sidecar_api.services import services

blueprint = Blueprint("processes_live", __name__)
sock = Sock()

WAIT: Final = 2
"""Seconds after which who polls asks again."""
_PERMISSION: Final = "process:view"
_WANTED: Final = ("channel", "organization", "process")
_PLACE: Final = ("offset", "epoch")
_LONGEST: Final = 256
_LONGEST_OFFSET: Final[int] = TOKEN["maxLength"]
"""As where an offset stands in a header or in ``since``."""
_STEP: Final = 1.0
_FILTERS: Final = [
    Parameter("channel", "Only processes of this channel."),
    Parameter("organization", f"Only processes of this organization. {asking.OF_NONE}"),
    Parameter("process", "Only the process with this id."),
]


# -- WebSocket ---------------------------------------------------------------------------


@blueprint.before_request
def check_handshake() -> None:
    """Refuse a handshake that is none (RFC 6455, section 4.2.1), and take no extension.

    What flask-sock would agree on by itself is compression, with memory for each connection;
    and a frame that is made once for many needs the same form for all of them.
    """
    if request.url_rule is None or not request.url_rule.websocket:
        return
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    try:
        key = base64.b64decode(request.headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 16 or request.headers.get("Sec-WebSocket-Version") != "13":
        raise Malformed("This is no handshake of a WebSocket of version 13.")


@blueprint.after_request
def tell_refused(response: Response) -> Response:
    """What became of a WebSocket, as others count it: nothing of it is sent any more."""
    if request.url_rule is not None and request.url_rule.websocket and response.status_code == 200:
        response.status_code = g.get("socket_status", 101)
    return response


def watch(ws: Server, channel: str = "") -> None:
    """Serve one WebSocket until it ends."""
    try:
        member, recovered, begin = _admitted(ws, channel)
    except Closing as told:
        Socket(ws, live(), "", View(False, ()), lambda: View(False, ())).refuse(told)
    else:
        member.run(recovered, begin)
    ws.connected = False  # it is over: flask-sock would say so again


# Not as decorators: flask-sock's return nothing that a second one could take.
sock.route("/ws/processes", bp=blueprint, endpoint="watch")(watch)
sock.route("/ws/processes/<channel>", bp=blueprint, endpoint="watch_channel")(watch)


def _admitted(ws: Server, channel: str) -> tuple[Socket, bool | None, Message | None]:
    """The member that a handshake makes, and what it begins with (it has joined).

    Raises:
        Closing: it may not watch, or not this.
    """
    if ending.begun():  # what we know of rights may be old: another process takes our place
        raise Closing(messages.GOING_AWAY, "the server goes away")
    try:
        try:
            _check_origin()
            wanted = {"channel": channel, **_asked()}
        except Closing:
            limits().count(request, None)
            raise
        offset = wanted.pop("offset")
        try:
            reader = asking.reader()
        except Unauthenticated:
            g.socket_status = 401
            limits().count(request, None)
            raise
        limits().count(request, reader)
        scope = asking.scope()
        _check(scope, wanted["organization"])
        live().ready()
        recheck = _Recheck(scope, wanted)
        member = Socket(ws, live(), reader.id, live().view(scope, **wanted), recheck)
        return member, *live().join(member, offset)
    except Forbidden as wrong:
        said = {**wrong.members, "organizations": wrong.closed}
        raise _closing(refusing.refused(wrong, said)) from wrong
    except Failure as wrong:
        raise _closing(wrong) from wrong


def _check_origin() -> None:
    """Take a WebSocket of our own pages alone: browsers let every page open one anywhere.

    Raises:
        Closing: it comes from elsewhere.
    """
    sidecar = services().config.sidecar
    origin = request.headers.get("Origin")
    if origin is None:
        if credential(request) is not None:
            return  # a program: no browser can be made to send it
        why = "this needs an API token: --token-file, or Authorization: Bearer"
    elif is_own(origin, request, sidecar) or origin.lower() in sidecar.origins:
        return
    else:
        why = "this origin may not watch here: sidecar.origins"
    g.socket_status = 403
    raise Closing(messages.POLICY, why)


def _asked() -> dict[str, str]:
    """The query of the running handshake.

    Raises:
        Closing: it has something else, or too much of it.
    """
    offered = request.headers.get("Sec-WebSocket-Protocol", messages.SUBPROTOCOL)
    if messages.SUBPROTOCOL not in {one.strip() for one in offered.split(",")}:
        raise Closing(messages.PROTOCOL, f"the subprotocol is {messages.SUBPROTOCOL}")
    found = dict.fromkeys(("organization", "process", *_PLACE), "")
    for name, values in request.args.lists():
        longest = _LONGEST_OFFSET if name == "offset" else _LONGEST
        if name not in found or len(values) > 1 or len(values[0]) > longest:
            raise Closing(messages.PROTOCOL, f"known are {', '.join(found)}, each once")
        found[name] = values[0]
    found.pop("epoch")
    return found


def _check(scope: Scope, organization: str) -> None:
    if organization not in ("", NONE):
        scope.check_watching(organization)


def _closing(wrong: Failure) -> Closing:
    g.socket_status = g.get("socket_status", wrong.status)
    if isinstance(wrong, Unauthenticated):
        return Closing(messages.SIGNED_OUT, wrong.message)
    if isinstance(wrong, Forbidden):
        return Closing(messages.FORBIDDEN, wrong.message)
    if isinstance(wrong, RateLimited):
        seconds = wrong.headers.get("Retry-After", "")
        return Closing(messages.TOO_MANY, f"Retry-After: {seconds}; {wrong.message}")
    if isinstance(wrong, BadRequest):
        return Closing(messages.PROTOCOL, wrong.message)
    return Closing(messages.GOING_AWAY, wrong.message)


class _Recheck:
    """What a reader may watch as of now; to look is no use of their session."""

    def __init__(self, scope: Scope, wanted: Mapping[str, str]) -> None:
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        self._asked = asking.lasting()
        self._reader = scope.reader.id
        self._watched = scope.everything or bool(scope.watching)
        self._wanted = wanted

    def __call__(self) -> View:
        """Return their view.

        Raises:
            Closing: they may not watch any more.
        """
        with self._app.app_context():
            found = services()
            try:
                reader = found.identity.authenticate(self._asked, use=False)
                if reader is None or reader.id != self._reader:
                    raise Closing(messages.SIGNED_OUT, "you are signed out")
                scope = found.access.scope(reader)
                if self._watched and not (scope.everything or scope.watching):
                    raise Closing(messages.FORBIDDEN, "no role of yours shows processes any more")
                _check(scope, self._wanted["organization"])
            except Unauthenticated as wrong:
                raise Closing(messages.SIGNED_OUT, wrong.message) from wrong
            except Forbidden as wrong:
                raise Closing(messages.FORBIDDEN, wrong.message) from wrong
            except Failure as wrong:
                raise Closing(messages.GOING_AWAY, wrong.message) from wrong
            return live().view(scope, **self._wanted)


# -- server-sent events ------------------------------------------------------------------


@blueprint.get("/api/v1/processes/stream")
@operation(
    "Follow live processes",
    description=(
        "Server-sent events with the messages of docs/process-stream.md. event: snapshot has all "
        "that is shown, event: delta what changed since, event: reset says that a snapshot "
        "follows in place of what was missed. A client that comes back with Last-Event-ID gets "
        "exactly what it missed, or a snapshot. event: ping comes at first, every 15 seconds, "
        "and when the server can no longer read what is new (stale_since), or can again."
    ),
    parameters=[
        *_FILTERS,
        Parameter(
            "Last-Event-ID",
            "Id of the last event that was received.",
            TOKEN,
            place="header",
        ),
    ],
    media=events.MEDIA,
    failures=[Forbidden, RateLimited, Unavailable],
    permission=_PERMISSION,
)
def stream() -> Response:
    """The events, until the client goes, may not watch any more, or the process ends."""
    scope, wanted = _wanted()
    response = events.response()
    if request.method == "HEAD":
        return response
    hub = live()
    hub.ready()
    feed = Feed(hub, scope.reader.id, hub.view(scope, **wanted))
    begin = feed.begin(_offset(request.headers.get("Last-Event-ID", "")))
    response.response = _lines(feed, begin, _Recheck(scope, wanted), events.here())
    response.call_on_close(feed.close)
    return response


def _lines(feed: Feed, begin: list[Message], recheck: _Recheck, still: Any) -> Iterator[bytes]:
    yield events.OPEN
    yield from map(_event, begin)
    spoken, checked, told = float("-inf"), time.monotonic(), feed.stale_since
    try:
        while still() and not ending.begun() and not feed.code:
            now, stale = time.monotonic(), feed.stale_since
            if now - spoken >= messages.HEARTBEAT or stale != told:
                spoken, told = now, stale
                yield _event(feed.ping())
            for message in feed.next(_STEP):
                yield _event(message)
            now = time.monotonic()
            if now - checked >= RECHECK:
                checked = now
                feed.watch(recheck())
    except Closing:
        return
    finally:
        feed.close()


def _event(message: Message) -> bytes:
    """One event; the body is one line: JSON has no raw line ends."""
    place = f"id: {message.epoch}:{message.offset}\n" if message.offset else ""
    return f"event: {message.kind}\n{place}data: ".encode() + message.body + b"\n\n"


# -- polling -----------------------------------------------------------------------------


@blueprint.get("/api/v1/processes/live")
@operation(
    "Poll live processes",
    description=(
        "For who can keep no connection open. Without since, and where it cannot be gone on "
        "from (recovered: false), processes has all that is shown; else it is null, and changes "
        "has what changed since. Ask again after wait seconds."
    ),
    parameters=[
        *_FILTERS,
        Parameter(
            "since",
            "epoch:offset of the last answer.",
            TOKEN,
        ),
    ],
    answer="LiveProcesses",
    failures=[Forbidden, RateLimited, Unavailable],
    permission=_PERMISSION,
)
def polled() -> Response:
    """What there is, or what changed."""
    scope, wanted = _wanted()
    hub = live()
    hub.ready()
    recovered, message = hub.once(
        hub.view(scope, **wanted), _offset(asking.arguments()["since"] or "")
    )
    raw = messages.answer(message, recovered, WAIT, messages.as_of_now(hub.stale_since))
    return answer(raw, "application/json", cache=PRIVATE)


def _wanted() -> tuple[Scope, dict[str, str]]:
    """Who asks, and for which part of it.

    Raises:
        Forbidden: see :meth:`~sidecar_api.access.Scope.check_watching`.
    """
    asked, scope = asking.arguments(), asking.scope()
    wanted = {name: asked[name] or "" for name in _WANTED}
    _check(scope, wanted["organization"])
    return scope, wanted


def _offset(place: str) -> str:
    """The offset of ``epoch:offset``."""
    return place.rpartition(":")[2]
