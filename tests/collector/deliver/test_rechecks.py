"""What is to be looked for again outlives the process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.spool.layout import RECHECKS
from tests.collector.deliver.gate import Answer, Gate, Request, cut_first
from tests.collector.deliver.rig import Rig, stored
from tests.collector.spool.entries import entry, wait_until

NOW = int(time.time() * 1000)


def _twice(client: Any, stream: str) -> list[Any]:
    """Entries that a request that was under way has stored in both generations."""
    entries = [entry(number, stream=stream, time_ms=NOW) for number in range(4)]
    for _ in range(2):
        for one in entries:
            client.create(index=stream, id=one.id, body=one.body)
        client.indices.rollover(alias=stream)
    assert set(stored(client, stream).values()) == {2}
    return entries


def _noted(here: Rig, stream: str, entries: list[Any]) -> None:
    here.courier.rechecks.add(stream, "", [one.id for one in entries])


def test_a_restart_looks_again(opensearch: Any, stream: str, rig: Callable[..., Rig]) -> None:
    """Killed before the second look: the next process has it, and removes the second copies."""
    entries = _twice(opensearch.client, stream)
    here = rig()
    _noted(here, stream, entries)
    here.close()  # nothing was started that could look
    again = rig()
    assert again.courier.rechecks.ids == 4
    again.courier.rechecks.run()
    assert set(stored(opensearch.client, stream).values()) == {2}  # not due: counted anew
    again.courier.rechecks.run(everything=True)
    assert stored(opensearch.client, stream) == dict.fromkeys([one.id for one in entries], 1)


def test_the_end_of_a_process_looks_at_everything(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """A drain does not leave a second copy behind because its look was not due yet."""
    entries = _twice(opensearch.client, stream)
    here = rig()
    _noted(here, stream, entries)
    here.deliverer.start()
    assert here.close(30.0)
    assert stored(opensearch.client, stream) == dict.fromkeys([one.id for one in entries], 1)


def test_a_torn_line_costs_itself_alone(
    opensearch: Any, stream: str, rig: Callable[..., Rig], tmp_path: Path
) -> None:
    """The file is not synced: what a crash left of its last line is left out, the rest is read."""
    entries = _twice(opensearch.client, stream)
    first = rig()
    _noted(first, stream, entries[:2])
    _noted(first, stream, entries[2:])
    first.close()
    file = tmp_path / "spool" / RECHECKS
    file.write_bytes(file.read_bytes()[:-9])
    assert rig().courier.rechecks.ids == 2


def test_an_answer_that_leaves_ids_out(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """An ``_mget`` answer that does not speak of an id leaves open whether it is there."""
    entries = [entry(number, stream=stream, time_ms=NOW) for number in range(3)]
    for one in entries:
        opensearch.client.create(index=stream, id=one.id, body=one.body)
    opensearch.client.indices.rollover(alias=stream)
    silent = [3]

    def rule(request: Request) -> Answer | None:
        if "_mget" in request.path and silent[0]:
            silent[0] -= 1
            return Answer(200, b'{"docs":[]}', {"Content-Type": "application/json"})
        return request.forward()

    gate.rule = rule
    here = rig(gate.url)
    here.deliver(entries)
    here.wait()
    assert silent == [0]
    assert stored(opensearch.client, stream) == dict.fromkeys([one.id for one in entries], 1)


def test_a_refusal_keeps_what_is_not_known(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """Events ahead of the clock whose answer was lost: a look that fails forgets nothing of that.

    Only what is remembered of the lost answer says where they may be: their time does not.
    """
    ahead = [entry(n, stream=stream, time_ms=NOW + 10 * 3_600_000) for n in range(20)]
    cut = cut_first(1, lambda: opensearch.client.indices.rollover(alias=stream))
    failing = [2]

    def rule(request: Request) -> Answer | None:
        if "_mget" in request.path and failing[0]:
            failing[0] -= 1
            return None
        return cut(request)

    gate.rule = rule
    here = rig(gate.url)
    here.deliver(ahead)
    here.wait()
    wait_until(lambda: failing == [0])
    assert stored(opensearch.client, stream) == dict.fromkeys([one.id for one in ahead], 1)


def test_an_item_that_may_have_been_executed(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """A 503 of a single item may hide a stored document: after a rollover it is looked for first.

    The events lie ahead of the clock, so that only the memory of that answer leads there.
    """
    ahead = [entry(n, stream=stream, time_ms=NOW + 10 * 3_600_000) for n in range(20)]
    turns = [1]

    def rule(request: Request) -> Answer | None:
        answer = request.forward()
        if not (request.is_bulk and turns[0]):
            return answer
        turns[0] -= 1
        assert answer.status == 200
        opensearch.client.indices.rollover(alias=stream)
        item = {
            "create": {
                "_index": stream,
                "status": 503,
                "error": {"type": "unavailable_shards_exception", "reason": "primary is away"},
            }
        }
        body = json.dumps({"took": 1, "errors": True, "items": [item] * 20})
        return Answer(200, body.encode(), {"Content-Type": "application/json"})

    gate.rule = rule
    here = rig(gate.url)
    here.deliver(ahead)
    here.wait()
    assert turns == [0]
    assert stored(opensearch.client, stream) == dict.fromkeys([one.id for one in ahead], 1)
