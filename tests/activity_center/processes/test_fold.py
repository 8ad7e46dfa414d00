"""The fold and its deltas."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_center.processes import Process, apply, key_of, merge, stalled
from activity_center.processes.attempt import MOST_STEPS
from activity_center.processes.fold import MOST_ATTEMPTS
from activity_center.processes.lease import DEFAULT_LEASE
from activity_center.processes.output import KEPT_CHARACTERS, KEPT_LINES
from activity_center.processes.requests import MOST_REQUESTS
from tests.activity_center.processes.entries import NOON, entry, runs

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def folded(entries: Iterable[dict[str, Any]]) -> Process:
    """The process of these entries."""
    process = None
    for one in entries:
        found = apply(process, one)
        process = found[0] if found else process
    assert process is not None
    return process


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_cases(file: Path) -> None:
    """Each entry gives the delta of the case, and the merge gives the process of the case."""
    case = json.loads(file.read_text())
    process, merged = None, None
    expected = iter(zip(case["deltas"], case["processes"], strict=True))
    for one, changes in zip(case["entries"], case["folded"], strict=True):
        found = apply(process, one)
        assert (found is not None) is changes
        if found is None:
            continue
        process, delta = found
        sent, shown = next(expected)
        assert delta.as_dict() == sent
        merged = merge(merged, sent)
        assert merged == shown == process.as_dict()
    assert next(expected, None) is None


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(runs(), st.data())
def test_any_order_and_any_repetition(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    """Whatever the order and however often entries come: the process is the same in the end."""
    again = data.draw(st.lists(st.sampled_from(entries), max_size=20))
    shuffled = data.draw(st.permutations(entries + again))
    assert folded(shuffled).as_dict() == folded(entries).as_dict()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(runs(), st.data())
def test_merging_is_folding(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    """A snapshot of any moment and the deltas since are the process, at every point."""
    shuffled = data.draw(st.permutations(entries))
    since = data.draw(st.integers(0, len(shuffled)))
    process, merged = None, None
    for number, one in enumerate(shuffled):
        found = apply(process, one)
        before = json.dumps(merged)
        if found is not None:
            process, delta = found
            sent = json.loads(json.dumps(delta.as_dict()))
            held, merged = merged, merge(merged, sent)
            assert json.dumps(held) == before, "merge changes what it was given"
        assert process is not None
        if number == since:
            merged = json.loads(json.dumps(process.as_dict()))
        assert merged == process.as_dict()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(runs())
def test_a_repeat_changes_nothing(entries: list[dict[str, Any]]) -> None:
    """An entry that is known makes no delta, at no later time."""
    process = folded(entries)
    before = json.dumps(process.as_dict())
    assert [apply(process, one) for one in entries] == [None] * len(entries)
    assert json.dumps(process.as_dict()) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["process.started", "process.output", "process.step.failed", "process.cancel"]),
    st.sampled_from(
        [
            "@timestamp", "user", "error", "organization__name", "host", "event__sequence",
            "activity__process__attempt", "activity__process__state", "activity__process__lease",
            "activity__process__steps", "activity__process__effects", "activity__process__progress",
            "activity__step", "activity__step__index", "activity__output", "activity__control",
            "activity__output__offset", "activity__receipt", "activity__resource",
        ]
    ),
    JSON,
)  # fmt: skip
def test_values_of_any_shape(action: str, field: str, value: Any) -> None:
    """What has the wrong shape is not there; it breaks nothing."""
    step = {"id": "a", "name": "A"}
    fields = {"activity__step": step, "activity__output": {"text": "x"}, field: value}
    process = folded([entry(action, 1, **fields)])
    assert process.as_dict()["id"] == "prc_1"


def test_which_entries_move_a_process() -> None:
    """Entries of the process lens, and what persons asked, of one organization's process."""
    assert key_of(entry("process.started")) == ("northwind", "prc_1")
    assert key_of(entry("process.cancel", activity__lens="audit")) == ("northwind", "prc_1")
    assert key_of(entry("ssl.issue", activity__lens="audit")) is None
    assert key_of(entry("process.started", activity__process__id="")) is None
    assert key_of({}) is None
    process = folded([entry("process.started", 1)])
    assert apply(process, entry("process.failed", 2, organization__id="acme")) is None
    assert apply(process, entry("process.failed", 2, activity__process__id="prc_2")) is None
    assert process.state == "running"


FIRST = {"event__ingested": "2026-11-24T12:00:01Z", "activity__sender": "agents"}
LATER = {"event__ingested": "2026-11-24T12:00:09Z", "activity__sender": "mallory"}
OWNED = ("initiator", "workspace", "target")


@pytest.mark.parametrize("sequence", [None, 0, 2, 99])
@pytest.mark.parametrize("seconds", [-900, 0, 900])
@pytest.mark.parametrize("attempt", [1, 2])
def test_a_process_stays_with_its_first_sender(
    sequence: int | None, seconds: int, attempt: int
) -> None:
    """Initiator, workspace and target, on which rights depend, are of the sender whose entry was
    received first, whatever time, sequence and attempt others claim, and in any order."""
    begun = entry(
        "process.started", 1, activity__workspace="office", activity__initiator={"id": "usr_a"},
        activity__resource={"type": "server", "id": "srv_a"}, **FIRST,
    )  # fmt: skip
    foreign = entry(
        "process.progress", sequence, seconds=seconds, activity__workspace="lab",
        activity__initiator={"id": "usr_m"}, activity__resource={"type": "server", "id": "srv_m"},
        activity__process__attempt=attempt, **LATER,
    )  # fmt: skip
    alone = folded([begun]).as_dict()
    for order in ([begun, foreign], [foreign, begun]):
        shown = folded(order).as_dict()
        assert [shown[name] for name in OWNED] == [alone[name] for name in OWNED]
    own = entry(
        "process.progress", 0, seconds=-900, activity__initiator={"id": "usr_m"},
        **{**LATER, "activity__sender": "agents"},
    )  # fmt: skip
    assert folded([begun, own]).as_dict()["initiator"]["id"] == "usr_a"
    moves = entry("process.progress", 3, activity__workspace="lab", **FIRST)
    assert folded([begun, foreign, moves]).as_dict()["workspace"] == "lab"


def test_many_senders_are_no_way_round() -> None:
    """However many senders claim a process, the first one stays known."""
    begun = entry("process.started", 1, activity__workspace="office", **FIRST)
    crowd = [
        entry("process.progress", 2 + n, activity__workspace=f"w{n}", event__ingested=later)
        for n, later in enumerate(f"2026-11-24T12:01:{n:02d}Z" for n in range(30))
    ]
    for n, one in enumerate(crowd):
        one["activity"]["sender"] = f"s{n}"
    for order in ([begun, *crowd], [*crowd, begun], [*reversed(crowd), begun]):
        assert folded(order).as_dict()["workspace"] == "office"


def test_an_end_is_an_end() -> None:
    """What comes after the end of an attempt does not revive it; another attempt does."""
    process = folded(
        [
            entry("process.started", 1),
            entry("process.failed", 2, error__message="quota"),
            entry("process.output", 3, activity__output={"text": "cleaning\n", "offset": 0}),
            entry("process.heartbeat", 4, activity__process__state="running"),
        ]
    )
    shown = process.as_dict()
    assert (shown["state"], shown["error"]["message"]) == ("failed", "quota")
    assert shown["ended"] == "2026-11-24T12:00:02.000Z"
    assert shown["output"]["total"] == 1
    apply(process, entry("process.retried", 5, activity__process__attempt=2))
    assert process.state == "pending" and process.attempt == 2


@pytest.mark.parametrize(
    ("ends", "declared", "offered"),
    [
        ([], ["cancel", "retry", "cleanup"], ["cancel"]),
        ([], [], []),
        (["process.stalled"], ["cancel"], ["cancel", "cleanup"]),
        (["process.failed"], ["cancel", "retry", "cleanup"], ["cleanup", "retry"]),
        (["process.cancelled"], ["cancel"], []),
        (["process.completed"], ["cancel", "retry", "cleanup"], []),
        (["process.failed", "process.cleaned_up"], ["retry", "cleanup"], []),
    ],
)
def test_what_is_offered(ends: list[str], declared: list[str], offered: list[str]) -> None:
    """Of what the process declares, that which its state allows; clean-up after silence always."""
    entries = [entry("process.started", 1, activity__process__controls=declared)]
    entries += [entry(action, at) for at, action in enumerate(ends, 2)]
    assert folded(entries).as_dict()["controls"] == offered


def test_silence() -> None:
    """A process that runs has stalled once its lease has passed, until something is heard."""
    lease = (NOON + timedelta(seconds=30)).isoformat()
    process = folded([entry("process.started", 1, activity__process__lease=lease)])
    assert not stalled(process, NOON + timedelta(seconds=30))
    late = NOON + timedelta(seconds=31)
    assert stalled(process, late)
    assert not process.as_dict()["stalled"]
    assert process.as_dict(late)["stalled"]
    assert process.as_dict(late)["controls"] == ["cleanup"]
    apply(process, entry("process.stalled", None, seconds=31, activity__process__lease=lease))
    assert process.as_dict()["stalled"]
    more = (NOON + timedelta(seconds=60)).isoformat()
    apply(process, entry("process.heartbeat", 2, activity__process__lease=more))
    assert not process.as_dict()["stalled"]
    apply(process, entry("process.completed", 3))
    assert not stalled(process, NOON + timedelta(days=1))


def test_silence_without_a_lease() -> None:
    """Who names no lease has one of an hour from each thing that it says; a lease of its own
    goes before, and what others said of it is no sign of life."""
    process = folded([entry("process.started", 0)])
    assert process.as_dict()["lease"] is None
    assert not stalled(process, NOON + DEFAULT_LEASE)
    assert stalled(process, NOON + DEFAULT_LEASE + timedelta(seconds=1))
    apply(process, entry("process.stalled", None, seconds=3601))
    assert process.as_dict()["stalled"]
    apply(process, entry("process.output", 1, seconds=4000, activity__output={"text": "x"}))
    assert not process.as_dict()["stalled"]
    assert not stalled(process, NOON + timedelta(seconds=4000) + DEFAULT_LEASE)
    long = (NOON + timedelta(days=1)).isoformat()
    apply(process, entry("process.heartbeat", 2, seconds=4001, activity__process__lease=long))
    assert not stalled(process, NOON + timedelta(hours=20))
    asked = folded([entry("process.cancel", None, activity__control={"id": "ctl_1"})])
    assert not stalled(asked, NOON + timedelta(days=30))


def test_the_initiator_stays() -> None:
    """Who began a process is who its first entry names, not who retried it or was asked."""
    process = folded(
        [
            entry("process.retried", 9, activity__process__attempt=2, user__id="usr_b"),
            entry("process.cancel", None, user__id="usr_c"),
            entry("process.cleaned_up", None, user__id="usr_d"),
            entry(
                "process.started",
                1,
                user__id="usr_a",
                activity__initiator={"id": "usr_p", "name": "pia"},
                gen_ai__agent__name="ops-pilot",
            ),
        ]
    )
    initiator = process.as_dict()["initiator"]
    assert (initiator["id"], initiator["name"], initiator["agent"]) == ("usr_p", "pia", "ops-pilot")


def test_who_asked_is_said_by_the_request_alone() -> None:
    """What becomes of a request cannot change who asked for it, when, and why."""
    control = {"id": "ctl_1", "expires_at": "2026-11-24T12:01:00Z"}
    entries = [
        entry("process.control_done", None, seconds=9, user__id="usr_x", event__outcome="failure",
              error__message="no such order", activity__control={"id": "ctl_1", "kind": "retry"}),
        entry("process.cancel", None, seconds=1, user__id="usr_a", event__reason="too slow",
              activity__control=control),
        entry("process.control_taken", None, seconds=3, activity__control={"id": "ctl_1"}),
    ]  # fmt: skip
    (request,) = folded(entries).as_dict()["requests"]
    assert request == {
        "id": "ctl_1",
        "kind": "cancel",
        "attempt": None,
        "state": "failed",
        "by": {"id": "usr_a", "name": ""},
        "at": "2026-11-24T12:00:01.000Z",
        "expires_at": "2026-11-24T12:01:00.000Z",
        "reason": "too slow",
        "answer": "no such order",
    }


def test_what_was_asked_of_an_earlier_attempt_is_void() -> None:
    """Once the next attempt has begun, whatever the order: unless somebody had taken it."""
    asked = [
        entry(f"process.{kind}", None, seconds=2, activity__process__attempt=1,
              activity__control={"id": f"ctl_{kind}"})
        for kind in ("retry", "cleanup")
    ]  # fmt: skip
    taken = entry("process.control_taken", None, seconds=3, activity__control={"id": "ctl_retry"})
    before = [entry("process.started", 1), *asked, taken]
    again = entry("process.retried", 4, activity__process__attempt=2)
    rows = folded(before).as_dict()["requests"]
    assert {row["kind"]: row["state"] for row in rows} == {"retry": "taken", "cleanup": "requested"}
    for entries in ([*before, again], [again, *before]):
        rows = folded(entries).as_dict()["requests"]
        assert {row["kind"]: (row["attempt"], row["state"]) for row in rows} == {
            "retry": (1, "taken"),
            "cleanup": (1, "expired"),
        }
    cancel = entry("process.cancel", None, seconds=5, activity__process__attempt=2,
                   activity__control={"id": "ctl_cancel"})  # fmt: skip
    (*_, row) = folded([*before, again, cancel]).as_dict()["requests"]
    assert (row["attempt"], row["state"]) == (2, "requested")


def test_nothing_grows_without_end() -> None:
    """A sender that invents attempts, steps, requests, lines and gaps is held to a bound."""
    entries = [
        entry("process.step.started", n, activity__step={"id": f"s{n:05}"}) for n in range(700)
    ]
    entries += [
        entry("process.cancel", None, activity__control={"id": f"c{n:05}"}) for n in range(200)
    ]
    entries += [
        entry("process.output", 1000 + n,
              activity__output={"text": "x" * 20_000, "offset": n * 30_000})
        for n in range(300)
    ]  # fmt: skip
    process = folded(entries)
    shown = process.as_dict()
    assert len(shown["steps"]) == MOST_STEPS
    assert len(shown["requests"]) == MOST_REQUESTS
    assert sum(len(line["text"]) for line in shown["output"]["lines"]) <= KEPT_CHARACTERS
    assert shown["output"]["bytes"] == 300 * 20_000
    for n in range(1, 60):
        apply(process, entry("process.retried", 2000 + n, activity__process__attempt=n))
    shown = process.as_dict()
    assert [one["attempt"] for one in shown["attempts"]] == [*range(60 - MOST_ATTEMPTS, 59)]
    assert shown["steps"] == [] and shown["output"]["lines"] == []


def test_ten_megabytes_of_output() -> None:
    """Of long output the last lines are carried, and its whole size and lines are known."""
    line = "0123456789" * 6 + "\n"
    piece = line * 500
    process = folded(
        entry("process.output", n, activity__output={"text": piece, "offset": n * len(piece)})
        for n in range(340)
    )
    output = process.as_dict()["output"]
    assert output["bytes"] == 340 * len(piece) > 10_000_000
    assert output["total"] == 340 * 500
    assert len(output["lines"]) == KEPT_LINES
    assert output["lines"][-1]["offset"] == output["bytes"] - len(line)


def test_output_that_is_sent_again_under_another_id() -> None:
    """A piece is known by step, stream and offset: who sends it again changes nothing."""
    said = {"activity__output": {"text": "one\ntwo\n", "offset": 0, "stream": "stdout"}}
    process = folded([entry("process.output", 1, **said)])
    before = process.as_dict()["output"]
    apply(process, entry("process.output", 2, **said))
    assert process.as_dict()["output"] == before
    said = {"activity__output": {"text": "one\ntwo\n", "offset": 0, "stream": "stderr"}}
    apply(process, entry("process.output", 3, **said))
    assert process.as_dict()["output"]["total"] == 4


def test_whole_errors_up_to_a_bound() -> None:
    """An error is carried whole up to a bound, and says where it is not."""
    entries = [
        entry("process.started", 1),
        entry("process.step.failed", 2, activity__step={"id": "a"}, error__message="m" * 40_000),
        entry("process.failed", 3, error={"message": "short", "stack_trace": "t"}),
    ]
    shown = folded(entries).as_dict()
    assert shown["steps"][0]["error"]["whole"] is False
    assert len(shown["steps"][0]["error"]["message"]) == 32_768
    assert shown["error"]["whole"] is True
