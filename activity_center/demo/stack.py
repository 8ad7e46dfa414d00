"""What the demo runs on: a collector and a sidecar with one configuration of their own."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from activity_center.config import Cluster
from activity_center.demo.people import ADMINISTRATOR, controllers, names, people
from activity_center.demo.process import Service
from activity_center.errors import ConfigError
from activity_center.private_file import write_private

FORWARD_SENDER: Final = "fluentd"
"""Sender of everything that comes over the Forward listener."""
SIDECAR_SENDER: Final = "sidecar"
"""Sender of what the sidecar itself records: who read what."""
AGENTS_SENDER: Final = "agents"
"""Sender of what AI agents do, and of who approved it."""
_KEPT: Final = frozenset({"accepted", "ignored"})
_REFUSED: Final = frozenset({"rejected", "conflict"})
_CONFIRMED: Final = frozenset({"created", "existed"})


@dataclass(slots=True)
class Stack:
    """The demo's processes.

    Attributes:
        folder: configuration, logs and data.
        tokens: sender -> bearer token, made anew for each run; the configuration has their
            hashes, and 0600 files beside it those that printed commands need.
        persons: organization -> API token of somebody who may control its processes.
        reader: API token of whom the page takes you for.
    """

    folder: Path
    cluster: Cluster
    organizations: dict[str, dict[str, Any]]
    senders: tuple[str, ...]
    forward_port: int = 0
    http_port: int = 0
    health_port: int = 0
    page_port: int = 0
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    persons: dict[str, str] = field(default_factory=dict, repr=False)
    reader: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    collector: Service = field(init=False)
    sidecar: Service = field(init=False)

    def __post_init__(self) -> None:
        self.forward_port = _port(24224)
        self.http_port = _port(8080)
        self.health_port = _port(9600)
        self.page_port = _port(8600)
        self.tokens = {
            sender: secrets.token_urlsafe(24) for sender in (*self.senders, SIDECAR_SENDER)
        }
        self.persons = {one: secrets.token_urlsafe(24) for one in controllers()}
        health = f"http://127.0.0.1:{self.health_port}"
        self.collector = Service("collect", self.config, self.folder / "collector.log", health)
        self.sidecar = Service("serve", self.config, self.folder / "sidecar.log", self.page)

    @property
    def config(self) -> Path:
        """The configuration file, written at start."""
        return self.folder / "activity-center.yml"

    @property
    def url(self) -> str:
        """Base address of the collector's HTTP listener."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def page(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.page_port}"

    def start(self) -> None:
        """Write the configuration and start the collector.

        Raises:
            ActivityCenterError: it does not become ready; says where the log is.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Commands that are printed to be copied read the configuration too: no variable, a file.
        write_private(self._token_file, self.tokens[SIDECAR_SENDER].encode())
        write_private(self.reader_file, self.reader.encode())
        self.config.write_text(yaml.safe_dump(self._document(), sort_keys=False), encoding="utf-8")
        self.collector.start(self._environment())

    def start_page(self) -> None:
        """Start the sidecar, which serves the page.

        Raises:
            ActivityCenterError: it does not become ready; says where the log is.
        """
        self.sidecar.start(self._environment())

    def stop(self) -> None:
        """End the sidecar, then drain and end the collector."""
        self.sidecar.stop()
        self.collector.stop()

    @property
    def reader_file(self) -> Path:
        """File with the token of a reader, written at start."""
        return self.folder / "reader.token"

    @property
    def _token_file(self) -> Path:
        return self.folder / "sidecar.token"

    def rejected(self) -> int:
        """Return how many records were rejected since the start, at the door or on delivery."""
        return sum(
            count
            for name, outcome, count in self._outcomes()
            if (name == "records" and outcome not in _KEPT)
            or (name == "deliver_documents" and outcome in _REFUSED)
        )

    def delivered(self) -> int:
        """Return how many documents OpenSearch has confirmed since the start: made, or there."""
        return sum(
            count
            for name, outcome, count in self._outcomes()
            if name == "deliver_documents" and outcome in _CONFIRMED
        )

    def _outcomes(self) -> Iterator[tuple[str, str, int]]:
        """Yield (metric without prefix and ``_total``, outcome, count) of each such sample."""
        for line in self.collector.get("/metrics").splitlines():
            name, _, rest = line.partition("{")
            outcome = rest.partition('outcome="')[2].partition('"')[0]
            if outcome and name.startswith("activity_center_") and name.endswith("_total"):
                count = int(float(line.rsplit(" ", 1)[1]))
                yield name.removeprefix("activity_center_").removesuffix("_total"), outcome, count

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self.cluster.password:
            environment["ACTIVITY_CENTER_DEMO_PASSWORD"] = self.cluster.password
        if self.cluster.api_token:
            environment["ACTIVITY_CENTER_DEMO_API_TOKEN"] = self.cluster.api_token
        return environment

    def _document(self) -> dict[str, Any]:
        opensearch: dict[str, Any] = {"url": self.cluster.url}
        if self.cluster.username:
            opensearch["username"] = self.cluster.username
        if self.cluster.password:
            opensearch["password"] = "${ACTIVITY_CENTER_DEMO_PASSWORD}"  # noqa: S105 - a name
        if self.cluster.api_token:
            opensearch["api_token"] = "${ACTIVITY_CENTER_DEMO_API_TOKEN}"  # noqa: S105
        if self.cluster.ca:
            opensearch["ca"] = self.cluster.ca
        return {
            "opensearch": opensearch,
            "collector": {
                "data_dir": str(self.folder / "data"),
                "forward": [{"bind": f"127.0.0.1:{self.forward_port}", "sender": FORWARD_SENDER}],
                "http": [{"bind": f"127.0.0.1:{self.http_port}"}],
                "health": f"127.0.0.1:{self.health_port}",
            },
            "senders": [{"name": FORWARD_SENDER}, *self._senders()],
            "organizations": {
                id_: {**section, "name": names()[id_]}
                for id_, section in self.organizations.items()
            },
            # With a login the rules want a second one, opensearch.maintain: not to be guessed.
            "alerts": {"enabled": not (self.cluster.username or self.cluster.api_token)},
            "identity": {
                "people": people(),
                "tokens": [*self._person_tokens()],
                "development": ADMINISTRATOR,
            },
            "sidecar": {
                "bind": f"127.0.0.1:{self.page_port}",
                "data_dir": str(self.folder / "sidecar"),
                "recording": {"url": self.url, "token_file": str(self._token_file)},
            },
        }

    def _senders(self) -> Iterable[dict[str, Any]]:
        for name, token in self.tokens.items():
            one = {"name": name, "token_sha256": hashlib.sha256(token.encode()).hexdigest()}
            # These two know who signed in to decide.
            trusted = name in (AGENTS_SENDER, SIDECAR_SENDER)
            yield {**one, "may_assert": ["approver"]} if trusted else one

    def _person_tokens(self) -> Iterable[dict[str, Any]]:
        tokens = [
            ("reader", ADMINISTRATOR, self.reader),
            *((one, person, self.persons[one]) for one, person in controllers().items()),
        ]
        for name, person, token in tokens:
            digest = hashlib.sha256(token.encode()).hexdigest()
            yield {"name": f"demo-{name}", "person": person, "token_sha256": digest}


def _port(preferred: int) -> int:
    """The usual port, or a free one when somebody has it."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConfigError("no free port on 127.0.0.1")
