"""A release of the chart as processes, and its upgrade in the chart's order.

``helm upgrade`` runs the install Job first. Then the StatefulSet ends one collector at a time,
the last first, and starts its successor on the same volume; the Deployment of the bus ends its
one pod before it starts another (``Recreate``); the Deployment of the sidecars has a new one
ready before an old one is told to end (``maxSurge: 1``, ``maxUnavailable: 0``). A pod leaves its
Service, gets SIGTERM and has to end within ``terminationGracePeriodSeconds``.

The chart waits five seconds between the two (``preStop``); here that is left out: it is harder.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Final

from activity_center.config import Cluster
from tests.activity_center.bus.servers import RedisServer
from tests.faults.rolling.service import Collectors, Service
from tests.integration.process import TOKEN, Collector
from tests.integration.sidecar import Sidecar

DRAIN: Final = 5
"""``collector.drainSeconds``."""
COLLECTOR_GRACE: Final = DRAIN + 30
SIDECAR_GRACE: Final = 45
"""Seconds: terminationGracePeriodSeconds in templates/collector.yaml and sidecar.yaml."""
STARTS: Final = 180.0
"""Seconds that a process may need to be ready, on a machine that does much else."""


class Release:
    """Two collectors, a bus, two sidecars, and the Services before them.

    Args:
        folder: for everything.
        cluster: where all of it delivers and searches.
        collector_cluster: where the second collector delivers, instead.

    Attributes:
        organization: a name of this release's own, for what is sent.
        collectors: the Service; ``sidecars`` likewise.
        readers: the sidecars that are ready; ``pods``: the collectors.
        exits: exit codes of all that has ended, with their names.
    """

    def __init__(
        self, folder: Path, cluster: Cluster, *, collector_cluster: Cluster | None = None
    ) -> None:
        self.organization = f"rolling_{uuid.uuid4().hex[:8]}"
        self.collectors, self.sidecars = Collectors(), Service()
        self.exits: list[tuple[str, int]] = []
        self.pods = [
            self._collector(folder, number, one)
            for number, one in enumerate((cluster, collector_cluster or cluster))
        ]
        # As the bundled one: it keeps nothing on disk.
        self.bus = RedisServer(folder / "bus", "--maxmemory-policy", "noeviction")
        self.readers: list[Sidecar] = []
        self._ending: list[Sidecar] = []
        self._folder, self._cluster = folder, cluster
        self._token = folder / "recording-token"
        self._token.write_text(TOKEN)
        self._token.chmod(0o600)
        self._made = 0

    # -- parts -----------------------------------------------------------------------

    def _collector(self, folder: Path, number: int, cluster: Cluster) -> Collector:
        keys = folder / "keys"
        keys.mkdir(parents=True, exist_ok=True)
        for name in ("redaction.key", "digest.key"):
            (keys / name).write_bytes(hashlib.sha256(name.encode()).digest())
            (keys / name).chmod(0o600)
        return Collector(
            folder / f"collector{number}",
            cluster,
            drain_timeout=DRAIN,
            deliver={"linger": 0.05, "timeout": 20},
            redaction={"hash_key_file": str(keys / "redaction.key")},
            digest_key_file=str(keys / "digest.key"),
        )

    def sidecar(self) -> Sidecar:
        """A new pod: its folder is empty but for the key that all share."""
        made = Sidecar(
            self._folder / f"sidecar{self._made}",
            self._cluster,
            recording={"url": self.collectors.url, "token_file": str(self._token)},
            rate_limit={"requests": 100_000, "exports": 10},
        )
        self._made += 1
        data = made.folder / "data"
        data.mkdir(parents=True, mode=0o700)
        (data / "secret.key").write_bytes(hashlib.sha256(self.organization.encode()).digest())
        (data / "secret.key").chmod(0o600)
        made.document["bus"] = {"url": self.bus.url}
        made.document["organizations"] = {self.organization: {}}
        return made

    # -- life ------------------------------------------------------------------------

    def start(self, readers: int = 2) -> None:
        """``helm install``: the hook, then everything, until it is ready.

        Args:
            readers: how many sidecars.
        """
        for collector in self.pods:
            collector.document["bus"] = {"url": self.bus.url}
            collector.write()
        self.hook()
        for collector in self.pods:
            collector.start(wait=False)
        self.readers = [self.sidecar() for _ in range(readers)]
        for sidecar in self.readers:
            sidecar.launch()
        for collector in self.pods:
            self._arrived(collector)
        for sidecar in self.readers:
            self._ready(sidecar)

    def hook(self) -> None:
        """The install Job."""
        verb = [sys.executable, "-m", "activity_center", "install", "--yes", "--config"]
        subprocess.run([*verb, str(self.pods[0].config)], check=True, env={**os.environ})

    def end_collector(self, number: int) -> None:
        """A collector ends: it leaves the Service and gets SIGTERM."""
        collector = self.pods[number]
        self.collectors.remove(collector.http_port, collector.forward_port)
        self.exits.append((f"collector {number}", collector.terminate(COLLECTOR_GRACE)))

    def begin_collector(self, number: int) -> None:
        """A collector starts, on its volume."""
        self.pods[number].start(wait=False)
        self._arrived(self.pods[number])

    def roll_collectors(self) -> None:
        """One after the other, the last first."""
        for number in reversed(range(len(self.pods))):
            self.end_collector(number)
            self.begin_collector(number)

    def roll_bus(self) -> None:
        """The one ends, then the other starts."""
        self.exits.append(("bus", self.bus.terminate()))
        self.bus.start()

    def roll_sidecars(self) -> None:
        """For each: a new one is ready, then the old one is told to end."""
        for old in list(self.readers):
            new = self.sidecar()
            new.launch()
            self.readers.append(new)
            self._ready(new)
            self.readers.remove(old)
            self.sidecars.remove(old.port)
            old.signal(signal.SIGTERM)
            self._ending.append(old)  # the Deployment does not wait for its end

    def wait_ended(self) -> None:
        """Return when the sidecars that were replaced are gone."""
        while self._ending:
            old = self._ending[0]
            assert old.process is not None
            self.exits.append((old.folder.name, old.process.wait(SIDECAR_GRACE)))
            self._ending.remove(old)

    def upgrade(self) -> None:
        """``helm upgrade``, in the chart's order."""
        self.hook()
        self.roll_collectors()
        self.roll_bus()
        self.roll_sidecars()

    def stop(self) -> None:
        """``helm uninstall``: all end."""
        for number in [number for number, one in enumerate(self.pods) if one.alive]:
            self.end_collector(number)
        for sidecar in self.readers:
            self.sidecars.remove(sidecar.port)
            sidecar.signal(signal.SIGTERM)
        self._ending += self.readers
        self.readers = []
        self.wait_ended()
        self.exits.append(("bus", self.bus.terminate()))

    def close(self) -> None:
        """Kill what still runs."""
        self.collectors.close()
        self.sidecars.close()
        for collector in self.pods:
            collector.kill()
        for sidecar in [*self.readers, *self._ending]:
            sidecar.__exit__()
        self.bus.kill()

    def _arrived(self, collector: Collector) -> None:
        collector.wait_ready(STARTS)
        self.collectors.add(collector.http_port, collector.forward_port)

    def _ready(self, sidecar: Sidecar) -> None:
        sidecar.wait_ready(STARTS)
        self.sidecars.add(sidecar.port)
