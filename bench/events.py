"""What the benches send: a typical audit event, or the demo's workload.

The audit event is of one program that uses the emitter's form: 33 fields, an update with
old and new state, about 1 kB of JSON. Values vary as they do in real life: every event has
an id and a time of its own, while people, servers and browsers come back.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgpack
import orjson

AUDIT: Final = "audit"
DEMO: Final = "demo"
WORKLOADS: Final = (AUDIT, DEMO)

_NAMES: Final = ("mira", "jonas", "amara", "li-wei", "noor", "pavel", "sofia", "tariq")
_BROWSERS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
)
_PLANS: Final = ("cx22", "cx32", "cx42", "cx52")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Mean sizes of a workload's records, bytes, and mean number of leaves."""

    json: float
    msgpack: float
    fields: float


def audit_event(dice: random.Random, when: datetime) -> dict[str, Any]:
    """Return one event that happens at ``when``, with an id of its own."""
    number = dice.randrange(200)
    name = _NAMES[number % len(_NAMES)]
    server = dice.randrange(1000)
    plan = dice.randrange(len(_PLANS) - 1)
    return {
        "@timestamp": when.isoformat(timespec="microseconds"),
        "event": {
            "id": uuid.UUID(int=dice.getrandbits(128), version=4).hex,
            "action": "server.update",
            "outcome": "success",
            "duration": dice.randrange(1_000_000, 900_000_000),
        },
        "user": {
            "id": f"usr_{number:04d}",
            "name": name,
            "full_name": f"{name.title()} Kovač",
            "email": f"{name}.{number}@northwind.example",
            "roles": ["admin", "billing"],
        },
        "organization": {"id": "northwind", "name": "Northwind Labs"},
        "source": {"ip": f"203.0.113.{number}"},
        "user_agent": {"original": _BROWSERS[number % len(_BROWSERS)]},
        "http": {"request": {"id": f"req_{dice.getrandbits(48):012x}", "method": "PATCH"}},
        "trace": {"id": f"{dice.getrandbits(128):032x}"},
        "activity": {
            "origin": "ui",
            "project": "checkout",
            "environment": "production",
            "resource": {"type": "server", "id": f"srv_{server}", "name": f"api-prod-{server}"},
            "old_value": {"plan": _PLANS[plan], "region": "fsn1", "backups": False},
            "new_value": {"plan": _PLANS[plan + 1], "region": "fsn1", "backups": True},
        },
        "cloud": {"provider": "hetzner", "region": "fsn1"},
        "message": f"Server api-prod-{server} resized",
        "metadata": {"ticket": f"OPS-{server}"},
    }


def _audit(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    dice = random.Random(seed)
    # A run is over in minutes: the times of its events lie in the ten before it.
    now = datetime.now(UTC) - timedelta(minutes=10)
    while True:
        now += timedelta(microseconds=dice.randrange(100, 1500))
        yield "activity.native", audit_event(dice, now)


def _demo(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    from activity_center.demo.workload import generate

    while True:
        for event in generate(seed, datetime.now(UTC) - timedelta(days=30)):
            yield event.tag, event.record
        seed += 1


def records(workload: str, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (Forward tag, record) without end; another seed gives events with other ids.

    Args:
        workload: :data:`AUDIT` or :data:`DEMO`.
    """
    made: Callable[[int], Iterator[tuple[str, dict[str, Any]]]] = (
        _audit if workload == AUDIT else _demo
    )
    return made(seed)


def chunks(
    workload: str, seed: int, events: int, chunk: int
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (tag, records): chunks of one tag each, ``events`` in all.

    Every chunk has ``chunk`` records, apart from the last one of each tag.
    """
    waiting: dict[str, list[dict[str, Any]]] = {}
    for tag, record in islice(records(workload, seed), events):
        group = waiting.setdefault(tag, [])
        group.append(record)
        if len(group) == chunk:
            yield tag, waiting.pop(tag)
    yield from waiting.items()


def sizes(workload: str, seed: int = 0, sample: int = 1000) -> Sizes:
    """Measure a sample of a workload."""
    found = [record for _, record in islice(records(workload, seed), sample)]
    return Sizes(
        sum(len(orjson.dumps(one)) for one in found) / sample,
        sum(len(msgpack.packb(one)) for one in found) / sample,
        sum(_leaves(one) for one in found) / sample,
    )


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_leaves(child) for child in value.values())
    return 1
