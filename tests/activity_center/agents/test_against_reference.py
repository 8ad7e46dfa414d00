"""Whatever arrives, in whatever order and how often: the verdict is the reference model's."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from activity_center.agents import judge, read_chain, read_chains, shipped_policies
from tests.activity_center.agents import reference
from tests.activity_center.agents.reference import Told

START = datetime(2026, 11, 24, 13, tzinfo=UTC)
TIMES = st.sampled_from([0, 1, 20, 47, 49, 52, 55, 60, 120, 600, 1799, 1801, 1860, 2400])
PRODUCERS = st.sampled_from(["agent", "agent", "tools"])
ENDS = [key for key in reference.LETTERS if key[0] != "executing"]


@st.composite
def decisions(draw: Any, number: int) -> Any:
    """A decision that somebody made, or nobody."""
    outcome = draw(
        st.sampled_from(
            ["approved"] * 6 + ["edited", "auto_approved", "denied", "cancelled", "expired"]
        )
    )
    source = draw(st.sampled_from(["hook", "policy"])) if outcome == "auto_approved" else "user"
    stage = {"edited": "approved", "auto_approved": "approved"}.get(outcome, outcome)
    return Told(
        id=f"d{number}",
        at=draw(TIMES),
        producer=draw(st.sampled_from(["sidecar", "agent"])),
        stage=stage,
        outcome=outcome,
        source=source,
        scope=draw(st.sampled_from(["once"] * 5 + ["session", "always"])),
        who=draw(st.sampled_from(["mira"] * 5 + ["jonas", ""])),
        roles=draw(
            st.sampled_from([("admin",)] * 5 + [("member",), ("viewer", "owner"), (), None])
        ),
        proven=draw(st.sampled_from([True] * 4 + [False])),
        typed=draw(st.sampled_from(["api-prod-1"] * 4 + ["db", ""])),
        wait=draw(st.sampled_from([47_000] * 4 + [999, 1000, 2999])),
        value=draw(st.sampled_from(["a", "a", "a", "b", ""])),
        received=draw(st.sampled_from([None, None, 1, 47, 2400])),
    )


@st.composite
def executions(draw: Any, number: int) -> Any:
    """Entries of a run in one producer's words; any of them may be missing."""
    begin, producer = draw(TIMES), draw(PRODUCERS)
    value = draw(st.sampled_from(["a", "a", "a", "b", ""]))
    call = draw(st.sampled_from(["call_7"] * 4 + ["", "call_8"]))
    received = draw(st.sampled_from([None] * 6 + [10, begin, begin + 30]))
    same = {"producer": producer, "value": value, "call": call, "received": received}
    told = [
        Told(f"r{number}s", begin, stage="executing", action="agent.proposal.executing", **same)
    ]
    for place, (stage, action) in enumerate(draw(st.lists(st.sampled_from(ENDS), max_size=3))):
        at = begin + draw(st.sampled_from([0, 5, 30]))
        told.append(Told(f"r{number}e{place}", at, stage=stage, action=action, **same))
    return told


@st.composite
def stories(draw: Any) -> Any:
    """A whole chain, part of which is lost."""
    told = []
    if draw(st.sampled_from([True] * 5 + [False])):
        received = draw(st.sampled_from([None, 0, 46]))
        told.append(Told("p", 0, "agent", "proposed", received=received))
    for number in range(draw(st.integers(0, 3))):
        told.append(draw(decisions(number)))
    for number in range(draw(st.integers(0, 3))):
        told += draw(executions(number))
    lost = draw(st.sets(st.sampled_from([one.id for one in told]), max_size=3)) if told else set()
    told = [one for one in told if one.id not in lost]
    if draw(st.booleans()):
        told = [Told(**{**vars(one), "hashed": False}) for one in told]
    if draw(st.sampled_from([False] * 9 + [True])):
        told = [Told(**{**vars(one), "asked": ""}) for one in told]
    return told


def stored(told: list[Any], impact: str) -> list[dict[str, Any]]:
    """Return the entries; each producer counts its own."""
    line = sorted(told, key=lambda one: (one.at, reference.RANKS.index(one.stage), one.id))
    counted: Counter[str] = Counter()
    entries = []
    for one in line:
        entries.append(one.stored(counted[one.producer], impact))
        counted[one.producer] += 1
    return entries


def approved_and_ran(who: str, value: str, *, failed: bool = False) -> list[Told]:
    """A proposal that somebody approved soundly, and one run of it with these parameters.

    What is rare among random stories is told as such a one too, so that it is met for certain.
    """
    run: dict[str, Any] = {"producer": "agent", "value": value, "call": "call_7"}
    stage, action = "failed" if failed else "completed", "agent.deploy"
    approval = Told("d0", 47, "sidecar", "approved", outcome="approved", source="user", who=who)
    proven = {"roles": ("admin",), "proven": True, "typed": "api-prod-1", "wait": 47_000}
    return [
        Told("p", 0, "agent", "proposed"),
        Told(**{**vars(approval), **proven, "scope": "once", "value": "a"}),
        Told("r0s", 52, stage="executing", action="agent.proposal.executing", **run),
        Told("r0e0", 57, stage=stage, action=action, **run),
    ]


SEEN: Counter[str] = Counter()


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(told=approved_and_ran("mira", ""), impact="destructive", seconds=1800, chance=0)
@example(told=approved_and_ran("jonas", "a"), impact="destructive", seconds=1800, chance=0)
@example(told=approved_and_ran("mira", "a"), impact="destructive", seconds=1800, chance=0)
@example(told=approved_and_ran("mira", "a", failed=True), impact="caution", seconds=1800, chance=0)
@given(
    told=stories(),
    impact=st.sampled_from(["destructive", "destructive", "caution"]),
    seconds=st.sampled_from([600, 1800, 90_000]),
    chance=st.integers(0, 2**32),
)
def run_property(told: list[Any], impact: str, seconds: int, chance: int) -> None:
    """One story, told shuffled and with repetitions."""
    wanted = reference.verdict(told, impact, seconds) if told else "pending"
    entries = stored(told, impact)
    dice = random.Random(chance)
    repeated = entries + [entry for entry in entries if dice.random() < 0.4]
    dice.shuffle(repeated)
    chain = read_chain(repeated)
    judged = judge(chain, shipped_policies(), now=START + timedelta(seconds=seconds))
    assert judged.verdict.key == wanted, (told, judged)
    assert read_chain(entries).as_dict() == chain.as_dict()
    if told:
        (grouped,) = read_chains(repeated)
        assert grouped.as_dict() == chain.as_dict()
    SEEN[wanted] += 1


def test_the_verdict_is_the_reference_models() -> None:
    """Interleavings, repetitions, late and missing stages of several producers: always the
    reference model's verdict, and the same chain in every order; every kind is met."""
    SEEN.clear()
    run_property()
    peaceful = {"executed_as_approved", "failed_as_approved", "denied", "cancelled", "expired"}
    assert set(SEEN) >= {*reference.ORDER, *peaceful, "approved", "pending", "not_bound"}
