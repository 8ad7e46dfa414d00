"""The two kinds of bus, each real, with what a test does to it from outside."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import redis

from activity_center.bus import Gap, Place, Published, Reader, advance
from activity_center.bus.embedded import _remove
from activity_center.config_processes import BusConfig
from tests.integration.process import free_port, until


class RedisServer:
    """A ``redis-server`` of one test, on a free port of loopback.

    Args:
        folder: of its data.
        settings: further options of its command line.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        assert program, "install redis-server (or valkey-server): the tests need one"
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._command = [
            *(program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)),
            *("--save", "", *settings),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def client(self) -> Any:
        """A client of the library, for looking behind the bus."""
        return redis.Redis(port=self.port)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self._answers, why=(self._folder / "redis.log").read_text())

    def listen_tls(self) -> int:
        """Listen with TLS too, by the certificate of the settings; return the port."""
        port = free_port()
        self.client().config_set("tls-port", port)
        return port

    def kill(self) -> None:
        """SIGKILL it, and reap."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def terminate(self) -> int:
        """SIGTERM; return the exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(30)
        self._process = None
        return code

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False


class Bus:
    """One kind of bus for the conformance tests.

    Attributes:
        kind: ``embedded``, or ``redis`` (which loses nothing that it answered).
        server: of ``redis``.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.server: RedisServer | None = None
        self._folder = folder / "bus"
        if kind == "redis":
            self.server = RedisServer(
                folder / "redis", "--appendonly", "yes", "--appendfsync", "always"
            )

    def config(self, **more: Any) -> BusConfig:
        """Its section of the configuration."""
        url = self.server.url if self.server else ""
        return BusConfig(url=url, folder=str(self._folder), **more)

    def lose_all(self) -> None:
        """What an operator's slip or a lost disk does."""
        if self.server:
            self.server.client().flushall()
        else:
            shutil.rmtree(self._folder)

    def lose_newest(self, stream: str, epoch: str, position: int) -> None:
        """One entry is gone, as after a crash that took what was not on disk yet."""
        if self.server:
            client, key = self.server.client(), f"activity-center:steps:{stream}:{epoch}"
            kept = [one for one in client.xrange(key) if one[0] != b"%d-1" % position]
            client.delete(key)
            for id_, fields in kept:
                client.xadd(key, fields, id=id_)
        else:
            with sqlite3.connect(self._folder / f"{stream}.db") as database:
                database.execute("DELETE FROM entries WHERE position = ?", (position,))
            database.close()

    def lose_stream(self, stream: str) -> None:
        """One stream is gone."""
        if self.server:
            self.server.client().hdel("activity-center:steps", stream)
        else:
            _remove(self._folder / f"{stream}.db")

    def age(self, stream: str, seconds: float) -> None:
        """The stream's last sign of life becomes so old."""
        then = time.time() - seconds
        if self.server:
            self.server.client().zadd("activity-center:steps:alive", {stream: then})
        else:
            os.utime(self._folder / f"{stream}.db", (then, then))

    def traces(self, stream: str) -> list[str]:
        """What is left of a stream: names of files, or of keys and what stands in them."""
        if not self.server:
            return sorted(file.name for file in self._folder.glob(f"{stream}*"))
        client, ours = self.server.client(), "activity-center:steps"
        found = [*client.keys(f"{ours}:{stream}:*")]
        found += [one for one in client.hkeys(ours) if one.decode() == stream]
        found += [one for one in client.zrange(f"{ours}:alive", 0, -1) if one.decode() == stream]
        return sorted(one.decode() for one in found)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody can ask it meanwhile; afterwards it has what it had."""
        if self.server:
            self.server.kill()
            yield
            self.server.start()
            return
        aside = self._folder.with_name("aside")
        self._folder.rename(aside)
        self._folder.write_text("a file where the folder was")
        yield
        self._folder.unlink()
        aside.rename(self._folder)

    def close(self) -> None:
        """End what runs."""
        if self.server:
            self.server.kill()


class Follower:
    """A reader with its places, as a sidecar's hub keeps them."""

    def __init__(self, reader: Reader, places: dict[str, Place] | None = None) -> None:
        self.reader = reader
        self.places: dict[str, Place] = dict(places or {})
        self.items: list[Published | Gap] = []

    def read(self, wait: float = 0.0) -> list[Published | Gap]:
        """Ask once and note the places."""
        found = self.reader.read(self.places, wait)
        for item in found:
            advance(self.places, item)
        self.items += found
        return found

    def read_all(self) -> list[Published | Gap]:
        """Ask until nothing is left."""
        found: list[Published | Gap] = []
        while more := self.read():
            found += more
        return found


def positions(items: Iterable[Published | Gap]) -> list[int | str]:
    """The positions in order, a gap as ``"gap"``."""
    return ["gap" if isinstance(item, Gap) else item.position for item in items]


def entries(*numbers: int) -> list[tuple[int, bytes]]:
    """Entries at these positions."""
    return [(number, b'{"n":%d}' % number) for number in numbers]
