"""The machines under the cluster: disks against watermarks, clocks against ours."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from activity_center.setup.cluster import FORBIDDEN, ask, cluster_settings
from activity_center.setup.doctor.finding import Finding, fail, ok, unreadable, warn
from activity_center.setup.doctor.server import SCOPES

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

SKEW_WARN: Final = 2.0
"""Seconds. Beyond it, "last minute" means different things to reader and writer."""
SKEW_FAIL: Final = 60.0
"""Seconds. Events are accepted up to ten minutes ahead; this much is a broken clock."""

_WATERMARK: Final = "cluster.routing.allocation.disk.watermark"
_SIZE: Final = re.compile(r"([0-9.]+)\s*(b|kb|mb|gb|tb|pb|%)?")
_UNITS: Final = {
    unit: 1024**power for power, unit in enumerate(("b", "kb", "mb", "gb", "tb", "pb"))
}


def check_machines(client: OpenSearch) -> Iterator[Finding]:
    """One request for both: ``_nodes/stats`` carries the disks and the node's own time."""
    before = time.time()
    answer = ask(
        client,
        "GET",
        "/_nodes/stats/fs",
        params={"filter_path": "nodes.*.name,nodes.*.roles,nodes.*.timestamp,nodes.*.fs.total"},
        allow=(FORBIDDEN,),
    )
    after = time.time()
    if not answer.ok:
        yield unreadable("disk", "disks and clocks of the nodes")
        return
    nodes = [*answer.body.get("nodes", {}).values()]
    for node in nodes:
        yield clock(node["name"], skew(before, after, node["timestamp"] / 1000))
    settings = cluster_settings(client)
    if settings is None:
        yield unreadable("disk", "the disk watermarks")
        return
    marks = {
        name: next(settings[scope][key] for scope in SCOPES if key in settings[scope])
        for name in ("low", "high", "flood_stage")
        if (key := f"{_WATERMARK}.{name}")
    }
    for node in nodes:
        if "data" in node.get("roles", ("data",)):
            yield disk(node["name"], node["fs"]["total"], marks)


def skew(before: float, after: float, theirs: float) -> float:
    """Seconds by which the other clock is surely ahead (negative: behind).

    It was read between ``before`` and ``after`` of ours, so within these bounds nothing
    can be said. All are Unix times in seconds.
    """
    if theirs > after:
        return theirs - after
    return min(theirs - before, 0.0)


def clock(node: str, seconds: float) -> Finding:
    """The finding for a node whose clock is ``seconds`` ahead of ours."""
    if abs(seconds) < SKEW_WARN:
        return ok("clock", f"{node}: agrees with this machine within {SKEW_WARN:.0f} s")
    words = f"{node}: {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine"
    advice = "let both follow the same time source (chrony, systemd-timesyncd)"
    return (fail if abs(seconds) >= SKEW_FAIL else warn)("clock", words, advice)


def free_needed(watermark: str, total: int) -> int:
    """Bytes that must be free: of ``"90%"`` and ``"0.9"`` used, of ``"2gb"`` free."""
    found = _SIZE.fullmatch(watermark.strip().lower())
    if found is None:
        return 0
    number, unit = float(found.group(1)), found.group(2)
    if unit in (None, "%"):
        share = number / 100 if unit == "%" else number
        return round(total * (1 - share))
    return int(number * _UNITS[unit])


def disk(node: str, total: Mapping[str, Any], marks: Mapping[str, str]) -> Finding:
    """The finding for a node's disk; ``total`` as in ``_nodes/stats``, sizes in bytes."""
    size, free = int(total["total_in_bytes"]), int(total["available_in_bytes"])
    words = f"{node}: {free / 1e9:.1f} of {size / 1e9:.1f} GB free"
    advice = "free space, add disk or nodes, or delete what retention allows"
    if free < free_needed(marks["flood_stage"], size):
        return fail(
            "disk",
            f"{words}: beyond flood stage ({marks['flood_stage']}), indices are write-blocked",
            f"{advice}; the block goes by itself then",
        )
    if free < free_needed(marks["high"], size):
        return fail(
            "disk",
            f"{words}: beyond the high watermark ({marks['high']}), new indices get no shard",
            advice,
        )
    if free < free_needed(marks["low"], size):
        return warn(
            "disk",
            f"{words}: beyond the low watermark ({marks['low']}), copies are not placed here",
            advice,
        )
    return ok("disk", words)
