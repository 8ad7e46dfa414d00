"""Entries for the tests of spool, delivery and rejected store."""

from __future__ import annotations

import hashlib
import threading
import time

from collector.records import Entry, Reject
from collector.spool import Record, Spool

NEVER = threading.Event()
STREAM = "activity-audit-permanent"


def entry(
    number: int,
    *,
    stream: str = STREAM,
    sender: str = "web",
    extra: str = "",
    time_ms: int | None = None,
    n: str | None = None,
) -> Entry:
    """Return a small entry whose id and hash follow from the arguments.

    Args:
        extra: part of the content but not of the id.
        n: JSON for the field ``n``, which is mapped as a number.
    """
    moment = 1_700_000_000_000 + number if time_ms is None else time_ms
    id_ = hashlib.sha256(f"{stream} {number}".encode()).hexdigest()[:40]
    hash_ = hashlib.sha256(f"{stream} {number} {extra}".encode()).hexdigest()
    body = b'{"@timestamp":%d,"event":{"id":"%b","hash":"%b"},"n":%b,"x":"%b"}' % (
        moment,
        id_.encode(),
        hash_.encode(),
        (str(number) if n is None else n).encode(),
        extra.encode(),
    )
    return Entry(stream, id_, moment, hash_, body, sender)


def reject(number: int, *, sender: str = "web", raw: bytes | None = None) -> Reject:
    """Return a reject; different numbers give different ones."""
    record = None if raw is not None else b'{"n":%d}' % number
    return Reject("invalid", f"number {number}", "/n", record, raw, sender, "native", "", number)


def take_all(spool: Spool, *, settle: bool = True, documents: int = 100) -> list[Record]:
    """Take until the spool has nothing more for now."""
    found: list[Record] = []
    stop = threading.Event()
    stop.set()
    while records := spool.take(documents, 5_000_000, 0, stop):
        found += records
        if settle:
            spool.settle(records)
    return found


def entries_of(records: list[Record]) -> list[Entry]:
    """Return the entries of ``records``."""
    return [record[2] for record in records]


def wait_until(happened: object, timeout: float = 30.0) -> None:
    """Poll ``happened()`` until it is true."""
    assert callable(happened)
    until = time.monotonic() + timeout
    while not happened():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)
