"""The activities as the API shows them, one JSON object a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

MEDIA_TYPE: Final = "application/x-ndjson"


def line(activity: Mapping[str, Any]) -> bytes:
    """Return the line of an activity, with its line end."""
    return orjson.dumps(activity, option=orjson.OPT_APPEND_NEWLINE)
