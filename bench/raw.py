"""The yardstick, in a process of its own: the same documents straight to ``_bulk``.

``python -m bench.raw`` prepares events exactly as the collector does, puts the bodies
together, says so on standard output and waits for a line on standard input. Then some threads
send them by opensearch-py's ``client.bulk(body=bytes)``, each one request after the other: no
receiving, no schema, no spool. Prints when it began and ended as one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from activity_center.config import Cluster
from activity_center.connection import connect
from bench.events import AUDIT, WORKLOADS, chunks
from bench.prepare import pipeline
from collector.deliver.bulk import body_of
from collector.records import Batch, Entry, Sender

ANSWER: Final = "items.*.status,items.*._index,items.*.error"
"""As little of the answer as the collector asks for."""


def entries(workload: str, seed: int, events: int) -> list[Entry]:
    """Return what the collector makes of a load."""
    made, found = pipeline(), []
    for tag, records in chunks(workload, seed, events, 500):
        now = time.time_ns()
        batch = Batch(Sender("bench"), records, [now] * len(records), None, tag, now)
        _, some, rejects = made.process(batch)
        if rejects:
            raise SystemExit(f"an event of the load was rejected: {rejects[0].detail}")
        found += some
    return found


def main() -> int:
    """Prepare, wait, send, report."""
    parser = argparse.ArgumentParser(prog="python -m bench.raw", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--workload", choices=WORKLOADS, default=AUDIT)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--documents", type=int, required=True, help="of one request")
    parser.add_argument("--lanes", type=int, default=1, help="requests at a time (1)")
    options = parser.parse_args()
    made = entries(options.workload, options.seed, options.events)
    step = options.documents
    bodies = [
        body_of([(0, 0, entry) for entry in made[start : start + step]])
        for start in range(0, len(made), step)
    ]
    client = connect(Cluster(url=options.url), timeout=60, pool_maxsize=options.lanes)
    print("ready", flush=True)
    if not sys.stdin.readline():
        return 1

    def send(body: bytes) -> int:
        answer = client.bulk(body=body, params={"filter_path": ANSWER})
        return sum(item["create"]["status"] != 201 for item in answer["items"])

    begun = time.monotonic()
    with ThreadPoolExecutor(options.lanes) as threads:
        refused = sum(threads.map(send, bodies))
    ended = time.monotonic()
    if refused:
        raise SystemExit(f"OpenSearch refused {refused} documents")
    print(json.dumps({"begun": begun, "acked": ended, "documents": len(made)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
