"""What the demo looks for beside its month, while its streams are just starting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activity_center.cli.demo_beside import alerts_of_the_past
from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.errors import IncompleteAnswer
from tests.json_server import json_server

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(("lacking", "whole"), [(3, True), (10_000, False)])
def test_a_shard_that_starts_is_waited_for(lacking: int, whole: bool) -> None:
    """Only where it still does not answer, it is said that the answer is not whole."""
    asked = 0

    def answer(_method: str, _path: str, _body: bytes) -> tuple[int, Any]:
        nonlocal asked
        asked += 1
        shards = {"total": 2, "successful": 1 if asked <= lacking else 2, "failed": 0}
        return 200, {"_shards": shards, "aggregations": {"when": {"buckets": []}}}

    with json_server(answer) as url, connect(Cluster(url=url)) as client:
        if whole:
            assert alerts_of_the_past(client, NOW - timedelta(days=1), NOW) == []
            assert asked > lacking
        else:
            with pytest.raises(IncompleteAnswer, match="1 of 2 shards"):
                alerts_of_the_past(client, NOW - timedelta(days=1), NOW)
