"""Two weeks of the demo's workload, behind organizations of this run's own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from activity_center.cli.demo_beside import alerts_of_the_past, keep, refused, unknown
from activity_center.cli.demo_remains import pipeline
from activity_center.streams import REJECTED_STREAM
from collector.records import Batch, Sender
from tests.browser.conftest import DAYS, store, workload
from tests.integration.process import until
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.config import Cluster
    from tests.conftest import Node

Json = dict[str, Any]


@dataclass(frozen=True)
class Demo:
    """What is stored, and the way to ask for it alone.

    Attributes:
        alerts: ids of the alerts that the rules found in it.
    """

    client: OpenSearch
    cluster: Cluster
    mark: str
    organizations: Sequence[str]
    alerts: Sequence[str] = ()

    def search(self, title: str, clauses: Sequence[Json], **body: Any) -> Json:
        """Search an index pattern; fails when a shard did not answer."""
        mine: Json = {"terms": {"organization.id": [*self.organizations]}}
        if title == "activity-rejected":
            mine = {"term": {"rejected.sender": self.mark}}
        if title == "activity-alerts":
            mine = {"ids": {"values": [*self.alerts]}}
        query = {"bool": {"filter": [mine, *clauses]}}
        body = {"query": query, "track_total_hits": True, **body}
        answers: list[Json] = []

        def is_whole() -> bool:
            # Streams that other tests make, on the same node, have a shard that starts just now.
            answers.append(self.client.search(index=title, body=body))
            shards = answers[-1]["_shards"]
            assert not shards["failed"], shards
            return bool(shards["successful"] == shards["total"])

        until(is_whole, 30, "some shard does not answer")
        return answers[-1]


@pytest.fixture(scope="session")
def demo(opensearch: Node) -> Demo:
    """The demo's workload and its odd records through the collector's stages, and the alerts
    that the rules find in them."""
    put_templates(opensearch.client)
    mark = f"_{uuid.uuid4().hex[:8]}"
    made = workload(mark, whole=True)
    now = datetime.now(UTC)
    organizations = sorted({document["organization"]["id"] for _, _, document in made})
    made += _odd(mark, organizations[0])
    store(opensearch.client, made)
    either = [
        {"terms": {"organization.id": organizations}},
        {"term": {"rejected.sender": mark}},
    ]
    mine = {"bool": {"should": either, "minimum_should_match": 1}}
    start = now - timedelta(days=DAYS + 1)
    found = alerts_of_the_past(opensearch.client, start, now + timedelta(minutes=1), mine)
    keep(opensearch.client, found)
    alerts = [one.id for one in found]
    return Demo(opensearch.client, opensearch.cluster, mark, organizations, alerts)


def _odd(sender: str, organization: str) -> list[tuple[str, str, Json]]:
    """What the collector keeps of the records that the demo sends beside its month."""
    received = int(datetime.now(UTC).timestamp() * 1e9)
    records = refused(sender)
    batch = Batch(Sender(sender), [*records, *unknown()], None, None, "", received)
    _, entries, rejects = pipeline().process(batch)
    assert len(rejects) == len(records) == len(entries) - len(unknown())
    made = [(one.stream, one.id, orjson.loads(one.body)) for one in entries]
    for stream, _, document in made:
        if stream != REJECTED_STREAM:
            document["organization"] = {"id": organization}
    return made
