"""Two weeks of the demo's workload, behind organizations of this run's own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from activity_center.alerting import load_rules
from collector.alerts.finding import Finding
from collector.records import Reject
from collector.rejections import rejected_entry
from tests.browser.conftest import store, workload
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from tests.conftest import Node

Json = dict[str, Any]


@dataclass(frozen=True)
class Demo:
    """What is stored, and the way to ask for it alone."""

    client: OpenSearch
    mark: str
    organizations: Sequence[str]

    def search(self, title: str, clauses: Sequence[Json], **body: Any) -> Json:
        """Search an index pattern; fails when a shard did not answer."""
        mine: Json = {"terms": {"organization.id": [*self.organizations]}}
        if title == "activity-rejected":
            mine = {"term": {"rejected.sender": self.mark}}
        query = {"bool": {"filter": [mine, *clauses]}}
        body = {"query": query, "track_total_hits": True, **body}
        answer = self.client.search(index=title, body=body)
        assert answer["_shards"]["successful"] == answer["_shards"]["total"], answer["_shards"]
        return answer


@pytest.fixture(scope="session")
def demo(opensearch: Node) -> Demo:
    """The workload through the collector's stages; some rejected records, an alert a rule."""
    put_templates(opensearch.client)
    mark = f"_{uuid.uuid4().hex[:8]}"
    made = workload(mark, whole=True)
    now = datetime.now(UTC)
    organizations = sorted({document["organization"]["id"] for _, _, document in made})
    for number, reason in enumerate(("invalid", "no_source", "invalid")):
        record = orjson.dumps({"mark": mark, "number": number})
        received = int(now.timestamp() * 1e9)
        told = Reject(
            reason,
            "user.name: is too long",
            "/user/name",
            record,
            None,
            mark,
            "native",
            "",
            received,
        )
        entry = rejected_entry(told)
        made.append((entry.stream, entry.id, orjson.loads(entry.body)))
    end = int(now.timestamp() * 1000)
    for rule in load_rules().values():
        told_plainly = replace(rule, message=rule.title)  # its own names what its group has
        group = (("organization.id", organizations[0]),)
        found = Finding(told_plainly, group, end - 600_000, end, count=3).document(now)
        made.append(("activity-alerts", uuid.uuid4().hex, found))
    store(opensearch.client, made)
    return Demo(opensearch.client, mark, organizations)
