"""Eight years with moved clocks: the right entries in each tier, and no others."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from activity_center.config import PLAN_PRESETS, Organization
from activity_center.policies import policies
from activity_center.setup.cluster import ask
from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import Batch, Entry, Reject, Sender
from collector.redact import Redactor
from collector.retention import bring_back, covering, run, snapshots

STEP = 5
DAYS = 120
BETWEEN = (-3, -1, 0)
"""Days before a run on which entries come, and the day itself."""
LATER = (300, 485, 2860)
"""Days of the runs after the last entry."""
ORGANIZATIONS = {
    "northwind": Organization(id="northwind", plan="standard"),
    "brightleaf": Organization(id="brightleaf", plan="team"),
    "atlas": Organization(id="atlas", plan="enterprise"),
    "cedar": Organization(id="cedar"),
}
ACTIONS = {
    # Prefix of the entries' ids -> organization and action.
    "short": ("northwind", "agent.read"),
    "middle": ("brightleaf", "agent.read"),
    "year": ("atlas", "agent.read"),
    "long": ("cedar", "agent.read"),
    "bill": ("northwind", "billing.wallet.topup"),
    "invoice": ("brightleaf", "invoice.create"),
}
STREAMS = {
    "short": "activity-agent-standard-30d",
    "middle": "activity-agent-standard-90d",
    "year": "activity-agent-extended-365d",
    "long": "activity-agent-permanent",
    "bill": "activity-audit-billing-7y",
    "invoice": "activity-audit-billing-7y",
}
"""Where they belong: by their organization's plan, but for what the law decides."""


class Nowhere:
    """Nothing is spooled here."""

    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        raise AssertionError


def collected(pipeline: Pipeline, day: int, when: datetime) -> dict[str, list[tuple[str, bytes]]]:
    """What the collector makes of a day's records: stream -> ids and documents."""
    found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for prefix, (organization, action) in ACTIONS.items():
        id_ = f"{prefix}-{day}"
        record = {
            "@timestamp": when.isoformat(),
            "event": {"id": id_, "action": action, "outcome": "success"},
            "organization": {"id": organization},
        }
        received = int(when.timestamp() * 1e9)
        batch = Batch(Sender("platform"), [record], None, "native", "", received)
        _, (entry,), rejects = pipeline.process(batch)
        assert not rejects
        found[entry.stream].append((id_, entry.body))
    return found


def put(place: Any, stream: str, entries: list[tuple[str, bytes]]) -> None:
    """Store a day's entries under ids that say what they are."""
    lines = []
    for id_, body in entries:
        lines += [json.dumps({"create": {"_id": id_}}), body.decode()]
    text = "\n".join([*lines, ""])
    params = {"refresh": "true"}
    body = ask(place.client, "POST", f"/{stream}/_bulk", body=text, params=params).body
    assert not body["errors"], body


def labels(prefixes: str, first: int, last: int) -> set[str]:
    """Ids of the entries of some days, first and last included."""
    came = {run + day for run in range(0, DAYS + 1, STEP) for day in BETWEEN if run + day >= 0}
    days = sorted(day for day in came if first <= day <= last)
    return {f"{prefix}-{day}" for prefix in prefixes.split() for day in days}


def tiers(place: Any, stream: str) -> dict[str, set[str]]:
    """Entries by what was done to their index, as the node tells it, not the plan."""
    found: dict[str, set[str]] = {"open": set(), "closed": set(), "closed, no copies": set()}
    for one in place.backing(stream):
        kind = "open"
        if one.read_only:
            assert one.segments <= 1
            kind = "closed" if one.replicas else "closed, no copies"
        found[kind] |= place.ids(one.name)
    return found


def all_tiers(place: Any) -> dict[str, dict[str, set[str]]]:
    """The tiers of every stream that are not empty, by the first prefix of its entries."""
    return {
        prefix: {kind: ids for kind, ids in tiers(place, stream).items() if ids}
        for prefix, stream in STREAMS.items()
        if prefix != "invoice"
    }


def test_each_class_keeps_what_it_promises(place: Any, now: datetime) -> None:
    """Each class keeps what it promises, archives before it deletes, and deletes the rest.

    For 120 days entries of four organizations come on most days, go where the normalizer sends
    them, and every five days retention runs. An index of the 30 days' class rolls over at 5
    days, of the 90 days' at 10, of a year and for ever at 30, of billing at 90. Then years pass.
    """
    start = now - timedelta(days=LATER[-1])
    stages = Stages(
        Router(load_all().values()),
        Normalizer(ORGANIZATIONS, PLAN_PRESETS, "permanent"),
        Redactor(),
        Pseudonyms((), b""),
        Digests(b""),
    )
    pipeline = Pipeline(stages, Nowhere())
    place.set_up()
    for stream in sorted({*STREAMS.values()}):
        place.stream(stream, start)
    for day in range(0, DAYS + 1, STEP):
        came: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for before in BETWEEN:
            if day + before >= 0:
                when = start + timedelta(days=day + before)
                for stream, entries in collected(pipeline, day + before, when).items():
                    came[stream] += entries
        assert {*came} == {*STREAMS.values()}
        for stream, entries in came.items():
            assert {STREAMS[id_.partition("-")[0]] for id_, _ in entries} == {stream}
            put(place, stream, entries)
        today = start + timedelta(days=day)
        place.born(today)
        assert run(place.client, policies(), now=today).failed == []

    both = "bill invoice"
    assert all_tiers(place) == {
        # Rolled over every five days; gone 30 days after that; closed after one.
        "short": {"open": labels("short", 116, 120), "closed": labels("short", 91, 115)},
        # Rolled over every ten days; archived 60, gone 90 days after that.
        "middle": {
            "open": labels("middle", 111, 120),
            "closed": labels("middle", 61, 110),
            "closed, no copies": labels("middle", 31, 60),
        },
        "year": {"open": labels("year", 91, 120), "closed": labels("year", 0, 90)},
        "long": {"open": labels("long", 91, 120), "closed": labels("long", 0, 90)},
        "bill": {"open": labels(both, 91, 120), "closed": labels(both, 0, 90)},
    }
    assert archived(place) == {"middle"}

    # Nothing comes any more. What was archived can be brought back once it is gone.
    kept = {"long": {"closed": labels("long", 0, 120)}}
    later(place, start, 300)
    assert all_tiers(place) == kept | {
        "short": {},
        "middle": {},
        "year": {"closed, no copies": labels("year", 0, 120)},
        "bill": {"open": labels(both, 91, 120), "closed": labels(both, 0, 90)},
    }
    later(place, start, 485)
    assert all_tiers(place) == kept | {
        "short": {},
        "middle": {},
        "year": {},
        "bill": {
            "closed": labels(both, 91, 120),
            "closed, no copies": labels(both, 0, 90),
        },
    }
    later(place, start, 2860)
    assert all_tiers(place) == kept | {"short": {}, "middle": {}, "year": {}, "bill": {}}
    assert archived(place) == {"middle", "year", "bill"}
    found = snapshots(place.client, "activity-center-archive")
    wanted = [one for one in found if "standard-90d" not in one.index]
    bring_back(place.client, "activity-center-archive", covering(wanted))
    assert place.ids("restored-*") == labels(f"year {both}", 0, 120)

    written = {one["metadata"]["index"] for one in place.records("retention.archived")}
    assert written == {one.index for one in found}
    deleted = place.records("retention.deleted")
    assert sum(int(one["metadata"]["documents"]) for one in deleted) == len(
        labels(f"short middle year {both}", 0, 120)
    )
    assert run(place.client, policies(), now=now).steps == []


def later(place: Any, start: datetime, day: int) -> None:
    """Run once on that day."""
    today = start + timedelta(days=day)
    place.born(today)
    assert run(place.client, policies(), now=today).failed == []


def archived(place: Any) -> set[str]:
    """Of which streams there are archived indices, by the first prefix of their entries."""
    prefixes = {stream: prefix for prefix, stream in reversed(STREAMS.items())}
    return {
        prefixes[one.index.removeprefix(".ds-").rpartition("-")[0]]
        for one in snapshots(place.client, "activity-center-archive")
    }
