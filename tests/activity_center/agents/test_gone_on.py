"""When a proposal waits no more: it ran, or somebody whose word counts decided."""

from __future__ import annotations

from typing import Any

import pytest

from activity_center.agents import has_gone_on, read_chain, shipped_policies


def entry(stage: str, second: int, *, sender: str = "agents", **ours: Any) -> dict[str, Any]:
    """An entry of one chain."""
    return {
        "@timestamp": f"2026-11-24T13:00:{second:02d}Z",
        "event": {"id": f"e{second}", "action": f"agent.proposal.{stage}"},
        "activity": {
            "sender": sender,
            "proposal": {"id": "prp_1", "stage": stage},
            "impact": {"level": "caution"},
            **ours,
        },
    }


def gone_on(impact: str, *later: dict[str, Any]) -> bool:
    """Whether a proposal of the agents has gone on by these entries."""
    chain = read_chain([entry("proposed", 0, impact={"level": impact}), *later])
    return has_gone_on(chain, shipped_policies().of(chain))


MIRA = {"id": "usr_mk", "authenticated": False}
PROVEN = {"id": "usr_mk", "authenticated": True}


@pytest.mark.parametrize("stage", ["approved", "denied", "cancelled", "expired"])
def test_another_senders_claim_decides_nothing(stage: str) -> None:
    """What nothing proves counts from who proposed it alone, as far as the policy takes it."""
    assert not gone_on("caution", entry(stage, 9, sender="mallory", approver=MIRA))
    assert gone_on("caution", entry(stage, 9, approver=MIRA))
    assert gone_on("destructive", entry(stage, 9, approver=MIRA)) is (stage != "approved")


def test_what_is_proven_decides() -> None:
    """An authenticated approver decides, whoever delivers it and whoever claims what beside it."""
    claim = entry("denied", 8, sender="mallory", approver=MIRA)
    assert gone_on("destructive", claim, entry("approved", 9, sender="sidecar", approver=PROVEN))
    assert gone_on("destructive", claim, entry("denied", 9, sender="sidecar", approver=PROVEN))


def test_an_approval_that_names_nobody_decides_nothing() -> None:
    """It is none, also of who proposed it."""
    assert not gone_on("caution", entry("approved", 9))


def test_what_ran_does_not_wait() -> None:
    """A run ends the waiting, whoever tells of it: the verdict says that nobody approved."""
    assert gone_on("caution", entry("executing", 9, sender="tools"))
    assert not gone_on("caution")
