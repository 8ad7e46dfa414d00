"""Retention: the policies of ``opensearch/policies/``, carried out with core APIs.

::

    run(client, policies())                      # do what is due; safe to run again
    remove(client, policies(), "northwind")      # an organization's entries, everywhere
    bring_back(client, repository, chosen)       # archived entries as restored-... indices

``facts`` (what is) and a policy meet in ``plan``, functions over values and a date; ``engine``
carries it out, ``archive`` proves each copy, ``state`` remembers what the cluster cannot tell.
"""

from __future__ import annotations

from collector.retention.archive import present
from collector.retention.clock import agreed_now
from collector.retention.doctor import check_retention
from collector.retention.engine import Done, Outcome, due_steps, run
from collector.retention.facts import Backing, read_backing
from collector.retention.guard import guard
from collector.retention.plan import Step, deletion, forecast, next_step
from collector.retention.removal import Share, remove, shares
from collector.retention.repository import Snapshot, snapshots
from collector.retention.restored import Restored, bring_back, covering
from collector.retention.state import Archive, Tombstone, archives, tombstones

__all__ = [
    "Archive",
    "Backing",
    "Done",
    "Outcome",
    "Restored",
    "Share",
    "Snapshot",
    "Step",
    "Tombstone",
    "agreed_now",
    "archives",
    "bring_back",
    "check_retention",
    "covering",
    "deletion",
    "due_steps",
    "forecast",
    "guard",
    "next_step",
    "present",
    "read_backing",
    "remove",
    "run",
    "shares",
    "snapshots",
    "tombstones",
]
