"""From a request's head to its sender, its source and the form of its body."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import web

from activity_center.tls import peer_certificate
from collector.receive.credentials import Credentials
from collector.receive.http.problems import Problem
from collector.receive.http.replay import PARAMETERS
from collector.receive.otlp import JSON, PROTOBUF, SIGNALS
from collector.records import Sender

PATH: Final = "/v1/activities"

_LINES: Final = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json-lines",
    }
)
_JSON: Final = frozenset({"application/json", "text/json", "text/plain", ""})
_UNTYPED: Final = "application/octet-stream"
_ACCEPT: Final = {"Accept": "application/json, application/x-ndjson"}
_CHALLENGE: Final = 'Bearer realm="activity-center"'


def route(request: web.BaseRequest) -> str | None:
    """Check path, method and query; return the source that the query names.

    Raises:
        Problem: 400, 404 or 405.
    """
    if request.path != PATH and request.path not in SIGNALS:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            "not-found",
            "no such path",
            hint=f"post to {PATH}, or with OTLP to {' or '.join(sorted(SIGNALS))}",
            close=True,
        )
    if request.method != "POST":
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method-not-allowed",
            f"POST to {request.path}",
            headers={"Allow": "POST"},
            close=True,
        )
    query = request.query
    known = {"source", *PARAMETERS} if request.path == PATH else {"source"}
    for name in query:
        if name not in known:
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "unknown-parameter",
                f"no query parameter is named {name[:50]!r}",
                hint="source=NAME is the usual one",
                close=True,
            )
    return query.get("source") or None


def authenticate(request: web.BaseRequest, credentials: Credentials) -> Sender:
    """Return who sends, by bearer token (RFC 6750), else by client certificate.

    Raises:
        Problem: 401.
    """
    field = request.headers.get("Authorization")
    if field is None:
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        certificate = peer_certificate(tls)
        sender = credentials.by_certificate(certificate) if certificate else None
        if sender is not None:
            return sender
        raise _unauthorized("a bearer token is due", _CHALLENGE)
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "bearer":
        raise _unauthorized("only bearer tokens are taken", _CHALLENGE)
    sender = credentials.by_token(token.strip())
    if sender is None:
        raise _unauthorized("no sender has this token", f'{_CHALLENGE}, error="invalid_token"')
    return sender


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        detail,
        hint="Authorization: Bearer TOKEN, with the token of a sender in activity-center.yml",
        headers={"WWW-Authenticate": challenge},
        close=True,
    )


def is_lines(request: web.BaseRequest) -> bool:
    """Whether the body is NDJSON by its type.

    Raises:
        Problem: 415, for a type that is no JSON.
    """
    kind = _kind(request)
    if kind in _LINES:
        return True
    if kind in _JSON or kind == _UNTYPED or kind.endswith("+json"):
        return False
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        f"{kind[:80]!r} is not taken",
        hint="Content-Type: application/json, or application/x-ndjson for lines",
        headers=_ACCEPT,
        close=True,
    )


def is_otlp_json(request: web.BaseRequest) -> bool:
    """Whether a request of OTLP is in JSON, not in protobuf.

    Raises:
        Problem: 415, for any other type.
    """
    kind = _kind(request)
    if kind in (JSON, PROTOBUF):
        return kind == JSON
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        f"{kind[:80]!r} is not taken",
        hint=f"Content-Type: {PROTOBUF} or {JSON}",
        headers={"Accept": f"{PROTOBUF}, {JSON}"},
        close=True,
    )


def wants_json(request: web.BaseRequest) -> bool:
    """Whether the answer to a request of OTLP is in JSON, whatever else is wrong with it."""
    return _kind(request) == JSON


def _kind(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def is_gzip(request: web.BaseRequest) -> bool:
    """Whether the body is compressed.

    Raises:
        Problem: 415, for another coding than gzip.
    """
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("gzip", "x-gzip"):
        return True
    if coding in ("identity", ""):
        return False
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-encoding",
        f"content coding {coding[:40]!r} is not taken",
        hint="gzip or none",
        headers={"Accept-Encoding": "gzip"},
        close=True,
    )
