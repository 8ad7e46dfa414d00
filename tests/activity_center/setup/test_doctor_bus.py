"""``doctor`` says whether the step bus can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_center.config import load
from activity_center.config_processes import BusConfig
from activity_center.setup.doctor import Finding, Level, diagnose_machine
from tests.activity_center.bus.servers import Bus
from tests.sidecar_api.processes.stage import Steps


@pytest.fixture(params=["embedded", "redis"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bus]:
    """One bus of each kind."""
    made = Bus(request.param, tmp_path)
    yield made
    made.close()


def found(folder: Path, bus: BusConfig) -> Finding:
    """What is said of the bus of a configuration."""
    place = f"url: {bus.url}" if bus.url else f"folder: {bus.folder}"
    file = folder / "activity-center.yml"
    file.write_text(f"collector: {{data_dir: {folder}/data}}\nbus: {{{place}}}\n")
    (finding,) = (one for one in diagnose_machine(load(file), None) if one.check == "step bus")
    return finding


def test_the_bus_can_be_asked_or_not(bus: Bus, tmp_path: Path) -> None:
    """Where it is and what it holds; where it cannot be asked, why and what to do."""
    config = bus.config()
    assert found(tmp_path, config).level is Level.OK
    steps = Steps(config)
    steps.start("prc", "acme")
    steps.close()
    finding = found(tmp_path, config)
    assert finding.level is Level.OK
    assert "of 1 collector processes" in finding.message
    assert (config.url or config.folder) in finding.message
    with bus.away():
        finding = found(tmp_path, config)
        assert finding.level is Level.FAIL
        assert (config.url or config.folder) in finding.message
        assert "bus." in finding.advice
