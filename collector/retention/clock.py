"""What time it is, by all clocks that have a say in what is deleted.

Ages are counted from times that the cluster's nodes wrote down, up to a moment that a collector
reads on its own clock: one that runs ahead would delete early.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from activity_center.errors import ClusterError
from activity_center.setup.cluster import ask

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

APART: Final = timedelta(minutes=5)
"""How far two clocks may differ; what is counted here are days."""


def agreed_now(client: OpenSearch) -> datetime:
    """Return this moment, by the clock that is furthest behind.

    Raises:
        ClusterError: this machine and a node differ by more than :data:`APART`, or no node
            says what time it is.
    """
    path = "/_nodes/stats/os"
    wanted = {"filter_path": "nodes.*.name,nodes.*.timestamp"}
    asked = datetime.now(UTC)
    nodes = ask(client, "GET", path, params=wanted).body.get("nodes") or {}
    answered = datetime.now(UTC)
    clocks = {
        str(one.get("name", id_)): datetime.fromtimestamp(one["timestamp"] / 1000, UTC)
        for id_, one in nodes.items()
        if "timestamp" in one
    }
    if not clocks:
        raise ClusterError("no node says what time it is: nothing is done", where=f"GET {path}")
    for name, clock in sorted(clocks.items()):
        if not asked - APART <= clock <= answered + APART:
            raise ClusterError(
                f"the clocks differ: the node {name} has {clock:%Y-%m-%d %H:%M} UTC, this machine "
                f"{answered:%Y-%m-%d %H:%M}; nothing is done, since it could be deleted too early",
                where=f"GET {path}",
                hint="set the clocks of all machines by one source of time (NTP)",
            )
    return min(answered, *clocks.values())
