"""Senders that do what good senders do: repeat what was not acknowledged, as it was."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import random
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import aiohttp

from tests.clients.forward import AsyncForwardClient, NotAcknowledged, encode
from tests.integration.process import TOKEN, Address

TAG = "activity.native"
KEY_FIELD = "activity.resource.id"
"""Holds the key of an event: some events bring no ``event.id``."""
ACTIONS = ("server.create", "agent.tool.call", "invoice.create", "user.login_failed")
STREAMS = ("activity-audit-permanent", "activity-agent-permanent", "activity-audit-billing-7y")
"""Where those are stored."""
_PATIENCE = 60.0
"""Seconds without an answer after which a sender tries again."""


def activity(key: str, number: int = 0, **more: Any) -> dict[str, Any]:
    """An event as a producer sends it; every third one without an id."""
    event: dict[str, Any] = {"action": ACTIONS[number % len(ACTIONS)], "outcome": "success"}
    if number % 3:
        event["id"] = f"id-{key}"
    return {
        "@timestamp": datetime.now(UTC).isoformat(),
        "event": event,
        "user": {"id": f"u-{number % 50}", "name": "Ada"},
        "organization": {"id": "faults"},
        "activity": {"resource": {"type": "server", "id": key, "name": f"server {number}"}},
        "note": "x" * (number % 300),
        **more,
    }


class Traffic:
    """Sends to a collector from a thread of its own, over many connections at a time.

    Args:
        collector: may be killed and started again at any time.
        single: Forward connections that send one event a message, several in flight.
        bulk: Forward connections that send chunks, some compressed.
        http: HTTP clients that send NDJSON, some gzip.
        pause: mean seconds between two requests of one connection, more after many events.
        organization: of the events.

    Attributes:
        sent: keys of the events that were sent.
        acked: keys of those that were acknowledged.
        repeats: requests that were sent again.
        pushed_back: answers 503 with Retry-After.
    """

    def __init__(
        self,
        collector: Address,
        *,
        single: int = 8,
        bulk: int = 2,
        http: int = 2,
        pause: float = 0.1,
        seed: int = 1,
        token: str = TOKEN,
        organization: str = "faults",
    ) -> None:
        self.sent: set[str] = set()
        self.acked: set[str] = set()
        self.repeats = 0
        self.pushed_back = 0
        self._collector = collector
        self._single, self._bulk, self._http = single, bulk, http
        self._pause = pause
        self._token = token
        self._organization = {"id": organization}
        self._chance = random.Random(seed)
        self._run = uuid.uuid4().hex[:12]
        self._numbers = itertools.count()
        self._stopping = False
        self._abandoned = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True)

    # -- from outside ----------------------------------------------------------------

    def start(self) -> Traffic:
        """Begin to send."""
        self._thread.start()
        return self

    def send_for(self, seconds: float) -> None:
        """Let time pass; a sender that failed unexpectedly is an error."""
        time.sleep(seconds)
        self._check()

    def wait_acked(self, count: int, timeout: float = 60) -> None:
        """Wait until ``count`` events more than now are acknowledged."""
        due, end = len(self.acked) + count, time.monotonic() + timeout
        while len(self.acked) < due:
            self._check()
            assert time.monotonic() < end, f"{len(self.acked)} acknowledged, {due} awaited"
            time.sleep(0.02)

    def stop(self, timeout: float = 120) -> None:
        """Send nothing new, and return when all that was sent is acknowledged."""
        self._stopping = True
        self._thread.join(timeout)
        self._check()
        left = len(self.sent - self.acked)
        assert not self._thread.is_alive(), f"{left} of {len(self.sent)} not acknowledged"

    def abandon(self) -> None:
        """Stop at once; what is not acknowledged stays so."""
        self._stopping = self._abandoned = True
        self._thread.join(30)
        self._check()

    def __enter__(self) -> Traffic:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self._stopping = self._abandoned = True
        self._thread.join(30)

    def _check(self) -> None:
        if self._failure is not None:
            raise AssertionError("a sender failed") from self._failure

    # -- inside ----------------------------------------------------------------------

    def _main(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as wrong:
            self._failure = wrong

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._forward(1, 8)) for _ in range(self._single)]
            tasks += [group.create_task(self._forward(40, 2)) for _ in range(self._bulk)]
            tasks += [group.create_task(self._post()) for _ in range(self._http)]
            while not self._abandoned and not all(task.done() for task in tasks):
                await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()

    def _events(self, count: int) -> tuple[list[str], list[dict[str, Any]]]:
        numbers = [next(self._numbers) for _ in range(count)]
        keys = [f"{self._run}-{number}" for number in numbers]
        self.sent.update(keys)
        return keys, [
            activity(*pair, organization=self._organization)
            for pair in zip(keys, numbers, strict=True)
        ]

    async def _rest(self, events: int) -> None:
        await asyncio.sleep(self._chance.uniform(0, 2 * self._pause) * max(1.0, events / 8))

    async def _forward(self, size: int, window: int) -> None:
        """One connection at a time; ``window`` messages of ``size`` events in flight."""
        pending: dict[str, tuple[bytes, list[str]]] = {}  # chunk id -> message, keys
        while pending or not self._stopping:
            try:
                client = await AsyncForwardClient.connect(self._collector.forward)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            with contextlib.suppress(NotAcknowledged, OSError, TimeoutError):
                await self._converse(client, pending, size, window)
            await client.close()

    async def _converse(
        self,
        client: AsyncForwardClient,
        pending: dict[str, tuple[bytes, list[str]]],
        size: int,
        window: int,
    ) -> None:
        for message, _ in pending.values():
            self.repeats += 1
            client.writer.write(message)
        while pending or not self._stopping:
            while len(pending) < window and not self._stopping:
                keys, events = self._events(size)
                chunk, now = uuid.uuid4().hex, time.time_ns()
                message = encode(
                    TAG,
                    [(now, event) for event in events],
                    self._chance.choice(("forward", "packed")),
                    compressed=self._chance.random() < 0.5,
                    chunk=chunk,
                )
                pending[chunk] = message, keys
                client.writer.write(message)
                await self._rest(size)
            if pending:
                answer = await asyncio.wait_for(client.read(), _PATIENCE)
                self.acked.update(pending.pop(answer["ack"])[1])

    async def _post(self) -> None:
        """Posts one body after another; a body is repeated until every event is accepted."""
        timeout = aiohttp.ClientTimeout(_PATIENCE)
        url = f"{self._collector.url}/v1/activities?source=native"
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not self._stopping:
                keys, events = self._events(self._chance.randint(1, 40))
                body = b"\n".join(json.dumps(event).encode() for event in events)
                headers = {
                    "Authorization": f"Bearer {self._token}",
                    "Content-Type": "application/x-ndjson",
                }
                if self._chance.random() < 0.5:
                    body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
                while not await self._posted(session, url, body, headers, keys):
                    self.repeats += 1
                await self._rest(len(keys))

    async def _posted(
        self,
        session: aiohttp.ClientSession,
        url: str,
        body: bytes,
        headers: dict[str, str],
        keys: list[str],
    ) -> bool:
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                if answer.status == 503:
                    self.pushed_back += 1
                    await asyncio.sleep(min(0.3, int(answer.headers["Retry-After"])))
                    return False
                assert answer.status == 200, await answer.text()
                items = (await answer.json())["items"]
        except (aiohttp.ClientError, OSError, TimeoutError):
            await asyncio.sleep(0.05)
            return False
        assert [item["status"] for item in items] == ["accepted"] * len(keys), items
        self.acked.update(keys)
        return True
