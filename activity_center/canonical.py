"""The canonical bytes of an activity and the digest ``event.hash`` over them.

Canonical bytes are the document as stored, without what the receiver adds
(``event.hash``, ``event.ingested``, and ``@timestamp`` where
``activity.timestamp_source`` is ``receipt``), as JSON with sorted keys and no
white space. Receiver's values are left out so that the same event gets the same
digest at every collector.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def canonical(document: dict[str, Any]) -> bytes:
    """Return the canonical bytes of a stored document (an OpenSearch ``_source``).

    Args:
        document: nested, as read back; it is not changed.

    Example:
        >>> canonical({"event": {"hash": "x", "action": "a"}})
        b'{"event":{"action":"a"}}'
    """
    event = document.get("event")
    plain = dict(document)
    if isinstance(event, dict):
        plain["event"] = {k: v for k, v in event.items() if k not in ("hash", "ingested")}
    ours = document.get("activity")
    if isinstance(ours, dict) and ours.get("timestamp_source") == "receipt":
        plain.pop("@timestamp", None)
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)


def digest(document: dict[str, Any]) -> str:
    """Return what ``event.hash`` of a stored document has to be: hex SHA-256."""
    return hashlib.sha256(canonical(document)).hexdigest()
