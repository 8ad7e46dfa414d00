"""What an export leaves behind: its record, and nothing open in OpenSearch."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy.exceptions import NotFoundError

from activity_center.config_sidecar import Recording
from sidecar_api import recording
from sidecar_api.export.write import PAGE
from sidecar_api.search import Search
from sidecar_api.services import EXTENSION
from tests.json_server import json_server
from tests.sidecar_api.export.people import of
from tests.sidecar_api.export.test_exports import PATH, documents, get, whole
from tests.sidecar_api.search.log import Log, put_templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from opensearchpy import OpenSearch

    from tests.conftest import OwnNode


class Collector:
    """A collector's HTTP address: it answers every batch with one status."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.url = ""
        self.got: list[dict[str, Any]] = []

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Take a batch, which may be compressed."""
        events = json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
        self.got += events
        items = [{"status": "accepted", "id": one["event"]["id"]} for one in events]
        return self.status, {"accepted": len(items), "items": items}


@pytest.fixture
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    """A collector that answers with the status of the test's parameter."""
    made = Collector(request.param)
    with json_server(made.answer) as made.url:
        yield made


@pytest.mark.parametrize("collector", [401], indirect=True)
def test_no_byte_before_the_record(
    make_app: Callable[..., Flask],
    log: Log,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the export cannot be recorded it is answered with 503, and leaves nothing open."""
    monkeypatch.setattr(recording, "_RECORD_TIMEOUT", 0.5)
    log.add(*documents(3))
    app = make_app(recording=Recording(url=collector.url, token="t"))
    for _ in range(3):  # more than may run at once
        answer = get(app, format="csv")
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("collector", [200], indirect=True)
def test_the_record(make_app: Callable[..., Flask], log: Log, collector: Collector) -> None:
    """It is made before the first byte: who, format and filter; and at the end the count."""
    log.add(*documents(3))
    app = make_app(recording=Recording(url=collector.url, token="t"))
    answer = app.test_client().get(
        PATH, query_string={"format": "csv", "organization": log.organization}, headers=of("olga")
    )
    assert [one["event"]["action"] for one in collector.got] == ["activity_log.export"]
    begun = collector.got[0]
    assert begun["user"]["id"] == f"olga_{log.organization}"
    assert begun["organization"]["id"] == log.organization
    assert begun["metadata"]["stage"] == "begun"
    assert begun["metadata"]["filters"] == [f"organization={log.organization}"]
    assert whole(answer.data)["count"] == 3
    answer.close()
    app.extensions[EXTENSION].recording.close()
    ended = collector.got[-1]["metadata"]
    assert (ended["stage"], ended["count"], ended["complete"]) == ("ended", 3, True)


@pytest.mark.parametrize("collector", [200], indirect=True)
def test_the_record_of_a_resumed_export(
    make_app: Callable[..., Flask], log: Log, collector: Collector
) -> None:
    """Who goes on with a download is recorded again, with the place; it is complete as well."""
    log.add(*documents(3))
    app = make_app(recording=Recording(url=collector.url, token="t"))
    first = get(app, format="csv", organization=log.organization)
    rest = get(app, path=f"{first.headers['Content-Location']}&offset=100")
    assert first.data[100:] == rest.data
    app.extensions[EXTENSION].recording.close()
    said = [one["metadata"] for one in collector.got]
    assert [(one["stage"], one.get("resumed_at")) for one in said if one["stage"] == "begun"] == [
        ("begun", None),
        ("begun", 100),
    ]
    assert [one["complete"] for one in said if one["stage"] == "ended"] == [True, True]


def points_in_time(client: OpenSearch) -> int:
    """How many there are on a node."""
    try:
        return len(client.get_all_pits()["pits"])
    except NotFoundError:  # what OpenSearch says when there is none
        return 0


@pytest.mark.parametrize("collector", [200], indirect=True)
def test_points_in_time_and_their_bound(
    own_node: Callable[..., OwnNode], make_app: Callable[..., Flask], log: Log, collector: Collector
) -> None:
    """A client that hangs up leaves no point in time; where there is no room, it is a 429.

    The record of what broke off says so, with what was sent until then.
    """
    node = own_node({"point_in_time.max_keep_alive": "24h"})
    put_templates(node.client)
    app = make_app(recording=Recording(url=collector.url, token="t"))
    Log(node.client, log.organization).add(*documents(3 * PAGE))
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], search=Search(node.client))
    answer = app.test_client().get(f"{PATH}?format=ndjson", headers=of("olga"))
    assert next(iter(answer.response))
    assert points_in_time(node.client) == 1
    answer.close()
    assert points_in_time(node.client) == 0
    app.extensions[EXTENSION].recording.close()
    ended = collector.got[-1]["metadata"]
    assert (ended["stage"], ended["complete"]) == ("ended", False)
    assert 0 < ended["count"] < 3 * PAGE
    node.client.cluster.put_settings(body={"persistent": {"search.max_open_pit_context": 2}})
    refused = get(app, format="csv")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
