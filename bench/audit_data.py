"""A log to search: the demo's month, prepared by the collector's stages, spread over a year.

Documents are put straight into the data streams by ``_bulk``; ids, hashes and times are their
own, everything else comes back as often as the month fits into the log.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from opensearchpy import OpenSearch

from activity_center.streams import LENS_PATTERNS
from bench.events import DEMO
from bench.raw import ANSWER, entries

DAYS: Final = 365
MONTH: Final = 30
POOL: Final = 10_000
"""Events of the demo's workload that are prepared: its month, and a part of a second one."""
DOCUMENTS: Final = 2000
"""Documents of a ``_bulk`` request."""
AT_ONCE: Final = 3
LONGEST: Final = 1800.0
"""Seconds that the loading may take."""
_STREAMS: Final = ",".join(LENS_PATTERNS)
_TIMES: Final = ("created", "start", "end")


def load(client: OpenSearch, count: int, advance: Callable[[int], None]) -> float:
    """Put ``count`` documents into the streams, all searchable; return the seconds it took.

    Args:
        advance: called with the number of documents of each request that is done.

    Raises:
        RuntimeError: OpenSearch refuses a document, or it takes longer than :data:`LONGEST`.
    """
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as sending:
        running: set[Future[int]] = set()
        for body, documents in _bodies(count):
            if len(running) == AT_ONCE:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    advance(one.result())
            if time.monotonic() - begun > LONGEST:
                raise RuntimeError(f"not all is loaded after {LONGEST:.0f} seconds")
            running.add(sending.submit(_send, client, body, documents))
        for one in running:
            advance(one.result())
    client.indices.refresh(index=_STREAMS)
    found = client.count(index=_STREAMS)["count"]
    if found != count:
        raise RuntimeError(f"{found} documents are there, not {count}")
    return time.monotonic() - begun


def settle(client: OpenSearch, longest: float = 120.0) -> None:
    """Wait until OpenSearch merges no more."""
    end = time.monotonic() + longest
    while time.monotonic() < end:
        stats = client.indices.stats(index=_STREAMS, metric="merge")
        if not stats["_all"]["primaries"]["merges"]["current"]:
            return
        time.sleep(0.5)


def _send(client: OpenSearch, body: bytes, documents: int) -> int:
    answer = client.bulk(body=body, params={"filter_path": ANSWER}, request_timeout=120)
    for item in answer["items"]:
        if item["create"]["status"] != 201:
            raise RuntimeError(f"OpenSearch refused a document: {item['create']}")
    return documents


def _bodies(count: int) -> Iterator[tuple[bytes, int]]:
    """Yield bodies of ``_bulk`` and the number of their documents."""
    dice = random.Random(4)
    pool = [
        (one.stream, orjson.loads(one.body)) for one in entries(DEMO, 4, min(POOL, max(count, 1)))
    ]
    lines: list[bytes] = []
    for number in range(count):
        stream, document = pool[number % len(pool)]
        mark = f"{dice.getrandbits(128):032x}"
        lines.append(orjson.dumps({"create": {"_index": stream, "_id": mark}}))
        lines.append(orjson.dumps(_varied(document, mark, dice)))
        if len(lines) == 2 * DOCUMENTS:
            yield b"\n".join([*lines, b""]), DOCUMENTS
            lines = []
    if lines:
        yield b"\n".join([*lines, b""]), len(lines) // 2


def _varied(document: dict[str, Any], mark: str, dice: random.Random) -> dict[str, Any]:
    """Return another entry like this one: the same hour of another day, ids of its own."""
    shift = timedelta(days=-dice.randrange(DAYS - MONTH), milliseconds=dice.randrange(3_600_000))
    event = dict(document["event"])
    when = _moved(document["@timestamp"], shift - timedelta(hours=1))
    for name in _TIMES:
        if name in event:
            event[name] = _moved(event[name], shift - timedelta(hours=1))
    event |= {"id": mark, "hash": f"{dice.getrandbits(256):064x}", "ingested": when}
    return {**document, "@timestamp": when, "event": event}


def _moved(stamp: str, shift: timedelta) -> str:
    moved = datetime.fromisoformat(stamp) + shift
    return moved.isoformat(timespec="microseconds").replace("+00:00", "Z")
