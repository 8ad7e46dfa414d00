"""Lists of proposals, asked of a real OpenSearch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sidecar_api import asking_chains
from sidecar_api.agents.query import DEEPEST
from tests.sidecar_api.agents.stage import Stage


def test_one_row_a_chain_newest_first(stage: Stage) -> None:
    """However many entries it has, a chain is one row, by when it began."""
    stage.chain("old", at=0)
    stage.chain("new", "denied", at=100)
    stage.add("", "old", at=5000)
    stage.store()
    found = stage.desk.get("/api/v1/proposals")
    assert [one["id"] for one in found["proposals"]] == [stage.id("new"), stage.id("old")]
    new, old = found["proposals"]
    assert (new["state"], new["judgement"]["verdict"]) == ("denied", "denied")
    assert (old["state"], old["judgement"]["verdict"]) == ("completed", "executed_as_approved")
    assert (old["wait_ms"], old["duration_ms"]) == (60_000, 4000)
    assert (old["tool"]["name"], old["agent"]["id"]) == ("resize_disk", "agt_ops")
    assert old["proposed"]["arguments"] == {"size_gb": 160}
    assert len(old["entries"]) == 5
    page = found["page"]
    assert (page["total"], page["approximate"], page["from"], page["to"]) == (2, False, 1, 2)
    assert (page["next"], page["judged"]) == (None, None)


def test_the_state_is_that_of_the_latest_stage(stage: Stage) -> None:
    """Each state has its own, and several states are any of them."""
    endings = ("pending", "approved", "denied", "expired", "executing", "completed", "failed")
    for number, ending in enumerate(endings):
        stage.chain(ending, ending, at=number * 100)
    stage.chain("edited", "pending", at=1000)
    stage.add("approved", "edited", at=1060, activity__decision__outcome="edited")
    stage.chain("again", "failed", at=2000)
    stage.add("executing", "again", at=2100)
    stage.add("completed", "again", at=2101)
    stage.store()
    for state in endings[1:]:
        expected = ["again", state] if state == "completed" else [state]
        assert stage.names(f"state={state}") == expected, state
    assert stage.names("state=proposed") == ["pending"]
    assert stage.names("state=edited") == ["edited"]
    assert stage.names("state=proposed&state=denied") == ["denied", "pending"]


def test_what_tells_no_stage_is_read_by_its_action(stage: Stage) -> None:
    """A program that only knows actions makes chains too."""
    for action, at in (("proposed", 0), ("approved", 60), ("executed", 61)):
        stage.add("", "ssh", at=at, event__action=f"agent.ssh_{action}")
    stage.store()
    assert stage.names("state=completed") == ["ssh"]
    assert stage.names("state=proposed") == []


def test_what_nobody_rated_is_an_impact_too(stage: Stage) -> None:
    """A chain is unrated where none of its entries tells an impact; an agent's record says so."""
    stage.chain("unrated", activity__impact__level=None)
    stage.chain("late", "pending", at=100, activity__impact__level=None)
    stage.add("executing", "late", at=200, activity__impact__level="safe")
    stage.chain("caution", at=300)
    stage.store()
    assert stage.names("impact=unrated") == ["unrated"]
    assert stage.names("impact=unrated&impact=safe") == ["late", "unrated"]
    assert stage.names("impact=caution") == ["caution"]
    impacts = stage.desk.get("/api/v1/agents/agt_ops")["impacts"]
    for impact, count in impacts.items():
        assert len(stage.names(f"impact={impact}")) == count, impact
    assert impacts["unrated"] == 1


def test_filters(stage: Stage) -> None:
    """Each filter finds what has it in any of its entries; those of different names all hold."""
    stage.chain("a", at=0, activity__impact__level="destructive")
    stage.chain("b", "denied", at=100, gen_ai__tool__name="deploy")
    stage.chain("c", at=200, gen_ai__agent={"id": "agt_x", "name": "Builder"})
    stage.chain(
        "d",
        "failed",
        at=300,
        activity__origin="api",
        activity__initiator={"id": "usr_pia", "email": "pia@acme.example"},
        activity__resource={
            "type": "site",
            "id": "sit_9",
            "name": "shop.example",
            "parent": {"type": "server", "id": "srv_77", "name": "Web-West"},
        },
    )
    stage.chain("e", "pending", at=86_400)
    stage.store()
    cases = {
        "impact=destructive": ["a"],
        "tool=deploy": ["b"],
        "agent=agt_x": ["c"],
        "agent=Builder&agent=ops-pilot": ["e", "d", "c", "b", "a"],
        "approver=mira": ["d", "c", "b", "a"],
        "approver=nobody": [],
        "approver=usr_mk&tool=deploy": ["b"],
        "approver=Mira%20Kova%C4%8D&tool=deploy": ["b"],
        "initiator=usr_pia": ["d"],
        "initiator=pia%40acme.example": ["d"],
        "source=api": ["d"],
        "target=srv_77": ["d"],
        "target=web-w": ["d"],
        "target=SHOP": ["d"],
        "result=failed": ["d"],
        "result=denied&result=failed": ["d", "b"],
        "action=agent.proposal.denied": ["b"],
        "impact=destructive&approver=mira&tool=resize_disk": ["a"],
        "impact=destructive&tool=deploy": [],
        "from=2026-11-21": ["e"],
        "to=2026-11-20": ["d", "c", "b", "a"],
        "to=2026-11-20T12:03:20Z": ["b", "a"],
        "from=2026-11-20T12:03:20Z&to=2026-11-20T12:05:00Z": ["c"],
        f"organization={stage.desk.a}&state=failed": ["d"],
    }
    for query, names in cases.items():
        assert stage.names(query) == names, query


def test_a_call_alone_makes_a_chain_and_joins_a_proposal(stage: Stage) -> None:
    """What ran under the call of a proposal is of its chain, also for the filters."""
    stage.add("proposed", "both", at=0)
    stage.add("approved", "both", at=30, activity__approver={"id": "usr_mk", "roles": ["admin"]})
    stage.add("executing", "both", at=31, named=False)
    stage.add("completed", "both", at=35, named=False)
    stage.add("executing", "alone", at=100, named=False)
    stage.add("", "nothing", at=200, named=False)
    stage.store()
    call = f"call:{stage.id('call-alone')}"
    found = stage.desk.get("/api/v1/proposals")["proposals"]
    assert [one["id"] for one in found] == [call, stage.id("both")]
    assert [one["judgement"]["verdict"] for one in found] == [
        "executed_without_approval",
        "executed_as_approved",
    ]
    assert len(found[1]["entries"]) == 4
    assert stage.names("state=completed") == ["both"]
    assert stage.names("state=approved") == []
    assert stage.desk.get(f"/api/v1/proposals/{call}")["state"] == "executing"


def test_pages_without_gap_or_repeat(stage: Stage) -> None:
    """Numbered pages, and pages by cursor while new proposals come in, list each one once."""
    for number in range(60):
        stage.chain(f"p{number:02}", at=number * 100)
    stage.store()
    expected = [f"p{number:02}" for number in reversed(range(60))]
    numbered = [stage.names(f"page={number}") for number in (1, 2, 3, 4)]
    assert [len(page) for page in numbered] == [25, 25, 10, 0]
    assert [name for page in numbered for name in page] == expected
    read, query = [], ""
    while True:
        found = stage.desk.get(f"/api/v1/proposals?size=25{query}")
        assert found["page"]["total"] == 60
        read += [one["id"].removesuffix(f"-{stage.mark}") for one in found["proposals"]]
        if found["page"]["next"] is None:
            break
        assert found["page"]["to"] == len(read)
        query = f"&cursor={found['page']['next']}"
        # It came in after the first page was made.
        stage.chain(f"new{len(read)}", at=9000, event__ingested="2126-01-01T00:00:00Z")
        stage.store()
    assert read == expected
    stage.desk.problem(400, f"/api/v1/proposals?state=denied{query}")
    stage.desk.problem(400, f"/api/v1/proposals?{query[1:]}", "member")


def test_a_range_ends_at_the_first_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older is left out; what was in it stays, by cursor too, as the time goes on."""
    now = datetime.now(UTC)
    for number in range(29):
        stage.add("proposed", f"p{number:02}", at=now - timedelta(hours=1, minutes=number))
    stage.add("proposed", "edge", at=now - timedelta(hours=24) + timedelta(minutes=5))
    stage.add("proposed", "old", at=now - timedelta(hours=25))
    stage.store()
    first = stage.desk.get("/api/v1/proposals?range=24h")
    assert first["page"]["total"] == 30
    monkeypatch.setattr(asking_chains, "now", lambda: now + timedelta(minutes=10))
    rest = stage.desk.get(f"/api/v1/proposals?range=24h&cursor={first['page']['next']}")
    shown = [one["id"] for one in [*first["proposals"], *rest["proposals"]]]
    assert shown == [*(stage.id(f"p{number:02}") for number in range(29)), stage.id("edge")]
    assert stage.desk.get("/api/v1/proposals?range=24h")["page"]["total"] == 29
    assert stage.desk.get("/api/v1/proposals?range=7d")["page"]["total"] == 31


def test_a_verdict_is_found_by_judging_and_the_answer_says_how_far(stage: Stage) -> None:
    """The first chains are judged until the page is full; the cursor goes on behind them."""
    for number in range(60):
        ending = "unasked" if number % 2 else "completed"
        stage.chain(f"p{number:02}", ending, at=number * 100)
    stage.store()
    wrong = "verdict=executed_without_approval"
    found = stage.desk.get(f"/api/v1/proposals?{wrong}")
    assert len(found["proposals"]) == 25
    assert found["page"]["judged"] == {"chains": 49, "of": 60}
    assert found["page"]["approximate"] is True
    cursor = found["page"]["next"]
    rest = stage.desk.get(f"/api/v1/proposals?{wrong}&cursor={cursor}")
    assert len(rest["proposals"]) == 5
    assert (rest["page"]["next"], rest["page"]["judged"]) == (None, {"chains": 11, "of": 11})
    ids = [one["id"] for one in (*found["proposals"], *rest["proposals"])]
    assert ids == [stage.id(f"p{number:02}") for number in range(59, 0, -2)]
    again = stage.desk.get(f"/api/v1/proposals?{wrong}&page=2")
    assert [one["id"] for one in again["proposals"]] == ids[25:]
    assert (again["page"]["total"], again["page"]["approximate"]) == (30, False)
    assert stage.names(f"{wrong}&impact=destructive") == []


def test_large_entries_are_judged_whole_and_listed_short(stage: Stage) -> None:
    """A list leaves out arguments of large entries and says so; the proposal itself has them."""
    long = {f"line_{number}": "x" * 8000 for number in range(5)}
    stage.add("proposed", "big", at=0, arguments=long, activity__size=41_000)
    approver = {"id": "usr_mk", "roles": ["admin"]}
    stage.add("approved", "big", at=60, arguments={"script": "y"}, activity__approver=approver)
    stage.add("executing", "big", at=61, arguments={"script": "y"})
    stage.store()
    (row,) = stage.desk.get("/api/v1/proposals")["proposals"]
    assert (row["partial"], row["proposed"]["arguments"]) == (True, None)
    whole = stage.one("big")
    assert "partial" not in whole
    assert whole["proposed"]["arguments"] == long


def test_wrong_questions_are_refused(stage: Stage) -> None:
    """Unknown values, empty ones, ranges that end before they begin, pages too deep."""
    for query, parameter in {
        "state=done": "state",
        "verdict=fine": "verdict",
        "approver=": "approver",
        "tool=%20": "tool",
        "from=2026-11-21&to=2026-11-19": "to",
        "from=yesterday": "from",
        "range=1w": "range",
        "range=7d&from=2026-11-21": "range",
        "&".join(["agent=x"] * 51): "agent",
        "page=10000&size=25": "page",
        "organization=Acme": "organization",
        "cursor=abc": "cursor",
        "actor=x": "actor",
    }.items():
        found = stage.desk.problem(400, f"/api/v1/proposals?{query}")
        assert found["parameter"] == parameter, query
    assert stage.desk.problem(404, "/api/v1/proposals/none")["title"] == "Not found"


@pytest.fixture
def crowd(stage: Stage) -> Iterator[Stage]:
    """More chains of an organization than a list reaches, one of them of its member."""
    for number in range(DEEPEST + 50):
        stage.add("proposed", f"o{number}", at=number)
    stage.add("proposed", "mine", at=5, activity__initiator={"id": stage.desk.people["member"]})
    stage.store()
    yield stage
    # Others' lists of everything, on the same node, would reach nothing else.
    query = {"query": {"term": {"organization.id": stage.desk.a}}}
    stage.desk.client.delete_by_query(
        index="activity-agent-permanent", body=query, params={"refresh": "true"}
    )


def test_more_than_a_list_reaches_is_said_of_what_is_seen(crowd: Stage) -> None:
    """Neither a total nor an export tells of how many others there are."""
    desk = crowd.desk
    for who, total in (("member", 1), ("stranger", 0)):
        page = desk.get("/api/v1/proposals", who)["page"]
        assert (page["total"], page["approximate"]) == (total, False)
        counted = desk.get("/api/v1/agents", who)["counted"]
        assert counted == {"chains": total, "of": total, "approximate": False}
        path = f"/api/v1/proposals/export?format=ndjson&initiator={desk.people[who]}"
        assert desk.ask(path, who).status_code == 200
    page = desk.get("/api/v1/proposals")["page"]
    assert (page["total"], page["approximate"]) == (DEEPEST, True)
    desk.problem(400, "/api/v1/proposals/export?format=ndjson")
