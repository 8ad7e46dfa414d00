"""What the end of a block says of its process, or its step."""

from __future__ import annotations

from typing import Any

from activity_center.emit.controls import Cancelled, Control
from activity_center.emit.event import whole_failure


def end_of(
    error: BaseException | None, asked: Control | None, *, breaks_off: bool
) -> tuple[str, dict[str, Any]]:
    """Return the state that an end by ``error`` means, and what is said of its reason.

    Args:
        asked: the cancel that was asked meanwhile.
        breaks_off: ``on_cancel`` is there: what it breaks off ends with an error of any kind.
    """
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "done", {"outcome": "success"}
    wish = isinstance(error, Cancelled)
    said = {} if wish else {"error": whole_failure(error)}
    if wish or (asked is not None and breaks_off):
        reason = asked.words if asked else str(error)[:1000]
        return "cancelled", {**said, "reason": reason}
    return "failed", {**said, "outcome": "failure"}
