"""CPU µs per record of the source mappings: ``python -m bench.mapping`` in the checkout.

Prints the shipped sources on their own samples, and one mapping of 27 paths beside the same
written by hand, measured in turns: trust the ratio, since the machine's speed varies.
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.mapping import load, load_all
from collector.mapping.samples import read_records

ROUNDS = 15
TARGET = 0.02
"""Seconds of CPU per round."""

PATHS = {
    "@timestamp": "time",
    "event.id": "id",
    "event.reason": "why",
    "event.code": "code",
    "event.duration": "took",
    "user.name": "actor.login",
    "user.full_name": "actor.name",
    "user.email": "actor.mail",
    "user.domain": "actor.realm",
    "user.roles": "actor.roles",
    "source.ip": "client.ip",
    "source.port": "client.port",
    "user_agent.original": "client.agent",
    "session.id": "client.session",
    "http.request.id": "http.id",
    "http.request.method": "http.method",
    "http.response.status_code": "http.status",
    "url.original": "http.url",
    "activity.resource.type": "object.kind",
    "activity.resource.id": "object.id",
    "activity.resource.name": "object.name",
    "activity.old_value": "object.before",
    "activity.new_value": "object.after",
    "organization.id": "tenant.id",
    "organization.name": "tenant.name",
    "trace.id": "trace",
    "message": "text",
}

RECORD: dict[str, Any] = {
    "time": "2026-11-24T13:02:31.418000Z",
    "id": "0193a1c2d4e57b8f9a0b1c2d3e4f5a6b",
    "why": "asked by the owner",
    "code": "4625",
    "took": 40418000,
    "actor": {
        "login": "mira",
        "name": "Mira Kovač",
        "mail": "mira@northwind.example",
        "realm": "northwind.example",
        "roles": ["admin"],
        "shoe_size": 39,
    },
    "client": {"ip": "203.0.113.24", "port": 52044, "agent": "curl/8.5.0", "session": "ses_19f"},
    "http": {"id": "req_8f31c0", "method": "POST", "status": 201, "url": "/api/v1/servers"},
    "object": {
        "kind": "server",
        "id": "srv_204",
        "name": "api-prod-2",
        "before": {"plan": "premium"},
        "after": {"plan": "enterprise"},
    },
    "tenant": {"id": "northwind", "name": "Northwind Labs"},
    "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
    "text": "Server api-prod-2 resized",
    "build": "2026.11.3",
}


def by_hand(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The 27 paths as a patient person would write them, with everything else in metadata."""
    rest = record.copy()
    take = rest.pop
    actor, client, http = take("actor", None), take("client", None), take("http", None)
    thing, tenant = take("object", None), take("tenant", None)
    event: dict[str, Any] = {"module": "bench", "action": "server.update"}
    out: dict[str, Any] = {"event": event}
    for name, key in (("id", "id"), ("reason", "why"), ("code", "code"), ("duration", "took")):
        value = take(key, None)
        if value is not None:
            event[name] = value
    for name, key in (("@timestamp", "time"), ("message", "text")):
        value = take(key, None)
        if value is not None:
            out[name] = value
    value = take("trace", None)
    if value is not None:
        out["trace"] = {"id": value}
    if type(actor) is dict:
        left = actor.copy()
        user = {}
        for name, key in (
            ("name", "login"),
            ("full_name", "name"),
            ("email", "mail"),
            ("domain", "realm"),
            ("roles", "roles"),
        ):
            value = left.pop(key, None)
            if value is not None:
                user[name] = value
        if user:
            out["user"] = user
        if left:
            rest["actor"] = left
    if type(client) is dict:
        left = client.copy()
        source = {}
        for name in ("ip", "port"):
            value = left.pop(name, None)
            if value is not None:
                source[name] = value
        if source:
            out["source"] = source
        value = left.pop("agent", None)
        if value is not None:
            out["user_agent"] = {"original": value}
        value = left.pop("session", None)
        if value is not None:
            out["session"] = {"id": value}
        if left:
            rest["client"] = left
    if type(http) is dict:
        left = http.copy()
        request = {}
        for name in ("id", "method"):
            value = left.pop(name, None)
            if value is not None:
                request[name] = value
        inner: dict[str, Any] = {"request": request} if request else {}
        value = left.pop("status", None)
        if value is not None:
            inner["response"] = {"status_code": value}
        if inner:
            out["http"] = inner
        value = left.pop("url", None)
        if value is not None:
            out["url"] = {"original": value}
        if left:
            rest["http"] = left
    if type(thing) is dict:
        left = thing.copy()
        activity: dict[str, Any] = {}
        resource = {}
        for name, key in (("type", "kind"), ("id", "id"), ("name", "name")):
            value = left.pop(key, None)
            if value is not None:
                resource[name] = value
        if resource:
            activity["resource"] = resource
        for name, key in (("old_value", "before"), ("new_value", "after")):
            value = left.pop(key, None)
            if value is not None:
                activity[name] = value
        if activity:
            out["activity"] = activity
        if left:
            rest["object"] = left
    if type(tenant) is dict:
        left = tenant.copy()
        organization = {}
        for name in ("id", "name"):
            value = left.pop(name, None)
            if value is not None:
                organization[name] = value
        if organization:
            out["organization"] = organization
        if left:
            rest["tenant"] = left
    if rest:
        out["metadata"] = rest
    return [out]


def _mapping() -> Callable[[dict[str, Any]], Any]:
    rules = "".join(f'  "{field}": {path}\n' for field, path in PATHS.items())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bench"
        folder.mkdir()
        text = "name: bench\nversion: 1\ntitle: Bench\ndescription: 27 paths\nfields:\n" + rules
        (folder / "source.yml").write_text(text + "  event.action: {value: server.update}\n")
        return load(folder).map


def _round(function: Callable[[dict[str, Any]], Any], records: list[dict[str, Any]]) -> float:
    """CPU µs per record of one round."""
    done = 0
    start = time.process_time()
    while (spent := time.process_time() - start) < TARGET:
        for _ in range(50):
            for record in records:
                function(record)
        done += 50 * len(records)
    return spent / done * 1e6


def measure(
    functions: dict[str, tuple[Callable[[dict[str, Any]], Any], list[dict[str, Any]]]],
) -> dict[str, float]:
    """Median CPU µs per record; the functions take turns, so that all see the same machine."""
    figures: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, (function, records) in functions.items():
            figures[name].append(_round(function, records))
    return {name: statistics.median(values) for name, values in figures.items()}


def main() -> None:
    """Print the table."""
    mapped = _mapping()
    assert mapped(RECORD) == by_hand(RECORD)
    functions: dict[str, Any] = {
        "27 paths, by hand": (by_hand, [RECORD]),
        "27 paths, mapping": (mapped, [RECORD]),
    }
    fields = {"27 paths, by hand": len(PATHS), "27 paths, mapping": len(PATHS)}
    for source in load_all().values():
        files = sorted((source.folder / "samples").glob("*json"))
        records = [record for file in files for record in read_records(file)]
        records = [record for record in records if not isinstance(source.map(record), str)]
        if records:
            functions[source.name] = (source.map, records)
            fields[source.name] = len(source.fields)
    cpu = platform.processor() or platform.machine()
    now = datetime.datetime.now(datetime.UTC)
    print(f"{now:%Y-%m-%d}, Python {platform.python_version()}, {cpu}, {os.cpu_count()} cores")
    print(f"{'mapping':24} {'rules':>6} {'µs per record':>14}")
    for name, value in measure(functions).items():
        print(f"{name:24} {fields[name] or '-':>6} {value:14.2f}")


if __name__ == "__main__":
    main()
