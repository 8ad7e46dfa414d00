"""Fixtures for all tests: real OpenSearch nodes, shared by the whole run or one's own.

The run's nodes live under a folder of the run (``ACTIVITY_CENTER_STATE``) that only it
uses; the process that started pytest wipes them at the end, and those that a killed run
left behind at the start of the next one. Workers of xdist share them. While working on one
test, ``ACTIVITY_CENTER_KEEP_NODES=/some/folder`` keeps the shared nodes up from run to run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from opensearchpy import OpenSearch

from activity_center import node
from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.node.process import Process, identify, is_alive

RUNS = Path(tempfile.gettempdir()) / f"activity-center-tests-{os.getuid()}"


@dataclass(frozen=True, slots=True)
class Node:
    """A running OpenSearch: its address and a client; ``cluster`` has login and CA too."""

    info: node.NodeInfo
    client: OpenSearch

    @property
    def url(self) -> str:
        return self.info.url

    @property
    def cluster(self) -> Cluster:
        return self.info.cluster


class OwnNode:
    """A node of one test, which may stop, kill and restart it."""

    def __init__(self, name: str, settings: Mapping[str, str] | None, *, secure: bool) -> None:
        self.name = name
        self.info = node.start(name, settings=settings, secure=secure, fast=True)
        self.client = connect(self.cluster)

    @property
    def url(self) -> str:
        return self.info.url

    @property
    def cluster(self) -> Cluster:
        return self.info.cluster

    def stop(self) -> None:
        """End it in good order; data and port stay."""
        assert node.stop(self.name)

    def kill(self) -> None:
        """SIGKILL it; data and port stay."""
        assert node.kill(self.name)

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start it again with its data on its port; ``settings`` replace those it had."""
        self.info = node.start(self.name, settings=settings)

    def close(self) -> None:
        """Remove it."""
        self.client.close()
        node.wipe(self.name)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the user's own cluster and nodes."""
    for variable in [name for name in os.environ if name.startswith("OPENSEARCH_")]:
        del os.environ[variable]
    if hasattr(config, "workerinput"):  # a worker of xdist: the controller has done the rest
        return
    if "ACTIVITY_CENTER_KEEP_NODES" in os.environ:  # a folder: nodes stay up between runs
        kept = Path(os.environ["ACTIVITY_CENTER_KEEP_NODES"])
        kept.mkdir(parents=True, exist_ok=True)
        kept.chmod(0o755)
        os.environ["ACTIVITY_CENTER_STATE"] = str(kept)
        return
    # Nodes of root run under another account: the folders must be open to it.
    RUNS.mkdir(exist_ok=True)
    RUNS.chmod(0o755)
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=RUNS))
    folder.chmod(0o755)
    me = identify(os.getpid())
    assert me is not None
    (folder / "owner.json").write_text(json.dumps({"pid": me.pid, "started": me.started}))
    os.environ["ACTIVITY_CENTER_STATE"] = str(folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's nodes, whatever became of the tests."""
    if hasattr(config, "workerinput") or "ACTIVITY_CENTER_KEEP_NODES" in os.environ:
        return
    if "ACTIVITY_CENTER_STATE" in os.environ:
        _remove(Path(os.environ.pop("ACTIVITY_CENTER_STATE")))


def _sweep() -> None:
    """Remove what killed runs left: their owner no longer lives."""
    for folder in RUNS.glob("run-*"):
        try:
            owner = Process(**json.loads((folder / "owner.json").read_text()))
        except (OSError, ValueError):
            continue  # being made just now, or being removed by another run
        if not is_alive(owner):
            _remove(folder)


def _remove(folder: Path) -> None:
    before = os.environ.get("ACTIVITY_CENTER_STATE")
    os.environ["ACTIVITY_CENTER_STATE"] = str(folder)
    try:
        for place in (folder / "nodes").glob("[a-z0-9]*"):
            node.kill(place.name)
            node.wipe(place.name)
    finally:
        del os.environ["ACTIVITY_CENTER_STATE"]
        if before is not None:
            os.environ["ACTIVITY_CENTER_STATE"] = before
    shutil.rmtree(folder, ignore_errors=True)


def _shared(name: str, *, secure: bool) -> Iterator[Node]:
    # Half an hour of tests leaves much in it: with 512 MB its circuit breaker opens at the end.
    info = node.start(name, secure=secure, fast=True, heap="768m")
    client = connect(info.cluster)
    yield Node(info, client)
    client.close()


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Node]:
    """A node without security, shared by the run: keep apart by ids of your own."""
    yield from _shared("shared", secure=False)


@pytest.fixture(scope="session")
def calm_opensearch() -> Iterator[Node]:
    """A node that no test writes to: a sidecar that starts on it finds nothing that happened
    just now, whatever other tests do meanwhile."""
    yield from _shared("calm", secure=False)


@pytest.fixture(scope="session")
def secure_opensearch() -> Iterator[Node]:
    """A node with security, shared by the run; ``cluster`` logs in as the administrator."""
    yield from _shared("shared-secure", secure=True)


@pytest.fixture(scope="module")
def alone_with_accounts() -> Iterator[None]:
    """For modules that change accounts of the shared node: one at a time, over all workers.

    The security plugin refuses two changes at once (409).
    """
    with (Path(os.environ["ACTIVITY_CENTER_STATE"]) / "accounts.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def own_node(request: pytest.FixtureRequest) -> Iterator[Callable[..., OwnNode]]:
    """Start nodes for this test alone: ``own_node(settings={...}, secure=False)``."""
    made: list[OwnNode] = []
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")

    def make(settings: Mapping[str, str] | None = None, *, secure: bool = False) -> OwnNode:
        name = f"own-{worker}-{abs(hash(request.node.nodeid)) % 10**9}-{len(made)}"
        made.append(OwnNode(name, settings, secure=secure))
        return made[-1]

    yield make
    for one in made:
        one.close()
