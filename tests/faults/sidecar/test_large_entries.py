"""Whoever may send and whoever may read cannot end OpenSearch together by what is large."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy.exceptions import TransportError

from sidecar_api.failures import Failure
from tests.sidecar_api.search.log import NOON, Log, document, filters, put_templates

if TYPE_CHECKING:
    from tests.conftest import OwnNode

ENTRIES = 600
BYTES = 990_000
"""An event may have a megabyte; all of these are more than the node's whole memory."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_bears_an_export_and_lists_of_large_entries(
    own_node: Callable[..., OwnNode],
) -> None:
    """600 entries of a megabyte, an export of all and eight lists of a hundred at the same time:
    the node answers all the while, and the export has every entry whole.
    """
    node = own_node()
    put_templates(node.client)
    log = Log(node.client)
    metadata = {f"k{part}": "x" * 30_000 for part in range(BYTES // 30_000)}
    add(
        log,
        [
            document(
                id=f"{number:03}",
                at=NOON + timedelta(seconds=number),
                metadata=metadata,
                activity__size=BYTES,
            )
            for number in range(ENTRIES)
        ],
    )
    with ThreadPoolExecutor(8) as readers:
        lists = [readers.submit(listed, log) for _ in range(32)]
        seen = []
        for hit in log.search.scan(log, filters(), page_size=2500):
            assert len(hit["_source"]["metadata"]) == len(metadata)
            seen.append(hit["_source"]["event"]["id"])
        counts = {one.result() for one in lists}
    assert seen == [f"{number:03}" for number in reversed(range(ENTRIES))]
    assert counts <= {100, -429}
    assert node.client.cluster.health()["status"] in ("green", "yellow")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "large",
    [
        {"orchestrator__resource__annotation": ["x" * 980] * 1000},
        {"message": "m" * 131_000, "error__stack_trace": "t" * 262_000, "tags": ["t" * 256] * 1000},
    ],
    ids=["lists", "texts"],
)
def test_a_node_bears_lists_whatever_makes_entries_large(
    own_node: Callable[..., OwnNode], large: dict[str, Any]
) -> None:
    """A hundred entries of a megabyte, and eight lists of all of them at the same time."""
    node = own_node()
    put_templates(node.client)
    log = Log(node.client)
    add(
        log,
        [
            document(
                id=f"{number:03}",
                at=NOON + timedelta(seconds=number),
                activity__size=BYTES,
                **large,
            )
            for number in range(100)
        ],
    )
    with ThreadPoolExecutor(8) as readers:
        counts = set(readers.map(lambda _: listed(log), range(16)))
    assert counts <= {100, -429}
    assert node.client.cluster.health()["status"] in ("green", "yellow")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_node_bears_who_decided_on_a_page_of_runs(own_node: Callable[..., OwnNode]) -> None:
    """Forty runs whose proposals have twenty decisions of 260 kB each: none is read."""
    node = own_node()
    put_templates(node.client)
    log = Log(node.client)
    approver = {"id": "u", "roles": ["r" * 256] * 1000}
    runs = [proposal(f"r{n}", "executed", f"p{n}", NOON) for n in range(40)]
    add(log, runs)
    before = NOON - timedelta(hours=1)
    for number in range(40):
        said = {"activity__approver": approver, "activity__size": 260_000}
        add(
            log,
            [
                proposal(f"d{number}-{n}", "approved", f"p{number}", before, **said)
                for n in range(20)
            ],
        )
    found = log.search.page(log, filters(decision="-"), size=100).activities
    assert [one["activity"]["decided"]["approver"] for one in found] == [{"id": "u"}] * 40
    with ThreadPoolExecutor(4) as readers:
        counts = set(readers.map(lambda _: listed(log, decision="-"), range(8)))
    assert counts <= {40, -429}
    assert node.client.cluster.health()["status"] in ("green", "yellow")


def proposal(id_: str, word: str, name: str, at: datetime, **values: Any) -> dict[str, Any]:
    """An entry of a proposal."""
    stage = {"executed": "completed"}.get(word, word)
    return document(
        id=id_,
        at=at,
        event__action=f"agent.proposal.{word}",
        activity__proposal={"id": name, "stage": stage},
        activity__decision={"outcome": word} if word == "approved" else None,
        **values,
    )


def listed(log: Log, **named: str) -> int:
    """How many entries a list has; negative: the status of the refusal."""
    try:
        return len(log.search.page(log, filters(**named), size=100).activities)
    except Failure as refused:
        return -refused.status


def add(log: Log, made: list[dict[str, Any]]) -> None:
    """Store entries; a node of this size cannot always take five megabytes at once."""
    for start in range(0, len(made), 5):
        for _ in range(60):
            try:
                log.add(*made[start : start + 5])
                break
            except TransportError as busy:
                assert busy.status_code == 429, busy
                time.sleep(0.5)
