"""A sidecar process over a step bus that the test writes itself, and people who watch it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests
from jsonschema import Draft202012Validator, FormatChecker

from activity_center.bus import Writer, open_writer
from activity_center.config_processes import BusConfig
from activity_center.processes import MESSAGES_SCHEMA
from tests.activity_center.processes.entries import entry_of
from tests.integration.sidecar import Sidecar

if TYPE_CHECKING:
    from tests.conftest import Node

_SCHEMA: Final = json.loads(MESSAGES_SCHEMA.read_text())
_VALIDATORS: Final = {
    part: Draft202012Validator(
        {**_SCHEMA, "anyOf": [{"$ref": f"#/$defs/{part}"}]}, format_checker=FormatChecker()
    )
    for part in ("server", "client", "process", "delta")
}
ROLES: Final = {"watcher": ["process:view"], "auditor": ["org:audit"]}


def valid(document: Any, part: str = "server") -> Any:
    """What is said is as the protocol has it: a message of the server, or another part."""
    _VALIDATORS[part].validate(document)
    return document


def at(seconds: float = 0.0) -> str:
    """A time that many seconds from now."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Steps:
    """One collector's stream on a bus, and what its programs tell.

    Args:
        config: of the bus.
        stream: its name.

    Attributes:
        epoch, position: of the last entry.
    """

    def __init__(self, config: BusConfig, stream: str = "one-0") -> None:
        self.config = config
        self._stream = stream
        self._next = 1
        self.position = 0
        self._writer: Writer | None = None
        self.epoch = ""
        self.sequence = 0

    def begin(self) -> None:
        """Begin a new epoch: what was published is gone."""
        self.epoch = uuid.uuid4().hex
        self._open().begin(self.epoch)
        self._next, self.position = 1, 0

    def entry(self, process: str, action: str, organization: str, **fields: Any) -> dict[str, Any]:
        """An activity of a process; ``__`` stands for the dot in names of further fields."""
        self.sequence += 1
        return entry_of(
            process,
            action,
            self.sequence,
            organization=organization,
            at=fields.pop("at", None) or at(),
            id=uuid.uuid4().hex,
            **fields,
        )

    def publish(self, *entries: Mapping[str, Any]) -> None:
        """Publish activities, in one go."""
        writer = self._open()
        if not self.epoch:
            self.begin()
        rows = [(self._next + n, json.dumps(one).encode()) for n, one in enumerate(entries)]
        place = writer.publish((self.epoch, self.position), rows)
        self.position, self._next = self._next + len(rows) - 1, self._next + len(rows)
        assert place == (self.epoch, self.position), "the bus did not take it"

    def skip(self, count: int) -> None:
        """Leave positions out, as entries that are no steps do."""
        self._next += count

    def start(self, process: str, organization: str, channel: str = "ssl", **fields: Any) -> None:
        """Publish the beginning of a process."""
        said = {"activity__process__channel": channel, "activity__process__name": process, **fields}
        self.publish(self.entry(process, "process.started", organization, **said))

    def move(self, process: str, organization: str, *numbers: int) -> None:
        """Publish progress, each of it a change of its own: ``number`` thousandths."""
        self.publish(
            *(
                self.entry(
                    process,
                    "process.progress",
                    organization,
                    activity__process__progress=number / 1000,
                )
                for number in numbers
            )
        )

    def print(self, process: str, organization: str, text: str, offset: int = 0) -> None:
        """Publish output."""
        said = {"stream": "stdout", "offset": offset, "text": text}
        made = self.entry(process, "process.output", organization, activity__output=said)
        self.publish(made)

    def close(self) -> None:
        """Let the bus go."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> Writer:
        if self._writer is None:
            self._writer = open_writer(self.config, self._stream)
        return self._writer


class Stage:
    """A sidecar over a bus of its own, with people of two organizations.

    ``admin`` sees all; ``owner`` and ``other`` watch organization ``a`` and ``b``; ``limited``
    watches workspace ``lab`` and resource ``srv`` of ``a``; ``auditor`` reads the trail of ``a``
    and watches nothing; ``stranger`` has no role.

    Args:
        bus: default: an embedded one.
        pace: see :class:`tests.integration.sidecar.Sidecar`.
        sidecar: further keys of the section ``sidecar``.
    """

    def __init__(
        self,
        node: Node,
        folder: Path,
        *,
        bus: BusConfig | None = None,
        pace: Mapping[str, dict[str, float]] | None = None,
        **sidecar: Any,
    ) -> None:
        mark = uuid.uuid4().hex[:12]
        self.mark, self.a, self.b = mark, f"a{mark}", f"b{mark}"
        self.bus = bus or BusConfig(folder=str(folder / "steps"))
        self.steps = Steps(self.bus)
        self.sidecar = Sidecar(
            folder / "sidecar", node.cluster, rate_limit={"requests": 1_000_000}, **sidecar
        )
        self.sidecar.pace = dict(pace or {})
        limits = {"role": "watcher", "workspaces": ["lab"], "resources": ["srv"]}
        self.people: dict[str, dict[str, Any]] = {
            "admin": {"platform_roles": ["platform_admin"]},
            "owner": {"organizations": {self.a: "owner"}},
            "second": {"organizations": {self.a: "owner"}},
            "other": {"organizations": {self.b: "viewer"}},
            "limited": {"organizations": {self.a: [limits]}},
            "auditor": {"organizations": {self.a: "auditor"}},
            "stranger": {},
        }
        section = {"url": self.bus.url} if self.bus.url else {"folder": self.bus.folder}
        self.sidecar.document |= {
            "organizations": {self.a: {}, self.b: {}},
            "roles": {name: {"permissions": some} for name, some in ROLES.items()},
            "bus": section,
            "identity": {
                "people": [{"id": self.id(who), **one} for who, one in self.people.items()],
                "tokens": [
                    {
                        "name": who,
                        "person": self.id(who),
                        "token_sha256": hashlib.sha256(self.token(who).encode()).hexdigest(),
                    }
                    for who in self.people
                ],
            },
        }

    def id(self, who: str) -> str:
        """The id of a person."""
        return f"{who}-{self.mark}"

    def token(self, who: str) -> str:
        """Their API token."""
        return f"token-of-{who}-{self.mark}"

    @property
    def port(self) -> int:
        """Where the sidecar listens."""
        return self.sidecar.port

    @property
    def url(self) -> str:
        """Address of the sidecar."""
        return self.sidecar.url

    def start(self) -> Stage:
        """Start the sidecar and wait until it is ready."""
        self.sidecar.start()
        return self

    def get(self, path: str, who: str = "owner", **rest: Any) -> requests.Response:
        """Ask over HTTP."""
        return self.sidecar.get(path, token=self.token(who) if who else "", **rest)

    def poll(self, who: str = "owner", since: str = "", **query: str) -> dict[str, Any]:
        """Poll; what is answered is as the protocol has it."""
        asked = {**query, **({"since": since} if since else {})}
        answer = self.get("/api/v1/processes/live", who, params=asked)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        for one in said["processes"] or ():
            valid(one, "process")
        for one in said["changes"]:
            valid(one, "delta")
        return said

    def sign_in(self, who: str) -> str:
        """Begin a session; return the header ``Cookie``."""
        answer = requests.post(
            f"{self.url}/api/v1/session", json={"token": self.token(who)}, timeout=30
        )
        assert answer.status_code == 204, answer.text
        return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())

    def sees(self, process: str, who: str = "owner") -> dict[str, Any] | None:
        """A process as somebody is shown it now."""
        found = self.poll(who, process=process)["processes"]
        return found[0] if found else None

    def metric(self, name: str) -> float:
        """Sum of a metric of the sidecar."""
        answer = self.get("/metrics", "admin")
        assert answer.status_code == 200, answer.text
        full = f"activity_center_sidecar_{name}"
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in answer.text.splitlines()
            if line.split("{")[0].split(" ")[0] == full
        )

    def kill(self) -> None:
        """SIGKILL the sidecar and its workers, and reap."""
        self.sidecar.__exit__()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.steps.close()
