"""Answers with an ETag, and 304 to whoever has them already (RFC 9110 sections 8.8.3, 13.1.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson
from flask import Response, request

PRIVATE: Final = "private, no-store"
"""What one reader may see: kept by nobody. The page holds it in memory and asks with its ETag."""
REVALIDATED: Final = "no-cache"
"""The same for everyone: may be kept, and is asked for again each time."""


def json_answer(body: Mapping[str, Any], *, cache: str = PRIVATE, tag: Any = None) -> Response:
    """Return ``body`` as JSON with a weak ETag, or 304 without a body.

    Args:
        cache: value of ``Cache-Control``.
        tag: what the ETag is made of, where two answers that differ elsewhere mean the same;
            default: the whole body.
    """
    raw = orjson.dumps(body)
    marked = raw if tag is None else orjson.dumps(tag)
    return answer(raw, "application/json", cache=cache, marked=marked)


def answer(raw: bytes, media: str, *, cache: str = REVALIDATED, marked: bytes = b"") -> Response:
    """Return ``raw`` with a weak ETag (of ``marked``, if given), or 304 without a body.

    Args:
        media: its media type.
        cache: value of ``Cache-Control``.
    """
    response = Response(raw, content_type=media)
    digest = hashlib.blake2b(marked or raw, digest_size=16).hexdigest()
    response.set_etag(digest, weak=True)
    response.headers["Cache-Control"] = cache
    response.make_conditional(request)
    return response
