"""Readers who stay while everything is replaced: a live tail, watchers, a slow download."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from activity_center.watch import Event, Watch
from tests.faults.processes.watchers import level, number_of, ours
from tests.integration.sidecar import ADMIN, Sidecar

_SMALL = 4096


class Tail(threading.Thread):
    """A client of the live tail that goes on after the last event it got.

    Args:
        port: of the sidecars' Service.
        organization: whose activities it wants.
        sent: keys of all that was sent so far.

    Attributes:
        seen: how often each key was shown.
        excused: keys that may be missing, since a reset told that something was missed.
        resets: how often that was.
        cut: connections that ended.
        failure: what it was answered that it should not.
    """

    def __init__(self, port: int, organization: str, sent: set[str]) -> None:
        super().__init__(daemon=True)
        self._sent = sent
        self.seen: Counter[str] = Counter()
        self.excused: set[str] = set()
        self.resets = self.cut = 0
        self.opened = threading.Event()
        self.failure = ""
        self._port = port
        self._path = f"/api/v1/activities/stream?{urlencode({'organization': organization})}"
        self._last = ""
        self._stopping = threading.Event()

    def run(self) -> None:
        """Read until :meth:`stop`."""
        while not self._stopping.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._read()
            self.cut += 1
            self._stopping.wait(0.3)

    def stop(self) -> None:
        """End it with the next event or sign of life."""
        self._stopping.set()

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {ADMIN}"}
        if self._last:
            headers["Last-Event-ID"] = self._last
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", self._path, headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                self.failure = f"{answer.status} {answer.read()!r}"
                return
            self.opened.set()
            event: dict[str, str] = {}
            while line := answer.readline():
                if self._stopping.is_set():
                    return
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif event:
                    self._take(event)
                    event = {}

    def _take(self, event: dict[str, str]) -> None:
        if event.get("event") == "reset":
            self.resets += 1
            self.excused |= self._sent
        elif event.get("event") == "activity":
            resource = json.loads(event["data"])["activity"].get("resource", {})
            if "id" in resource:  # steps of processes have none
                self.seen[resource["id"]] += 1
        self._last = event.get("id", self._last)


class Watcher(threading.Thread):
    """Watches by ``activity_center.watch``, and holds what it is shown against what it had.

    Attributes:
        wrong: what it was not told, or told twice.
        counts: what happened to it.
    """

    def __init__(self, url: str, organization: str) -> None:
        super().__init__(daemon=True)
        self.wrong: list[str] = []
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._watch = Watch(url, token=ADMIN, organization=organization, retry=1.0)
        self._before: dict[str, dict[str, Any]] = {}

    @property
    def processes(self) -> dict[str, dict[str, Any]]:
        """What it shows, by id."""
        return {id_: one for (_, id_), one in self._watch.processes.items()}

    def run(self) -> None:
        """Watch until :meth:`close`."""
        try:
            for event in self._watch:
                self._take(event)
        except Exception as wrong:
            self.failure = wrong

    def close(self) -> None:
        """End it."""
        self._watch.close()

    def _take(self, event: Event) -> None:
        self.counts[event.kind] += 1
        if event.recovered is not None:
            self.counts["recovered" if event.recovered else "not recovered"] += 1
        if event.kind == "snapshot":
            if self.counts["snapshot"] > 1 and event.recovered is not False:
                self.wrong.append("a snapshot without a word")
            self._before = {}
        for process in event.changed:
            if event.kind == "delta":
                self._compare(self._before.get(process["id"]), process)
            self._before[process["id"]] = {
                "attempt": process["attempt"],
                "levels": [level(step) for step in process["steps"]],
                "lines": _numbers(process),
            }

    def _compare(self, before: dict[str, Any] | None, process: dict[str, Any]) -> None:
        """Steps go forward and every line comes once, in order."""
        if before is None or before["attempt"] != process["attempt"]:
            return
        steps = zip(before["levels"], process["steps"], strict=False)
        if any(level(step) < was for was, step in steps):
            self.wrong.append(f"{process['id']}: a step went back")
        if before["lines"]:
            last = before["lines"][-1]
            new = [number for number in _numbers(process) if number > last]
            if new != [*range(last + 1, last + 1 + len(new))]:
                self.wrong.append(f"{process['id']}: lines {new} after {last}")


def _numbers(process: dict[str, Any]) -> list[int]:
    return [number_of(line) for line in process["output"]["lines"] if ours(line)]


class Download:
    """An export whose reader takes some bytes and then no more, until :meth:`rest`.

    Args:
        sidecar: asked directly: it is known which one it is.
        path: of the export.
    """

    def __init__(self, sidecar: Sidecar, path: str) -> None:
        self._socket = socket.socket()
        # What is on its way in buffers counts as sent; so let there be little of it.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        self._socket.settimeout(60)
        self._socket.connect(("127.0.0.1", sidecar.port))
        self._connection = http.client.HTTPConnection("127.0.0.1", sidecar.port)
        self._connection.sock = self._socket
        self._connection.request("GET", path, headers={"Authorization": f"Bearer {ADMIN}"})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self.location = self._answer.headers["Content-Location"]
        self._begun = self._answer.read1(_SMALL)
        assert self._begun

    def rest(self) -> tuple[bytes, bool]:
        """Take what is left; return all bytes, and whether the connection was cut off."""
        parts, cut = [self._begun], False
        try:
            while part := self._answer.read1(1 << 16):
                parts.append(part)
        except (OSError, http.client.IncompleteRead):
            cut = True
        self._connection.close()
        return b"".join(parts), cut
