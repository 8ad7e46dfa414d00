"""A verdict in the words for its cause, where the entries tell it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from activity_center.agents import Judgement, judge, read_chain, shipped_policies, verdicts

NOW = datetime(2026, 11, 24, 13, 5, tzinfo=UTC)


def said_of(impact: str, approver: dict[str, Any] | None = None) -> Judgement:
    """What is said of a proposal that somebody approved, or that nobody decided yet."""
    stages = ["proposed", *(["approved"] if approver else [])]
    entries = [
        {
            "@timestamp": f"2026-11-24T13:0{number}:00Z",
            "event": {"id": f"e{number}", "action": f"agent.proposal.{stage}"},
            "activity": {
                "proposal": {"id": "prp_1", "stage": stage},
                "impact": {"level": impact},
                "resource": {"type": "server", "id": "srv_1", "name": "db-1"},
                "initiator": {"id": "usr_jo"},
                **({"approver": approver, "confirmation": {"text": "db-1"}} if number else {}),
            },
        }
        for number, stage in enumerate(stages)
    ]
    return judge(read_chain(entries), shipped_policies(), now=NOW)


def test_an_approver_whom_nothing_proves_did_not_lack_a_role() -> None:
    """Where nobody vouches for who approved, the verdict says that, under the same key; who is
    known and had no such role lacked the permission."""
    mira = {"id": "usr_mk", "roles": ["admin"]}
    claimed = said_of("destructive", {**mira, "authenticated": False}).as_dict()
    assert (claimed["verdict"], claimed["cause"]) == ("approver_lacked_permission", "unproven")
    assert claimed["label"] == "Approver not proven"
    assert claimed["explanation"].startswith("Nothing proves who approved this.")
    assert claimed["violation"] is True
    assert [one["label"] for one in claimed["findings"]] == ["Approver not proven"]
    member = {"id": "usr_mk", "roles": ["member"], "authenticated": True}
    known = said_of("destructive", member).as_dict()
    assert (known["verdict"], known["cause"]) == ("approver_lacked_permission", None)
    assert known["label"] == known["findings"][0]["label"] == "Approver lacked the permission"
    assert said_of("destructive", {**mira, "authenticated": True}).verdict.key == "approved"


def test_what_needs_no_approval_waits_for_nobody() -> None:
    """A proposal that its policy lets run alone asks nobody to decide; any other does."""
    free, asks = said_of("safe").as_dict(), said_of("caution").as_dict()
    assert (free["verdict"], free["cause"]) == ("pending", "no_approval")
    assert (free["label"], free["what_to_do"]) == ("May run, needs no approval", "Nothing.")
    assert (asks["verdict"], asks["cause"]) == ("pending", None)
    assert asks["label"] == "Waiting for a decision"


def test_a_cause_changes_the_words_alone() -> None:
    """Filters, counts and alerts go by the key: it is the same, and so is whether it is wrong."""
    causes = [(one, by) for one in verdicts().values() for by in one.causes.values()]
    assert len(causes) == 2
    for plain, by in causes:
        assert (by.key, by.violation) == (plain.key, plain.violation)
        assert (by.label, by.explanation) != (plain.label, plain.explanation)
