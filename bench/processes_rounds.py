"""Rounds of :mod:`bench.processes`: a fresh sidecar, then a bare server, under the same load."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from activity_center.bus import open_writer
from activity_center.config_processes import BusConfig
from activity_center.demo.stack import Stack
from bench import process
from bench.processes_watch import DIGITS, MARK

SENDER: Final = "bench"
PATIENCE: Final = 10.0
"""Seconds after the last message until all of them must be delivered."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many watch, and what they get.

    Attributes:
        groups: each has a reader, an organization and a process of its own.
        size: sockets of a group.
        rate: messages a second, over all groups.
        seconds: of a measurement.
        posts: activities that are posted to the collector, over as many seconds as
            ``post_rate`` makes of them.
    """

    groups: int
    size: int
    rate: int
    seconds: float
    posts: int
    post_rate: int

    @property
    def sockets(self) -> int:
        """All of them."""
        return self.groups * self.size


@dataclass(frozen=True, slots=True)
class Fan:
    """One measurement of a server.

    Attributes:
        cpu: its seconds.
        due: deliveries that were to be made.
        latencies: seconds of each that was made one by one.
        bytes: of a message, mean.
        socket: KiB of resident memory that a socket took.
        resident: MB at the end.
    """

    cpu: float
    due: int
    latencies: list[float]
    bytes: float
    socket: float
    resident: float

    @property
    def per_delivery(self) -> float:
        """CPU µs of a delivery."""
        return self.cpu / self.due * 1e6


class Watchers:
    """The process that holds the sockets."""

    def __init__(self, folder: Path, targets: Sequence[Sequence[Any]], size: int) -> None:
        file = folder / "targets.json"
        file.write_text(json.dumps(targets), encoding="utf-8")
        file.chmod(0o600)
        command = [sys.executable, "-m", "bench.processes_watch", str(file), "--size", str(size)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, command: str) -> dict[str, Any]:
        """Give a command and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(command, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that watches has ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def wait_for(self, deliveries: int) -> dict[str, Any]:
        """Wait for so many, or for as long as is fair; return the report."""
        end = time.monotonic() + PATIENCE
        while self.say("count")["count"] < deliveries and time.monotonic() < end:
            time.sleep(0.05)
        return self.say("report")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Messages:
    """Activities of the processes that are watched, one process a group.

    Args:
        mark: makes ids of this run's own.
    """

    def __init__(self, mark: str, groups: int) -> None:
        self._mark = mark
        self._groups = groups
        self._numbers = itertools.count(1)
        self._offsets = [0] * groups

    def started(self, group: int) -> bytes:
        """A process begins."""
        steps = ["Reserve address", "Create instance", "Harden firewall"]
        return self._made(group, "process.started", {"steps": steps, "controls": ["cancel"]}, {})

    def line(self, group: int) -> bytes:
        """It prints a line, with the time of now in it."""
        text = f"{MARK.decode()}{time.monotonic_ns():0{DIGITS}d} layer 7 of 12 is there\n"
        said = {"stream": "stdout", "offset": self._offsets[group], "text": text}
        self._offsets[group] += len(text)
        step = {"id": "s0", "name": "Reserve address", "index": 0}
        return self._made(group, "process.output", {}, {"step": step, "output": said})

    def _made(self, group: int, action: str, more: dict[str, Any], beside: dict[str, Any]) -> bytes:
        number, now = next(self._numbers), datetime.now(UTC)
        said = {
            "id": f"{self._mark}-{group}",
            "name": f"Server {group}",
            "channel": "server-provisioning",
            "attempt": 1,
            "lease": _iso(now + timedelta(minutes=10)),
            **more,
        }
        return orjson.dumps(
            {
                "@timestamp": _iso(now),
                "event": {"id": f"{self._mark}-{number}", "action": action, "sequence": number},
                "organization": {"id": organization(group)},
                "user": {"id": f"reader-{group}", "full_name": f"Reader {group}"},
                "activity": {"lens": "process", "process": said, **beside},
            }
        )


class Parties:
    """A collector and a sidecar, which is started anew for each round.

    Args:
        stack: its collector runs.
        shape: of the load.
    """

    def __init__(self, stack: Stack, shape: Shape, redis: str) -> None:
        self._stack = stack
        self._shape = shape
        self._redis = redis
        self._rounds = itertools.count(1)
        self._folder = stack.folder

    def sidecar(self, bus: str) -> tuple[Fan, list[float]]:
        """Measure a fresh sidecar, its entries coming by ``embedded`` or ``redis``.

        Returns:
            The fan-out, and seconds from posting to the collector until a socket has it (not
            for ``redis``, since the collector writes the embedded bus).
        """
        shape, stack = self._shape, self._stack
        mark = f"bench{next(self._rounds)}"
        config = BusConfig(url=self._redis, folder="") if bus == "redis" else BusConfig(
            folder=str(stack.folder / "data" / "steps")
        )  # fmt: skip
        self._configure(config)
        messages = Messages(mark, shape.groups)
        writer = open_writer(config, "bench")
        writer.begin(mark)
        place = (mark, 0)
        numbers = itertools.count(1)

        def publish(body: bytes, _group: int) -> None:
            nonlocal place
            place = writer.publish(place, [(next(numbers), body)])

        for group in range(shape.groups):
            publish(messages.started(group), group)
        stack.start_page()
        try:
            assert stack.sidecar.process is not None
            pid = worker_of(stack.sidecar.process.pid)
            host, _, port = stack.page.rpartition("//")[2].partition(":")
            targets = [
                (host, int(port), f"/ws/processes?organization={organization(group)}", token(group))
                for group in range(shape.groups)
            ]
            with _watching(self._folder, targets, shape) as (watchers, opened):
                socket_kib = opened(pid)
                fan = _fanned(watchers, shape, pid, messages.line, publish, socket_kib)
                posted = [] if bus == "redis" else self._posted(watchers, f"{mark}-posted")
            return fan, posted
        finally:
            stack.sidecar.stop()
            writer.close()

    def bare(self, size: int) -> Fan:
        """Measure the bare server with messages of so many bytes."""
        shape = self._shape
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.processes_bare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert server.stdin is not None and server.stdout is not None
            feed = server.stdin
            port = int(server.stdout.readline())
            targets = [("127.0.0.1", port, f"/{group}", "") for group in range(shape.groups)]

            def message(_group: int) -> bytes:
                body = b'{"type":"delta","text":"%b%0*d"' % (MARK, DIGITS, time.monotonic_ns())
                return body + b',"rest":"%b"}' % (b"x" * (size - len(body) - 10))

            def publish(body: bytes, group: int) -> None:
                feed.write(b"%d %b\n" % (group, body))
                feed.flush()

            with _watching(self._folder, targets, shape) as (watchers, opened):
                socket_kib = opened(server.pid)
                return _fanned(watchers, shape, server.pid, message, publish, socket_kib)
        finally:
            server.kill()
            server.wait()

    def _posted(self, watchers: Watchers, mark: str) -> list[float]:
        """Post activities to the collector, as producers do; return seconds until they came."""
        shape, stack = self._shape, self._stack
        messages = Messages(mark, shape.groups)
        connection = http.client.HTTPConnection("127.0.0.1", stack.http_port, timeout=10)
        headers = {
            "Authorization": f"Bearer {stack.tokens[SENDER]}",
            "Content-Type": "application/x-ndjson",
        }

        def post(body: bytes, _group: int) -> None:
            connection.request("POST", "/v1/activities?source=native", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200 or b'"accepted"' not in said:
                raise RuntimeError(f"the collector answered {answer.status}: {said[:500]!r}")

        for group in range(shape.groups):
            post(messages.started(group), group)
        watchers.say("clear")
        _paced(shape.posts, shape.post_rate, shape.groups, messages.line, post)
        found = watchers.wait_for(shape.posts * shape.size)
        connection.close()
        return [one / 1e9 for one in found["latencies"]]

    def _configure(self, bus: BusConfig) -> None:
        document = yaml.safe_load(self._stack.config.read_text(encoding="utf-8"))
        everybody = range(self._shape.groups)
        document["organizations"] = {organization(group): {} for group in everybody}
        document["identity"] = {
            "people": [
                {"id": f"reader-{group}", "organizations": {organization(group): "admin"}}
                for group in everybody
            ],
            "tokens": [
                {
                    "name": f"reader-{group}",
                    "person": f"reader-{group}",
                    "token_sha256": hashlib.sha256(token(group).encode()).hexdigest(),
                }
                for group in everybody
            ],
        }
        document["sidecar"]["rate_limit"] = {"requests": 100_000, "exports": 10}
        document["bus"] = {"url": bus.url} if bus.url else {"folder": bus.folder}
        self._stack.config.write_text(yaml.safe_dump(document), encoding="utf-8")


def organization(group: int) -> str:
    """The organization that a group watches."""
    return f"org_{group}"


def token(group: int) -> str:
    """The token of a group's reader; the sidecar is on loopback and gone in a minute."""
    return hashlib.sha256(f"bench {group}".encode()).hexdigest()


def worker_of(pid: int) -> int:
    """Return the one worker of a sidecar."""
    (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)


def _fanned(
    watchers: Watchers,
    shape: Shape,
    pid: int,
    message: Callable[[int], bytes],
    publish: Callable[[bytes, int], None],
    socket_kib: float,
) -> Fan:
    _paced(shape.rate, shape.rate, shape.groups, message, publish)  # a second to warm up
    watchers.wait_for(shape.rate * shape.size)
    watchers.say("clear")
    count = int(shape.rate * shape.seconds)
    used = process.cpu(pid).total
    _paced(count, shape.rate, shape.groups, message, publish)
    found = watchers.wait_for(count * shape.size)
    used = process.cpu(pid).total - used
    latencies = [one / 1e9 for one in found["latencies"]]
    if found["closed"]:
        raise RuntimeError(f"{found['closed']} sockets were closed")
    size = found["bytes"] / max(1, len(latencies))
    return Fan(used, count * shape.size, latencies, size, socket_kib, process.resident(pid)[0])


def _paced(
    count: int,
    rate: int,
    groups: int,
    message: Callable[[int], bytes],
    publish: Callable[[bytes, int], None],
) -> None:
    """Publish ``count`` messages, ``rate`` a second, to one group after the other."""
    begun = time.monotonic()
    for number in range(count):
        left = begun + number / rate - time.monotonic()
        if left > 0:
            time.sleep(left)
        group = number % groups
        publish(message(group), group)


@contextmanager
def _watching(
    folder: Path, targets: Sequence[Sequence[Any]], shape: Shape
) -> Iterator[tuple[Watchers, Callable[[int], float]]]:
    """Yield the watchers, and what opens all sockets and says what each took, in KiB."""
    watchers = Watchers(folder, targets, shape.size)

    def opened(pid: int) -> float:
        watchers.say(f"open {shape.size}")  # what the first ones load is no socket's
        time.sleep(0.5)
        before, further = process.resident(pid)[0], shape.sockets - shape.size
        watchers.say(f"open {further}")
        time.sleep(0.5)
        return (process.resident(pid)[0] - before) * 1e6 / 1024 / further

    try:
        yield watchers, opened
    finally:
        watchers.close()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
