"""How a stored document becomes what the API returns."""

from __future__ import annotations

from typing import Any, Final

from sidecar_api.search.sized import PARTIAL

_STATES: Final = ("old_value", "new_value")


def activity(hit: dict[str, Any]) -> dict[str, Any]:
    """Return the activity of a hit.

    It is the stored document with its ``id`` on top, and with states that are one bare value
    unwrapped (they are stored as ``{"value": ...}``, since a ``flat_object`` takes no bare
    value).

    Args:
        hit: a hit with ``_id`` and ``_source``; not changed. One that a list has in part alone
            says so (:data:`sidecar_api.search.sized.LEFT_OUT`).
    """
    source = dict(hit["_source"])
    ours = source.get("activity")
    if isinstance(ours, dict):
        source["activity"] = {
            name: _unwrapped(value) if name in _STATES else value for name, value in ours.items()
        }
    partial = {PARTIAL: True} if hit.get(PARTIAL) else {}
    return {"id": hit["_id"], **partial, **source}


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"value"}:
        return value["value"]
    return value
