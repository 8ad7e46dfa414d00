"""An event's identity: the same event is the same document at every collector.

``_id`` is a hash of source, organization and the producer's own or the source's
natural id; else of the record, its time and its ordinal among equal records of one
chunk. Without the ordinal two equal failed logins would become one. Nothing in it
depends on who received the event or when.
"""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from typing import Any, Final

import orjson

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
"""The alphabet of RFC 4648, section 5."""


def document_id(source: str, organization: str, key: str) -> str:
    """Return ``_id``: 28 characters of URL-safe base64 (168 bit).

    Args:
        organization: ``organization.id``, or ``""``.
        key: ``"id:" + event.id``, or ``"content:" + content_key(...)``.
    """
    text = f"{source}\0{organization}\0{key}"
    try:
        digest = hashlib.sha256(text.encode()).digest()
    except UnicodeEncodeError:  # a lone surrogate
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return b2a_base64(digest[:21]).translate(_URL_SAFE, b"\n").decode()


def content_key(record: dict[str, Any], time: int | str | None, output: int) -> bytes:
    """Return the digest of a record that names no id.

    Args:
        record: as decoded and redacted.
        time: the transport's time (Unix ns), or what makes a record without any time unique.
        output: index among several activities made from the record.

    Raises:
        TypeError: the record cannot be written as JSON (see :mod:`collector.redact`).
    """
    body = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"%d\0%s\0" % (output, str(time).encode()) + body).digest()


class Ordinals:
    """Counts equal records within one chunk."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def key(self, digest: bytes) -> str:
        """Return the identity key of the next record with this digest."""
        ordinal = self._seen.get(digest, 0)
        self._seen[digest] = ordinal + 1
        return f"content:{digest.hex()}:{ordinal}"
