"""Where ISM carries policies out: counting the copies it makes, before it deletes the originals.

ISM deletes after a snapshot that says ``SUCCESS``, which proves nothing. Between archive and
deletion lie weeks; in that time each copy is restored and counted, and an index whose copy
lies is taken away from ISM, so that nothing deletes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from activity_center.errors import ActivityCenterError, ClusterError
from activity_center.policies import Policy
from activity_center.setup import ism
from activity_center.setup.cluster import ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.retention.archive import Check, count, leftovers, prove, remove_scratch, snapshots
from collector.retention.engine import LEASE, Done, Outcome
from collector.retention.facts import Backing, read_backing
from collector.retention.plan import is_proven
from collector.retention.state import Archive, archives

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

GRACE: Final = timedelta(days=1)
"""Time that ISM has for its snapshot, from the day on which it is due."""

OnIndex = Callable[[str, int, int], None]
"""(index whose copy is about to be counted, its number from 1, number of indices)."""


def guard(
    client: OpenSearch,
    policies: Mapping[str, Policy],
    *,
    now: datetime | None = None,
    wait: float = 120.0,
    on_index: OnIndex | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Outcome:
    """Count every copy that ISM made and nobody counted; protect the indices whose copy lies.

    Raises:
        ClusterError: no answer, a right is missing, or another run is at work for too long.
    """
    with Lease(client, LEASE, index=STATE_INDEX, wait=wait, on_wait=on_wait) as lease:
        for name in leftovers(client):
            lease.check()
            remove_scratch(client, name)
        waiting = _waiting(client, policies, now or datetime.now(UTC))
        outcome = Outcome()
        for number, (backing, policy) in enumerate(waiting, 1):
            lease.check()
            if on_index:
                on_index(backing.name, number, len(waiting))
            failed = _count(client, backing, policy, lease.check)
            outcome.steps.append(Done(backing.name, "archive", "count", backing.documents, failed))
        return outcome


def _waiting(
    client: OpenSearch, policies: Mapping[str, Policy], now: datetime
) -> list[tuple[Backing, Policy]]:
    """Indices that ISM should have archived, and whose copy was not counted."""
    backing, known = read_backing(client), archives(client)
    managed = ism.read_managed(client, [one.name for one in backing])
    found = []
    for one in backing:
        policy = policies.get(one.retention_class or "")
        if policy is None or policy.repository is None or not (one.complete and one.documents):
            continue
        if managed[one.name].policy != policy.id or is_proven(one, known.get(one.name)):
            continue
        due = _archived_from(policy, one)
        if due is not None and due <= now - GRACE:
            found.append((one, policy))
    return found


def _archived_from(policy: Policy, backing: Backing) -> datetime | None:
    """The day on which an index's snapshot is due; ``None``: it is still written to."""
    for state in policy.states.values():
        for one in state.transitions:
            target = policy.states[one.state]
            if any(action.kind == "snapshot" for action in target.actions):
                since = backing.rolled if one.since_rollover else backing.created
                return None if since is None else since + (one.age or timedelta())
    return None


def _count(client: OpenSearch, backing: Backing, policy: Policy, check: Check) -> str:
    """Count a copy; if it lies, or there is none, see that ISM does not delete the index."""
    repository = str(policy.repository)
    try:
        copies = [
            one
            for one in snapshots(client, repository)
            if one.index == backing.name
            and one.state == "SUCCESS"
            and one.uuid in (None, backing.uuid)
            and one.begun > backing.created
        ]
        if not copies:
            raise ClusterError(f"there is no snapshot of it in {repository}")
        made = Archive(backing.name, backing.uuid, repository, copies[-1].name, backing.max_seq_no)
        prove(client, made, count(client, backing.name), check, discard=False)
    except ActivityCenterError as wrong:
        check()
        ask(client, "POST", f"{ism.ISM}/remove/{backing.name}")
        return f"{wrong.message}; taken away from ISM, so that it is not deleted"
    return ""
