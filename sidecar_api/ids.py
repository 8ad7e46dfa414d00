"""Ids of entries: how long one may be, and how those are made that follow from what they say.

Nobody else can tell one beforehand. Whoever could would send an entry of that id first, and the
real one would be refused as another one with a known id (docs/decisions/0001). So they are an
HMAC (RFC 2104) with the secret of the sidecar: sidecars that share ``secret.key`` make the same
ids, and so one entry.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Final

LONGEST_ID: Final = 512
"""Bytes of a document's id in OpenSearch."""
_LABEL: Final = b"activity-center ids of entries"


def entry_id(secret: bytes, prefix: str, *parts: Any) -> str:
    """Return an id: the same for the same secret and parts.

    Args:
        secret: of the sidecar, see :class:`sidecar_api.services.Services`.
        prefix: what the id begins with; it is one of the parts.
        parts: what tells it from all others, as JSON can say it.
    """
    text = json.dumps([prefix, *parts], sort_keys=True).encode()
    key = hmac.digest(secret, _LABEL, hashlib.sha256)
    return f"{prefix}{hmac.digest(key, text, hashlib.sha256).hex()[:32]}"
