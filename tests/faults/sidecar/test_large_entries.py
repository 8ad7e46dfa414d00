"""Whoever may send and whoever may read cannot end OpenSearch together by what is large."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

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
    for start in range(0, ENTRIES, 5):
        made = [
            document(
                id=f"{number:03}",
                at=NOON + timedelta(seconds=number),
                metadata=metadata,
                activity__size=BYTES,
            )
            for number in range(start, start + 5)
        ]
        for _ in range(60):  # a node of this size cannot always take five megabytes
            try:
                log.add(*made)
                break
            except TransportError as busy:
                assert busy.status_code == 429, busy
                time.sleep(0.5)

    def listed(_: int) -> int:
        try:
            return len(log.search.page(log, filters(), size=100).activities)
        except Failure as refused:
            return -refused.status

    with ThreadPoolExecutor(8) as readers:
        lists = [readers.submit(listed, number) for number in range(32)]
        seen = []
        for hit in log.search.scan(log, filters(), page_size=2500):
            assert len(hit["_source"]["metadata"]) == len(metadata)
            seen.append(hit["_source"]["event"]["id"])
        counts = {one.result() for one in lists}
    assert seen == [f"{number:03}" for number in reversed(range(ENTRIES))]
    assert counts <= {100, -429}
    assert node.client.cluster.health()["status"] in ("green", "yellow")
