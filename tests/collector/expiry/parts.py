"""What tests of expiry share: a node with our streams, and entries of chains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opensearchpy import OpenSearch

from activity_center.agents import shipped_policies
from activity_center.setup.cluster import ask

STREAMS = (
    *("activity-audit-permanent", "activity-agent-permanent", "activity-agent-standard-30d"),
    "activity-process-permanent",
)
NOW = 1_795_525_200_000
"""2026-11-24T13:00:00Z in ms."""
SECOND = 1000
POLICIES = shipped_policies()


def stamp(at: int) -> str:
    """Unix time in ms as ISO 8601."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Place:
    """The node, with what tests do to it."""

    url: str
    client: OpenSearch

    def record(self, *entries: dict[str, Any], stream: str = STREAMS[1]) -> None:
        """Store entries, searchable at once."""
        lines = []
        for one in entries:
            lines += [json.dumps({"create": {}}), json.dumps(one)]
        answer = ask(
            self.client,
            "POST",
            f"/{stream}/_bulk",
            body="\n".join([*lines, ""]),
            params={"refresh": "true"},
        ).body
        assert not answer["errors"], answer

    def expired(self) -> list[dict[str, Any]]:
        """The expiries that are stored, with their index."""
        ask(self.client, "POST", "/activity-agent-*/_refresh")
        body = {
            "size": 1000,
            "query": {"term": {"event.action": "agent.proposal.expired"}},
            "sort": [{"event.id": "asc"}],
        }
        return list(
            ask(self.client, "POST", "/activity-agent-*/_search", body=body).body["hits"]["hits"]
        )


def entry(
    stage: str, at: int, proposal: str = "prp_1", organization: str = "northwind", **more: Any
) -> dict[str, Any]:
    """An entry of a chain as it is stored.

    Args:
        stage: empty: it names none.
        more: ``expires`` and ``ingested``, Unix time in ms; ``call``; ``retention``; ``impact``;
            ``sender``; ``approver`` of what is no proposal, empty: nobody; ``proven``: it is
            authenticated.
    """
    ours: dict[str, Any] = {
        "lens": "agent",
        "sender": more.get("sender", "agents"),
        "schema_version": 1,
        "retention": {"class": more.get("retention", "permanent")},
        "proposal": {"stage": stage} if stage else {},
        "case": {"id": "case_1"},
        "impact": {"level": more.get("impact", "caution")},
        "initiator": {"id": "usr_jo"},
        "resource": {"type": "server", "id": "srv_1", "name": "api-prod-1"},
    }
    if not ours["impact"]["level"]:
        del ours["impact"]
    if proposal:
        ours["proposal"]["id"] = proposal
    if stage != "proposed" and (approver := more.get("approver", "usr_mk")):
        ours["approver"] = {"id": approver, "authenticated": more.get("proven", False)}
    if "expires" in more:
        ours["proposal"]["expires_at"] = stamp(more["expires"])
    return {
        "@timestamp": stamp(at),
        "event": {
            "id": f"{organization}-{proposal}-{more.get('call', '')}-{stage}-{at}",
            "hash": "0" * 64,
            "action": f"agent.proposal.{stage}",
            "ingested": stamp(more.get("ingested", at)),
        },
        "ecs": {"version": "8.17.0"},
        "organization": {"id": organization},
        "gen_ai": {
            "agent": {"id": "agt_ops"},
            "tool": {
                "name": "deploy",
                "call": {"id": more.get("call", "call_7"), "arguments": {"ref": "4f2c91a"}},
            },
        },
        "activity": ours,
    }
