"""Errors as problem documents (RFC 9457). Never a traceback, never a secret."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        kind: short name of the kind of problem, last part of the document's ``type``.
        detail: what is wrong with this request.
        hint: the next step.
        headers: further header fields of the answer.
        close: close the connection after the answer.
        members: extension members of the document.
    """

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        hint: str | None = None,
        headers: dict[str, str] | None = None,
        close: bool = False,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.hint = hint
        self.headers = headers or {}
        self.close = close
        self.members = members

    def response(self) -> web.Response:
        """Return the answer."""
        document = {
            "type": f"urn:activity-center:problem:{self.kind}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            **({"hint": self.hint} if self.hint else {}),
            **self.members,
        }
        answer = web.Response(
            status=self.status,
            body=orjson.dumps(document),
            content_type=_TYPE,
            headers=self.headers,
        )
        if self.close:
            answer.force_close()
        return answer


def wait(
    kind: str, detail: str, seconds: int, status: HTTPStatus, *, close: bool = False
) -> Problem:
    """Return a problem that goes away: try again after some seconds (RFC 9110, 10.2.3)."""
    after = {"Retry-After": str(max(1, seconds))}
    return Problem(status, kind, detail, headers=after, close=close)
