"""How an approver was recognized: reserved, but for a sender that may speak for approvers.

A sender's own words in reserved fields are in ``metadata``. Those of one that is trusted with
``may_assert: [approver]``, such as the sidecar, go back to where they belong.
"""

from __future__ import annotations

from typing import Any, Final

_KINDS: Final = {"auth_method": str, "mfa": bool}


def believe(activity: dict[str, Any], ours: dict[str, Any]) -> None:
    """Move ``activity.decision.auth_method`` and ``.mfa`` out of ``metadata``.

    Args:
        activity: of a trusted sender; groups inside it are replaced where they change.
        ours: its group ``activity``.
    """
    metadata = activity.get("metadata")
    claimed = metadata.get("activity") if type(metadata) is dict else None
    decision = claimed.get("decision") if type(claimed) is dict else None
    if type(metadata) is not dict or type(claimed) is not dict or type(decision) is not dict:
        return
    said = {
        name: decision[name] for name, kind in _KINDS.items() if type(decision.get(name)) is kind
    }
    own = ours.get("decision")
    if not said or type(own) is not dict:
        return
    ours["decision"] = {**own, **said}
    rest = _without(decision, said)
    activity["metadata"] = _with(metadata, "activity", _with(claimed, "decision", rest))
    if not activity["metadata"]:
        del activity["metadata"]


def _without(group: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in names}


def _with(group: dict[str, Any], name: str, inner: dict[str, Any]) -> dict[str, Any]:
    """The group with ``inner`` in it; without it where that is empty."""
    return {**group, name: inner} if inner else _without(group, {name: inner})
