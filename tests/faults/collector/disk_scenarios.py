"""Faults of the disk and of the clock, each as a function that returns an outcome."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from activity_center.config import Cluster
from collector.rejected import RejectedStore
from tests.clients.forward import ForwardClient
from tests.faults.collector.disk import flip_byte, segments, small_disk, tear_tail
from tests.faults.collector.outcome import Outcome
from tests.faults.collector.post import post
from tests.faults.collector.scenarios import QUICK, Rollovers, finish
from tests.faults.collector.traffic import TAG, Traffic, activity
from tests.integration.process import Collector, until

NOWHERE = Cluster(url="http://127.0.0.1:1")
LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")


def acknowledged(collector: Collector) -> bool:
    """Whether a Forward sender gets its ack within a second."""
    with ForwardClient(collector.forward, timeout=1.0) as client:
        try:
            client.send(TAG, [(time.time_ns(), activity("refused", 1))])
        except TimeoutError:
            return False
    return True


def refused(collector: Collector) -> bool:
    """Whether an HTTP sender is told to come back later."""
    status, headers, answer = post(collector, [activity("refused", 1)])
    if status == 200:
        return False
    assert status == 503 and int(headers["Retry-After"]) >= 1, answer
    return True


def disk_full(folder: Path, node: Any, times: int = 1, seed: int = 6) -> Outcome:
    """ENOSPC under spool, rejected store and log: no acks, 503; it goes on when there is room."""
    outcome = Outcome("spool: disk full (ENOSPC)", times)
    with small_disk(folder / "disk") as disk:
        collector = Collector(folder, node.cluster, data_dir=str(disk.folder / "data"), **QUICK)
        collector.log = disk.folder / "collector.log"
        with collector, Traffic(collector, seed=seed, pause=0.1) as traffic:
            collector.start()
            for _ in range(times):
                traffic.wait_acked(200)
                disk.fill(collector)
                until(lambda: collector.get("/readyz")[0] == 503, 30, "never full")
                # The last page of a file may have room for one more small event.
                until(lambda: refused(collector), 10, "accepted without room")
                until(lambda: not acknowledged(collector), 10, "acknowledged without room")
                assert collector.get("/healthz")[0] == 200
                disk.free(collector)
                until(lambda: collector.get("/readyz")[0] == 200, 30, "never ready again")
            outcome.note = f"on {type(disk).__name__}; {traffic.pushed_back} answers 503"
            return finish(outcome, collector, traffic, node.client)


def damaged(folder: Path, node: Any, *, torn: bool, flipped: bool, seed: int = 7) -> Outcome:
    """What a stopped collector left is damaged: at most the damaged record is not delivered."""
    faults = " and ".join(["torn last segment"] * torn + ["flipped byte in a segment"] * flipped)
    outcome = Outcome(f"spool: {faults}", 1)
    collector = Collector(folder, NOWHERE, **QUICK)
    with collector:
        collector.start()
        with Traffic(collector, seed=seed, pause=0.01) as traffic:
            traffic.wait_acked(300)
            traffic.stop()
        collector.kill()
        (segment,) = segments(collector)
        if flipped:
            victim = random.Random(seed).choice(sorted(traffic.acked))
            flip_byte(segment, f'"{victim}"'.encode())
        if torn:
            tear_tail(segment)
        collector.document["opensearch"]["url"] = node.url
        collector.start()
        collector.wait_delivered()
        assert collector.metric("activity_center_spool_corrupt_records_total") == flipped
        repaired = collector.logged("torn tail of the spool repaired: it was never acknowledged")
        assert len(repaired) == torn, collector.tail()
        assert collector.terminate() == 0
    rejects = rejected(collector)
    assert [one.reason for one in rejects] == ["spool_corrupt"] * flipped
    outcome.note = "the record is in the rejected store" if flipped else "repaired, logged"
    return outcome.count(node.client, traffic.acked, traffic.sent, rejected=len(rejects))


def rejected(collector: Collector) -> list[Any]:
    """The rows of a collector's rejected store."""
    store = RejectedStore(collector.data_dir / "rejected", create=False)
    try:
        return list(store.select())
    finally:
        store.close()


def library() -> Path | None:
    """libfaketime, where it is installed (Debian: apt-get install libfaketime)."""
    for folder in LIBRARIES:
        path = Path(folder) / "faketime/libfaketimeMT.so.1"
        if path.exists():
            return path
    return None


def clock_jumps(folder: Path, node: Any, preload: Path, seed: int = 8) -> Outcome:
    """The collector's clock jumps under it, with kills and rollovers between."""
    jumps = ("+2h", "-3h", "+400d", "-400d", "+0", "-5m", "+0")
    outcome = Outcome("clock: jumps of minutes to years", len(jumps))
    collector = Collector(folder, node.cluster, **QUICK)
    offset = folder / "clock"
    folder.mkdir(parents=True, exist_ok=True)
    offset.write_text("+0\n")
    collector.environment |= {
        "LD_PRELOAD": str(preload),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with collector, Traffic(collector, seed=seed) as traffic:
        collector.start()
        with Rollovers(node.client, seed, most=10):
            for number, jump in enumerate(jumps):
                traffic.wait_acked(60)
                offset.write_text(f"{jump}\n")
                traffic.wait_acked(60)
                if number % 2:
                    collector.kill()
                    collector.start()
        finish(outcome, collector, traffic, node.client)
    reasons = sorted({one.reason for one in rejected(collector)})
    outcome.note = f"jumps: {', '.join(jumps)}; rejected: {', '.join(reasons) or 'none'}"
    return outcome
