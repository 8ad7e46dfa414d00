"""How large the messages of the protocol can become."""

from __future__ import annotations

import json
from typing import get_args

import orjson

from activity_center.processes import MESSAGES_SCHEMA
from activity_center.websocket import LONGEST
from sidecar_api.processes import messages
from sidecar_api.processes.board import Board
from tests.activity_center.processes.entries import entry_of
from tests.sidecar_api.processes.stage import valid

COUNT = 120


def test_the_schema_knows_why_a_client_must_begin_anew() -> None:
    """Every reason that the code can give, and no other."""
    reasons = get_args(messages.Reason)
    for reason in reasons:
        valid(orjson.loads(messages.reset(reason).body))
    ours = json.loads(MESSAGES_SCHEMA.read_text())["$defs"]["reset"]["properties"]["reason"]
    assert ours["enum"] == sorted(reasons)


def test_a_snapshot_is_one_that_a_client_takes() -> None:
    """Of many large processes only the first come whole: then without lines, with the beginnings
    of their errors, and without lists; a small one is whole, wherever it stands."""
    board = Board()
    names = [f"{'n' * 1200} {number}" for number in range(500)]
    trace = {"message": "m" * 2000, "stack_trace": "t" * 65_000}
    for number in range(COUNT):
        wide, loud = f"wide-{number}", f"loud-{number}"
        board.take(entry_of(wide, "process.started", 1, own={"steps": names}))
        for step in range(4):
            failed = entry_of(loud, "process.step.failed", step + 1, error=trace)
            failed["activity"]["step"] = {"id": f"s{step}", "index": step}
            board.take(failed)
    short = {"message": "why", "stack_trace": "t" * 900}
    small = entry_of("small", "process.failed", error=short)
    small["activity"]["step"] = {"id": "s0", "index": 0}
    board.take(small)
    kept = {key[1]: one for key, one in board}
    in_full = sum(len(one.body()) for one in kept.values())
    order = [*(one for id_, one in kept.items() if id_ != "small"), kept["small"]]
    found = messages.snapshot("e", "o", order)
    assert len(found.body) < LONGEST < in_full
    rows = {one["id"]: one for one in valid(orjson.loads(found.body))["processes"]}
    assert rows.keys() == kept.keys()
    assert rows["small"] == orjson.loads(kept["small"].body())
    assert rows["wide-0"] == orjson.loads(kept["wide-0"].body())
    assert len(rows["loud-0"]["steps"][-1]["error"]["stack_trace"]) == 65_000
    last = rows[f"loud-{COUNT - 1}"]["steps"][-1]["error"]
    assert (len(last["message"]), last["stack_trace"], last["whole"]) == (500, None, False)
    bare = rows[f"wide-{COUNT - 1}"]
    assert (bare["state"], bare["steps"]) == ("running", [])
    step = entry_of(f"wide-{COUNT - 1}", "process.step.started", 2)
    step["activity"]["step"] = {"id": "s0", "name": names[0], "index": 0, "state": "running"}
    told = board.take(step)
    assert told is not None
    change = orjson.loads(told[2])
    assert len(change["steps"]) == 500 and "steps" in change["renewed"]


def test_a_snapshot_has_the_output_of_the_first_alone() -> None:
    """Of two MiB of processes; of further ones all but the lines."""
    board = Board()
    for number in range(60):
        board.take(entry_of(f"p{number}", "process.started", 1))
        for piece in range(10):
            printed = entry_of(f"p{number}", "process.output", piece + 2)
            text = ("x" * 600 + "\n") * 10
            printed["activity"]["output"] = {"text": text, "offset": piece * len(text)}
            board.take(printed)
    order = [kept for _, kept in board]
    sizes = [len(kept.body()) for kept in order]
    first = sum(sum(sizes[: n + 1]) <= 2 * 1024 * 1024 for n in range(len(sizes)))
    assert 20 < first < 50
    rows = valid(orjson.loads(messages.snapshot("e", "o", order).body))["processes"]
    for number, (row, kept) in enumerate(zip(rows, order, strict=True)):
        whole = orjson.loads(kept.body())
        assert len(whole["output"]["lines"]) == 100
        if number >= first:
            whole["output"]["lines"] = []
        assert row == whole, number
