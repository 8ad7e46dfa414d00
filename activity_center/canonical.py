"""The canonical bytes of an activity and the digest ``event.hash`` over them.

Canonical bytes are the document as stored, without what the receiver says of it, as JSON
with sorted keys and no white space. Left out are ``ecs``, ``event.hash``,
``event.ingested``, the members of ``activity`` named in :data:`RECEIVERS`, and
``@timestamp`` where ``activity.timestamp_source`` is ``receipt``: so the same event gets
the same digest at every collector, through every sender and under every plan.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

RECEIVERS: Final = frozenset(
    {"catalogued", "policy_at_receipt", "retention", "schema_version", "sender", "size"}
)
"""Members of ``activity`` that say how this installation took the event."""

LARGE_BYTES: Final = 16 * 1024
"""Documents above this say how large they are (``activity.size``). Who fetches many at once must
know before: OpenSearch holds all of them in memory, and dies where there is not enough."""


def canonical(document: dict[str, Any]) -> bytes:
    """Return the canonical bytes of a stored document (an OpenSearch ``_source``).

    Args:
        document: nested, as read back; it is not changed.

    Example:
        >>> canonical({"event": {"hash": "x", "action": "a"}})
        b'{"event":{"action":"a"}}'
    """
    event = document.get("event")
    plain = {key: value for key, value in document.items() if key != "ecs"}
    if isinstance(event, dict):
        plain["event"] = {k: v for k, v in event.items() if k not in ("hash", "ingested")}
    ours = document.get("activity")
    if isinstance(ours, dict):
        plain["activity"] = {key: value for key, value in ours.items() if key not in RECEIVERS}
        if ours.get("timestamp_source") == "receipt":
            plain.pop("@timestamp", None)
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)


def digest(document: dict[str, Any]) -> str:
    """Return what ``event.hash`` of a stored document has to be: hex SHA-256."""
    return hashlib.sha256(canonical(document)).hexdigest()
