"""How an approver was recognized is believed from whoever may speak for approvers."""

from __future__ import annotations

from typing import Any

import pytest

from collector.normalize.asserted import believe


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
