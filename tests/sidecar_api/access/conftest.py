"""The table of readers and activities, and the activities in a real OpenSearch."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from opensearchpy import OpenSearch

from activity_center.assets import data_folder
from activity_center.config import Cluster, CollectorConfig, Config, Organization
from activity_center.config_people import builtin_roles
from activity_center.config_sidecar import Role
from sidecar_api.access import Access, Scope
from sidecar_api.reader import Grant, Reader

SHORT = {
    "user": "user.id",
    "org": "organization.id",
    "lens": "activity.lens",
    "action": "event.action",
    "type": "event.type",
}


@dataclass(frozen=True, slots=True)
class Table:
    """The table with its activities stored, each under its name as ``_id``."""

    access: Access
    readers: Mapping[str, Reader]
    activities: Mapping[str, Mapping[str, Any]]
    cells: Mapping[str, frozenset[str]]
    client: OpenSearch
    index: str

    def scope(self, reader: str) -> Scope:
        """The scope of a reader of the table."""
        return self.access.scope(self.readers[reader])

    def found(self, clause: Mapping[str, Any]) -> frozenset[str]:
        """Names of the activities that a clause finds; ``_score`` is held to be nothing."""
        answer = self.client.search(
            index=self.index,
            body={"query": {"bool": {"filter": [clause]}}, "size": 1000, "_source": False},
        )
        assert answer["_shards"]["successful"] == answer["_shards"]["total"]
        return frozenset(hit["_id"] for hit in answer["hits"]["hits"])


def reader(section: Mapping[str, Any]) -> Reader:
    """A reader as the table writes it."""
    return Reader(
        id=section["id"],
        platform_roles=frozenset(section.get("platform_roles", ())),
        grants={
            organization: tuple(grant(one) for one in several)
            for organization, several in section.get("grants", {}).items()
        },
    )


def grant(one: str | Mapping[str, Any]) -> Grant:
    """``owner``, or a role with its limits."""
    if isinstance(one, str):
        return Grant(one)
    limits = {name: frozenset(one[name]) for name in ("workspaces", "resources") if name in one}
    return Grant(one["role"], **limits)


def configuration(document: Mapping[str, Any]) -> Config:
    """The parts of a configuration that the policy reads."""
    own = {name: Role(name, frozenset(some)) for name, some in document["roles"].items()}
    return Config(
        path="",
        opensearch=Cluster(),
        maintain=None,
        collector=CollectorConfig(),
        senders=(),
        organizations={
            id_: Organization(
                id_,
                members_see=section.get("members_see", "own"),
                withhold={r: frozenset(of) for r, of in section.get("withhold", {}).items()},
            )
            for id_, section in document["organizations"].items()
        },
        plans={},
        roles={**builtin_roles(), **own},
    )


def stored(activity: Mapping[str, Any]) -> dict[str, Any]:
    """An activity of the table as a document."""
    fields = {"lens": "audit", "action": "server.create", "type": ["creation"], **activity}
    age = timedelta(days=fields.pop("days", 1))
    return {
        "@timestamp": (datetime.now(UTC) - age).isoformat(),
        **{SHORT.get(name, name): value for name, value in fields.items()},
    }


def cells(text: str, activities: list[str]) -> dict[str, frozenset[str]]:
    """The drawn table: reader -> activities with an ``x``."""
    drawn = {}
    for line in text.splitlines():
        name, marks = line.split(maxsplit=1)
        row = marks.replace(" ", "")
        assert len(row) == len(activities) and set(row) <= {"x", "."}, name
        drawn[name] = frozenset(
            one for one, mark in zip(activities, row, strict=True) if mark == "x"
        )
    return drawn


@pytest.fixture(scope="session")
def table(opensearch: Any) -> Iterator[Table]:
    """The table in an index of its own with the mapping of the streams.

    No stream: other tests search those of the shared node.
    """
    document = yaml.safe_load((Path(__file__).parent / "table.yml").read_text())
    component = data_folder("opensearch/templates") / "component" / "activity-mappings.json"
    index = f"access-table-{uuid.uuid4().hex}"
    client = opensearch.client
    client.indices.create(index=index, body=json.loads(component.read_text())["template"])
    lines = [
        json.dumps(line)
        for name, activity in document["activities"].items()
        for line in ({"create": {"_id": name}}, stored(activity))
    ]
    answer = client.bulk(index=index, body="\n".join(lines) + "\n", params={"refresh": "true"})
    assert not answer["errors"], answer
    yield Table(
        access=Access(configuration(document)),
        readers={name: reader(one) for name, one in document["readers"].items()},
        activities=document["activities"],
        cells=cells(document.get("table", ""), [*document["activities"]]),
        client=client,
        index=index,
    )
    client.indices.delete(index=index)
