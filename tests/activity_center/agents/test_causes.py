"""A verdict in the words for its cause, where the entries tell it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

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


@pytest.mark.parametrize("authenticated", [False, True])
def test_who_leaves_out_roles_is_not_said_to_have_them(authenticated: bool) -> None:
    """Without the approver's roles nothing says that they may approve: neither good words nor an
    accusation. Told ones are enough, and so is a rule that the policy takes."""
    silent = {"id": "usr_mk", "authenticated": authenticated}
    said = said_of("caution", silent).as_dict()
    assert (said["verdict"], said["cause"]) == ("approved", "rights_untold")
    assert (said["violation"], said["label"]) == (False, "Approved, not yet run, role not told")
    told = said_of("caution", {**silent, "roles": ["admin"]}).as_dict()
    assert (told["verdict"], told["cause"]) == ("approved", None)
    assert said_of("safe", silent).as_dict()["cause"] is None


@pytest.mark.parametrize(
    ("ending", "verdict"), [("completed", "executed_as_approved"), ("failed", "failed_as_approved")]
)
@pytest.mark.parametrize(
    ("decision", "approver", "cause"),
    [
        ({"outcome": "approved"}, {"id": "usr_mk"}, "rights_untold"),
        ({"outcome": "approved"}, {"id": "usr_mk", "roles": ["admin"]}, None),
        ({"outcome": "auto_approved", "source": "policy"}, {}, None),
    ],
    ids=["silent", "told", "rule"],
)
def test_what_ran_tells_whether_the_approvers_role_is_known(
    ending: str,
    verdict: str,
    decision: dict[str, str],
    approver: dict[str, Any],
    cause: str | None,
) -> None:
    """The verdict on what ran is in the words for what is known of its approver."""
    entries = [
        {
            "@timestamp": f"2026-11-24T13:0{number}:00Z",
            "event": {"id": f"e{number}"},
            "activity": {
                "proposal": {"id": "prp_1", "stage": stage},
                "impact": {"level": "caution"},
                **({"decision": decision, "approver": approver} if number == 1 else {}),
            },
        }
        for number, stage in enumerate(("proposed", "approved", "executing", ending))
    ]
    said = judge(read_chain(entries), shipped_policies(), now=NOW).as_dict()
    assert (said["verdict"], said["cause"], said["findings"]) == (verdict, cause, [])


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
    assert len(causes) == 5
    for plain, by in causes:
        assert (by.key, by.violation) == (plain.key, plain.violation)
        assert (by.label, by.explanation) != (plain.label, plain.explanation)
