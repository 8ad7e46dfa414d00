"""``python -m bench proposals``: pages of proposals against the bare questions to OpenSearch.

A node of its own with 10,000 chains of five entries, and the sidecar's application in this
process. Each page is asked for, and the bodies that it sent are then sent again, straight to
OpenSearch, without its cache of requests: page / bare is what the audit trail is held to as well.
The node is removed at the end.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from flask import Flask
from opensearchpy import OpenSearch

from activity_center import node
from activity_center.config import load
from activity_center.connection import connect
from activity_center.setup import desired_state, install
from bench.machine import machine
from bench.measure import HEAP, percentile
from bench.report import Row, Target
from sidecar_api import logs
from sidecar_api.app import create_app
from sidecar_api.search.ask import INDEX

PAGE_TARGET: Final = 1.5
"""Times the bare queries, p95: the audit trail's."""
ORGANIZATIONS: Final = 3
_STAGES: Final = ("created", "approved", "executing", "executed", "executed")
TOKEN: Final = "token-of-the-bench"
QUESTIONS: Final = (
    "",
    "page=100",
    "size=100",
    "state=completed",
    "state=proposed&impact=destructive",
    "approver=usr_3",
    "agent=agt_2&tool=tool_4",
    "target=server-1",
    "initiator=usr_7&result=failed",
    "from=2026-11-05&to=2026-11-10",
    "organization=org_1",
    "verdict=executed_without_approval",
    "verdict=executed_twice",
)
"""The last one is of no chain: the most is judged that is judged for one page."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        seconds: after which no new round begins.
    """

    chains: int
    rounds: int
    seconds: float = 120.0


FULL: Final = Plan(10_000, rounds=7)
QUICK: Final = Plan(10_000, rounds=2, seconds=30.0)
TINY: Final = Plan(400, rounds=1)
"""For the test that the bench runs; its figures mean nothing."""


class Watched(OpenSearch):
    """A client that keeps the bodies of its searches."""

    bodies: list[dict[str, Any]]

    def search(self, *args: Any, **kwargs: Any) -> Any:
        """Search, and keep the body."""
        self.bodies.append(kwargs["body"])
        return super().search(*args, **kwargs)


def entries(chains: int) -> Iterator[dict[str, Any]]:
    """Yield the entries of so many chains, over four weeks; every 20th one ran unasked."""
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    step = timedelta(days=28) / chains
    for number in range(chains):
        at = begin + number * step
        for place, word in enumerate(_STAGES):
            if (word == "approved" and number % 20 == 0) or (place and number % 25 == 1):
                continue
            failed = place == 3 and number % 10 == 0
            yield _entry(number, place, at + timedelta(seconds=20 * place), word, failed=failed)


def _entry(number: int, place: int, at: datetime, word: str, *, failed: bool) -> dict[str, Any]:
    stage = ("proposed", "approved", "executing", "failed" if failed else "completed", "completed")
    moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    action = "agent.restartService" if place == 4 else f"agent.proposal.{word}"
    levels = ("safe", "caution", "destructive")
    ours: dict[str, Any] = {
        "lens": "agent",
        "type": "AI Agent",
        "schema_version": 1,
        "retention": {"class": "permanent"},
        "origin": "agent",
        "sender": "agents",
        "case": {"id": f"case_{number}"},
        "proposal": {"id": f"prp_{number}", "stage": stage[place], "rationale": "it is slow " * 20},
        "impact": {"level": levels[number % 3], "source": "operator"},
        "initiator": {"id": f"usr_{number % 40}", "name": f"person{number % 40}"},
        "resource": {"type": "server", "id": f"srv_{number % 90}", "name": f"server-{number % 90}"},
    }
    if place == 1:
        ours["approver"] = {"id": f"usr_{number % 9}", "roles": ["admin"], "authenticated": True}
        ours["decision"] = {"outcome": "approved", "source": "user", "wait_ms": 20_000}
        ours["confirmation"] = {"text": f"server-{number % 90}"}
    return {
        "@timestamp": moment,
        "event": {
            "id": f"{number}-{place}",
            "action": action,
            "kind": "event",
            "outcome": "failure" if failed else "success",
            "ingested": moment,
            "sequence": place,
            "hash": hashlib.sha256(f"{number}-{place}".encode()).hexdigest(),
        },
        "organization": {"id": f"org_{number % ORGANIZATIONS}"},
        "user": {"id": f"usr_{number % 40}"},
        "ecs": {"version": "8.17.0"},
        "gen_ai": {
            "agent": {"id": f"agt_{number % 7}", "name": f"agent {number % 7}", "version": "2.3"},
            "tool": {
                "name": f"tool_{number % 12}",
                "call": {"id": f"call_{number}", "arguments": {"n": number, "graceful": True}},
            },
        },
        "activity": ours,
    }


def fill(client: OpenSearch, chains: int) -> int:
    """Store the entries; return how many."""
    lines: list[bytes] = []
    count = 0
    for one in entries(chains):
        head = {"create": {"_index": "activity-agent-permanent", "_id": one["event"]["id"]}}
        lines += (orjson.dumps(head), orjson.dumps(one))
        count += 1
        if len(lines) == 8000:
            _send(client, lines)
    if lines:
        _send(client, lines)
    client.indices.refresh(index=INDEX)
    return count


def _send(client: OpenSearch, lines: list[bytes]) -> None:
    answer = client.bulk(body=b"\n".join(lines) + b"\n", request_timeout=120)
    if answer["errors"]:
        raise RuntimeError("OpenSearch refused a document")
    lines.clear()


def _app(folder: Path, url: str, client: OpenSearch) -> Flask:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    document = {
        "opensearch": {"url": url},
        "organizations": {f"org_{number}": {} for number in range(ORGANIZATIONS)},
        "identity": {
            "people": [
                {
                    "id": "bench",
                    "organizations": {f"org_{n}": "owner" for n in range(ORGANIZATIONS)},
                }
            ],
            "tokens": [{"name": "bench", "person": "bench", "token_sha256": digest}],
        },
        "sidecar": {"data_dir": str(folder / "sidecar"), "rate_limit": {"requests": 1_000_000}},
    }
    file = folder / "activity-center.yml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    logs.configure()  # to standard error, as the sidecar does: standard output is the figures'
    return create_app(load(file, {}), client=client)


def measure(
    app: Flask, client: Watched, plan: Plan, say: Callable[[str], None]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the seconds of pages, and of their bare queries, by question."""
    ours: dict[str, list[float]] = {one: [] for one in QUESTIONS}
    bare: dict[str, list[float]] = {one: [] for one in QUESTIONS}
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1:8600"}
    end = time.monotonic() + plan.seconds
    for number in range(plan.rounds + 1):
        if number > 1 and time.monotonic() > end:
            break
        say(f"round {number} of {plan.rounds}" if number else "warming up")
        for question in QUESTIONS:
            client.bodies = []
            begun = time.perf_counter()
            answer = app.test_client().get(
                f"/api/v1/proposals?{question}", headers=headers, buffered=True
            )
            page = time.perf_counter() - begun
            if answer.status_code != 200:
                raise RuntimeError(f"{question}: {answer.status_code} {answer.text[:300]}")
            sent, spent = client.bodies, 0.0
            for body in sent:
                begun = time.perf_counter()
                OpenSearch.search(client, body=body, index=INDEX, params={"request_cache": "false"})
                spent += time.perf_counter() - begun
            if number:  # the first round warms up
                ours[question].append(page)
                bare[question].append(spent)
    return ours, bare


def rows(ours: dict[str, list[float]], bare: dict[str, list[float]]) -> list[Row]:
    """Return the table's rows."""
    made: list[Row] = []
    listed = [one for one in QUESTIONS if "verdict" not in one]
    for share in (0.5, 0.95):
        name = f"p{share * 100:.0f}"
        mine, theirs = (
            percentile([value for one in listed for value in found[one]], share)
            for found in (ours, bare)
        )
        made.append(Row(f"page {name}, ms", [mine * 1000]))
        made.append(Row(f"  bare queries {name}, ms", [theirs * 1000]))
        target = None if share == 0.5 else Target("<=", PAGE_TARGET)
        made.append(Row(f"  page / bare, {name}", [mine / theirs], target, digits=2))
    for question in QUESTIONS:
        said = question or "no filter"
        made.append(Row(f"{said}: page, ms", [one * 1000 for one in ours[question]]))
        made.append(Row("  bare queries, ms", [one * 1000 for one in bare[question]]))
    return made


def run(plan: Plan, say: Callable[[str], None]) -> tuple[dict[str, str], list[Row]]:
    """Measure; return facts and rows."""
    begun, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="activity-bench-") as name:
        folder = Path(name)
        own = f"bench-{folder.name}".lower()
        try:
            say("starting OpenSearch")
            info = node.start(own, heap=HEAP)
            client = connect(info.cluster, timeout=120)
            install(client, desired_state())
            say(f"storing {plan.chains:,} chains")
            count = fill(client, plan.chains)
            watched = Watched(hosts=[info.url], timeout=60)
            watched.bodies = []
            ours, bare = measure(_app(folder, info.url, watched), watched, plan, say)
        finally:
            node.wipe(own)
    done = len(ours[""])
    times = "once" if done == 1 else f"{done} times"
    facts = {
        "machine": machine(info.version),
        "workload": f"{plan.chains:,} chains of {count:,} entries over four weeks, "
        f"{ORGANIZATIONS} organizations",
        "how": f"{len(QUESTIONS)} questions, each asked {times}; the application in this process, "
        f"each page then once more as the searches that it sent, without the cache of requests; "
        f"heap {HEAP}; all on this machine",
        "took": f"{time.monotonic() - begun:.0f} s, begun at a load average of {load:.1f}, "
        f"ended at one of {os.getloadavg()[0]:.1f}",
    }
    return facts, rows(ours, bare)
