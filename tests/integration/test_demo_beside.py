"""What the demo that stays up shows beside its month, through a collector and on a node."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from activity_center.cli.demo_beside import (
    SENDER,
    alerts_of_the_past,
    keep,
    refused,
    send,
    unknown,
)
from activity_center.cli.demo_remains import made
from activity_center.demo.stack import Stack
from activity_center.demo.workload import Event
from tests.browser.conftest import store
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Node


def uncatalogued(opensearch: Node, since: datetime) -> int:
    """How many entries of the sender name an action that the catalogue does not have."""
    wanted = [
        {"term": {"activity.sender": SENDER}},
        {"term": {"activity.catalogued": False}},
        {"range": {"event.ingested": {"gte": since.isoformat()}}},
    ]
    opensearch.client.indices.refresh(index="activity-audit-*")
    body = {"query": {"bool": {"filter": wanted}}}
    return int(opensearch.client.count(index="activity-audit-*", body=body)["count"])


def until(count: Callable[[], int]) -> int:
    """Ask until there is something, for ten seconds."""
    end = time.monotonic() + 10
    while not (found := count()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def test_refused_records_are_found_and_raise_an_alert(opensearch: Node, tmp_path: Path) -> None:
    """All are refused and stored with two reasons, what is only unknown is kept; a rule tells of
    the refused; a second try of the same alerts stores none twice."""
    put_templates(opensearch.client)
    store(opensearch.client, [])
    stack = Stack(tmp_path, opensearch.cluster, {}, (SENDER,))
    begun = datetime.now(UTC)
    try:
        stack.start()
        wanted = len(refused(""))
        assert send(opensearch.client, stack) == wanted
        assert stack.rejected() == wanted
        assert until(lambda: uncatalogued(opensearch, begun)) == len(unknown())
    finally:
        stack.stop()
    mine = {"bool": {"filter": [
        {"term": {"rejected.sender": SENDER}},
        {"range": {"@timestamp": {"gte": begun.isoformat()}}},
    ]}}  # fmt: skip
    client = opensearch.client
    reasons = {"why": {"terms": {"field": "rejected.reason"}}}
    body = {"size": 0, "query": mine, "aggs": reasons}
    found = client.search(index="activity-rejected", body=body)["aggregations"]["why"]["buckets"]
    assert {one["key"]: one["doc_count"] for one in found} == {"invalid": 24, "no_source": 3}
    alerts = alerts_of_the_past(client, begun - timedelta(minutes=1), datetime.now(UTC), mine)
    assert [one.rule.name for one in alerts] == ["rejections-rising"]
    for _ in range(2):
        keep(client, alerts)
    query = {"ids": {"values": [one.id for one in alerts]}}
    assert client.count(index="activity-alerts", body={"query": query})["count"] == 1


def test_what_happened_days_ago_is_told_once(opensearch: Node) -> None:
    """Ten deletions a week ago are one alert of that time, and one within its hold is no second."""
    put_templates(opensearch.client)
    organization = f"past_{uuid.uuid4().hex}"
    then = datetime.now(UTC) - timedelta(days=7)
    events = []
    for minute in (*range(10), *range(20, 30)):
        when = then + timedelta(seconds=30 * minute)
        record = {
            "@timestamp": when.isoformat(),
            "event": {
                "id": uuid.uuid4().hex,
                "action": "site.delete",
                "outcome": "success",
            },
            "user": {"id": "usr_jo", "name": "jonas"},
            "organization": {"id": organization},
        }
        events.append(Event(when, "forward", "platform", "native", record))
    store(opensearch.client, [(one.stream, one.id, orjson.loads(one.body)) for one in made(events)])
    mine = {"term": {"organization.id": organization}}
    now = datetime.now(UTC)
    found = [
        one
        for one in alerts_of_the_past(opensearch.client, now - timedelta(days=8), now, mine)
        if one.rule.name == "mass-deletion"
    ]
    assert len(found) == 1 and found[0].count == 10
    told = datetime.fromtimestamp(found[0].end / 1000, UTC)
    assert then < told < then + timedelta(minutes=10)
