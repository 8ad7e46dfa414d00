"""Who sees which chain, as a table: on every address, by every filter, in every count."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.config import load
from sidecar_api.app import create_app
from tests.integration.process import TOKEN
from tests.sidecar_api.agents.stage import Stage
from tests.sidecar_api.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Node

SEES = {
    # the platform's administrator
    "admin": {"a_other", "a_limited", "a_member", "a_left", "a_lone", "a_both", "b_other"},
    # org:audit in a
    "owner": {"a_other", "a_limited", "a_member", "a_left", "a_lone", "a_both"},
    # org:audit in b
    "owner_b": {"b_other"},
    # a role without org:audit in a: what they asked for themselves
    "member": {"a_member"},
    # org:audit in a, for one resource: chains whose proposals are about it
    "limited": {"a_limited"},
    # org:audit in a, whose agent lens the organization withholds from the role
    "withheld": set(),
    # was in a, and asked for one there
    "left": {"a_left"},
    # decided on all of them, and has no role any more
    "approver": set(),
    "stranger": set(),
}
"""Who -> names of the chains that they see, and no others."""


@pytest.fixture(scope="module")
def stage(streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Chains of two organizations, and everybody of the table."""
    folder = tmp_path_factory.mktemp("wall")
    desk = Desk(folder, streams.cluster, streams.client, rate_limit={"requests": 100_000})
    made = Stage(desk)
    _people(desk, made, folder)

    def person(name: str) -> dict[str, Any]:
        return {"id": made.id(name), "name": name}

    rest: dict[str, Any] = {"activity__resource": {"type": "server", "id": made.id("srv_9")}}
    made.chain("a_other", at=0)
    made.chain("a_limited", at=100, **rest)
    made.chain("a_member", at=200, activity__initiator=person("member"))
    made.chain("a_left", at=300, activity__initiator=person("left"))
    # no proposal: shown to whoever sees each of its entries
    made.add("executing", "a_lone", at=400, **rest)
    made.add("completed", "a_lone", at=405, activity__initiator=person("member"))
    # proposals about several things: whoever sees one of them does not see the other
    made.add("proposed", "a_both", at=500)
    made.add("proposed", "a_both", at=501, activity__initiator=person("member"), **rest)
    made.chain("b_other", at=600, organization__id=desk.b)
    for name in ("a_other", "a_limited"):
        who = {"activity__approver": person("approver"), "user__id": made.id("approver")}
        made.add("approved", name, at=59, **who)
    # the same id in the other organization is another chain
    made.chain("a_other", "denied", at=700, organization__id=desk.b)
    SEES_TWICE.update({"admin", "owner_b"})
    made.store()
    return made


SEES_TWICE: set[str] = set()
"""Who sees the chain of ``b`` that has the id of one in ``a``."""


def _people(desk: Desk, stage: Stage, folder: Path) -> None:
    grants: dict[str, Any] = {
        "owner_b": {desk.b: "owner"},
        "limited": {desk.a: [{"role": "owner", "resources": [stage.id("srv_9")]}]},
        "withheld": {desk.a: "billing_owner"},
        "left": {},
        "approver": {},
    }
    people = desk.document["identity"]["people"]
    for name, held in grants.items():
        desk.people[name] = stage.id(name)
        people.append(
            {"id": stage.id(name), "organizations": held} if held else {"id": stage.id(name)}
        )
        desk.document["identity"]["tokens"].append(
            {
                "name": name,
                "person": stage.id(name),
                "token_sha256": hashlib.sha256(desk.token(name).encode()).hexdigest(),
            }
        )
    desk.document["organizations"][desk.a]["withhold"] = {"billing_owner": ["agent"]}
    desk.write()
    desk.app = create_app(load(desk.file, {"COLLECTOR_TOKEN": TOKEN}), client=desk.client)


def expected(who: str) -> list[str]:
    """Names in order of a list, with the second chain of that id."""
    return sorted(SEES[who] | ({"a_other"} if who in SEES_TWICE else set()))


@pytest.mark.parametrize("who", SEES)
def test_lists_and_totals(stage: Stage, who: str) -> None:
    """Rows and totals are those of the table; no filter finds or counts anything beyond."""
    # The administrator sees what other tests store too.
    parts = [stage.desk.a, stage.desk.b] if who == "admin" else [""]
    for query in ("", "tool=resize_disk", "approver=mira", "state=completed", "verdict=denied"):
        names: list[str] = []
        for organization in parts:
            within = f"&organization={organization}" if organization else ""
            found = stage.desk.get(f"/api/v1/proposals?size=100&{query}{within}", who)
            assert found["page"]["total"] == len(found["proposals"]), query
            names += (one["id"].removesuffix(f"-{stage.mark}") for one in found["proposals"])
        if not query:
            twice = ["a_other"] if who == "admin" else []
            assert sorted(names) == sorted([*expected(who), *twice])
        assert set(names) <= set(expected(who)), query


@pytest.mark.parametrize("who", SEES)
def test_one_and_its_evidence(stage: Stage, who: str) -> None:
    """What is not in the table is not there: also its evidence and the decision on it."""
    for name in SEES["admin"]:
        path = f"/api/v1/proposals/{stage.id(name)}"
        organization = stage.desk.b if name == "b_other" else stage.desk.a
        query = f"?organization={organization}"
        status = 200 if name in SEES[who] else 404
        assert stage.desk.ask(path + query, who).status_code == status, name
        evidence = stage.desk.ask(f"{path}/evidence{query}", who).status_code
        assert evidence == 404 if status == 404 else evidence in (200, 403), name
        decided = stage.desk.ask(
            f"{path}/decision{query}", who, method="POST", json={"outcome": "denied"}
        )
        assert (
            decided.status_code == 404 if status == 404 else decided.status_code in (403, 409, 503)
        )


@pytest.mark.parametrize("who", [one for one in SEES if one != "admin"])
def test_agents_count_what_is_seen(stage: Stage, who: str) -> None:
    """Counts, rates and verdicts of agents are made of the table's chains alone."""
    found = stage.desk.get("/api/v1/agents", who)
    assert found["counted"]["of"] == len(expected(who))
    assert sum(one["proposals"] for one in found["agents"]) == len(expected(who))
    status = 200 if expected(who) else 404
    assert stage.desk.ask("/api/v1/agents/agt_ops", who).status_code == status


@pytest.mark.parametrize("who", [one for one in SEES if one != "admin"])
def test_oversight_counts_what_is_seen(stage: Stage, who: str) -> None:
    """Decisions on the table's chains alone are measured."""
    found = stage.desk.get("/api/v1/oversight", who)
    assert found["counted"]["of"] == len(expected(who))
    decided = [name for name in expected(who) if name not in ("a_lone", "a_both")]
    assert sum(one["decided"] for one in found["oversight"]) == len(decided)


@pytest.mark.parametrize("who", [one for one in SEES if one != "admin"])
def test_an_export_has_what_is_seen(stage: Stage, who: str) -> None:
    """And nothing where a part of what is seen is not to be exported."""
    answer = stage.desk.ask("/api/v1/proposals/export?format=ndjson", who)
    assert answer.status_code == 200, answer.text
    lines = [json.loads(line) for line in answer.data.splitlines()]
    ids = [one["proposal"]["id"] for one in lines if "proposal" in one]
    assert sorted(one.removesuffix(f"-{stage.mark}") for one in ids) == expected(who)


@pytest.mark.parametrize("who", SEES)
def test_cases(stage: Stage, who: str) -> None:
    """A case shows the entries that the trail shows, and the chains of the table."""
    for name in ("a_other", "a_limited", "a_member", "b_other"):
        organization = stage.desk.b if name == "b_other" else stage.desk.a
        path = f"/api/v1/cases/{stage.id(f'case-{name}')}?organization={organization}"
        answer = stage.desk.ask(path, who)
        if name in SEES[who]:
            assert answer.status_code == 200, (name, answer.text)
            shown = [one["id"] for one in answer.get_json()["proposals"]]
            assert shown == [stage.id(name)]
        elif answer.status_code == 200:  # their own entries, without the chain
            assert answer.get_json()["proposals"] == []
            assert who == "approver"
            for entry in answer.get_json()["entries"]:
                assert entry["activity"]["approver"]["id"] == stage.id("approver")
        else:
            assert answer.status_code == 404


def test_a_foreign_organization_is_refused(stage: Stage) -> None:
    """The same answer whether or not there is such an organization."""
    for organization in (stage.desk.b, "nobody"):
        query = f"organization={organization}"
        found = stage.desk.problem(403, f"/api/v1/proposals?{query}", "owner")
        assert (found["permission"], found["organization"]) == ("org:audit", organization)
        stage.desk.problem(403, f"/api/v1/agents?{query}", "owner")
        stage.desk.problem(403, f"/api/v1/oversight?{query}", "owner")
        stage.desk.problem(403, f"/api/v1/proposals/export?format=csv&{query}", "owner")


def test_an_id_of_two_organizations_asks_which_one(stage: Stage) -> None:
    """Each has its own chain; who sees one of them alone is not told of the other."""
    path = f"/api/v1/proposals/{stage.id('a_other')}"
    found = stage.desk.problem(400, path, "admin")
    assert found["parameter"] == "organization"
    assert stage.desk.get(path, "owner")["state"] == "completed"
    assert stage.desk.get(path, "owner_b")["state"] == "denied"
    (case,) = {stage.id("case-a_other")}
    assert stage.desk.problem(400, f"/api/v1/cases/{case}", "admin")["parameter"] == "organization"
