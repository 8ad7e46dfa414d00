"""What is known of a node between starts: its options and the process that runs it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from activity_center.config import Cluster
from activity_center.errors import NodeError
from activity_center.node.folders import NodeFolder
from activity_center.node.process import Process
from activity_center.node.security import ADMIN


@dataclass(frozen=True, slots=True)
class Options:
    """How a node is started; kept, so that the next start is the same.

    Attributes:
        heap: size of the Java heap, ``512m``, ``2g``.
        settings: further lines of ``opensearch.yml``.
        fast: quick to start and small, for tests.
    """

    port: int
    secure: bool = False
    heap: str = "512m"
    settings: dict[str, str] = field(default_factory=dict)
    fast: bool = False


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A running node.

    Attributes:
        username: empty without security, like ``password`` and ``ca``.
        ca: file of the authority that signed the node's certificate (PEM).
        log_file: the node's log.
        pid: the process.
        folder: everything of the node: configuration, data, logs.
    """

    name: str
    url: str
    username: str
    password: str = field(repr=False)
    ca: str
    log_file: str
    pid: int
    folder: str
    secure: bool
    version: str

    @property
    def cluster(self) -> Cluster:
        """The same as connections take it."""
        return Cluster(
            url=self.url, username=self.username, password=self.password, api_token="", ca=self.ca
        )


@dataclass(frozen=True, slots=True)
class Record:
    """The content of ``node.json``; ``process`` is None before it was ever started."""

    options: Options
    version: str
    process: Process | None = None


def read_record(folder: NodeFolder) -> Record | None:
    """Return the record of a node, None when there is no such node.

    Raises:
        NodeError: the file is not ours or damaged.
    """
    try:
        document = json.loads(folder.record.read_text(encoding="utf-8"))
        process = document["process"]
        return Record(
            options=Options(**document["options"]),
            version=document["version"],
            process=Process(**process) if process else None,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise NodeError(
            f"cannot be read: {wrong}",
            where=str(folder.record),
            hint="activity-center node wipe removes the node with its data",
        ) from wrong


def write_record(folder: NodeFolder, record: Record) -> None:
    """Write ``node.json`` whole or not at all."""
    partial = folder.record.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    partial.replace(folder.record)


def describe(name: str, folder: NodeFolder, record: Record) -> NodeInfo:
    """Return what a user of the running node needs."""
    secure = record.options.secure
    return NodeInfo(
        name=name,
        url=f"{'https' if secure else 'http'}://127.0.0.1:{record.options.port}",
        username=ADMIN if secure else "",
        password=_first_line(folder.admin_password) if secure else "",
        ca=str(folder.ca) if secure else "",
        log_file=str(folder.log_file),
        pid=record.process.pid if record.process else 0,
        folder=str(folder.root),
        secure=secure,
        version=record.version,
    )


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as wrong:
        raise NodeError(f"cannot be read: {wrong.strerror}", where=str(path)) from wrong
