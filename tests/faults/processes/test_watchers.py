"""What the clients of the kills count is read, and makes the kills fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.processes.scenario import WIPED, Outcome
from tests.faults.processes.watchers import Client


def lines(*numbers: int) -> list[dict[str, Any]]:
    """Lines as producers number them."""
    return [{"text": f"line {number}"} for number in numbers]


def told(numbers: tuple[int, ...], *deltas: dict[str, Any]) -> Client:
    """A client that was told of a process with these lines of output, and then of changes."""
    client = Client(["ws://nowhere"], "token", "")
    client.counts["recovered"] = 1
    step = {"index": 0, "state": "running", "progress": 0.0, "started": "12:00"}
    output = {"lines": lines(*numbers), "bytes": 0, "total": len(numbers)}
    whole = {"id": "prc", "organization": {"id": "acme"}, "attempt": 1, "steps": [step]}
    place = {"epoch": "e", "offset": "o"}
    snapshot = {"processes": [{**whole, "requests": [], "output": output}]}
    client.take({"type": "snapshot", **place, **snapshot})
    for one in deltas:
        change = {"id": "prc", "organization": "acme", **one}
        client.take({"type": "delta", **place, "changes": [change]})
    return client


def outcome(client: Client, *killed: str) -> Outcome:
    """What came of a run with it alone."""
    made = Outcome()
    made.kills.update(killed)
    made.counts.update(client.counts)
    made.wrong += client.wrong
    made.processes = 1
    return made


NEXT = {
    "lines": lines(3),
    "output": {"bytes": 0, "total": 3, "kept": 3},
    "steps": [{"index": 0, "state": "running", "progress": 0.5, "started": "12:00"}],
}
BEFORE = {"steps": [{"index": 0, "state": "running", "progress": 0.0, "started": "11:59"}]}


def test_what_is_as_it_should_be_passes() -> None:
    """A snapshot, and what comes next."""
    outcome(told((1, 2), NEXT), "sidecar 0").check()


@pytest.mark.parametrize(
    ("numbers", "delta"),
    [((1, 3), NEXT | {"lines": lines(4)}), ((1, 2), BEFORE)],
    ids=["a hole in a snapshot", "an older entry later"],
)
def test_what_nothing_was_lost_for_fails(numbers: tuple[int, ...], delta: dict[str, Any]) -> None:
    """Where no bus lost anything all is in order; where one did, it says again what it had."""
    client = told(numbers, delta)
    assert client.wrong == []
    outcome(client, "sidecar 0", WIPED).check()
    with pytest.raises(AssertionError, match=r"holes in a snapshot|filled in"):
        outcome(client, "sidecar 0").check()


@pytest.mark.parametrize(
    "delta",
    [NEXT | {"lines": lines(4)}, NEXT | {"lines": lines(2)}],
    ids=["left out", "twice"],
)
def test_a_line_that_is_left_out_or_comes_twice_fails(delta: dict[str, Any]) -> None:
    """Whatever was killed."""
    with pytest.raises(AssertionError):
        outcome(told((1, 2), delta), WIPED).check()
