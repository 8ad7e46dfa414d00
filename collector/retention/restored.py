"""Bringing archived entries back as ``restored-...`` indices that can be searched.

A copy is restored under a name that nobody searches, the entries of removed organizations are
deleted from it, and only then it is cloned to its clear name. The class's policy does not
apply to it: who restored it deletes it when it has served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from activity_center.errors import ClusterError
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX, stream_of
from activity_center.vocabulary import retention_classes
from collector.retention.archive import (
    LONG,
    count,
    remove_scratch,
    restore,
    restored_name,
    scratch_name,
)
from collector.retention.engine import LEASE, block
from collector.retention.facts import split_name
from collector.retention.removal import bury
from collector.retention.repository import Snapshot
from collector.retention.state import Tombstone, tombstones

if TYPE_CHECKING:
    from opensearchpy import OpenSearch


@dataclass(frozen=True, slots=True)
class Restored:
    """One index that was brought back.

    Attributes:
        name: of the new index.
        documents: that can be searched in it.
        buried: that belonged to removed organizations and were deleted first.
    """

    name: str
    snapshot: str
    documents: int
    buried: int


OnSnapshot = Callable[[Snapshot, int, int], None]
"""(snapshot about to be restored, its number from 1, number of snapshots)."""


def covering(
    found: Sequence[Snapshot],
    *,
    stream: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Snapshot]:
    """The latest good snapshot of each index that may hold entries of a period.

    One without noted times (made by ISM) may hold any.

    Args:
        stream: only indices of this data stream.
        since: only with entries at or after it.
        until: only with entries before it.
    """
    latest = {(one.index, one.uuid): one for one in found if one.state == "SUCCESS"}
    return [
        one
        for one in latest.values()
        if (stream is None or stream_of(one.index) == stream)
        and not (since and one.last and datetime.fromisoformat(one.last) < since)
        and not (until and one.first and datetime.fromisoformat(one.first) >= until)
    ]


def bring_back(
    client: OpenSearch,
    repository: str,
    chosen: Sequence[Snapshot],
    *,
    wait: float = 120.0,
    on_snapshot: OnSnapshot | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> list[Restored]:
    """Restore snapshots, one index each; one that is there already is made anew.

    Raises:
        ClusterError: one cannot be restored; those before it are there.
    """
    made = []
    with Lease(client, LEASE, index=STATE_INDEX, wait=wait, on_wait=on_wait) as lease:
        removed = list(tombstones(client).values())
        for number, one in enumerate(chosen, 1):
            lease.confirm()
            if on_snapshot:
                on_snapshot(one, number, len(chosen))
            name = restored_name(one.index)
            if sum(other.index == one.index for other in chosen) > 1:
                name += f"-{one.begun:%Y%m%d%H%M%S}"
            made.append(_bring(client, repository, one, name, removed, lease.confirm))
    return made


def _bring(
    client: OpenSearch,
    repository: str,
    one: Snapshot,
    name: str,
    removed: Sequence[Tombstone],
    check: Callable[[], None],
) -> Restored:
    scratch = scratch_name(one.index)
    retention_class, _ = split_name(stream_of(one.index))
    legal = retention_class is not None and retention_classes()[retention_class].legal
    try:
        restore(client, repository, one.name, one.index, scratch, check)
        buried = 0 if legal else bury(client, scratch, removed, check)
        block(client, scratch, closed=True)
        documents = count(client, scratch)
        check()
        ask(client, "DELETE", f"/{name}", allow=(NOT_FOUND,))
        ask(
            client,
            "POST",
            f"/{scratch}/_clone/{name}",
            params={"wait_for_active_shards": "1"},
            body={
                "settings": {
                    "index.hidden": False,
                    "index.auto_expand_replicas": "0-1",
                    "index.blocks.write": True,
                }
            },
            timeout=LONG,
        )
        found = count(client, name)
        if found != documents:
            raise ClusterError(f"holds {found} of {documents} entries", where=name)
    finally:
        check()  # else another run may be at work in it
        remove_scratch(client, scratch)
    return Restored(name, one.name, documents, buried)
