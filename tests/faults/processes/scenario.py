"""Sidecars, collectors and Redis are killed at random moments while many watch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from activity_center.config import Cluster
from tests.activity_center.bus.servers import RedisServer
from tests.faults.processes.producers import Producer
from tests.integration.process import Collector, until
from tests.integration.sidecar import Sidecar

ROOT: Final = Path(__file__).parents[3]
CLIENTS: Final = 200
STARTS: Final = 180.0
"""Seconds that everything may need to start, on a machine that does much else."""
PROGRAMS: Final = 2
"""Processes that hold the clients."""
READERS: Final = 15
ORGANIZATIONS: Final = 4
WIPED: Final = "redis, which loses all"
LAG: Final = "activity_center_publish_lag_records"
_EVERYTHING: Final = 3
"""Of the readers, those who see every organization."""


class Watchers:
    """One of the processes that hold clients."""

    def __init__(self, folder: Path, name: str, plan: dict[str, Any]) -> None:
        file = folder / f"{name}.json"
        file.write_text(json.dumps(plan), encoding="utf-8")
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.processes.watchers", str(file)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def say(self, words: str) -> None:
        """Give a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n".encode())
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Return the answer to a command."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._log.read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Outcome:
    """What came of it.

    Attributes:
        kills: of which part how many.
        counts: of all clients, see :class:`tests.faults.processes.watchers.Client`.
        wrong: what clients were not told, or told twice.
        differ: what clients show otherwise than it is, and ``differing`` how much.
        processes: that ran.
        repeats: entries that producers sent again.
    """

    def __init__(self) -> None:
        self.kills: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.differ: list[str] = []
        self.differing = 0
        self.processes = self.repeats = 0

    def __repr__(self) -> str:
        return (
            f"{sum(self.kills.values())} kills {dict(self.kills)}, {self.processes} processes, "
            f"{self.repeats} entries sent again; clients: {dict(self.counts)}; "
            f"{len(self.wrong)} wrong, {self.differing} differ"
        )

    def check(self) -> None:
        """Nothing was left out or told twice without a word, and everything is right."""
        details = "\n".join([repr(self), *self.wrong[:30], *self.differ[:30]])
        assert not self.wrong and not self.counts["wrong"], details
        assert not self.differing, details
        if not self.kills[WIPED]:  # a bus that lost all says it again in another order
            assert not self.counts["holes in a snapshot"], details
            assert not self.counts["filled in"], details
        assert self.counts["recovered"] > 0, details  # it was more than snapshots
        assert self.counts["changes"] > 0 and self.processes > 0, details


class Scene:
    """Two collectors, two sidecars and a bus, all of which can be killed.

    Args:
        kind: of the bus, ``redis`` or ``embedded``.
    """

    def __init__(self, folder: Path, cluster: Cluster, kind: str, seed: int) -> None:
        self.outcome = Outcome()
        self._folder = folder
        self._chance = random.Random(seed)
        mark = uuid.uuid4().hex[:8]
        self._organizations = [f"kills_{mark}_{number}" for number in range(ORGANIZATIONS)]
        self._redis: RedisServer | None = None
        bus: dict[str, Any] = {"folder": str(folder / "steps")}
        if kind == "redis":
            self._redis = RedisServer(folder / "redis", "--appendonly", "yes")
            bus = {"url": self._redis.url}
        quick = {"deliver": {"linger": 0.05, "timeout": 20}}
        self._collectors = [Collector(folder / f"collector{n}", cluster, **quick) for n in range(2)]
        self._sidecars = [Sidecar(folder / f"sidecar{n}", cluster) for n in range(2)]
        tokens = [f"token-of-reader-{mark}-{number}" for number in range(READERS)]
        for collector in self._collectors:
            collector.document["bus"] = bus
        for sidecar in self._sidecars:
            sidecar.document["bus"] = bus
            sidecar.document["organizations"] = {one: {} for one in self._organizations}
            sidecar.document["identity"] = self._identity(tokens)
            sidecar.document["sidecar"]["rate_limit"] = {"requests": 100_000, "exports": 10}
        # One key, so that each goes on from the other's offsets.
        for sidecar in self._sidecars:
            data = sidecar.folder / "data"
            data.mkdir(parents=True, mode=0o700)
            (data / "secret.key").write_bytes(hashlib.sha256(mark.encode()).digest())
            (data / "secret.key").chmod(0o600)
        self._clients = [
            (tokens[n % READERS], self._sees(n % READERS) or "") for n in range(CLIENTS)
        ]
        self._watchers: list[Watchers] = []
        self._producers: list[Producer] = []

    def _sees(self, reader: int) -> str | None:
        """The organization that a reader sees; ``None``: all."""
        return None if reader < _EVERYTHING else self._organizations[reader % ORGANIZATIONS]

    def _identity(self, tokens: list[str]) -> dict[str, Any]:
        people: list[dict[str, Any]] = []
        for number in range(READERS):
            sees = self._sees(number)
            rights: dict[str, Any] = (
                {"platform_roles": ["platform_admin"]}
                if sees is None
                else {"organizations": {sees: "admin"}}
            )
            people.append({"id": f"reader_{number}", **rights})
        return {
            "people": people,
            "tokens": [
                {
                    "name": f"reader_{number}",
                    "person": f"reader_{number}",
                    "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
                }
                for number, token in enumerate(tokens)
            ],
        }

    # -- life ------------------------------------------------------------------------

    def start(self, producers: int, pause: float) -> None:
        """Start everything, and wait until all clients watch."""
        for collector in self._collectors:
            collector.start(wait=False)
        for sidecar in self._sidecars:
            sidecar.launch()
        self._ready()
        self._producers = [
            Producer(
                self._collectors[number % 2],
                self._organizations[number % ORGANIZATIONS],
                pause,
                self._chance.randrange(1 << 30),
            )
            for number in range(producers)
        ]
        for producer in self._producers:
            producer.start()
        urls = [sidecar.url.replace("http", "ws", 1) for sidecar in self._sidecars]
        for number in range(PROGRAMS):
            plan = {"urls": urls, "clients": self._clients[number::PROGRAMS]}
            self._watchers.append(Watchers(self._folder, f"watchers{number}", plan))
        until(self._all_watch, timeout=STARTS, why="not all clients watch")

    def kill_for(self, seconds: float) -> None:
        """Kill parts at random moments, each at least once, and start them again."""
        parts = self._parts()
        names = [*parts]
        self._chance.shuffle(names)
        # After a loss everybody begins anew; going on where one was is what is to be seen most.
        often = [name for name in parts if name != WIPED] * 3
        end = time.monotonic() + seconds
        while names or time.monotonic() < end:
            time.sleep(self._chance.uniform(0.5, 4.0))
            name = names.pop() if names else self._chance.choice([*parts, *often])
            with parts[name]():
                time.sleep(self._chance.choice([0.0, self._chance.uniform(0, 2.5)]))
            self.outcome.kills[name] += 1
            self._alive()

    def finish(self) -> Outcome:
        """Let everything come to its end, and compare."""
        for producer in self._producers:
            producer.stop()
        for producer in self._producers:
            producer.join(120)
            assert not producer.is_alive(), "a producer's entry is not confirmed"
        self._alive()
        self._ready()
        for collector in self._collectors:
            until(lambda one=collector: one.metric(LAG) == 0, why=collector.tail())
        expected = [end for producer in self._producers for end in producer.ends]
        outcome = self.outcome
        outcome.processes = len(expected)
        outcome.repeats = sum(producer.repeats for producer in self._producers)
        for watchers in self._watchers:
            watchers.say(f"final {json.dumps(expected)}")
        for found in [watchers.answer() for watchers in self._watchers]:
            outcome.counts.update(found["counts"])
            outcome.wrong += found["wrong"]
            outcome.differ += found["differ"]
            outcome.differing += found["differing"]
        return outcome

    def close(self) -> None:
        """End everything."""
        for producer in self._producers:
            producer.stop()
        for watchers in self._watchers:
            watchers.close()
        for sidecar in self._sidecars:
            sidecar.__exit__()
        for collector in self._collectors:
            collector.kill()
        if self._redis is not None:
            self._redis.kill()

    def _ready(self) -> None:
        for collector in self._collectors:
            collector.wait_ready(timeout=STARTS)
        for sidecar in self._sidecars:
            until(lambda one=sidecar: _ready(one), timeout=STARTS, why=sidecar.tail())

    def _all_watch(self) -> bool:
        for watchers in self._watchers:
            watchers.say("count")
        watching = sum(watchers.answer()["watching"] for watchers in self._watchers)
        time.sleep(0.2)
        return watching == CLIENTS

    def _alive(self) -> None:
        for producer in self._producers:
            if producer.failure is not None:
                raise AssertionError("a producer failed") from producer.failure

    # -- kills -----------------------------------------------------------------------

    def _parts(self) -> dict[str, Callable[[], contextlib.AbstractContextManager[None]]]:
        parts: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {}
        for number in range(2):
            sidecar, collector = self._sidecars[number], self._collectors[number]
            parts[f"sidecar {number}"] = lambda one=sidecar: _sidecar_down(one)
            parts[f"collector {number}"] = lambda one=collector: _collector_down(one)
        if self._redis is not None:
            parts["redis"] = self._redis_down
            parts[WIPED] = self._redis_wiped
        return parts

    @contextlib.contextmanager
    def _redis_down(self, *, wiped: bool = False) -> Iterator[None]:
        assert self._redis is not None
        self._redis.kill()
        if wiped:
            shutil.rmtree(self._folder / "redis" / "appendonlydir")
        yield
        self._redis.start()

    def _redis_wiped(self) -> contextlib.AbstractContextManager[None]:
        return self._redis_down(wiped=True)


@contextlib.contextmanager
def _collector_down(collector: Collector) -> Iterator[None]:
    collector.kill()
    yield
    collector.start(wait=False)


@contextlib.contextmanager
def _sidecar_down(sidecar: Sidecar) -> Iterator[None]:
    assert sidecar.process is not None
    workers = sidecar.workers()
    sidecar.signal(signal.SIGKILL)
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    sidecar.process.wait()
    yield
    sidecar.launch()


def _ready(sidecar: Sidecar) -> bool:
    assert sidecar.process is not None and sidecar.process.poll() is None, sidecar.tail()
    with contextlib.suppress(OSError):
        return sidecar.get("/readyz", token="").status_code == 200
    return False
