"""The log of a process: JSON lines on standard error.

For the collector and the sidecar alone: who imports this has structlog (extras ``collector``
and ``sidecar``).
"""

from __future__ import annotations

import contextlib
import os
from typing import TextIO, cast

import structlog


class _StandardError:
    """Standard error that never raises.

    It may be a file on the very disk that is full, or a pipe that nobody reads any more:
    a log line that cannot be written must not end the thread that makes events durable.
    """

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(2, text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Nothing is held back."""


def configure() -> None:
    """Log JSON lines to standard error: time, level, event, and what belongs to it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
