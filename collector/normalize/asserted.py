"""What only a sender that may speak for people says: how an approver was recognized, and that
somebody asked something of a process.

A sender's own words in reserved fields are in ``metadata``. Those of one that is trusted with
``may_assert: [approver]``, such as the sidecar, go back to where they belong. What another says of
a control is moved there: else whoever can send could cancel a process in anybody's name.
"""

from __future__ import annotations

from typing import Any, Final

_ASKS: Final = frozenset({"process.cancel", "process.retry", "process.cleanup"})
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


def disown(activity: dict[str, Any], ours: dict[str, Any]) -> None:
    """Move ``activity.control`` of an entry that asks for one into ``metadata``.

    What became of a control (taken, done) is told by the program itself, and stays.

    Args:
        activity: of a sender that is not trusted.
        ours: its group ``activity``.
    """
    event = activity.get("event")
    if type(event) is not dict or event.get("action") not in _ASKS:
        return
    metadata = activity.get("metadata")
    metadata = metadata if type(metadata) is dict else {}
    claimed = metadata.get("activity")
    claimed = claimed if type(claimed) is dict else {}
    activity["metadata"] = {
        **metadata,
        "activity": {**claimed, "control": ours.pop("control")},
    }


def _without(group: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in names}


def _with(group: dict[str, Any], name: str, inner: dict[str, Any]) -> dict[str, Any]:
    """The group with ``inner`` in it; without it where that is empty."""
    return {**group, name: inner} if inner else _without(group, {name: inner})
