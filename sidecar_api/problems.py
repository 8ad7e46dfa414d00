"""Every error as a problem document (RFC 9457), whoever raised it.

``type`` is ``/problems/<slug>``, where the API page explains it; ``instance`` is the request's
id, which the log line of an unexpected error has too. A browser that asks a page's address for
HTML gets the same as a small page.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog
from flask import Flask, Response, g, render_template, request
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import HTTPException

from sidecar_api.failures import BadRequest, Failure, NotFound, TooBig

MEDIA: Final = "application/problem+json"
STATUSES: Final = {
    400: (BadRequest.slug, BadRequest.title, "The request is malformed."),
    404: (NotFound.slug, NotFound.title, "There is nothing at this address."),
    405: ("method-not-allowed", "Not this method", "This address does not take this method."),
    408: ("too-slow", "Too slow", "The body of the request did not come in time."),
    413: ("too-large", "Too large", "The body of the request is too large."),
    414: ("too-long", "Too long", "The address is too long."),
    415: ("unsupported-media-type", "Not this form of body", "Send JSON (application/json)."),
    431: ("too-large", "Too large", "The headers of the request are too large."),
}
"""Status of an error that is no :class:`Failure` -> slug, title, detail in our words."""

_PARTS: Final = frozenset(
    {"q", "action_contains", "contains", "target", "server", "cloud_account"}
    | {"initiator", "approver"}
)
"""Parameters that look for parts of what stands there."""
_ADDRESSES: Final = "The page /api lists the addresses of the API."

_log = structlog.get_logger("sidecar")


def request_id() -> str:
    """Return the id of the running request."""
    if "request_id" not in g:
        g.request_id = str(uuid.uuid4())
    return str(g.request_id)


def document(failure: Failure) -> dict[str, Any]:
    """Return the problem document of a failure of ours."""
    return _document(
        failure.slug,
        failure.title,
        failure.status,
        failure.message,
        hint=failure.hint,
        **failure.members,
    )


def answer(failure: Failure) -> Response:
    """Return the answer to a failure of ours."""
    return _answer(document(failure), failure.headers)


def init_app(app: Flask) -> None:
    """Answer every error in the one shape."""

    app.register_error_handler(Failure, answer)

    @app.errorhandler(TooBig)
    def too_big(failure: TooBig) -> Response:
        given = [one for one in request.args.items(multi=True) if one[0] in _PARTS]
        failure.members["parameter"], _ = max(given, key=lambda one: len(one[1]), default=("q", ""))
        return answer(failure)

    @app.errorhandler(ParseException)
    @app.errorhandler(NoMoreData)
    def broken_body(_wrong: Exception) -> Response:
        """A body in chunks that are none, or cut off (RFC 9112, sections 7.1 and 8)."""
        return answer(BadRequest("The body cannot be read to its end.", parameter="body"))

    @app.errorhandler(HTTPException)
    def of_flask(wrong: HTTPException) -> Response:
        status = wrong.code or 500
        if status < 400:
            return Response(status=status, headers=wrong.get_headers())
        if status not in STATUSES:
            return unexpected(wrong)
        slug, title, detail = STATUSES[status]
        if wrong.description and wrong.description != type(wrong).description:
            detail = wrong.description  # said by us, where it was raised
        kept = {
            name: value for name, value in wrong.get_headers() if name in ("Allow", "Retry-After")
        }
        if status == 405 and "Allow" in kept:
            detail = f"This address takes {kept['Allow']}."
        hint = _ADDRESSES if status == 404 and request.path.startswith("/api/") else None
        return _answer(_document(slug, title, status, detail, hint=hint), kept)

    @app.errorhandler(Exception)
    def unexpected(wrong: Exception) -> Response:
        reference = request_id()
        _log.error("unexpected error", reference=reference, exc_info=wrong)
        hint = f"Tell the operator this reference: {reference}"
        detail = "This is a fault of ours, not of your request."
        return _answer(_document(Failure.slug, Failure.title, 500, detail, hint=hint), {})


def _document(slug: str, title: str, status: int, detail: str, **members: Any) -> dict[str, Any]:
    told = {name: value for name, value in members.items() if value is not None}
    return {
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:uuid:{request_id()}",
        **told,
    }


def _answer(problem: dict[str, Any], headers: Mapping[str, str]) -> Response:
    if _wants_page():
        body: str | bytes = render_template("problem.html", problem=problem)
        media = "text/html; charset=utf-8"
    else:
        body, media = orjson.dumps(problem, default=str), MEDIA
    response = Response(body, status=problem["status"], content_type=media)
    response.headers.extend(headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def _wants_page() -> bool:
    """Whether a person's browser asked for a page: programs get the document."""
    if request.path.startswith("/api/"):
        return False
    return request.accept_mimetypes.best_match([MEDIA, "application/json", "text/html"]) == (
        "text/html"
    )
