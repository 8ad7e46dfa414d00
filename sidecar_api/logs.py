"""The sidecar's log: JSON lines on standard error, as the collector's.

One line a request: method, route pattern, status, time. Never the path or the query, which
hold names, addresses and search words, and never who asked.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import structlog
from flask import Flask, Response, g, request

from activity_center import log_lines

_QUIET: Final = frozenset({"health.healthz", "health.readyz", "health.metrics"})
"""Endpoints that machines ask every few seconds: logged only when they fail."""

_log = structlog.get_logger("sidecar")


def configure() -> None:
    """Log JSON lines to standard error, with what libraries have to say."""
    log_lines.configure()
    logging.basicConfig(level=logging.WARNING, handlers=[_Lines()], force=True)


class _Lines(logging.Handler):
    """What libraries log, as lines of the same log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a line."""
        structlog.get_logger(record.name).log(record.levelno, record.getMessage())


def route() -> str:
    """The pattern of the route that answers the running request; ``-``: none does."""
    return request.url_rule.rule if request.url_rule else "-"


def init_app(app: Flask) -> None:
    """Log each answer when its head is sent."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def done(response: Response) -> Response:
        if request.endpoint in _QUIET and response.status_code < 400:
            return response
        took = time.monotonic() - g.get("began", time.monotonic())
        _log.info(
            "request",
            method=request.method if request.url_rule else "-",
            route=route(),
            status=response.status_code,
            ms=round(took * 1000, 1),
        )
        return response


class GunicornLog:
    """What the server itself has to say, as lines of the same log (``logger_class``).

    Its chatter about workers is left out; its words about a malformed request too, which
    repeat the request.
    """

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self._log = structlog.get_logger("sidecar.server")

    def critical(self, message: str, *args: Any, **_: Any) -> None:
        """Log a line."""
        self._log.critical(message % args if args else message)

    def error(self, message: str, *args: Any, exc_info: Any = None, **_: Any) -> None:
        """Log a line."""
        self._log.error(message % args if args else message, exc_info=exc_info)

    def warning(self, message: str, *args: Any, **_: Any) -> None:
        """Log a line, unless it repeats what a client sent."""
        if message.startswith("Invalid request"):
            self._log.warning("a request that is no HTTP was refused")
        else:
            self._log.warning(message % args if args else message)

    def exception(self, message: str, *args: Any, **_: Any) -> None:
        """Log a line with the error; without the arguments, which hold the request's address."""
        self._log.error(message.partition("%")[0].strip(), exc_info=True)

    def info(self, message: str, *args: Any, **_: Any) -> None:
        """Say nothing."""

    debug = info

    def log(self, level: int, message: str, *args: Any, **_: Any) -> None:
        """Log a line by its level."""
        if level >= 30:
            self.warning(message, *args)

    def access(self, *_: Any) -> None:
        """Say nothing: the application logs its requests."""

    def setup(self, cfg: Any) -> None:
        """Take another configuration: none of it is about the log."""
        self.cfg = cfg

    def reopen_files(self) -> None:
        """There are none."""

    def close_on_exec(self) -> None:
        """There are none."""
