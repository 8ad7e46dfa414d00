"""Who decided on what an agent ran, where the entry of the run does not say it."""

from __future__ import annotations

from typing import Any

from sidecar_api.search import Search
from tests.sidecar_api.search.log import NOON, Log, document, filters, minutes
from tests.weighed import Weighed

MIRA = {"id": "usr_mk", "full_name": "Mira Kovač", "email": "mira@northwind.example"}


def stage(id_: str, at: float, stage: str, proposal: str = "p1", **values: Any) -> dict[str, Any]:
    """An entry of a proposal, so many minutes after noon."""
    action = {"completed": "executed"}.get(stage, stage)
    return document(
        id=id_,
        at=NOON + minutes(at),
        activity__proposal__id=proposal,
        activity__proposal__stage=stage,
        **{"event__action": f"agent.proposal.{action}", **values},
    )


def approved(id_: str, at: float, proposal: str = "p1", **values: Any) -> dict[str, Any]:
    """An approval by Mira."""
    made = {
        "activity__decision__outcome": "approved",
        "activity__decision__source": "user",
        **{f"activity__approver__{name}": value for name, value in MIRA.items()},
        "activity__approver__authenticated": True,
        **values,
    }
    return stage(id_, at, "approved", proposal, **made)


def decided(log: Log, wall: Any = None) -> dict[str, Any]:
    """Event id -> what is said of the decision; absent where nothing is."""
    page = log.search.page(wall or log, filters(), size=100)
    return {
        one["event"]["id"]: one["activity"]["decided"]
        for one in page.activities
        if "decided" in one["activity"]
    }


def test_a_run_says_who_decided_and_when(log: Log) -> None:
    """Each run of an approved proposal has decision, approver and time of the decision, on a page
    and by itself; what it has not said stays out of its own fields, and no other entry gets it."""
    log.add(
        stage("asked", 1, "proposed"),
        approved("yes", 3),
        stage("began", 4, "executing"),
        stage("ended", 5, "completed"),
        stage("broke", 5, "failed", "p2"),
        document(id="else"),
    )
    said = {
        "at": "2026-11-20T12:03:00.000Z",
        "outcome": "approved",
        "source": "user",
        "authenticated": True,
        "approver": MIRA,
    }
    assert decided(log) == {"began": said, "ended": said}
    found = log.search.one(log, f"{log.organization}-ended")
    assert found is not None
    assert found["activity"]["decided"] == said
    assert not {"approver", "decision"} & {*found["activity"]}


def test_the_decision_is_the_one_that_counts_before_the_run(log: Log) -> None:
    """The last one before it; an authenticated one whatever others claim later; not one that came
    after the run; a rule has no approver; and a run that names its own keeps it."""
    claimed = {"activity__approver__authenticated": None, "activity__approver__id": "usr_x"}
    log.add(
        approved("real", 1),
        *(approved(f"claim{n}", 2 + n / 100, **claimed) for n in range(30)),
        stage("ran", 3, "completed"),
        stage("early", 1, "completed", "p2"),
        approved("late", 2, "p2"),
        approved("first", 1, "p3"),
        stage("once", 2, "completed", "p3"),
        approved("again", 3, "p3", activity__approver__id="usr_jo"),
        stage("twice", 4, "completed", "p3"),
        stage(
            "rule",
            1,
            "approved",
            "p4",
            activity__decision__outcome="auto_approved",
            activity__decision__source="policy",
        ),
        stage("ruled", 2, "completed", "p4"),
        stage("own", 4, "completed", activity__approver__id="usr_own"),
        stage("expired", 1, "expired", "p5", activity__decision__outcome="expired"),
        stage("anyway", 2, "completed", "p5"),
    )
    found = decided(log)
    assert {id_: (one["approver"] or {}).get("id") for id_, one in found.items()} == {
        "ran": "usr_mk",
        "once": "usr_mk",
        "twice": "usr_jo",
        "ruled": None,
    }
    assert found["ruled"]["outcome"] == "auto_approved"
    assert found["once"]["at"] < found["twice"]["at"]


def test_what_is_claimed_after_a_run_does_not_change_who_decided_on_it(log: Log) -> None:
    """Neither an authenticated word that comes too late for it, nor any number of claims."""
    claimed = {"activity__approver__authenticated": None}
    log.add(approved("yes", 1, **claimed), stage("ran", 2, "executing"))
    assert decided(log)["ran"]["approver"] == MIRA
    log.add(stage("no", 3, "denied", activity__approver={"id": "boss", "authenticated": True}))
    log.add(
        *(approved(f"claim{n}", 3, **{**claimed, "activity__approver__id": "x"}) for n in range(40))
    )
    assert decided(log)["ran"]["approver"] == MIRA


def test_a_run_is_decided_on_by_when_it_began(log: Log) -> None:
    """As the verdict has it: two clocks may differ by 5 seconds for an approval alone, and what
    came after the beginning is no decision on the run that its result tells of."""
    second = 1 / 60
    log.add(
        stage("within", 1, "executing"),
        approved("soon", 1 + 4 * second),
        stage("after", 1, "executing", "p2"),
        approved("late", 1 + 6 * second, "p2"),
        stage("began", 1, "executing", "p3"),
        approved("between", 2, "p3"),
        stage("ended", 3, "completed", "p3"),
        stage("anew", 4, "executing", "p3"),
        stage("again", 5, "completed", "p3"),
        approved("before", 0, "p4"),
        stage("kept", 1, "executing", "p4"),
        stage("no", 1 + 4 * second, "denied", "p4"),
        approved("early", 2, "p5"),
        stage("backdated", 3, "executing", "p5", event__ingested="2026-11-20T12:01:00.000Z"),
    )
    assert set(decided(log)) == {"within", "anew", "again", "kept"}


def test_a_decision_is_told_by_its_outcome_or_its_action_as_well(log: Log) -> None:
    """As everywhere: the outcome is the more exact word, and the action alone is enough; what is
    in another lens is no decision, and what names nobody approves nothing."""
    said = {"activity__proposal__id": "p1", "activity__approver": MIRA, "event__kind": "event"}
    log.add(
        document(
            id="word",
            at=NOON,
            event__action="agent.tool.allowed",
            activity__lens="agent",
            activity__decision__outcome="approved",
            **said,
        ),
        stage("ran", 1, "executing"),
        document(
            id="act",
            at=NOON,
            event__action="agent.proposal.approved",
            activity__lens="agent",
            **{**said, "activity__proposal__id": "p2"},
        ),
        stage("acted", 1, "executing", "p2"),
        approved("boss", 0, "p3", activity__lens="audit", event__action="server.update"),
        stage("alone", 1, "executing", "p3"),
        stage("nobody", 0, "approved", "p4", activity__decision__source="user"),
        stage("nameless", 1, "executing", "p4"),
    )
    assert set(decided(log)) == {"ran", "acted"}


def test_no_source_is_read_of_decisions(log: Log) -> None:
    """Whatever somebody sent with them: a page of runs is a small answer."""
    long = {"activity__approver__roles": ["r" * 256] * 1000}
    log.add(*(stage(f"r{n}", 5, "executing", f"p{n}") for n in range(5)))
    for n in range(5):
        log.add(*(approved(f"d{n}-{m}", m / 10, f"p{n}", **long) for m in range(10)))
    weighed = Weighed(log.client)
    page = Search(weighed.client).page(log, filters(decision="-"), size=25)
    assert {one["activity"]["decided"]["at"] for one in page.activities} == {
        "2026-11-20T12:00:54.000Z"
    }
    assert max(weighed.answers) < 100_000


class Own:
    """A wall around what one person did."""

    def __init__(self, id_: str) -> None:
        self.id = id_

    def query(self) -> dict[str, Any]:
        """The clause."""
        return {"term": {"user.id": self.id}}


def test_a_decision_behind_the_wall_is_not_told(log: Log) -> None:
    """Who may not see the decision, or has an equal proposal id elsewhere, is told of none."""
    me = f"me-{log.organization}"
    other = Log(log.client)
    log.add(stage("mine", 5, "completed", user__id=me))
    other.add(approved("elsewhere", 1, user__id=me))
    assert decided(log, Own(me)) == {}
    log.add(approved("theirs", 1, user__id="someone"))
    assert decided(log, Own(me)) == {}
    assert set(decided(log)) == {"mine"}


def test_a_page_of_a_hundred_runs(log: Log) -> None:
    """A full page of runs of different proposals has the decision of each."""
    log.add(*(approved(f"y{n}", -9, f"p{n}", activity__approver__id=f"u{n}") for n in range(100)))
    log.add(*(stage(f"r{n}", 1, "completed", f"p{n}") for n in range(100)))
    assert {id_: one["approver"]["id"] for id_, one in decided(log).items()} == {
        f"r{n}": f"u{n}" for n in range(100)
    }
