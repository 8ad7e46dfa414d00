"""One wish is one control, of one attempt: all the way round."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from activity_center.config import Cluster
from activity_center.emit import Process
from tests.integration.controls import Place, Running
from tests.integration.process import until
from tests.integration.sidecar import Sidecar
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture
def place(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Sidecar, collector and OpenSearch."""
    put_templates(opensearch.client)
    made = Place(opensearch, tmp_path_factory.mktemp("place"))
    yield made
    made.close()


def test_a_clean_up_does_not_reach_the_attempt_after_its_own(place: Place) -> None:
    """Asked at once with a retry it is refused; recorded all the same, as another sidecar may in
    the same moment, it is void once the next attempt has begun, and no program hears of it."""
    cleaned: list[int] = []

    def work(process: Process) -> None:
        with process, process.step("Build"):
            raise OSError("no space left")

    def again(process: Process) -> None:
        with pytest.raises(OSError, match="no space"):
            work(process)

    process = place.emitter().process(
        "git-deploy",
        "Deploy",
        steps=["Build"],
        on_retry=again,
        on_cleanup=lambda one: cleaned.append(one.attempt),
    )
    again(process)
    place.wait(process.id, lambda one: one["controls"] == ["cleanup", "retry"])
    assert place.ask(process.id, "retry").status_code == 202
    refused = place.ask(process.id, "cleanup")
    assert (refused.status_code, "asked already" in refused.text) == (409, True)
    place.wait(process.id, lambda one: (one["attempt"], one["state"]) == (2, "failed"))
    id_ = place.requested(process, "cleanup", 50, attempt=1)
    shown = place.wait(process.id, lambda one: len(one["requests"]) == 2)
    (late,) = [one for one in shown["requests"] if one["id"] == id_]
    assert (late["attempt"], late["state"]) == (1, "expired")
    assert cleaned == []
    assert place.ask(process.id, "cleanup").status_code == 202
    place.wait(process.id, lambda one: one["cleaned"])
    assert cleaned == [2]


def test_the_same_wish_at_two_sidecars_is_recorded_once(place: Place, tmp_path: Path) -> None:
    """Both are asked before either has heard of the other's: one control, and one entry."""
    running = Running(place)
    place.wait(running.id, lambda one: one["controls"] == ["cancel"])
    url = place.sidecar.document["opensearch"]["url"]
    other = Sidecar(tmp_path, Cluster(url=url), **place.sidecar.document["sidecar"])
    other.document = {**place.sidecar.document, "sidecar": dict(other.document["sidecar"])}
    other.document["sidecar"] |= {
        "bind": f"127.0.0.1:{other.port}",
        "data_dir": str(tmp_path / "data"),
    }
    (tmp_path / "data").mkdir(mode=0o700)
    key = place.sidecar.folder / "data" / "secret.key"
    (tmp_path / "data" / "secret.key").write_bytes(key.read_bytes())
    (tmp_path / "data" / "secret.key").chmod(0o600)
    answers: list[requests.Response] = []
    ready = threading.Barrier(2)
    headers = {"Authorization": "Bearer person-owner", "Idempotency-Key": uuid.uuid4().hex}

    def send(sidecar: Sidecar) -> None:
        path = f"{sidecar.url}/api/v1/processes/{running.id}/cancel"
        ready.wait()
        answers.append(requests.post(path, headers=headers, json={}, timeout=30))

    with other:
        other.start()
        live = f"/api/v1/processes/live?process={running.id}"
        until(lambda: other.get(live, token="person-owner").json()["processes"], why="not seen")
        threads = [threading.Thread(target=send, args=(one,)) for one in (place.sidecar, other)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
    assert [one.status_code for one in answers] == [202, 202]
    assert len({one.json()["request"]["id"] for one in answers}) == 1
    shown = place.wait(running.id, lambda one: one["state"] == "cancelled")
    assert len(shown["requests"]) == 1
    until(lambda: place.records(running.id, "process.control_done"), why="it is not stored")
    assert len(place.records(running.id, "process.cancel")) == 1
