"""The replay of a finished process, moment by moment, beside the fold of the same entries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.processes import apply
from sidecar_api.processes.replay import replayed
from tests.browser.process_samples import process
from tests.browser.process_stand_in import Processes
from tests.browser.test_process_stream import CASES

if TYPE_CHECKING:
    from tests.browser.conftest import Window

MEMBERS = (
    *("attempt", "attempts", "state", "stalled", "cleaned", "progress", "error", "receipt"),
    *("started", "ended"),
)


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in, for the page's modules."""
    made = Processes(process("api-prod-3"))
    yield made
    made.close()


def _moments(entries: list[dict[str, Any]]) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield each moment (Unix time in ms) and the process after all entries until then.

    But of output, which is shown by its own times.
    """
    folded = None
    for number, one in enumerate(entries):
        folded, _ = apply(folded, one) or (folded, None)
        last = entries[number + 1 :][:1]
        if folded is None or (last and last[0]["@timestamp"] == one["@timestamp"]):
            continue
        if one["event"]["action"] != "process.output":
            at = datetime.fromisoformat(one["@timestamp"])
            yield at.timestamp() * 1000, json.loads(json.dumps(folded.as_dict()))


def _told(shown: dict[str, Any]) -> dict[str, Any]:
    """What people see of a process."""
    told = {name: shown[name] for name in MEMBERS}
    told["steps"] = [{**one, "duration_ms": None} for one in shown["steps"]]
    return {**told, "requests": shown["requests"]}


@pytest.mark.parametrize("name", sorted(one.stem for one in CASES.glob("*.json")))
def test_every_moment_is_as_the_fold_had_it(window: Window, server: Processes, name: str) -> None:
    """Not the end alone: who moves through a replay sees at each moment of a shared case what who
    watched saw then."""
    case = json.loads((CASES / f"{name}.json").read_text())
    entries = sorted(
        case["entries"], key=lambda one: (one["@timestamp"], one["event"].get("sequence", 0))
    )
    moments = list(_moments(entries))
    window.page.goto(f"{server.url}/api/v1/channels")
    found = window.page.evaluate(
        """async ({ frames, process, times }) => {
            const { Replay } = await import("/static/process-replay.js");
            const replay = new Replay(process, frames);
            return times.map((at) => replay.when(at));
        }""",
        {
            "frames": [*replayed(entries)],
            "process": case["processes"][-1],
            "times": [at for at, _ in moments],
        },
    )
    assert len(found) > 0
    for (at, shown), then in zip(moments, found, strict=True):
        assert _told(then) == _told(shown), at
