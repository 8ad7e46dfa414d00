"""An agent's proposal on real parts: emitter, collector, OpenSearch, sidecar, and who decides."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from activity_center.emit import Decision, Proposal
from tests.integration.controls import Place
from tests.integration.process import until
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node

PARAMS = {"server": "srv_1", "password": "hunter2", "size_gb": 160}


@pytest.fixture(scope="module")
def place(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all tests here: each has proposals of its own."""
    put_templates(opensearch.client)
    made = Place(opensearch, tmp_path_factory.mktemp("place"))
    yield made
    made.close()


class Waiting:
    """A program that has proposed something and waits for the decision."""

    def __init__(self, place: Place, impact: str = "caution", **options: Any) -> None:
        self.place = place
        self.found: list[Decision | None] = []
        agent = place.emitter().agent("agt_ops", "ops-pilot", **options)
        self.proposal: Proposal = agent.propose(
            "resize_disk",
            PARAMS,
            impact=impact,
            target=("server", "srv_1", "api-prod-2"),
            initiator="usr_jo",
        )
        self.proposal.created()
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        self.found.append(self.proposal.wait(90))

    def show(self) -> dict[str, Any]:
        """What the owner sees of it, as soon as that is something."""
        path = f"{self.place.sidecar.url}/api/v1/proposals/{self.proposal.id}"
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            answer = requests.get(
                path, headers={"Authorization": "Bearer person-owner"}, timeout=30
            )
            seen[:] = [answer.json()] if answer.status_code == 200 else []
            return bool(seen)

        until(look, why="the proposal was not seen")
        return seen[0]

    def decide(self, **body: Any) -> None:
        """The owner decides, as soon as the proposal can have been read."""
        shown = self.show()["proposed"]
        body = {"seen": {"entry": shown["entry"], "digest": shown["digest"]}, **body}
        path = f"{self.place.sidecar.url}/api/v1/proposals/{self.proposal.id}/decision"
        answers: list[requests.Response] = []

        def post() -> bool:
            headers = {"Authorization": "Bearer person-owner"}
            answers.append(requests.post(path, json=body, headers=headers, timeout=30))
            return answers[-1].status_code not in (404, 409)

        until(post, why="it could not be decided")
        assert answers[-1].status_code < 300, answers[-1].text

    def decision(self) -> Decision:
        """What the program heard."""
        self._thread.join(100)
        (found,) = self.found
        assert found is not None
        return found


def stored(place: Place, proposal: Proposal) -> list[dict[str, Any]]:
    """Its entries, in the order of time."""
    place.client.indices.refresh(index="activity-agent-*")
    body = {"size": 50, "query": {"term": {"activity.proposal.id": proposal.id}}}
    hits = place.client.search(index="activity-agent-*", body=body)["hits"]["hits"]
    return sorted((hit["_source"] for hit in hits), key=lambda one: str(one["@timestamp"]))


def test_an_approval(place: Place) -> None:
    """The program hears the decision of an authenticated session, and who that was; decision and
    execution are on record with one and the same digest.
    """
    waiting = Waiting(place, require_record=True)
    waiting.decide(outcome="approved", reason="go on")
    decision = waiting.decision()
    assert decision.allows
    assert (decision.source, decision.reason) == ("user", "go on")
    assert decision.by["id"] == f"owner-{place.mark}"
    waiting.proposal.executing()
    waiting.proposal.executed("resized")
    entries: list[dict[str, Any]] = []

    def all_there() -> bool:
        entries[:] = stored(place, waiting.proposal)
        return len(entries) == 4

    until(all_there, why="the chain is not complete")
    stages = [one["activity"]["proposal"]["stage"] for one in entries]
    assert stages == ["proposed", "approved", "executing", "completed"]
    approver = entries[1]["activity"]["approver"]
    assert approver["authenticated"] is True
    assert "hunter2" not in str(entries)
    digests = {
        one["activity"]["proposal"].get("digest") or one["activity"]["execution"]["digest"]
        for one in entries
    }
    assert len(digests) == 1
    assert waiting.show()["judgement"]["verdict"] == "executed_as_approved"


def test_edited_with_a_secret(place: Place) -> None:
    """Who edits sees no secret, and what was left hidden keeps its value in the program."""
    waiting = Waiting(place)
    shown = waiting.show()["proposed"]["arguments"]
    assert shown["password"] != "hunter2"
    waiting.decide(outcome="edited", arguments={**shown, "size_gb": 120})
    decision = waiting.decision()
    assert decision.outcome == "edited"
    assert waiting.proposal.arguments == {**PARAMS, "size_gb": 120}


def test_another_programs_approval_does_not_count(place: Place) -> None:
    """A program of the same organization claims that the owner approved: the waiting one does not
    take it; the denial that follows it takes.
    """
    waiting = Waiting(place)
    waiting.show()
    claim = (
        place.emitter()
        .agent("agt_ops")
        .propose("resize_disk", PARAMS, proposal_id=waiting.proposal.id)
    )
    claim.approved({"id": f"owner-{place.mark}", "roles": ["owner"]})
    until(lambda: waiting.show()["decisions"], why="the claim was not seen")
    assert waiting.show()["decisions"][0]["authenticated"] is False
    assert waiting.found == []
    claim.denied(reason="no")
    assert waiting.decision().outcome == "denied"


def test_what_ran_after_an_edit_is_what_was_approved(place: Place) -> None:
    """The hidden secret that the edit left as it is makes no difference to what ran."""
    waiting = Waiting(place)
    shown = waiting.show()["proposed"]["arguments"]
    waiting.decide(outcome="edited", arguments={**shown, "size_gb": 120})
    assert waiting.decision().allows
    waiting.proposal.executing()
    waiting.proposal.executed("resized")
    until(lambda: waiting.show()["state"] == "completed", why="the chain is not complete")
    assert waiting.show()["judgement"]["verdict"] == "executed_as_approved"
