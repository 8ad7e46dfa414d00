"""``python -m tests.faults.processes.watchers PLAN``: many clients that check what they are told.

They know the protocol from docs/process-stream.md alone, connect again at once, each time to a
sidecar by chance, and hold every message against what they have: a message that leaves one out,
or comes a second time, is noted unless the server said ``recovered: false`` or ``reset`` first.

The plan is JSON: ``urls``, and ``clients`` as ``[token, organization]`` each. On standard input
``final`` with the states that producers know of asks for a comparison; the answer is one line.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from activity_center.processes import merge

Key = tuple[str, str]
SUBPROTOCOL: Final = Subprotocol("activity-center.processes.v1")
SILENCE: Final = 45.0
SETTLES: Final = 60.0
"""Seconds until all clients must show what is."""
MOST_NOTED: Final = 20


def level(row: dict[str, Any]) -> int:
    """How far a step is: producers move it by one at a time."""
    if row["state"] == "running":
        return 2 if row["progress"] else 1
    return 0 if row["state"] == "pending" else 3


def number_of(line: dict[str, Any]) -> int:
    """Producers number the lines of a process from 1 on."""
    return int(line["text"].rpartition(" ")[2])


class Client:
    """One client.

    Attributes:
        processes: as it was told of them.
        counts: what happened to it.
        wrong: what it was not told, or told twice.
    """

    def __init__(self, urls: list[str], token: str, organization: str) -> None:
        self.processes: dict[Key, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {token}"}
        self._organization = organization
        self._place: dict[str, str] = {}
        self._told = True
        self._lines: dict[Key, int] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._watch()
            except (OSError, WebSocketException, TimeoutError):
                self.counts["cut"] += 1
            except (KeyError, TypeError, ValueError) as wrong:
                self._note(f"a message that is not of the protocol: {wrong!r}")
            await asyncio.sleep(random.uniform(0.1, 1.0))

    async def _watch(self) -> None:
        query = {"organization": self._organization, **self._place}
        url = f"{random.choice(self._urls)}/ws/processes?{urlencode(query)}"
        async with connect(
            url,
            additional_headers=self._headers,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            max_size=None,
            open_timeout=20,
            close_timeout=1,
            ping_interval=None,
            proxy=None,
        ) as socket:
            self._hello(await self._next(socket))
            while True:
                message = await self._next(socket)
                if message["type"] == "ping":
                    await socket.send('{"type":"pong"}')
                else:
                    self.take(message)

    async def _next(self, socket: ClientConnection) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), SILENCE))
        return found

    def _hello(self, message: dict[str, Any]) -> None:
        if message["type"] == "error":
            self.counts[f"refused {message['code']}"] += 1
            return
        recovered = message["recovered"]
        if message["type"] != "hello" or (recovered is None) != (not self._place):
            self._note(f"began with {message}")
        self.counts[{True: "recovered", False: "not recovered", None: "new"}[recovered]] += 1
        self._told = recovered is not True

    def take(self, message: dict[str, Any]) -> None:
        """Take over a message, and hold it against what is there."""
        kind = message["type"]
        self.counts[kind] += 1
        if kind == "reset":
            self._told = True
        elif kind == "snapshot":
            if not self._told:
                self._note("a snapshot without a word")
            self._told = False
            self.processes = {(one["organization"]["id"], one["id"]): one for one in
                              message["processes"]}  # fmt: skip
            self._lines = {}  # what it does not show may come anew
            for key, one in self.processes.items():
                self._whole(key, one)
        elif kind == "delta":
            if self._told:
                self._note("a delta in place of a snapshot")
            for change in message["changes"]:
                self._change(change)
        if kind in ("snapshot", "delta"):
            self._place = {"epoch": message["epoch"], "offset": message["offset"]}

    def _whole(self, key: Key, process: dict[str, Any]) -> None:
        """What is told as a whole is where deltas go on; within itself it must be whole too."""
        numbers = [number_of(line) for line in process["output"]["lines"] if ours(line)]
        if numbers:
            if numbers != [*range(numbers[0], numbers[0] + len(numbers))]:
                self.counts["holes in a snapshot"] += 1
            self._lines[key] = numbers[-1]
        else:
            self._lines.pop(key, None)

    def _change(self, change: dict[str, Any]) -> None:
        key = (change["organization"], change["id"])
        before = self.processes.get(key)
        renewed = change.get("renewed", ())
        now = self.processes[key] = merge(before, change)
        self.counts["changes"] += 1
        # A process that is told whole again names its attempt, too.
        attempt = change.get("process", {}).get("attempt")
        anew = attempt is not None and (before is None or attempt != before["attempt"])
        if before is not None and not anew and "steps" not in renewed:
            steps = {row["index"]: row for row in before["steps"]}
            for row in change.get("steps", ()):
                known = steps.get(row["index"])
                was = level(known) if known else 0
                if row == known or level(row) < was:
                    self._note(f"{key} step {row['index']}: twice or back, {was} to {level(row)}")
                elif level(row) == was:  # an older entry came later, after a loss: when it began
                    self.counts["filled in"] += 1
                elif level(row) > was + 1:
                    self._note(f"{key} step {row['index']}: left out, {was} to {level(row)}")
        if "lines" in renewed and not anew:
            self.counts["renewed"] += 1
            self._whole(key, now)
            return
        for line in change.get("lines", ()):
            number, last = number_of(line), self._lines.get(key)
            if last is not None and number != last + 1:
                what = "twice" if number <= last else "left out"
                self._note(f"{key} line {number} after {last}: {what}")
            self._lines[key] = number

    def _note(self, text: str) -> None:
        self.counts["wrong"] += 1
        if len(self.wrong) < MOST_NOTED:
            self.wrong.append(f"{time.strftime('%H:%M:%S')} {text}; {dict(self.counts)}")

    def differs(self, expected: dict[Key, dict[str, Any]]) -> list[str]:
        """What it shows otherwise than the producers know it."""
        found = []
        for key, one in expected.items():
            if self._organization and key[0] != self._organization:
                continue
            shown = self.processes.get(key)
            if shown is None:
                found.append(f"{key} does not show")
                continue
            mine = {
                "state": shown["state"],
                "attempt": shown["attempt"],
                "steps": [row["state"] for row in shown["steps"]],
                "lines": [number_of(line) for line in shown["output"]["lines"]],
            }
            found += [f"{key} {name}: {mine[name]}, not {value}" for name, value in one.items()
                      if mine[name] != value]  # fmt: skip
        return found


def ours(line: dict[str, Any]) -> bool:
    """Whether a line is of these producers: whoever sees everything sees others' processes too."""
    return bool(line["text"].startswith("line "))


async def _main(plan: dict[str, Any]) -> None:
    clients = [Client(plan["urls"], *one) for one in plan["clients"]]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    lines = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while line := await lines.readline():
        verb, _, rest = line.decode().partition(" ")
        differ: list[str] = []
        if verb == "final":
            expected = {(one.pop("organization"), one.pop("id")): one for one in json.loads(rest)}
            end = time.monotonic() + SETTLES
            while True:
                differ = [text for client in clients for text in client.differs(expected)]
                if not differ or time.monotonic() > end:
                    break
                await asyncio.sleep(0.5)
        total: Counter[str] = Counter()
        for client in clients:
            total.update(client.counts)
        wrong = [text for client in clients for text in client.wrong]
        watching = sum(not client._told for client in clients)
        print(json.dumps({"counts": total, "wrong": wrong, "differ": differ[:50],
                          "differing": len(differ), "watching": watching}), flush=True)  # fmt: skip
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
