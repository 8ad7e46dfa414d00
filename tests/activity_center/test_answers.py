"""An answer of OpenSearch that is not whole is never taken for the truth."""

from __future__ import annotations

from typing import Any, Final

import pytest

from activity_center.answers import whole
from activity_center.errors import IncompleteAnswer

ALL: Final = {"total": 3, "successful": 3, "skipped": 1, "failed": 0}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"timed_out": False, "_shards": ALL, "hits": {}}, id="search"),
        pytest.param({"count": 7, "_shards": ALL}, id="count"),
        pytest.param({"pit_id": "p", "_shards": ALL}, id="point in time"),
        pytest.param({"_shards": {"total": 0, "successful": 0, "failed": 0}}, id="no index"),
    ],
)
def test_a_whole_answer_is_returned(answer: dict[str, Any]) -> None:
    """All shards answered, also where some had nothing to look at, or none is there."""
    assert whole(answer) is answer


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param({"_shards": {**ALL, "successful": 2}}, "2 of 3 shards", id="recovering"),
        pytest.param({"_shards": {**ALL, "failed": 1}}, "3 of 3 shards", id="failed"),
        pytest.param({"_shards": {"total": 3}}, "None of 3 shards", id="none counted"),
        pytest.param({"_shards": ALL, "timed_out": True}, "the time was over", id="out of time"),
        pytest.param({"hits": {}}, "does not say", id="no shards"),
        pytest.param({"_shards": {}}, "does not say", id="empty"),
        pytest.param({"_shards": "3"}, "does not say", id="no object"),
        pytest.param("<html>", "does not say", id="no JSON"),
        pytest.param(None, "does not say", id="nothing"),
    ],
)
def test_a_part_is_refused(answer: object, problem: str) -> None:
    """A shard that is missing or failed, a time that was over, an answer without shards."""
    with pytest.raises(IncompleteAnswer, match=problem) as refused:
        whole(answer, "activity-*/_search")
    assert refused.value.where == "activity-*/_search"
    assert "activity-center doctor" in str(refused.value.hint)
