"""A sidecar over a bus of the test's own: one for a module, or one for a test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from activity_center.bus import open_reader
from activity_center.config_processes import BusConfig
from sidecar_api.processes import Hub
from tests.activity_center.bus.servers import Bus
from tests.collector.alerts.parts import Receiver
from tests.sidecar_api.processes.clients import SECRET
from tests.sidecar_api.processes.stage import Stage, Steps
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node

QUICK: Final = {
    "sidecar_api.processes.messages": {"HEARTBEAT": 2, "SILENCE": 6.0},
    "sidecar_api.processes.sockets": {"RECHECK": 6.0},
    "sidecar_api.routes.processes_live": {"RECHECK": 6.0},
}
"""Signs of life, and looks at rights, ten times as often as in production."""


@pytest.fixture(scope="session")
def calm_streams(calm_opensearch: Node) -> Node:
    """The calm node with templates and streams: what comes by the bus alone is known there."""
    put_templates(calm_opensearch.client)
    return calm_opensearch


@pytest.fixture(scope="module")
def stage(calm_streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One sidecar for the module: its tests use processes of their own."""
    with Stage(calm_streams, tmp_path_factory.mktemp("live")) as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def quick_stage(calm_streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """As ``stage``, where signs of life and looks at rights come after seconds, not after a
    minute: what a loaded machine holds up must not look like a client that is gone."""
    with Stage(calm_streams, tmp_path_factory.mktemp("quick"), pace=QUICK) as made:
        made.start()
        yield made


@pytest.fixture
def make_stage(calm_streams: Node, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Make a sidecar for this test alone, which is yet to be started."""
    made: list[Stage] = []

    def make(**options: Any) -> Stage:
        made.append(Stage(calm_streams, tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


@pytest.fixture
def process() -> str:
    """The id of a process of this test's own."""
    return f"prc_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[Steps]:
    """A stream on an embedded bus."""
    made = Steps(BusConfig(folder=str(tmp_path / "steps")))
    yield made
    made.close()


@pytest.fixture(params=["embedded", "redis"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bus]:
    """One bus of each kind."""
    made = Bus(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def hubs() -> Iterator[Callable[..., Hub]]:
    """Make hubs, each as a sidecar of its own has it."""
    made: list[Hub] = []

    def make(config: BusConfig, secret: bytes = SECRET, **options: Any) -> Hub:
        earlier = options.pop("earlier", lambda _seen: ())
        made.append(Hub(lambda: open_reader(config), earlier, secret, **options))
        made[-1].ready()
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def other() -> Iterator[Receiver]:
    """The webhook of another channel, which is told when there is a place again."""
    made = Receiver()
    yield made
    made.close()
