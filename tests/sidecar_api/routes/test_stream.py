"""The route of the live tail: its head, and that what cannot open leaves nothing behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from opensearchpy import OpenSearch

from sidecar_api.access import Scope
from sidecar_api.failures import Unavailable
from sidecar_api.follow import Hub
from sidecar_api.reader import Reader
from sidecar_api.search import Filters, Search
from tests.sidecar_api.desk import HOST, Desk

if TYPE_CHECKING:
    from tests.conftest import Node

PATH = "/api/v1/activities/stream"


def test_head_watches_nothing(desk: Desk) -> None:
    """HEAD has the head of the stream, says that no proxy may hold it back, and ends."""
    headers = {"Host": HOST, "Authorization": f"Bearer {desk.token('owner')}"}
    answer = desk.app.test_client().head(PATH, headers=headers)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.content_type.startswith("text/event-stream")
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "activity_center_hub" not in desk.app.extensions


@pytest.mark.parametrize("as_of", ["now", "", "2026-11-29T12:00:00", "2199-01-01T00:00:00Z"])
def test_a_wrong_moment_is_named(desk: Desk, as_of: str) -> None:
    """as_of is a time with its offset that has been, or left out."""
    problem = desk.problem(400, f"{PATH}?as_of={as_of}")
    assert problem["parameter"] == "as_of"


def test_what_could_not_open_takes_no_place(opensearch: Node, desk: Desk) -> None:
    """While OpenSearch is away each try fails, and none of them counts as an open tail."""
    away = Search(OpenSearch("http://127.0.0.1:9", max_retries=0))
    hub = Hub(away, per_reader=2)
    access = desk.app.extensions["activity_center"].access
    scope: Scope = access.scope(Reader(desk.people["owner"]))
    for _ in range(3):  # more than may be open
        with pytest.raises(Unavailable):
            hub.watch(scope, Filters.parse({}), None, since=datetime.now(UTC))
    assert hub.counts() == (0, 0)
    hub.search = Search(opensearch.client)
    watch = hub.watch(scope, Filters.parse({}), None)
    assert hub.counts() == (1, 1)
    watch.close()
    assert hub.counts() == (0, 0)
