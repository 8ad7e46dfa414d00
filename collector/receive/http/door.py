"""aiohttp's connections, made to keep to themselves what strangers send.

aiohttp logs what it cannot parse with a traceback that quotes the bytes, and answers with
the same quote: a mistyped header field shows its token.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from collector.receive.counters import HttpCounters
from collector.receive.http.problems import Problem

_log: Final = structlog.get_logger("collector.receive.http")


class _Connection(RequestHandler):
    """A connection whose errors are told without their bytes."""

    __slots__ = ("_refused",)

    def __init__(
        self, manager: web.Server, *, refused: Callable[[web.BaseRequest], None], **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._refused = refused

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or goes beyond aiohttp's limits of a request head."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, None)
        self._refused(request)
        return Problem(
            HTTPStatus.BAD_REQUEST,
            "not-http",
            "the bytes are not a well-formed HTTP request, or its head is too large",
            hint="see RFC 9112; a line of the head may have 8190 bytes",
            close=True,
        ).response()


class _Told(logging.Handler):
    """Takes what aiohttp logs: its kind goes to our log, its texts and tracebacks nowhere."""

    def __init__(self, counters: HttpCounters) -> None:
        super().__init__(logging.WARNING)
        self._counters = counters

    def emit(self, record: logging.LogRecord) -> None:
        """Count and name an error."""
        wrong = record.exc_info[0] if record.exc_info else None
        self._counters.failures += 1
        _log.error(
            "connection failed in the HTTP library", error=wrong.__name__ if wrong else "unknown"
        )


class Door(web.Server):
    """aiohttp's server with such connections.

    Args:
        handler: answers a request.
        counters: of the listener; ``protocol_errors`` and ``failures`` are counted here.
        refused: told of each request that could not be parsed.
        options: of aiohttp's connections.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Any],
        counters: HttpCounters,
        refused: Callable[[web.BaseRequest], None],
        **options: Any,
    ) -> None:
        # Outside of the tree of loggers: nothing that is set up there may bring the bytes back.
        logger = logging.Logger("collector.receive.http.door")
        logger.addHandler(_Told(counters))
        super().__init__(handler, logger=logger, **options)
        self._refused = refused

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return _Connection(self, loop=self._loop, refused=self._refused, **self._kwargs)
