"""What was asked of one attempt of a process does not reach the next one, all the way round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from activity_center.emit import Process
from tests.integration.controls import Place
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
