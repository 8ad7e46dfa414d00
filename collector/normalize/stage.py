"""The stage of a chain, for the entries of producers that do not write one.

Whoever asks the record which proposals are decided, the collector's expiry too, asks by
``activity.proposal.stage``; what a decision or an execution binds hangs on it.

Before that, the words that a chain is read by get the form in which they will be stored: a list
of one text is stored as that text, and must not be another word, or none, for what is decided on
the way: the stage, the digest, the policy.
"""

from __future__ import annotations

from typing import Any, Final

from activity_center.agents.stage import stage_of
from activity_center.streams import LENSES
from activity_center.vocabulary import actions, fields
from collector.normalize.place import fit_leaf

_WORDS: Final = (
    *("event.action", "event.outcome", "activity.proposal.id", "activity.proposal.stage"),
    *("activity.decision.outcome", "activity.impact.level"),
    *("gen_ai.tool.name", "gen_ai.tool.call.id"),
)
_PATHS: Final = tuple((tuple(name.split(".")), fields()[name]) for name in _WORDS)


def tell_stage(activity: dict[str, Any]) -> None:
    """Put its stage into an activity of the agent lens that is one and does not say so.

    What a chain is read by is put into the form in which it is stored.

    It is one where it names its proposal or the call of its tool. What it says itself stays.

    Args:
        activity: as mapped; groups inside it are replaced where they change.
    """
    ours = activity.get("activity")
    # All that most activities pay: they have neither.
    if "gen_ai" not in activity and (type(ours) is not dict or "proposal" not in ours):
        return
    for path, field in _PATHS:
        value = _at(activity, path)
        if value is not None and type(value) is not str:
            fitted = fit_leaf(field, value)
            if fitted is not None:
                _put(activity, path, fitted)
    ours = activity.get("activity")
    ours = {} if ours is None else ours
    event = activity.get("event")
    if type(ours) is not dict or type(event) is not dict:
        return
    proposal = ours.get("proposal")
    if proposal is None:
        proposal = {}
    elif type(proposal) is not dict or proposal.get("stage") is not None:
        return
    if not (proposal.get("id") or _call_id(activity)) or not _is_agents(event, ours):
        return
    stage = stage_of(event, ours)
    if stage:
        activity["activity"] = {**ours, "proposal": {**proposal, "stage": stage}}


def _is_agents(event: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether it will be in the agent lens: as it says, else as the catalogue does."""
    lens = ours.get("lens")
    if type(lens) is str and lens in LENSES:
        return lens == "agent"
    action = event.get("action")
    known = actions().get(action) if type(action) is str else None
    return known is not None and known.lens == "agent"


def _call_id(activity: dict[str, Any]) -> Any:
    return _at(activity, ("gen_ai", "tool", "call", "id"))


def _at(activity: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = activity
    for name in path:
        found = found.get(name) if type(found) is dict else None
    return found


def _put(activity: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    """Replace a value that is there; the groups on the way may be the record's, and stay."""
    group = activity
    for name in path[:-1]:
        group[name] = group = dict(group[name])
    group[path[-1]] = value
