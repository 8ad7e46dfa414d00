"""The one exception inside the pipeline: this event goes to the rejected store."""

from __future__ import annotations


class Refused(Exception):
    """An event cannot be kept as an activity.

    Args:
        reason: a key of :data:`collector.records.REASONS`.
        detail: words for a person; never a secret, never the whole value.
        path: JSON pointer (RFC 6901) of the offending value, or ``""``.
    """

    def __init__(self, reason: str, detail: str, path: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.path = path
