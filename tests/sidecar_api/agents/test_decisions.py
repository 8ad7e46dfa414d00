"""Decisions of an authenticated session, recorded by a real collector."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activity_center.config import load
from sidecar_api import recording
from sidecar_api.app import create_app
from tests.integration.process import SENDER, TOKEN, Collector, until
from tests.sidecar_api.agents.stage import Stage
from tests.sidecar_api.desk import Desk


@pytest.fixture
def deciding(make_desk: Callable[..., Desk], collector: Collector) -> Stage:
    """A sidecar whose decisions go to the collector."""
    return _stage(make_desk, collector.url)


def _stage(make_desk: Callable[..., Desk], url: str) -> Stage:
    desk = make_desk(recording={"url": url, "token": "${COLLECTOR_TOKEN}"})
    return Stage(desk)


def decide(stage: Stage, name: str, who: str = "owner", **body: Any) -> Any:
    """Send a decision on what the owner sees now, if anything; return the answer."""
    body = {"outcome": "approved", **body}
    path = f"/api/v1/proposals/{stage.id(name)}"
    if body["outcome"] != "denied":
        body = {"seen": seen(stage, name), **body}
    path = f"{path}/decision"
    return stage.desk.ask(path, who, method="POST", json=body)


def seen(stage: Stage, name: str) -> dict[str, Any]:
    """What the page sends of a proposal that it shows."""
    answer = stage.desk.ask(f"/api/v1/proposals/{stage.id(name)}", "owner")
    shown = answer.get_json().get("proposed")
    shown = shown or {"entry": "none", "digest": None}
    return {"entry": shown["entry"], "digest": shown["digest"]}


def ago(seconds: float) -> datetime:
    """So many seconds before now."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


def stored(stage: Stage, name: str) -> list[dict[str, Any]]:
    """The entries of decisions on a proposal in the log."""
    stage.desk.client.indices.refresh(index="activity-agent-*")
    answer = stage.desk.client.search(
        index="activity-agent-*",
        body={
            "size": 100,
            "query": {
                "bool": {
                    "filter": [
                        {"term": {"activity.proposal.id": stage.id(name)}},
                        {"exists": {"field": "activity.decision.outcome"}},
                    ]
                }
            },
        },
    )
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def arrived(stage: Stage, name: str) -> dict[str, Any]:
    """Wait for the one decision on a proposal."""
    until(lambda: len(stored(stage, name)) > 0)
    (found,) = stored(stage, name)
    return found


def test_an_approval_is_recorded_with_who_and_how(deciding: Stage) -> None:
    """Approver from the session, roles, how they were recognized, policy: none of it is claimed."""
    deciding.add("proposed", "a", at=ago(60))
    deciding.store()
    before = deciding.one("a")["decide"]
    assert (before["permitted"], before["open"], before["confirmation"]) == (True, True, None)
    answer = decide(deciding, "a", reason="it is full")
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    assert (found["state"], found["judgement"]["verdict"]) == ("approved", "approved")
    assert found["decide"]["open"] is False
    owner = deciding.desk.people["owner"]
    entry = arrived(deciding, "a")
    ours = entry["activity"]
    assert entry["event"]["action"] == "agent.proposal.approved"
    assert entry["user"]["id"] == owner
    assert entry["organization"]["id"] == deciding.desk.a
    assert (ours["approver"]["id"], ours["approver"]["roles"]) == (owner, ["owner"])
    assert ours["approver"]["authenticated"] is True
    assert ours["decision"]["auth_method"] == "token"
    assert (ours["decision"]["source"], ours["decision"]["reason"]) == ("user", "it is full")
    assert ours["decision"]["wait_ms"] >= 60_000
    assert ours["policy"] == {"id": "caution-needs-approval", "version": "1"}
    assert ours["case"]["id"] == deciding.id("case-a")
    assert ours["initiator"]["id"] == deciding.id("jo")
    assert ours["resource"]["id"] == "srv_1"
    assert entry["gen_ai"]["tool"]["call"]["arguments"] == {"size_gb": 160}
    assert ours["sender"] == SENDER
    shown = deciding.one("a")
    assert (shown["state"], len(shown["decisions"])) == ("approved", 1)
    assert shown["decisions"][0]["approver"]["id"] == owner


def test_the_same_wish_is_recorded_once(deciding: Stage) -> None:
    """Sent again, also by eight at once, before it can be searched for: one entry, one answer."""
    deciding.add("proposed", "a", at=ago(60))
    deciding.store()
    answers: list[int] = []
    ready = threading.Barrier(6)

    def send() -> None:
        ready.wait()
        answers.append(decide(deciding, "a").status_code)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [200] * 6
    arrived(deciding, "a")
    assert decide(deciding, "a").status_code == 200
    assert len(stored(deciding, "a")) == 1


def test_what_is_decided_stays_so(deciding: Stage) -> None:
    """Another decision on it, by the same or somebody else, is refused."""
    deciding.add("proposed", "a", at=ago(60))
    deciding.store()
    assert decide(deciding, "a", outcome="denied", reason="no").status_code == 200
    assert decide(deciding, "a").status_code == 409
    arrived(deciding, "a")
    again = decide(deciding, "a")
    assert again.status_code == 409
    assert "denied" in again.get_json()["detail"]
    entry = arrived(deciding, "a")
    assert entry["event"]["action"] == "agent.proposal.denied"
    assert (entry["event"]["outcome"], entry["activity"]["result"]) == ("failure", "denied")


def test_edited_says_exactly_what_may_run(deciding: Stage) -> None:
    """Other arguments are approved in the place of those that were proposed."""
    deciding.add("proposed", "a", at=ago(60))
    deciding.store()
    answer = decide(deciding, "a", outcome="edited", arguments={"size_gb": 80})
    assert answer.get_json()["state"] == "edited", answer.text
    entry = arrived(deciding, "a")
    assert entry["gen_ai"]["tool"]["call"]["arguments"] == {"size_gb": 80}
    assert entry["activity"]["decision"]["outcome"] == "edited"
    assert deciding.one("a")["decisions"][0]["arguments"] == {"size_gb": 80}


def test_a_digest_is_that_of_the_proposal(deciding: Stage) -> None:
    """It was made of what was proposed, secrets included, which the sidecar never saw."""
    proposal = {"id": deciding.id("a"), "stage": "proposed", "digest": "hmac-sha256:5b0e"}
    hidden = {"password": "[redacted]", "size_gb": 1}
    deciding.add("proposed", "a", at=ago(60), activity__proposal=proposal, arguments=hidden)
    deciding.store()
    assert decide(deciding, "a").status_code == 200
    assert arrived(deciding, "a")["activity"]["proposal"]["digest"] == "hmac-sha256:5b0e"


def test_a_destructive_one_is_confirmed_by_another_person(deciding: Stage) -> None:
    """The target's name is typed, on this case alone, by somebody else than asked for it."""
    rest = {"activity__impact__level": "destructive"}
    deciding.add("proposed", "a", at=ago(60), **rest)
    own = {"id": deciding.desk.people["owner"]}
    deciding.add("proposed", "own", at=ago(60), activity__initiator=own, **rest)
    deciding.store()
    assert deciding.one("a")["decide"]["confirmation"] == "api-prod-1"
    for body, parameter in (
        ({}, "confirmation"),
        ({"confirmation": "api-prod-2"}, "confirmation"),
        ({"confirmation": "api-prod-1", "scope": "always"}, "scope"),
    ):
        answer = decide(deciding, "a", **body)
        assert (answer.status_code, answer.get_json()["parameter"]) == (422, parameter), body
    refused = decide(deciding, "own", confirmation="api-prod-1")
    assert (refused.status_code, refused.get_json()["permission"]) == (403, "agent:approve")
    assert deciding.one("own")["decide"]["second_person"] is True
    assert decide(deciding, "own", outcome="denied").status_code == 200
    assert decide(deciding, "a", confirmation="api-prod-1").status_code == 200
    assert arrived(deciding, "a")["activity"]["confirmation"] == {"text": "api-prod-1"}
    assert deciding.one("a")["judgement"]["violation"] is False


def test_the_page_knows_one_person_as_the_decision_does(deciding: Stage) -> None:
    """Who asked the agent is recognized by e-mail address or login name; who is not known is no
    other person."""
    desk = deciding.desk
    known = {"name": f"olga-{deciding.mark}", "email": f"olga-{deciding.mark}@acme.example"}
    desk.document["identity"]["people"][1].update(known)
    desk.write()
    desk.app = create_app(load(desk.file, {"COLLECTOR_TOKEN": TOKEN}), client=desk.client)
    rest = {"activity__impact__level": "destructive"}
    asked: dict[str, Any] = {name: {name: value} for name, value in known.items()}
    asked |= {"id": {"id": "usr_pia", **known}, "nobody": None}
    others = {"other": {"email": "pia@acme.example"}}
    for name, initiator in (asked | others).items():
        deciding.add("proposed", name, at=ago(60), activity__initiator=initiator, **rest)
    deciding.store()
    for name in (*asked, *others):
        told = deciding.one(name)["decide"]["second_person"]
        answer = decide(deciding, name, confirmation="api-prod-1")
        assert (told, answer.status_code) == ((True, 403) if name in asked else (False, 200)), name


def test_what_is_asked_for_is_what_confirms(deciding: Stage) -> None:
    """Without a target the tool's name is asked for, and nothing else is accepted."""
    rest = {"activity__impact__level": "destructive", "activity__resource": None}
    deciding.add("proposed", "a", at=ago(60), **rest)
    deciding.store()
    assert deciding.one("a")["decide"]["confirmation"] == "resize_disk"
    for typed in ("yes", "", "api-prod-1"):
        answer = decide(deciding, "a", confirmation=typed)
        assert (answer.status_code, answer.get_json()["parameter"]) == (422, "confirmation"), typed
    assert decide(deciding, "a", confirmation="resize_disk").status_code == 200
    assert arrived(deciding, "a")["activity"]["confirmation"] == {"text": "resize_disk"}
    assert deciding.one("a")["judgement"]["violation"] is False


def test_what_is_over_or_too_new_is_not_approved(deciding: Stage) -> None:
    """Expired by its own time or by the policy's; ran already; not yet readable; no proposal."""
    at = "2026-11-20T12:30:00.000Z"
    deciding.add("proposed", "late", at=0, activity__proposal__expires_at=at)
    deciding.add("proposed", "old", at=ago(2 * 86_400))
    deciding.add("proposed", "ran", at=ago(60))
    deciding.add("executing", "ran", at=ago(50))
    deciding.add("executing", "lone", at=ago(50))
    deciding.add("proposed", "new", at=ago(-60))
    deciding.store()
    for name, words in {
        "late": "expired",
        "old": "expired",
        "ran": "ran without a decision",
        "new": "cannot have been read",
    }.items():
        answer = decide(deciding, name)
        assert answer.status_code == 409, name
        assert words in answer.get_json()["detail"], name
    assert decide(deciding, "lone").status_code in (403, 409)
    for name in ("late", "old", "ran", "new", "lone"):
        assert stored(deciding, name) == []


def test_who_may_not_decide_does_not(deciding: Stage) -> None:
    """No role there, a role without the permission, nobody; and nothing is told apart."""
    deciding.add("proposed", "a", at=ago(60))
    mine = {"id": deciding.desk.people["member"]}
    deciding.add("proposed", "mine", at=ago(60), activity__initiator=mine)
    deciding.store()
    assert decide(deciding, "a", "stranger").status_code == 404
    assert decide(deciding, "a", "member").status_code == 404
    assert decide(deciding, "a", "admin").status_code == 403
    assert decide(deciding, "mine", "member").status_code == 403
    # What would be no violation to judge is still not theirs to say.
    for id_, who in (("mine", "member"), ("a", "admin"), ("mine", "admin")):
        assert decide(deciding, id_, who, outcome="denied").status_code == 403, who
    assert decide(deciding, "a", "").status_code == 401
    assert deciding.one("mine", "member")["decide"]["permitted"] is False
    assert stored(deciding, "a") == stored(deciding, "mine") == []


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"outcome": "yes"}, "outcome"),
        ({"outcome": ["approved"]}, "outcome"),
        ({"scope": "forever"}, "scope"),
        ({"reason": "x" * 1001}, "reason"),
        ({"reason": 1}, "reason"),
        ({"confirmation": "\ud800"}, "confirmation"),
        ({"arguments": {}}, "arguments"),
        ({"outcome": "edited"}, "arguments"),
        ({"outcome": "edited", "arguments": [1]}, "arguments"),
        ({"outcome": "edited", "arguments": {"a": 2**63}}, "arguments"),
        ({"outcome": "edited", "arguments": {"a": "\ud800"}}, "arguments"),
        ({"approver": {"id": "usr_x"}}, "approver"),
    ],
)
def test_wrong_bodies_are_refused(stage: Stage, body: Any, parameter: str) -> None:
    """Nothing but what is declared is taken; above all no approver."""
    answer = decide(stage, "none", **body)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, parameter)


def test_what_cannot_be_recorded_is_not_decided(
    stage: Stage, make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a collector, and with one that does not answer: 503, and it stays open."""
    monkeypatch.setattr(recording, "_RECORD_TIMEOUT", 0.5)
    stage.add("proposed", "a", at=ago(60))
    stage.store()
    assert decide(stage, "a").status_code == 503
    gone = _stage(make_desk, "http://127.0.0.1:9")
    gone.add("proposed", "a", at=ago(60))
    gone.store()
    assert decide(gone, "a").status_code == 503
    assert gone.one("a")["state"] == "proposed"


def test_a_browser_needs_the_csrf_token(make_desk: Callable[..., Desk]) -> None:
    """As everything that changes something."""
    stage = Stage(make_desk())
    stage.add("proposed", "a", at=ago(60))
    stage.store()
    client = stage.desk.app.test_client()
    host = {"Host": "127.0.0.1:8600", "Origin": "http://127.0.0.1:8600"}
    signed = client.post("/api/v1/session", json={"token": stage.desk.token("owner")}, headers=host)
    assert signed.status_code == 204, signed.text
    path = f"/api/v1/proposals/{stage.id('a')}/decision"
    answer = client.post(path, json={"outcome": "approved"}, headers=host)
    assert answer.status_code == 403
    assert answer.get_json()["type"] == "/problems/cross-site"
