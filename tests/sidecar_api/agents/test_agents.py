"""Records of agents, and what a program reads of its own proposals."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.config import load
from activity_center.streams import LENS_PATTERNS
from sidecar_api.app import create_app
from tests.integration.process import Collector, sha256, until
from tests.sidecar_api.agents.stage import APPROVER, BEGUN, Stage
from tests.sidecar_api.desk import HOST, Desk

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_record_of_an_agent(stage: Stage) -> None:
    """Counts, rates and times over its chains alone; what a rule decided is no one's time."""
    for number, wait in enumerate((10, 20, 30, 40)):
        name, at = f"w{number}", number * 1000
        stage.add("proposed", name, at=at)
        stage.add("approved", name, at=at + wait, activity__approver=APPROVER)
        stage.add("executing", name, at=at + wait + 1)
        end = "failed" if number == 3 else "completed"
        stage.add(end, name, at=at + wait + 2)
    stage.chain("no", "denied", at=5000)
    stage.chain("never", "expired", at=6000)
    stage.chain("bad", "unasked", at=7000)
    stage.add("proposed", "auto", at=8000)
    auto = {"outcome": "auto_approved", "source": "policy", "wait_ms": 5}
    stage.add("approved", "auto", at=8001, activity__decision=auto)
    stage.chain("else", at=9000, gen_ai__agent={"id": "agt_2", "name": "other"})
    stage.store()
    found = stage.desk.get("/api/v1/agents")
    assert found["counted"] == {"chains": 9, "of": 9, "approximate": False}
    assert [one["agent"]["id"] for one in found["agents"]] == ["agt_ops", "agt_2"]
    record = stage.desk.get("/api/v1/agents/agt_ops")
    assert {name: record[name] for name in found["agents"][0]} == found["agents"][0]
    assert (record["proposals"], record["decided"], record["executed"]) == (8, 6, 5)
    assert record["approval_rate"] == pytest.approx(5 / 6, abs=1e-4)
    assert record["time_to_decision_ms"] == {"p50": 30_000, "p95": 60_000}
    assert record["failure_rate"] == pytest.approx(1 / 5)
    assert (record["violations"], record["violation_rate"]) == (1, pytest.approx(1 / 8))
    assert record["verdicts"]["executed_without_approval"] == 1
    assert record["states"]["denied"] == record["states"]["expired"] == 1
    assert record["tools"] == [{"name": "resize_disk", "proposals": 8}]
    assert record["latest"][0]["id"] == stage.id("auto")
    assert (record["first_at"], record["last_at"]) == (
        "2026-11-20T12:00:00.000Z",
        "2026-11-20T14:13:20.000Z",
    )
    assert stage.desk.get("/api/v1/agents/ops-pilot")["proposals"] == 8
    later = stage.desk.get("/api/v1/agents?from=2026-11-20T14:00:00Z")
    assert [one["proposals"] for one in later["agents"]] == [1, 1]
    stage.desk.problem(404, "/api/v1/agents/nobody")


def test_oversight_is_measured(stage: Stage) -> None:
    """Who decided how, by impact, over the period; rates and times are those of people."""
    for number, wait in enumerate((10, 20, 30, 40)):
        name, at = f"w{number}", number * 1000
        stage.add("proposed", name, at=at)
        stage.add("approved", name, at=at + wait, activity__approver=APPROVER)
    stage.chain("no", "denied", at=5000)
    stage.chain("grave", "approved", at=5500, activity__impact__level="destructive")
    stage.chain("never", "expired", at=6000)
    stage.chain("waits", "pending", at=6500)
    stage.add("proposed", "auto", at=8000)
    auto = {"outcome": "auto_approved", "source": "policy", "wait_ms": 5}
    stage.add("approved", "auto", at=8001, activity__decision=auto)
    stage.store()
    found = stage.desk.get("/api/v1/oversight")
    assert found["counted"] == {"chains": 9, "of": 9, "approximate": False}
    mira = {"id": APPROVER["id"], "name": APPROVER["full_name"], "person": True}
    keys = [(one["approver"]["id"], one["impact"]) for one in found["oversight"]]
    assert keys == [("usr_mk", "caution"), ("usr_mk", "destructive"), ("nobody", "caution")]
    assert found["oversight"][0] == {
        **{"approver": mira, "impact": "caution", "decided": 5, "approved": 4, "edited": 0},
        **{"denied": 1, "approval_rate": 0.8, "standing": 0, "in_a_row": 4},
        **{"p50_ms": 30_000, "p95_ms": 60_000},
    }
    rule = found["oversight"][2]
    assert (rule["standing"], rule["approved"], rule["p50_ms"]) == (1, 1, None)
    later = stage.desk.get("/api/v1/oversight?from=2026-11-20T13:30:00Z")
    assert [one["decided"] for one in later["oversight"]] == [1, 1]
    wrong = stage.desk.problem(400, "/api/v1/oversight?from=2026-11-22&to=2026-11-20")
    assert wrong["parameter"] == "to"
    stage.desk.problem(401, "/api/v1/oversight", "")


@pytest.fixture
def with_senders(make_desk: Callable[..., Desk]) -> Stage:
    """Three programs with tokens: the agents' own, one of another organization, a log shipper."""
    desk = make_desk()
    desk.document["senders"] = [
        {"name": "agents", "token_sha256": sha256("t-agents"), "organizations": [desk.a]},
        {"name": "elsewhere", "token_sha256": sha256("t-elsewhere"), "organizations": [desk.b]},
        {"name": "shipper", "token_sha256": sha256("t-shipper")},
    ]
    desk.write()
    desk.app = create_app(load(desk.file, {}), client=desk.client)
    return Stage(desk)


def test_a_program_reads_its_own_proposals(with_senders: Stage) -> None:
    """With the token that it proposed with; nobody else's, and nothing but one at a time."""
    stage = with_senders
    stage.chain("a", "pending")
    stage.chain("theirs", "approved", at=100, activity__sender="elsewhere")
    stage.chain("foreign", at=200, organization__id=stage.desk.b)
    stage.store()

    def ask(path: str, token: str, method: str = "GET") -> Any:
        headers = {"Host": HOST, "Authorization": f"Bearer {token}"}
        client = stage.desk.app.test_client()
        return client.open(path, method=method, headers=headers, json=None, buffered=True)

    path = f"/api/v1/proposals/{stage.id('a')}"
    answer = ask(path, "t-agents")
    assert answer.status_code == 200, answer.text
    assert (answer.get_json()["state"], answer.get_json()["decide"]) == ("proposed", None)
    for name, token in (
        ("a", "t-elsewhere"),
        ("a", "t-shipper"),
        ("theirs", "t-agents"),
        ("theirs", "t-elsewhere"),
        ("foreign", "t-agents"),
    ):
        found = ask(f"/api/v1/proposals/{stage.id(name)}", token)
        assert found.status_code == 404, (name, token)
    for other in ("/api/v1/proposals", f"{path}/evidence", "/api/v1/agents"):
        assert ask(other, "t-agents").status_code == 401
    assert ask(f"{path}/decision", "t-agents", "POST").status_code == 401
    stage.add("approved", "a", at=BEGUN + timedelta(seconds=9), activity__approver=APPROVER)
    stage.store()
    assert ask(path, "t-agents").get_json()["state"] == "approved"


def test_a_time_without_proposals_is_no_refusal(
    make_desk: Callable[..., Desk], collector: Collector
) -> None:
    """Who looks at an agent in another time was denied nothing, and no trail says so; who asks for
    one that is not there is recorded, as for every id."""
    recording = {"url": collector.url, "token": "${COLLECTOR_TOKEN}"}
    stage = Stage(make_desk(recording=recording))
    stage.chain("a")
    stage.store()
    period = "from=2025-01-01T00:00:00Z&to=2025-02-01T00:00:00Z"
    empty = stage.desk.problem(404, f"/api/v1/agents/agt_ops?{period}")
    assert empty["detail"] == "This agent has proposed nothing in this period."
    unknown = stage.desk.problem(404, f"/api/v1/agents/nobody?{period}")
    assert unknown["detail"].startswith("There is no such agent")

    def denied() -> list[str]:
        desk, streams = stage.desk, ",".join(LENS_PATTERNS)
        desk.client.indices.refresh(index=streams)
        said = {"event.action": "activity_log.denied", "user.id": desk.people["owner"]}
        query = {"bool": {"filter": [{"term": {name: value}} for name, value in said.items()]}}
        hits = desk.client.search(index=streams, body={"query": query})["hits"]["hits"]
        return [one["_source"]["activity"]["resource"]["id"] for one in hits]

    until(denied)
    assert denied() == ["nobody"]
