"""Fields of the vocabulary with values that no field has: refused or kept, never an error."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.canonical import digest
from activity_center.vocabulary import fields
from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import Batch, Entry, Receipt, Reject, Sender
from collector.redact import Redactor


class _Nowhere:
    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        raise AssertionError("these tests make nothing durable")


PIPELINE = Pipeline(
    Stages(
        Router(load_all().values()),
        Normalizer({}, {}, "permanent"),
        Redactor(),
        Pseudonyms((), b""),
        Digests(b""),
    ),
    _Nowhere(),
)
NAMES = sorted(name for name in fields() if name != "event.action")


def process(record: dict[str, Any]) -> tuple[Receipt, list[Entry], list[Reject]]:
    batch = Batch(Sender("s"), [record], None, "native", "", 1_795_574_096_000_000_000)
    return PIPELINE.process(batch)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"activity.old_value": {"n": 1}, "activity.new_value": {"n": 2**80}}, "bad_number"),
        ({"activity.old_value": {"n": 1}, "activity.new_value": {"n": ["\ud800"]}}, "bad_text"),
    ],
    ids=str,
)
def test_what_no_field_can_hold_is_refused(more: dict[str, Any], reason: str) -> None:
    """A value that stops a rule of the normalizer is the event's fault, with a reason."""
    _, _, (reject,) = process({"event.action": "server.update", **more})
    assert reject.reason == reason


@pytest.mark.parametrize(
    "more",
    [
        {"event.type": 5, "activity.result": "denied"},
        {"activity.changes": [5], "activity.old_value": {"a": 1}, "activity.new_value": {"a": 2}},
        {"activity.changes": ["field"], "activity.old_value": 1, "activity.new_value": 2},
    ],
    ids=str,
)
def test_what_does_not_fit_its_field_is_kept_whole(more: dict[str, Any]) -> None:
    """It moves to the overflow, under its name."""
    _, (entry,), rejects = process({"event.action": "server.update", **more})
    assert not rejects
    document = orjson.loads(entry.body)
    name, value = next(iter(more.items()))
    assert document["activity"]["overflow"][name] == value
    assert digest(document) == entry.hash


odd = st.recursive(
    st.sampled_from([None, True, 0, 1.5, 2**80, "", "denied", "\ud800", "field", float("nan")]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "field", "", "a.b"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), odd, max_size=6))
def test_no_value_of_a_field_stops_the_pipeline(record: dict[str, Any]) -> None:
    """Whatever stands in a field: the event is accepted or rejected, and nothing is raised."""
    receipt, _, rejects = process({"event.action": "server.update", **record})
    assert receipt.accepted + len(rejects) == 1


@pytest.mark.parametrize("lens", [[], {}, "billing", 7])
@pytest.mark.parametrize("action", ["server.update", "never.heard.of"])
def test_a_lens_that_is_none_is_kept_beside_the_right_one(action: str, lens: Any) -> None:
    """No sender can make a stream; what it said is in the overflow."""
    _, (entry,), rejects = process({"event.action": action, "activity.lens": lens})
    assert not rejects
    assert entry.stream == "activity-audit-permanent"
    assert orjson.loads(entry.body)["activity"]["overflow"]["activity.lens"] == lens
