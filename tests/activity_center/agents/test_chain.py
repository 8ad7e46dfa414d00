"""Reading chains: what joins entries, what orders them, and values of a wrong shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from activity_center.agents import judge, read_chain, read_chains, shipped_policies


def entry(
    id_: str, second: int, stage: str, *, proposal: str = "p", call: str = "c", **more: Any
) -> dict[str, Any]:
    """Return a stored activity."""
    ours: dict[str, Any] = {"proposal": {"stage": stage}, "sender": "agents"}
    if proposal:
        ours["proposal"]["id"] = proposal
    return {
        "@timestamp": f"2026-11-24T13:00:{second:02d}Z",
        "event": {"id": id_, "action": f"agent.proposal.{stage}"},
        "gen_ai": {"tool": {"name": "deploy", "call": {"id": call} if call else {}}},
        "activity": ours,
        **more,
    }


def test_a_clock_that_was_set_back() -> None:
    """Between entries of one producer its sequence orders, not the clock."""
    first = entry("a", 30, "executing")
    second = entry("b", 10, "completed")
    for number, one in enumerate((first, second)):
        one["event"]["sequence"] = number
    (run,) = read_chain([second, first]).executions
    assert run.entries == ("a", "b")
    assert run.state == "completed"


def test_calls_join_who_knows_no_proposal() -> None:
    """An entry with the call's id alone joins its proposal; of two the one made before it."""
    entries = [
        entry("a", 1, "proposed", proposal="p1"),
        entry("b", 20, "proposed", proposal="p2"),
        entry("c", 10, "executing", proposal=""),
        entry("d", 30, "executing", proposal=""),
        entry("e", 30, "executing", proposal="", call="other"),
    ]
    chains = {chain.id: [one.id for one in chain.entries] for chain in read_chains(entries)}
    assert chains == {"p1": ["a", "c"], "p2": ["b", "d"], "call:other": ["e"]}


def received(made: dict[str, Any], second: int, sender: str) -> dict[str, Any]:
    """Return an entry as a collector has it."""
    made["event"]["ingested"] = f"2026-11-24T13:00:{second:02d}.500Z"
    made["activity"]["sender"] = sender
    return made


def grouped(*entries: dict[str, Any]) -> dict[str, list[str]]:
    """Chains by id, with the ids of their entries; the same in every order."""
    made = [
        {chain.id: sorted(one.id for one in chain.entries) for chain in read_chains(line)}
        for line in permutations(entries)
    ]
    assert all(one == made[0] for one in made)
    return made[0]


def test_another_proposal_takes_no_call_over() -> None:
    """A call stays with the proposal that came in first, however a later one is dated; who ran it
    may be a third sender."""
    assert grouped(
        received(entry("a", 10, "proposed", proposal="p1"), 10, "agents"),
        received(entry("b", 11, "approved", proposal="p1"), 11, "sidecar"),
        received(entry("c", 20, "executing", proposal=""), 20, "tools"),
        received(entry("d", 15, "proposed", proposal="evil"), 21, "mallory"),
        received(entry("e", 16, "approved", proposal="evil"), 22, "mallory"),
    ) == {"p1": ["a", "b", "c"], "evil": ["d", "e"]}


@pytest.mark.parametrize("stage", ["proposed", "approved"])
def test_a_chain_that_knows_its_call_alone_is_not_taken_over(stage: str) -> None:
    """What is told without a proposal's id stays one chain when another proposes its call; a
    decision under the id that the chain is shown by is a part of it."""
    assert grouped(
        received(entry("a", 10, stage, proposal=""), 10, "agents"),
        received(entry("b", 20, "executing", proposal=""), 20, "agents"),
        received(entry("c", 5, "proposed", proposal="evil"), 21, "mallory"),
        received(entry("d", 18, "approved", proposal="call:c"), 18, "sidecar"),
    ) == {"call:c": ["a", "b", "d"], "evil": ["c"]}


def test_a_sender_keeps_its_calls_for_itself() -> None:
    """Who names a proposal for a call means that one by the call, also if another was first."""
    assert grouped(
        received(entry("a", 10, "proposed", proposal="evil"), 10, "mallory"),
        received(entry("b", 12, "proposed", proposal="p1"), 12, "agents"),
        received(entry("c", 20, "executing", proposal=""), 20, "agents"),
        received(entry("d", 21, "completed", proposal=""), 21, "mallory"),
    ) == {"evil": ["a", "d"], "p1": ["b", "c"]}


def test_organizations_keep_their_ids_apart() -> None:
    """The same proposal id in two organizations is two proposals."""
    entries = [
        entry("a", 1, "proposed", organization={"id": "northwind"}),
        entry("b", 2, "approved", organization={"id": "brightleaf"}),
    ]
    assert [chain.organization["id"] for chain in read_chains(entries)] == [
        "northwind",
        "brightleaf",
    ]


def test_a_call_without_any_stage_is_no_chain() -> None:
    """A tool call that was only logged is not judged."""
    logged = entry("a", 1, "")
    logged["event"]["action"] = "agent.tool.call"
    del logged["activity"]["proposal"]
    assert read_chains([logged]) == []


def test_stages_of_those_who_name_none() -> None:
    """Where the stage is missing, outcome or action tell it."""
    actions = ("agent.ssh_proposed", "agent.ssh_denied", "agent.cost_recommendation.applied")
    entries = [entry(str(place), place, "") for place in range(3)]
    for one, action in zip(entries, actions, strict=True):
        one["event"]["action"] = action
        del one["activity"]["proposal"]["stage"]
    chain = read_chain(entries)
    assert chain.proposal is not None
    assert [one.outcome for one in chain.decisions] == ["denied"]
    assert [one.state for one in chain.executions] == ["completed"]


def test_the_outcome_is_the_more_exact_word() -> None:
    """A decision whose stage says approved and whose outcome says denied is a denial."""
    contradicting = entry("a", 1, "approved")
    contradicting["activity"]["decision"] = {"outcome": "denied"}
    assert read_chain([contradicting]).state == "denied"


def test_what_did_not_fit_is_shown() -> None:
    """Arguments that the collector moved to the overflow are part of what was proposed."""
    large = entry("a", 1, "proposed")
    large["gen_ai"]["tool"]["call"]["arguments"] = {"short": 1}
    large["activity"]["overflow"] = {"gen_ai.tool.call.arguments.long": "x" * 40_000}
    proposal = read_chain([large]).proposal
    assert proposal is not None
    assert proposal.arguments == {"short": 1, "long": "x" * 40_000}


def test_values_of_a_wrong_shape_are_not_there() -> None:
    """Whatever stands in the fields, a chain is read."""
    broken = {
        "@timestamp": 7,
        "event": {"id": ["a"], "sequence": "x", "action": None},
        "gen_ai": {"tool": "deploy", "agent": []},
        "activity": {
            "proposal": {"id": "p", "stage": "approved", "expires_at": "soon"},
            "decision": {"outcome": 5, "wait_ms": "long", "mfa": "yes"},
            "approver": {"id": 1, "roles": {"a": 1}, "authenticated": "true"},
            "impact": {"level": "enormous"},
        },
    }
    shown = read_chain([broken]).as_dict()
    assert shown["state"] == "approved"
    assert shown["impact"] == {"level": None, "source": None}
    assert shown["decisions"][0]["authenticated"] is False
    assert shown["decisions"][0]["mfa"] is None


def test_the_gravest_impact_is_the_chains() -> None:
    """What was proposed as safe and ran as destructive is destructive, by whichever entry."""
    begun, ran = entry("a", 1, "proposed"), entry("b", 2, "executing")
    begun["activity"]["impact"] = {"level": "safe", "source": "agent"}
    ran["activity"]["impact"] = {"level": "destructive", "source": "operator"}
    chain = read_chain([begun, ran])
    assert (chain.impact, chain.impact_source) == ("destructive", "operator")


def test_an_execution_tells_its_error() -> None:
    """What failed shows why; what did not has none."""
    failed = entry("b", 2, "failed", error={"message": "disk full"})
    shown = read_chain([entry("a", 1, "executing"), failed]).as_dict()
    assert [one["error"] for one in shown["executions"]] == ["disk full"]
    done = read_chain([entry("a", 1, "executing"), entry("b", 2, "completed")]).as_dict()
    assert [one["error"] for one in done["executions"]] == [None]


@pytest.mark.parametrize(
    ("expires", "minutes", "late"),
    [(None, 1441, True), (None, 1439, False), (2880, 1441, True), (30, 31, True), (30, 29, False)],
    ids=["policy", "in-time", "policy-first", "own-first", "both-in-time"],
)
def test_the_earlier_of_both_times_ends_a_proposal(
    expires: int | None, minutes: int, late: bool
) -> None:
    """An approval is late after the proposal's own expiry, and after the policy's time: a day."""
    begun = datetime(2026, 11, 24, 13, tzinfo=UTC)
    after = {number: (begun + timedelta(minutes=number)).isoformat() for number in (0, minutes)}
    proposal, approval = entry("a", 0, "proposed"), entry("b", 0, "approved")
    for one, at in ((proposal, 0), (approval, minutes)):
        one["@timestamp"] = after[at]
        one["activity"]["impact"] = {"level": "caution"}
    if expires is not None:
        end = begun + timedelta(minutes=expires)
        proposal["activity"]["proposal"]["expires_at"] = end.isoformat()
    approval["activity"]["approver"] = {"id": "usr_mk", "roles": ["admin"], "authenticated": True}
    said = judge(
        read_chain([proposal, approval]), shipped_policies(), now=begun + timedelta(days=9)
    )
    kinds = [one.kind for one in said.findings]
    assert kinds == (["decided_after_expiry"] if late else [])
