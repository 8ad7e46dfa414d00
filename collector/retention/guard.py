"""Where ISM carries policies out: counting the copies it makes, before it deletes the originals.

ISM deletes after a snapshot that says ``SUCCESS``, which proves nothing. Between archive and
deletion lie weeks; in that time each copy is restored and counted, and an index whose copy
lies is taken away from ISM, so that nothing deletes it. It stays so until a copy was made here
and counted: then ``install`` gives it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from activity_center.errors import ActivityCenterError, ClusterError
from activity_center.policies import Policy
from activity_center.setup import ism
from activity_center.setup.cluster import ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.retention.archive import (
    Check,
    Unproven,
    archive,
    count,
    leftovers,
    prove,
    remove_scratch,
)
from collector.retention.clock import agreed_now
from collector.retention.engine import LEASE, Done, Outcome, close_again
from collector.retention.facts import Backing, read_backing
from collector.retention.plan import deletion, is_proven
from collector.retention.repository import snapshots
from collector.retention.state import Archive, archives, save_archive, tombstones

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

GRACE: Final = timedelta(days=1)
"""Time that ISM has for its snapshot, from the day on which it is due or can be made."""

NEAR: Final = timedelta(days=3)
"""Before an index is deleted: from then on a copy that cannot be counted counts as none."""

RETRY: Final = timedelta(hours=1)
"""Until a copy of a protected index is tried again: each try makes a snapshot."""

OnIndex = Callable[[str, int, int], None]
"""(index whose copy is about to be counted, its number from 1, number of indices)."""


def guard(
    client: OpenSearch,
    policies: Mapping[str, Policy],
    *,
    now: datetime | None = None,
    retry: timedelta = RETRY,
    wait: float = 120.0,
    on_index: OnIndex | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Outcome:
    """Count every copy that ISM made and nobody counted; protect the indices whose copy lies.

    Args:
        now: default: this moment, by the clocks of the cluster and of this machine.
        retry: after which time a copy of a protected index is made here.

    Raises:
        ClusterError: no answer, a right is missing, the clocks differ, or another run is at
            work for too long.
    """
    with Lease(client, LEASE, index=STATE_INDEX, wait=wait, on_wait=on_wait) as lease:
        close_again(client)
        for name in leftovers(client):
            lease.confirm()
            remove_scratch(client, name)
        now = now or agreed_now(client)
        waiting = list(_waiting(client, policies, now, retry))
        outcome = Outcome()
        for number, one in enumerate(waiting, 1):
            lease.confirm()
            name, documents = one.backing.name, one.backing.documents
            if on_index:
                on_index(name, number, len(waiting))
            work, word = (_make, "snapshot") if one.protected else (_count, "count")
            failed = work(client, one, now, lease.confirm)
            outcome.steps.append(Done(name, "archive", word, documents, failed))
        return outcome


def is_protected(backing: Backing, known: Archive | None) -> bool:
    """Whether an index was taken away from ISM, and has no proven copy since."""
    return known is not None and known.uuid == backing.uuid and bool(known.problem)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An index whose copy is to be counted.

    Attributes:
        known: what is known of its archive.
        protected: ISM does not manage it: the copy is made here.
        copy: the latest snapshot that ISM made, if there is one.
    """

    backing: Backing
    policy: Policy
    known: Archive | None
    protected: bool
    copy: str | None = None


def _waiting(
    client: OpenSearch, policies: Mapping[str, Policy], now: datetime, retry: timedelta
) -> Iterator[_Waiting]:
    """Indices that ISM archived, or should have, and whose copy was not counted."""
    backing, archived = read_backing(client), archives(client)
    managed = ism.read_managed(client, [one.name for one in backing])
    for one in backing:
        policy, facts = policies.get(one.retention_class or ""), managed[one.name]
        known = archived.get(one.name)
        if policy is None or policy.repository is None or not (one.complete and one.documents):
            continue
        if facts.policy is None and known is not None and is_protected(one, known):
            if not known.seen or datetime.fromisoformat(known.seen) + retry <= now:
                yield _Waiting(one, policy, known, protected=True)
        elif facts.policy == policy.id and not is_proven(one, known):
            due = _archived_from(policy, one, facts)
            if due is None:
                continue
            copy = _copy(client, policy.repository, one)
            if copy or due <= now - GRACE:
                yield _Waiting(one, policy, known, protected=False, copy=copy)


def _archived_from(policy: Policy, backing: Backing, facts: ism.Managed) -> datetime | None:
    """The day from which on there should be a snapshot; ``None``: ISM has not come so far.

    It deletes nothing before it has gone through the state that makes the snapshot.
    """
    for name, state in policy.states.items():
        for one in state.transitions:
            if not any(action.kind == "snapshot" for action in policy.states[one.state].actions):
                continue
            earlier = list(policy.states)[: list(policy.states).index(one.state)]
            since = backing.rolled if one.since_rollover else backing.created
            if not facts.state or facts.state in (name, *earlier) or since is None:
                return None
            due = since + (one.age or timedelta())
            return max(due, facts.since or due)
    return None


def _copy(client: OpenSearch, repository: str, backing: Backing) -> str | None:
    """The latest good snapshot of an index."""
    found = [
        one.name
        for one in snapshots(client, repository)
        if one.index == backing.name
        and one.state == "SUCCESS"
        and one.uuid in (None, backing.uuid)
        and one.begun > backing.created
    ]
    return found[-1] if found else None


def _count(client: OpenSearch, one: _Waiting, now: datetime, check: Check) -> str:
    """Count a copy; if it lies, or there is none, see that ISM does not delete the index."""
    backing, repository = one.backing, str(one.policy.repository)
    made = Archive(
        backing.name,
        backing.uuid,
        repository,
        one.copy or "",
        backing.max_seq_no,
        version=one.known.version if one.known else None,
    )
    removed = list(tombstones(client))
    try:
        if not one.copy:
            raise ClusterError(f"there is no snapshot of it in {repository}")
        entries = count(client, backing.name)
        prove(client, made, entries, check, without=removed, discard=())
    except ActivityCenterError as wrong:
        check()
        if not isinstance(wrong, Unproven):  # then it is written down already
            gone = deletion(one.policy, backing)
            if one.copy and gone is not None and now < gone - NEAR:
                return f"{wrong.message}; tried again until ISM is about to delete it"
            seen = datetime.now(UTC).isoformat()
            save_archive(client, replace(made, problem=wrong.message, seen=seen))
        ask(client, "POST", f"{ism.ISM}/remove/{backing.name}")
        return f"{wrong.message}; taken away from ISM, so that it is not deleted"
    return ""


def _make(client: OpenSearch, one: _Waiting, _now: datetime, check: Check) -> str:
    """Make a copy of a protected index and count it."""
    (action,) = (
        action
        for state in one.policy.states.values()
        for action in state.actions
        if action.kind == "snapshot"
    )
    try:
        archive(client, action, one.backing, one.known, check)
    except ActivityCenterError as wrong:
        check()
        return f"{wrong.message}; still kept away from ISM"
    return ""
