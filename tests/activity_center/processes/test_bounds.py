"""What a sender cannot do to the fold: values beyond any range, and what it costs to keep them."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_center.processes import apply, merge, stalled
from activity_center.processes.errors import BEGINNING
from activity_center.processes.reading import LARGEST, moment, written
from tests.activity_center.processes.entries import NOON, entry
from tests.activity_center.processes.test_fold import folded

BEYOND = ["9999-12-31T23:59:59-17:00", "0001-01-01T00:00:00+17:00"]
"""Times that are well written, and that UTC does not have."""
EDGES = ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"]


@pytest.mark.parametrize("at", BEYOND + EDGES)
@pytest.mark.parametrize(
    "field",
    ["@timestamp", "activity__process__lease", "activity__control__expires_at", "event__ingested"],
)
@pytest.mark.parametrize("action", ["process.progress", "process.stalled", "process.cancel"])
def test_times_at_the_ends_of_time(action: str, field: str, at: str) -> None:
    """A time that UTC does not have is not there, and one at its very end is: neither keeps a
    process from being shown, from ending, or others from being looked at."""
    fields: dict[str, Any] = {"activity__control": {"id": "ctl_1"}, field: at}
    odd = entry(action, LARGEST, seconds=1, **fields)
    process = folded([entry("process.started", 1), odd, entry("process.completed", 2)])
    assert process.state == "done"
    open_ = folded([entry("process.started", 1), odd])
    assert stalled(open_, NOON) in (True, False)
    for shown in (process.as_dict(NOON), open_.as_dict(NOON + timedelta(days=1))):
        assert json.loads(orjson.dumps(shown)) == shown
    if field == "activity__process__lease" and action == "process.progress":
        assert (open_.as_dict()["lease"] is None) is (at in BEYOND)


def test_which_moments_there_are() -> None:
    """What is read can be written again."""
    for at in EDGES:
        found = moment({"at": at}, "at")
        assert found is not None and written(found) is not None
    assert [moment({"at": at}, "at") for at in BEYOND] == [None, None]
    assert written(moment({"at": EDGES[0]}, "at")) == "9999-12-31T23:59:59.999Z"
    assert written(10**30) is None


@pytest.mark.parametrize("number", [LARGEST, LARGEST + 1, 2**64, -1, -(2**70)])
@pytest.mark.parametrize(
    "field",
    [
        "event__sequence",
        "activity__process__attempt",
        "activity__step__index",
        "activity__output__offset",
    ],
)
def test_numbers_without_end(field: str, number: int) -> None:
    """A number beyond 64 bits is not there, and no other makes what cannot be sent."""
    said: dict[str, Any] = {"activity__step": {"name": "A"}, "activity__output": {"text": "a\nb\n"}}
    shown = folded([entry("process.output", 1, **(said | {field: number}))]).as_dict()
    assert json.loads(orjson.dumps(shown)) == shown
    assert shown["attempt"] == (number if "attempt" in field and number == LARGEST else 1)
    assert all(line["offset"] >= 0 for line in shown["output"]["lines"])
    assert shown["steps"][0]["index"] == 0


def test_an_entry_makes_anew_only_what_it_touches() -> None:
    """What an entry says nothing of is the same object after it, so it costs nothing: neither
    the rows of other steps nor what is told of former attempts."""
    entries = [
        entry(
            "process.step.failed", 100 * attempt + n, activity__process__attempt=attempt,
            activity__step={"id": f"s{n}"}, activity__process__steps=["S", "T"],
        )
        for attempt in (1, 2, 3)
        for n in range(5)
    ]  # fmt: skip
    process = folded(entries)
    first = process.as_dict()

    def after(action: str, sequence: int, attempt: int, **fields: Any) -> dict[str, Any]:
        apply(process, entry(action, sequence, activity__process__attempt=attempt, **fields))
        return process.as_dict()

    beat = after("process.heartbeat", 400, 3)
    assert beat["updated"] > first["updated"] and beat["steps"] is first["steps"]
    moved = after("process.step.completed", 401, 3, activity__step={"id": "s2"})
    same = [one is other for one, other in zip(moved["steps"], first["steps"], strict=True)]
    assert same == [True, True, True, True, False, True, True]  # two are still to come
    late = after("process.failed", 402, 2, error__message="late")
    assert [one["error"] for one in late["attempts"]] == [None, "late"]
    assert late["attempts"][0] is first["attempts"][0]
    added = after("process.step.started", 403, 3, activity__step={"id": "s5"})
    assert [one["id"] for one in added["steps"]][-1] == "s5"
    assert all(one is other for one, other in zip(added["steps"], late["steps"], strict=False))
    ahead = after("process.step.started", 404, 3, activity__step={"id": "s0", "name": "S"})
    assert [one["id"] for one in ahead["steps"]] == ["s0", "step-2", "s1", "s2", "s3", "s4", "s5"]
    assert [one["index"] for one in ahead["steps"]] == list(range(7))


def _failed(step: str, sequence: int, size: int, **fields: Any) -> dict[str, Any]:
    error = {"message": f"{sequence} " + "m" * (size // 2), "stack_trace": "t" * (size // 2)}
    return entry(
        "process.step.failed", sequence, activity__step={"id": step}, error=error, **fields
    )


def test_the_errors_of_a_process_have_a_bound() -> None:
    """Of many large errors the latest are whole; of each other one the beginning is told, and
    that there is more. An attempt that is over keeps beginnings alone."""
    entries = [_failed(f"s{n:03}", n, 60_000) for n in range(500)]
    process = folded(entries)
    errors = [row["error"] for row in process.as_dict()["steps"]]
    assert [one["whole"] for one in errors] == [False] * 496 + [True] * 4
    assert errors[-1]["message"] == entries[-1]["error"]["message"]
    assert errors[0]["message"] == entries[0]["error"]["message"][:BEGINNING]
    assert errors[0]["stack_trace"] is None
    assert len(orjson.dumps(process.as_dict())) < 2**20
    apply(process, entry("process.failed", 600, error={"message": "q" * 30_000}))
    apply(process, entry("process.retried", 601, activity__process__attempt=2))
    late = _failed("s000", 599, 60_000, activity__process__attempt=1)
    apply(process, late)
    assert len(pickle.dumps(process)) < 2**19
    (told,) = process.as_dict()["attempts"]
    assert told["error"] == "q" * BEGINNING


@given(
    st.lists(
        st.tuples(
            st.integers(0, 6),
            st.sampled_from([10, 600, 30_000, 60_000]),
            st.sampled_from(["failed", "started", "retried"]),
        ),
        max_size=24,
    ),
    st.data(),
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_which_errors_are_whole_depends_on_no_order(
    said: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    """Also when steps go on after an error, fail again, or the next attempt begins; and what a
    client merges is what is folded, at every point."""
    entries: list[dict[str, Any]] = [entry("process.started", 1)]
    attempt = 1
    for sequence, (step, size, kind) in enumerate(said, 2):
        attempt += kind == "retried"
        of = {"activity__process__attempt": attempt}
        if kind == "failed":
            entries.append(_failed(f"s{step}", sequence, size, **of))
        elif kind == "started":
            entries.append(
                entry("process.step.started", sequence, activity__step={"id": f"s{step}"}, **of)
            )
        else:
            entries.append(entry("process.retried", sequence, **of))
    process, merged = None, None
    for one in data.draw(st.permutations(entries + entries[:5])):
        if found := apply(process, one):
            process, delta = found
            merged = merge(merged, delta.as_dict())
        assert process is not None and merged == process.as_dict()
    assert merged == folded(entries).as_dict()
