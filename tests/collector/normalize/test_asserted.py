"""How an approver was recognized is believed from whoever may speak for approvers."""

from __future__ import annotations

from typing import Any

import pytest

from collector.normalize.asserted import believe, disown


def activity(decision: Any, **metadata: Any) -> dict[str, Any]:
    """An activity as mapped: what is reserved has been put into metadata."""
    return {
        "metadata": {"activity": {"decision": decision}, **metadata},
        "activity": {"decision": {"outcome": "approved"}},
    }


def test_it_goes_back_to_where_it_belongs() -> None:
    """Method and second factor; nothing is left of them in metadata, all else stays."""
    made = activity({"auth_method": "oidc", "mfa": False, "weather": "fine"}, other=1)
    before = made["metadata"]
    believe(made, made["activity"])
    decision = {"outcome": "approved", "auth_method": "oidc", "mfa": False}
    assert made["activity"]["decision"] == decision
    assert made["metadata"] == {"activity": {"decision": {"weather": "fine"}}, "other": 1}
    assert before["activity"]["decision"]["auth_method"] == "oidc"  # replaced, never changed
    alone = activity({"mfa": True})
    believe(alone, alone["activity"])
    assert "metadata" not in alone


@pytest.mark.parametrize("decision", [None, "oidc", [], {"auth_method": 1, "mfa": "yes"}])
def test_what_is_none_stays_where_it_is(decision: Any) -> None:
    """Another shape or another kind of value is no statement."""
    made = activity(decision)
    believe(made, made["activity"])
    assert made == activity(decision)


@pytest.mark.parametrize("action", ["process.cancel", "process.retry", "process.cleanup"])
@pytest.mark.parametrize("metadata", [None, {"ticket": 1}, {"activity": {"decision": 1}}])
def test_who_may_not_speak_for_people_asks_for_nothing(action: str, metadata: Any) -> None:
    """A control that a program asks for in somebody's name is none: its words are kept aside."""
    made: dict[str, Any] = {"event": {"action": action}, "activity": {"control": {"id": "c"}}}
    if metadata is not None:
        made["metadata"] = metadata
    disown(made, made["activity"])
    assert made["activity"] == {}
    kept = dict(metadata or {})
    claimed = {**kept.pop("activity", {}), "control": {"id": "c"}}
    assert made["metadata"] == {**kept, "activity": claimed}


@pytest.mark.parametrize("action", ["process.control_taken", "process.control_done"])
def test_what_became_of_it_is_the_programs_to_say(action: str) -> None:
    """A program says itself that it took a control, and how that ended."""
    made: dict[str, Any] = {"event": {"action": action}, "activity": {"control": {"id": "c"}}}
    disown(made, made["activity"])
    assert made == {"event": {"action": action}, "activity": {"control": {"id": "c"}}}
