"""Oversight and replay: what is counted, and which verdicts would differ."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from activity_center.agents import Chain, judge, read_chain, shipped_policies
from activity_center.agents.kept import kept_since
from activity_center.agents.oversight import NOBODY, oversight, percentile
from activity_center.agents.policy import made
from activity_center.agents.replay import replay

NOW = datetime(2026, 12, 1, tzinfo=UTC)
CASES = Path(__file__).with_name("cases")


def decided(
    number: int,
    outcome: str,
    *,
    who: str = "mira",
    wait: int = 1000,
    impact: str = "caution",
    **more: Any,
) -> Chain:
    """A chain that is a decision alone."""
    stage = {"edited": "approved", "auto_approved": "approved"}.get(outcome, outcome)
    return read_chain(
        [
            {
                "@timestamp": f"2026-11-24T13:{number:02d}:00Z",
                "event": {"id": f"d{number}", "action": f"agent.proposal.{outcome}"},
                "activity": {
                    "proposal": {"id": f"p{number}", "stage": stage},
                    "decision": {"outcome": outcome, "wait_ms": wait, **more},
                    "approver": {"id": who, "full_name": who.title(), "roles": ["admin"]},
                    "impact": {"level": impact},
                    "retention": {"class": "standard-30d"},
                },
            }
        ]
    )


def case(name: str) -> Chain:
    """The chain of a case."""
    return read_chain(json.loads((CASES / f"{name}.json").read_text())["entries"])


def test_what_is_measured() -> None:
    """Per approver and impact: decisions, yes in a row, standing ones, and times."""
    chains = [
        decided(1, "approved", wait=1000),
        decided(2, "approved", wait=3000),
        decided(3, "denied", wait=2000),
        decided(5, "edited", wait=9000, scope="session"),
        decided(6, "approved", impact="destructive"),
        decided(7, "auto_approved", source="hook", wait=5),
        decided(8, "expired"),
        decided(9, "cancelled"),
        decided(10, "approved", who="jonas"),
    ]
    rows = {(one.approver, one.impact): one.as_dict() for one in oversight(reversed(chains))}
    assert rows["mira", "caution"] == {
        "approver": {"id": "mira", "name": "Mira", "person": True},
        "impact": "caution",
        "decided": 4,
        "approved": 3,
        "edited": 1,
        "denied": 1,
        "approval_rate": 0.75,
        "standing": 1,
        "in_a_row": 2,
        "p50_ms": 2000,
        "p95_ms": 9000,
    }
    assert rows.keys() == {
        ("mira", "caution"),
        ("mira", "destructive"),
        (NOBODY, "caution"),
        ("jonas", "caution"),
    }
    nobody = rows[NOBODY, "caution"]
    assert (nobody["approved"], nobody["standing"], nobody["p50_ms"]) == (1, 1, None)


def test_a_person_may_be_called_nobody() -> None:
    """A person with that id has rows of their own; what a rule decided is not theirs."""
    chains = [
        decided(1, "approved", who=NOBODY),
        decided(2, "auto_approved", source="hook"),
        decided(3, "denied", who=NOBODY),
    ]
    rows = [one.as_dict() for one in oversight(chains)]
    assert [(one["approver"], one["decided"], one["standing"]) for one in rows] == [
        ({"id": NOBODY, "name": "Nobody", "person": True}, 2, 0),
        ({"id": NOBODY, "name": NOBODY, "person": False}, 1, 1),
    ]


def test_percentiles_are_nearest_ranks() -> None:
    """The value at the rank, never one between two."""
    assert percentile([], 50) is None
    assert percentile([7], 95) == 7
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([4, 1, 3, 2], 50) == 2


def test_replay_lists_what_would_differ() -> None:
    """Stricter policies: the chains that they accuse, and those that they do not, are told."""
    stricter = made([{"id": "all", "version": 1, "needs": {"roles": ["owner"]}}])
    chains = [case("executed_as_approved"), case("denied"), case("approved_by_initiator")]
    found = list(replay(chains, shipped_policies(), stricter, now=NOW))
    told = [(one.before.verdict.key, one.after.verdict.key) for one in found]
    assert told == [
        ("executed_as_approved", "approver_lacked_permission"),
        ("approved_by_initiator", "approver_lacked_permission"),
    ]
    shown = found[0].as_dict()
    assert (shown["id"], shown["after"]["policy"]) == ("prp_71", {"id": "all", "version": "1"})


def test_replay_tells_what_the_gravest_verdict_hides() -> None:
    """A finding that comes or goes behind a graver one is told, each with its direction."""
    name = "destructive-needs-second-person"
    needs = {"roles": ["owner"], "authenticated": True, "typed_confirmation": True}
    other = made([{"id": name, "version": 2, "needs": needs}])
    entries = json.loads((CASES / "parameters_drifted.json").read_text())["entries"]
    for one in entries:
        one["activity"]["initiator"] = {"id": "usr_mk"}
    chain = read_chain(entries)
    (found,) = replay([chain], shipped_policies(), other, now=NOW)
    assert found.before.verdict.key == found.after.verdict.key == "parameters_drifted"
    assert (found.appears, found.disappears) == (
        ["approver_lacked_permission"],
        ["approved_by_initiator"],
    )
    shown = found.as_dict()
    assert (shown["appears"], shown["disappears"]) == (found.appears, found.disappears)


def test_the_same_policies_change_nothing() -> None:
    """Replayed by the shipped policies, no case differs."""
    chains = [
        read_chain(json.loads(file.read_text())["entries"]) for file in sorted(CASES.glob("*.json"))
    ]
    assert list(replay(chains, shipped_policies(), shipped_policies(), now=NOW)) == []


def test_replay_says_unknown_of_what_may_have_been_deleted() -> None:
    """The changed policies judge by the same age as today's: no end of a chain is accused."""
    entries = json.loads((CASES / "unknown.json").read_text())["entries"]
    for one in entries:
        one["activity"]["retention"] = {"class": "standard-30d"}
    later = read_chain(entries)
    now = datetime(2027, 12, 1, tzinfo=UTC)
    stricter = made([{"id": "all", "version": 1, "needs": {"roles": ["owner"]}}])
    before = judge(later, shipped_policies(), now=now, kept_since=kept_since(later, now))
    assert before.verdict.key == "unknown"
    assert list(replay([later], shipped_policies(), stricter, now=now)) == []


def test_since_when_entries_are_kept() -> None:
    """A class with an age says since when; without one nothing is deleted, nothing unknown."""
    assert kept_since(decided(1, "approved"), NOW) == NOW - timedelta(days=30)
    assert kept_since(case("denied"), NOW) is None
    end = case("unknown")
    assert judge(end, shipped_policies(), now=NOW).verdict.key == "executed_without_approval"
