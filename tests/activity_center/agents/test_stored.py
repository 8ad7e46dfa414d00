"""The clauses find exactly what an entry is read as, whatever it says its stage by."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

from activity_center.agents import read_chain
from activity_center.agents.entry import Entry
from activity_center.agents.stage import DECISIONS, OUTCOMES, RUNS, STAGES
from activity_center.agents.stored import gone_on, stage, staged
from activity_center.clauses import Clause
from activity_center.connection import connect
from activity_center.setup.cluster import ask

if TYPE_CHECKING:
    from tests.conftest import Node

ACTIONS = (
    *("agent.proposal.created", "agent.proposal.approved", "agent.proposal.edited"),
    *("agent.proposal.executed", "agent.proposal.expired", "agent.proposal.cancelled"),
    *("agent.proposal.executing", "agent.ssh_executed", "agent.tool.denied", "agent.tool.call"),
)


def entries() -> dict[str, dict[str, Any]]:
    """One entry of each combination, by its id."""
    made = {}
    results = ("success", "failure")
    every = product(("", *STAGES), ("", *OUTCOMES), ACTIONS, results, (False, True))
    for number, (told, outcome, action, result, proven) in enumerate(every):
        source: dict[str, Any] = {
            "@timestamp": "2026-11-24T13:00:00.000Z",
            "event": {"id": str(number), "action": action, "outcome": result},
            "activity": {"lens": "agent", "proposal": {"id": "prp_1"}},
        }
        if proven:
            source["activity"]["approver"] = {"authenticated": True}
        if told:
            source["activity"]["proposal"]["stage"] = told
        if outcome:
            source["activity"]["decision"] = {"outcome": outcome}
        made[str(number)] = source
    return made


def test_every_combination(opensearch: Node) -> None:
    """Stage, outcome, action, result and proof in every combination: each clause finds those
    entries that are read so, and no others."""
    client = connect(opensearch.cluster)
    index = f"stored-{uuid.uuid4().hex}"
    words = {"match_mapping_type": "string", "mapping": {"type": "keyword"}}
    ask(client, "PUT", f"/{index}", body={"mappings": {"dynamic_templates": [{"words": words}]}})
    try:
        stored = entries()
        lines = [
            json.dumps(part)
            for id_, source in stored.items()
            for part in ({"create": {"_id": id_}}, source)
        ]
        path = f"/{index}/_bulk"
        ask(client, "POST", path, body="\n".join([*lines, ""]), params={"refresh": "true"})

        def found(clause: Clause) -> set[str]:
            body = {"size": 10_000, "_source": False, "query": clause}
            hits = ask(client, "POST", f"/{index}/_search", body=body).body["hits"]["hits"]
            return {hit["_id"] for hit in hits}

        def read(fits: Callable[[str], bool]) -> set[str]:
            return {id_ for id_, source in stored.items() if fits(Entry.of(source).stage)}

        for name in STAGES:
            assert found(stage(name)) == read(name.__eq__), name
        proven = {id_ for id_, one in stored.items() if "approver" in one["activity"]}
        decided = read(DECISIONS.__contains__)
        assert found(gone_on()) == read(RUNS.__contains__) | (decided & proven)
        assert found(staged()) == read(bool)
        edited = {id_ for id_, one in stored.items() if read_chain([one]).state == "edited"}
        # A denial whose action says "edited" contradicts itself: it is no approval.
        assert found(stage("edited")) == edited & found(stage("approved"))
    finally:
        ask(client, "DELETE", f"/{index}")
        client.close()
