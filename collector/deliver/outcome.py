"""What an item of a ``_bulk`` answer means for its event.

Seen on OpenSearch 3.4 (and the same since 2.15): a closed index answers 400 and a
block 403, though neither is the event's fault, so the status alone does not decide.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple


class Item(NamedTuple):
    """One item of a bulk answer.

    Attributes:
        status: HTTP status of the item.
        backing: the index that answered; the stream's name where none did.
        type: ``error.type``, or ``""``.
        reason: ``error.reason`` with its cause, or ``""``.
    """

    status: int
    backing: str
    type: str = ""
    reason: str = ""


class Outcome(Enum):
    """What to do with the event."""

    EXISTS = "exists"
    """Something is stored under its id: delivered only if it is the same event."""
    RETRY = "retry"
    """It was not executed; try again."""
    UNKNOWN = "unknown"
    """It may or may not have been executed; try again, and look first."""
    PARK = "park"
    """The stream refuses all events: keep, retry slowly, hold up nobody."""
    REJECT = "reject"
    """The event is at fault."""


_STREAM_AT_FAULT: Final = frozenset(
    {
        "index_closed_exception",
        "cluster_block_exception",
        "security_exception",
        "index_not_found_exception",
        "invalid_index_name_exception",
    }
)
_FIELD: Final = re.compile(
    r"(?:failed to parse field|object mapping for|object field) \[([^\]]+)\]"
)


def outcome_of(item: Item) -> Outcome:
    """Return what to do with the event of ``item``, which was not created."""
    status, kind = item.status, item.type
    if status == 409:
        return Outcome.EXISTS
    if status == 429:
        return Outcome.RETRY
    if status >= 500:
        return Outcome.UNKNOWN
    if kind in _STREAM_AT_FAULT or status not in (200, 400):
        return Outcome.PARK
    if kind == "illegal_argument_exception" and item.reason.startswith("pipeline with id"):
        return Outcome.PARK
    # 200 is "noop": an ingest pipeline dropped the document.
    return Outcome.REJECT


def explain(item: Item) -> str:
    """Word the refusal of ``item``, in at most 600 characters."""
    if item.status == 200:
        return f"an ingest pipeline of {item.backing} dropped the document"
    return f"{item.type or item.status}: {item.reason}"[:600]


def pointer(item: Item) -> str:
    """Return the JSON pointer of the field that the refusal names, or ``""``."""
    found = _FIELD.search(item.reason)
    if found is None:
        return ""
    return "".join("/" + part.replace("~", "~0") for part in found[1].split("."))
