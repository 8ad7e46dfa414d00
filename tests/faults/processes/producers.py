"""Programs with long operations, as far as the stream sees them: steps, lines, an end."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.integration.process import TOKEN, Address

STEPS: Final = ["Reserve address", "Create instance", "Harden firewall", "Order certificate"]
LINES: Final = 4
"""Of each step."""


class Producer(threading.Thread):
    """Runs one process after another; every entry is sent until the collector has confirmed it.

    Args:
        collector: may be killed and started again at any time.
        organization: of its processes.
        pause: mean seconds between two entries.

    Attributes:
        ends: processes as they must be shown in the end.
        repeats: entries that were sent again.
    """

    def __init__(self, collector: Address, organization: str, pause: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.ends: list[dict[str, Any]] = []
        self.repeats = 0
        self.failure: BaseException | None = None
        self._collector = collector
        self._organization = organization
        self._pause = pause
        self._chance = random.Random(seed)
        self._stopping = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Run processes until :meth:`stop`; the last one comes to its end too."""
        try:
            while not self._stopping.is_set():
                self._process()
        except BaseException as wrong:
            self.failure = wrong

    def stop(self) -> None:
        """Begin no further process, and hurry."""
        self._stopping.set()

    def _process(self) -> None:
        id_, numbers, lines = f"p-{uuid.uuid4().hex[:12]}", itertools.count(1), itertools.count(1)
        attempts = 2 if self._chance.random() < 0.25 else 1
        states: list[str] = []
        shown: list[int] = []
        for attempt in range(1, attempts + 1):
            fails = attempt < attempts or self._chance.random() < 0.2
            at_step = self._chance.randrange(len(STEPS)) if fails else len(STEPS)
            states, shown = ["pending"] * len(STEPS), []
            offset = 0

            def tell(action: str, step: int | None = None, _attempt: int = attempt,
                     **beside: Any) -> None:  # fmt: skip
                self._send(self._entry(id_, next(numbers), _attempt, action, step, beside))

            tell("process.started" if attempt == 1 else "process.retried")
            for step in range(min(at_step + 1, len(STEPS))):
                tell("process.step.started", step, step_progress=0.0)
                for _ in range(LINES):
                    number = next(lines)
                    text = f"line {number}\n"
                    said = {"stream": "stdout", "offset": offset, "text": text}
                    tell("process.output", step, output=said)
                    offset += len(text)
                    shown.append(number)
                tell("process.step.progress", step, step_progress=0.5)
                states[step] = "failed" if step == at_step else "done"
                ends = "failed" if step == at_step else "completed"
                tell(f"process.step.{ends}", step)
            tell("process.failed" if fails else "process.completed")
            self._rest()
        self.ends.append(
            {
                "organization": self._organization,
                "id": id_,
                "attempt": attempts,
                "state": "failed" if "failed" in states else "done",
                "steps": states,
                "lines": shown,
            }
        )

    def _entry(
        self,
        id_: str,
        sequence: int,
        attempt: int,
        action: str,
        step: int | None,
        beside: dict[str, Any],
    ) -> bytes:
        now = datetime.now(UTC)
        progress = beside.pop("step_progress", None)
        activity: dict[str, Any] = {
            "process": {
                "id": id_,
                "name": f"Server {id_}",
                "channel": "server-provisioning",
                "attempt": attempt,
                "steps": STEPS,
                "lease": (now + timedelta(minutes=30)).isoformat(),
            },
            **beside,
        }
        if step is not None:
            activity["step"] = {"id": f"s{step}", "name": STEPS[step], "index": step}
            if progress is not None:
                activity["step"]["progress"] = progress
        entry = {
            "@timestamp": now.isoformat(),
            "event": {"id": uuid.uuid4().hex, "action": action, "sequence": sequence},
            "organization": {"id": self._organization},
            "user": {"id": "usr_1", "name": "Ada"},
            "activity": activity,
        }
        return json.dumps([entry]).encode()

    def _send(self, body: bytes) -> None:
        """Send an entry until it is confirmed; then rest."""
        while not self._sent(body):
            self.repeats += 1
            self._stopping.wait(0.2)
            threading.Event().wait(0.05)
        self._rest()

    def _sent(self, body: bytes) -> bool:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._collector.http_port, timeout=20
            )
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        try:
            self._connection.request("POST", "/v1/activities?source=native", body, headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            return False
        assert answer.status in (200, 503), said
        return answer.status == 200 and json.loads(said)["accepted"] == 1

    def _rest(self) -> None:
        self._stopping.wait(self._chance.uniform(0, 2 * self._pause))
