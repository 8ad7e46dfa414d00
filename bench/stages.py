"""CPU µs per event of each stage, in one process: ``python -m bench.stages``.

Shows where the time of the accept path and of delivery goes. Every stage runs over the
same chunks, in turns, on the real functions; what the parts cost together is the row
``process``, measured whole. For a profile of it: ``--profile``.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import hashlib
import logging
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from bench.events import AUDIT, WORKLOADS, chunks
from bench.load import encoded
from bench.machine import machine
from bench.prepare import pipeline
from collector.decode import DEFAULT_LIMITS, Framer, decode_message
from collector.deliver.bulk import body_of
from collector.normalize import Context
from collector.normalize.identity import document_id
from collector.pipeline import Pipeline
from collector.records import Batch, Sender
from collector.run import GC_THRESHOLDS
from collector.spool import Spool, layout
from collector.validate import Validator

READ: Final = 256 * 1024
"""Bytes that asyncio reads at once."""
SENDER: Final = Sender("bench")
CHUNK: Final = "0" * 32
VALIDATOR: Final = Validator()
_SORTED: Final = orjson.OPT_SORT_KEYS


class Rounds:
    """CPU µs per event by stage, summed over the chunks of a round.

    Attributes:
        figures: stage -> one figure a round.
    """

    def __init__(self, events: int) -> None:
        self.figures: dict[str, list[float]] = {}
        self._events = events
        self._spent: dict[str, int] = {}

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        """Run ``work`` and add its CPU time to ``stage``."""
        start = time.thread_time_ns()
        result = work()
        self.add(stage, time.thread_time_ns() - start)
        return result

    def add(self, stage: str, nanoseconds: int) -> None:
        """Add CPU time to ``stage``."""
        self._spent[stage] = self._spent.get(stage, 0) + nanoseconds

    def end(self) -> None:
        """End a round."""
        for stage, spent in self._spent.items():
            self.figures.setdefault(stage, []).append(spent / 1000 / self._events)
        self._spent.clear()


def _frames(chunk: bytes) -> list[bytes]:
    framer, messages = Framer(DEFAULT_LIMITS), []
    for start in range(0, len(chunk), READ):
        framer.feed(chunk[start : start + READ])
        while (message := framer.next()) is not None:
            messages.append(message)
    return messages


def receive(rounds: Rounds, chunk: bytes) -> Batch:
    """Cut and decode one chunk."""
    (message,) = rounds.timed("cut", lambda: _frames(chunk))
    one = rounds.timed("decode", lambda: decode_message(message, DEFAULT_LIMITS))
    decoded = one.decoded
    return Batch(
        SENDER, decoded.records, decoded.times, None, one.tag, time.time_ns(), decoded.size
    )


def parts(rounds: Rounds, batch: Batch, made: Pipeline) -> None:
    """Time the parts of the pipeline one by one, for records in our own form."""
    router, normalizer, redactor, _, digests = made.stages
    is_plain, quick, tag = VALIDATOR.is_plain, normalizer.quick, batch.tag
    records, times = batch.records, batch.times or []
    sources = rounds.timed("route", lambda: [router.route(None, tag, one) for one in records])
    stamps = [one.stamp for one in sources]
    work = [one for one in zip(stamps, records, times, strict=True) if one[0] is not None]
    activities = rounds.timed("map", lambda: [record.copy() for _, record, _ in work])
    rounds.timed("digests", lambda: [digests.bind(one, SENDER, None) for one in activities])
    context = Context.of(SENDER, batch.received)
    rounds.timed(
        "normalize",
        lambda: [
            quick(one, stamp, context, moment)
            for one, (stamp, _, moment) in zip(activities, work, strict=True)
        ],
    )
    for one in activities:
        one["event"].setdefault("id", "-")
    bodies = rounds.timed(
        "write JSON",
        lambda: [orjson.dumps(one, option=_SORTED) for one in activities],
    )
    rounds.timed("scan for secrets", lambda: redactor.flagged(bodies))
    rounds.timed("validate", lambda: [is_plain(one) for one in activities])
    rounds.timed("hash", lambda: [hashlib.sha256(body).hexdigest() for body in bodies])
    ids = [one["event"]["id"] for one in activities]
    rounds.timed(
        "document id", lambda: [document_id("native", "northwind", f"id:{one}") for one in ids]
    )


def whole(rounds: Rounds, batch: Batch, made: Pipeline, spool: Spool) -> None:
    """Time the pipeline as a whole, then the spool and the body for ``_bulk``."""
    receipt, entries, rejects = rounds.timed("process", lambda: made.process(batch))
    assert not rejects, rejects[0]
    del receipt
    _, records = rounds.timed("spool: encode", lambda: layout.encode_records(1, entries))
    start = time.process_time_ns()  # the spool writes in a thread of its own
    spool.append_now(entries)
    rounds.add("spool: encode, write, sync", time.process_time_ns() - start)
    rounds.timed("body for _bulk", lambda: body_of(records))
    item = {"create": {"_index": ".ds-activity-audit-permanent-000001", "status": 201}}
    answer = orjson.dumps({"items": [item] * len(entries)})
    rounds.timed("read _bulk answer", lambda: orjson.loads(answer))


def measure(workload: str, chunk: int, events: int, repeats: int) -> dict[str, list[float]]:
    """Return stage -> CPU µs per event of each of ``repeats`` rounds over the same chunks."""
    data = [encoded(tag, some, CHUNK) for tag, some in chunks(workload, 1, events, chunk)]
    rounds, made = Rounds(events), pipeline()
    with tempfile.TemporaryDirectory() as name:
        spool = Spool.open(Path(name), quota_bytes=1 << 32)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        for _ in range(repeats):
            for one in data:
                parts(rounds, receive(rounds, one), made)
            for one in data:
                whole(rounds, receive(Rounds(1), one), made, spool)
            rounds.end()
        spool.close()
    return rounds.figures


def profile(workload: str, chunk: int, events: int) -> None:
    """Print where ``process`` spends its time; the profiler itself doubles all figures."""
    data = [encoded(tag, some, CHUNK) for tag, some in chunks(workload, 1, events, chunk)]
    made = pipeline()
    profiler = cProfile.Profile()
    for number, one in enumerate(data):
        batch = receive(Rounds(1), one)
        if number == 0:
            made.process(batch)
            continue
        profiler.enable()
        made.process(batch)
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--workload", choices=WORKLOADS, default=AUDIT)
    parser.add_argument("--chunk", type=int, default=500, help="events of a chunk (500)")
    parser.add_argument("--events", type=int, default=10_000, help="events of a round (10000)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (15)")
    parser.add_argument("--profile", action="store_true", help="profile process instead")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    if options.profile:
        profile(options.workload, options.chunk, options.events)
        return 0
    print(machine())
    print(f"workload {options.workload}, chunks of {options.chunk}, CPU µs per event")
    figures = measure(options.workload, options.chunk, options.events, options.repeats)
    print(f"{'stage':28} {'median':>8} {'least':>8}")
    for stage, values in figures.items():
        print(f"{stage:28} {statistics.median(values):8.2f} {min(values):8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
