"""The charts of processes over what our own emitter records: they need nothing from elsewhere."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from activity_center import Emitter
from activity_center.cli.demo_remains import made
from activity_center.demo.workload import Event
from tests.activity_center.emit.conftest import ForwardServer
from tests.browser.conftest import store
from tests.dashboards.conftest import Demo
from tests.dashboards.drawing import drawn
from tests.integration.process import until
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node

Json = dict[str, Any]


@pytest.fixture(scope="module")
def emitted(opensearch: Node) -> tuple[Demo, list[Json]]:
    """Four deployments and two certificates, of which some fail, as a program records them."""
    put_templates(opensearch.client)
    organization = f"emitted_{uuid.uuid4().hex}"
    server = ForwardServer()
    emitter = Emitter(server.url, organization=organization, token="token-of-the-producer")
    for channel, fails in (
        *(("git-deploy", fails) for fails in (False, True, False, False)),
        *(("ssl", fails) for fails in (True, False)),
    ):
        operation = emitter.process(channel, f"one of {channel}", steps=("Begin", "Finish"))
        with suppress(RuntimeError), operation as process:
            with process.step("Begin"):
                process.progress(0.5)
            with process.step("Finish"):
                if fails:
                    raise RuntimeError("out of space")
    assert emitter.flush(10)
    emitter.close()
    # Handed over is to the kernel: the server may still have to read it.
    until(lambda: len(server.events) >= emitter.stats().sent)
    server.stop()
    events = server.events
    now = datetime.now(UTC)
    entries = made(Event(now, "forward", "producer", "native", event) for event in events)
    store(
        opensearch.client,
        [(one.stream, f"{organization}-{one.id}"[:64], orjson.loads(one.body)) for one in entries],
    )
    return Demo(opensearch.client, opensearch.cluster, organization, [organization]), events


def test_durations_are_the_processes_own(emitted: tuple[Demo, list[Json]]) -> None:
    """The chart of durations shows for each kind the average that the emitter measured."""
    demo, events = emitted
    measured = defaultdict(list)
    for event in events:
        if event["event"]["action"] in ("process.completed", "process.failed"):
            measured[event["activity"]["process"]["channel"]].append(event["event"]["duration"])
    assert {channel: len(found) for channel, found in measured.items()} == {
        "git-deploy": 4,
        "ssl": 2,
    }
    shown = drawn(demo, "processes-durations")
    assert shown == {(one,): pytest.approx(fmean(found)) for one, found in measured.items()}
    longest = max(max(found) for found in measured.values())
    times = drawn(demo, "processes-duration-over-time")
    assert max(times.values()) == pytest.approx(longest, rel=0.5)


def test_steps_count_once_by_how_they_ended(emitted: tuple[Demo, list[Json]]) -> None:
    """The failure rate by step counts each step's end, whatever else tells of its state."""
    demo, events = emitted
    ended: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event["event"]["action"] in ("process.step.completed", "process.step.failed"):
            step = event["activity"]["step"]
            ended[step["name"], step["state"]] += 1
    assert ended == {("Begin", "done"): 6, ("Finish", "done"): 4, ("Finish", "failed"): 2}
    assert drawn(demo, "processes-steps") == ended
