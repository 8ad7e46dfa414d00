"""What goes on while a release is upgraded: senders, long operations, readers, an export."""

from __future__ import annotations

import io
import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import requests
from opensearchpy import OpenSearch

from sidecar_api.export.verify import verify
from tests.faults.collector.outcome import Outcome
from tests.faults.collector.traffic import Traffic
from tests.faults.processes.producers import Producer
from tests.faults.processes.scenario import LAG, Watchers
from tests.faults.rolling.readers import Download, Tail, Watcher
from tests.faults.rolling.release import STARTS, Release
from tests.integration.process import TOKEN, until
from tests.integration.sidecar import ADMIN

SENDERS: Final[dict[str, Any]] = {"single": 4, "bulk": 1, "http": 1, "pause": 0.3}
PRODUCERS: Final = 4
STRICT: Final = 6
"""Clients that hold every message against the protocol (tests/faults/processes/watchers.py)."""
WATCHERS: Final = 2
STORED: Final = 2000
"""Entries of the export; with their padding more than all buffers on the way hold."""
_PADDING: Final = "x" * 4000
_BEFORE: Final = timedelta(minutes=10)
_SETTLED: Final = 6.0
"""Seconds: an export holds what was received until five seconds before it began."""


class Load:
    """Begins with the block and stops with it.

    Args:
        release: what it goes to.
        folder: for plans and logs.
        client: of the OpenSearch behind it.
    """

    def __init__(self, release: Release, folder: Path, client: OpenSearch, seed: int = 1) -> None:
        self._release, self._client = release, client
        organization = release.organization
        self._stored = f"{organization}_stored"
        self.traffic = Traffic(release.collectors, seed=seed, organization=organization, **SENDERS)
        self._producers = [
            Producer(release.collectors, organization, 0.1, seed + number)
            for number in range(PRODUCERS)
        ]
        self.tail = Tail(release.sidecars.port, organization, self.traffic.sent)
        self.watchers = [Watcher(release.sidecars.url, organization) for _ in range(WATCHERS)]
        plan = {
            "urls": [release.sidecars.url.replace("http", "ws", 1)],
            "clients": [(ADMIN, organization)] * STRICT,
        }
        self._strict = Watchers(folder, "strict", plan)
        self._download: Download | None = None
        self._settled = 0.0
        self._told: dict[str, int] = {}

    def __enter__(self) -> Load:
        try:
            self._store()
            self.tail.start()
            for thread in [*self.watchers, *self._producers]:
                thread.start()
            until(self._all_watch, STARTS, "not all clients watch")
            self.traffic.start()
            self.traffic.wait_acked(50, STARTS)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.traffic.__exit__()
        self.close()

    def close(self) -> None:
        """Everybody goes."""
        self.tail.stop()
        for producer in self._producers:
            producer.stop()
        for watcher in self.watchers:
            watcher.close()
        self._strict.close()

    def _all_watch(self) -> bool:
        self._strict.say("count")
        strict = self._strict.answer()["watching"]
        return (
            strict == STRICT
            and all(watcher.counts["snapshot"] for watcher in self.watchers)
            and self.tail.opened.is_set()
        )

    # -- an export that breaks --------------------------------------------------------

    def _store(self) -> None:
        """Put entries there that an export then holds."""
        then = datetime.now(UTC) - _BEFORE
        entries = [
            {
                "@timestamp": (then + timedelta(milliseconds=number)).isoformat(),
                "event": {"id": uuid.uuid4().hex, "action": "server.create"},
                "organization": {"id": self._stored},
                "user": {"id": "u-1"},
                "activity": {"resource": {"type": "server", "id": f"s-{number}"}},
                "note": _PADDING,
            }
            for number in range(STORED)
        ]
        for start in range(0, STORED, 500):
            answer = requests.post(
                f"{self._release.collectors.url}/v1/activities?source=native",
                json=entries[start : start + 500],
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=60,
            )
            assert answer.json()["accepted"] == 500, answer.text
        self._settled = time.monotonic() + _SETTLED

    def begin_download(self) -> None:
        """Begin an export at the sidecar that is replaced first, and take little of it."""
        until(self._is_stored, STARTS, "the entries of the export are not there")
        until(lambda: time.monotonic() > self._settled)
        query = urlencode({"format": "ndjson", "organization": self._stored})
        self._download = Download(self._release.readers[0], f"/api/v1/activities/export?{query}")

    def _is_stored(self) -> bool:
        index = "activity-audit-permanent"
        self._client.indices.refresh(index=index)
        query = {"query": {"term": {"organization.id": self._stored}}}
        return bool(self._client.count(index=index, body=query)["count"] == STORED)

    def finish_download(self) -> None:
        """Once the sidecar is gone, what came is no whole export, and goes on at another one."""
        assert self._download is not None
        self._release.wait_ended()
        begun, cut = self._download.rest()
        assert cut
        assert not verify(io.BytesIO(begun)).whole
        again = self._again()
        assert verify(io.BytesIO(again)).whole
        assert again.count(b"\n") == STORED + 1  # and the manifest
        assert 0 < len(begun) < len(again)
        assert begun + self._again(len(begun)) == again

    def _again(self, offset: int = 0) -> bytes:
        assert self._download is not None
        answer = requests.get(
            f"{self._release.sidecars.url}{self._download.location}&offset={offset}",
            headers={"Authorization": f"Bearer {ADMIN}"},
            timeout=120,
        )
        assert answer.status_code == 200, answer.text
        return answer.content

    # -- the end ---------------------------------------------------------------------

    def finish(self) -> Outcome:
        """Everything comes to its end; then all is looked up and compared."""
        self.traffic.wait_acked(100, STARTS)  # also what is sent to those that came anew
        self.traffic.stop()
        for producer in self._producers:
            producer.stop()
        for producer in self._producers:
            producer.join(120)
            assert not producer.is_alive() and producer.failure is None, producer.failure
        for collector in self._release.pods:
            collector.wait_delivered(120)
            until(lambda one=collector: one.metric(LAG) == 0, why=collector.tail())
        self._check_watchers()
        self._check_tail()
        outcome = counted(self._client, self.traffic)
        outcome.note = (
            f"{self.traffic.repeats} requests repeated; tail cut {self.tail.cut} times, "
            f"{self.tail.resets} resets; {dict(self.watchers[0].counts)}; {self._told}"
        )
        return outcome

    def _check_watchers(self) -> None:
        expected = [end for producer in self._producers for end in producer.ends]
        assert expected
        self._strict.say(f"final {json.dumps(expected)}")
        strict = self._strict.answer()
        self._told = strict["counts"]
        details = json.dumps(strict, indent=1)
        assert not strict["wrong"] and not strict["differing"], details
        assert strict["counts"]["changes"] > 0 and strict["counts"]["cut"] > 0, details
        for watcher in self.watchers:
            shows = {
                id_: (one["state"], [step["state"] for step in one["steps"]])
                for id_, one in watcher.processes.items()
            }
            for end in expected:
                assert shows.get(end["id"]) == (end["state"], end["steps"]), watcher.counts
            assert watcher.wrong == [] and watcher.failure is None, watcher.counts
            assert watcher.counts["waiting"] > 0, watcher.counts  # its sidecar was replaced

    def _check_tail(self) -> None:
        acked = self.traffic.acked
        assert acked - self.tail.excused
        until(
            lambda: acked <= self.tail.seen.keys() | self.tail.excused,
            why=f"of {len(acked)} the tail shows {len(self.tail.seen)}",
        )
        assert self.tail.failure == ""
        assert [key for key, count in self.tail.seen.items() if count > 1] == []
        assert self.tail.cut > 0


def counted(client: OpenSearch, traffic: Traffic) -> Outcome:
    """Look every event up; it has to be there once.

    A second copy may come to be in a rollover; it is removed when its minute is over
    (docs/decisions/0002).
    """
    outcome = Outcome("rolling restart")
    until(
        lambda: not outcome.count(client, traffic.acked, traffic.sent).twice,
        timeout=100,
        why=f"there twice: {outcome.twice}",
    )
    outcome.check()
    return outcome
