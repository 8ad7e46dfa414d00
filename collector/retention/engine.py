"""Carrying the policies out with core APIs, where Index State Management is absent.

One at a time, under a lease. Every step is seen in the facts once it is done, so a run that
was killed is simply run again. Nothing is deleted that its policy archives unless a copy was
restored and counted in this very run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from activity_center.errors import ActivityCenterError, ClusterError, IncompleteAnswer
from activity_center.policies import Action, Policy
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.retention import archive as archiving
from collector.retention.clock import agreed_now
from collector.retention.facts import Backing, read_backing
from collector.retention.plan import Step, next_step
from collector.retention.record import Recorder
from collector.retention.state import Archive, archives, save_tombstone, tombstones

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

LEASE: Final = "retention"
"""Held by a run and by the removal of an organization: they never work at once."""

ROUNDS: Final = 20
"""A policy has fewer actions than this."""


@dataclass(frozen=True, slots=True)
class Done:
    """One step that was made, would be made, or failed.

    Attributes:
        failed: why it was not made; empty: it was.
    """

    index: str
    tier: str
    action: str
    documents: int
    failed: str = ""


@dataclass(slots=True)
class Outcome:
    """What a run did.

    Attributes:
        steps: in order; a failed one ends the work on its index alone.
    """

    steps: list[Done] = field(default_factory=list)

    @property
    def failed(self) -> list[Done]:
        """The steps that were not made."""
        return [one for one in self.steps if one.failed]


OnStep = Callable[[Backing, Step, int, int], None]
"""(index, step about to be made, its number in this round from 1, number of steps)."""


def due_steps(
    policies: Mapping[str, Policy],
    backing: Sequence[Backing],
    known: Mapping[str, Archive],
    now: datetime,
) -> list[tuple[Backing, Step]]:
    """The next step of each index, where it is due and the index answers whole."""
    found = []
    for one in backing:
        policy = policies.get(one.retention_class or "")
        if policy is None or not one.complete:
            continue
        step = next_step(policy, one, known.get(one.name), now)
        if step.is_due(now):
            found.append((one, step))
    return found


def run(
    client: OpenSearch,
    policies: Mapping[str, Policy],
    *,
    now: datetime | None = None,
    wait: float = 120.0,
    on_step: OnStep | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Outcome:
    """Do what is due, index by index, until nothing is.

    Args:
        now: default: this moment, by the clocks of the cluster and of this machine.
        wait: seconds to wait for another run, or for a removal.
        on_step: is told each step before it is made.
        on_wait: is told, in words, for whom this waits.

    Raises:
        ClusterError: no answer, a right is missing, the clocks differ, or another run is at
            work for too long. What a single index meets is in the outcome instead.
    """
    with Lease(client, LEASE, index=STATE_INDEX, wait=wait, on_wait=on_wait) as lease:
        return _Run(client, policies, now, lease.confirm, on_step).all()


class _Run:
    def __init__(
        self,
        client: OpenSearch,
        policies: Mapping[str, Policy],
        now: datetime | None,
        check: archiving.Check,
        on_step: OnStep | None,
    ) -> None:
        self._client = client
        self._policies = policies
        self._now = now
        self._check = check
        self._on_step = on_step
        self._recorder = Recorder(client)
        self._outcome = Outcome()
        self._made: set[tuple[str, str, str]] = set()
        self._stuck: set[str] = set()

    def all(self) -> Outcome:
        close_again(self._client)
        for name in archiving.leftovers(self._client):
            self._check()
            archiving.remove_scratch(self._client, name)
        for _ in range(ROUNDS):
            now = self._now or agreed_now(self._client)
            known = archives(self._client)
            due = [
                (backing, step)
                for backing, step in due_steps(
                    self._policies, read_backing(self._client), known, now
                )
                if backing.name not in self._stuck
            ]
            if not due:
                break
            for number, (backing, step) in enumerate(due, 1):
                self._check()
                if self._on_step:
                    self._on_step(backing, step, number, len(due))
                self._one(backing, step, known.get(backing.name))
        return self._outcome

    def _one(self, backing: Backing, step: Step, known: Archive | None) -> None:
        action = step.action
        assert action is not None  # noqa: S101 - for the type checker: it is due
        key = (backing.name, step.tier, action.kind)
        failed = ""
        try:
            if key in self._made:
                raise ClusterError("it was done and does not show; it is tried again next time")
            self._carry_out(action, backing, known)
        except ActivityCenterError as wrong:
            self._check()  # who lost the lease stops altogether
            failed = f"{wrong.where}: {wrong.message}" if wrong.where else wrong.message
            self._stuck.add(backing.name)
        self._made.add(key)
        self._outcome.steps.append(
            Done(backing.name, step.tier, action.kind, backing.documents, failed)
        )

    def _carry_out(self, action: Action, backing: Backing, known: Archive | None) -> None:
        client, given = self._client, action.parameters
        if action.kind == "rollover":
            # The condition keeps a second one, from who lost the lease, from making more.
            body = {"conditions": {"max_docs": 1}}
            ask(client, "POST", f"/{backing.stream}/_rollover", body=body, timeout=90)
        elif action.kind == "read_only":
            block(client, backing.name, closed=True)
        elif action.kind == "force_merge":
            segments = {"max_num_segments": given["max_num_segments"]}
            path = f"/{backing.name}/_forcemerge"
            answer = ask(client, "POST", path, params=segments, timeout=archiving.LONG)
            if answer.body["_shards"].get("failed"):
                raise IncompleteAnswer("not every shard was merged", where=path)
            # Until then the old segments are still searched, and counted.
            ask(client, "POST", f"/{backing.name}/_refresh", timeout=archiving.LONG)
        elif action.kind == "replica_count":
            _set_replicas(client, backing.name, int(given["number_of_replicas"]))
        elif action.kind == "snapshot":
            made = archiving.archive(client, action, backing, known, self._check)
            self._recorder.record(
                "retention.archived",
                f"{backing.uuid}:{made.snapshot}",
                name=backing.name,
                message=f"{made.documents} entries of {backing.stream} were archived",
                facts={
                    "index": backing.name,
                    "repository": made.repository,
                    "snapshot": made.snapshot,
                    "documents": made.documents,
                },
            )
        else:
            self._delete(backing, known)

    def _delete(self, backing: Backing, known: Archive | None) -> None:
        """Delete an index that is past its retention; last looks first."""
        client = self._client
        policy = self._policies[str(backing.retention_class)]
        there = ask(client, "GET", f"/_data_stream/{backing.stream}").body["data_streams"][0]
        names = [(one["index_name"], one["index_uuid"]) for one in there["indices"]]
        if (backing.name, backing.uuid) not in names[:-1]:
            raise ClusterError(
                "it is the write index, no longer in the stream, or another one of this name; "
                "not deleted"
            )
        documents = archiving.count(client, backing.name)
        if policy.repository is not None and documents:
            if known is None or known.uuid != backing.uuid or known.documents is None:
                raise ClusterError("no copy of it was ever counted; not deleted")
            # Again, and now: a repository may have lost files since.
            archiving.prove(client, known, documents, self._check)
        if documents:
            self._recorder.record(
                "retention.deleted",
                backing.uuid,
                name=backing.name,
                message=f"{documents} entries of {backing.stream} were past their retention",
                facts={
                    "index": backing.name,
                    "class": backing.retention_class,
                    "documents": documents,
                    "archived": known.snapshot if known and policy.repository else "no",
                },
            )
        self._check()
        ask(client, "DELETE", f"/{backing.name}", timeout=90)


def block(client: OpenSearch, index: str, *, closed: bool, gone: bool = False) -> None:
    """Set or take back the block on writes.

    Args:
        gone: whether the index may be gone.
    """
    allow = (NOT_FOUND,) if gone else ()
    body = {"index.blocks.write": closed}
    ask(client, "PUT", f"/{index}/_settings", body=body, allow=allow)


def close_again(client: OpenSearch) -> None:
    """Take the writes from indices that a removal opened and, being killed, left open."""
    for stone in tombstones(client).values():
        for name in stone.opened:
            block(client, name, closed=True, gone=True)
        if stone.opened:
            save_tombstone(client, replace(stone, opened=()))


def _set_replicas(client: OpenSearch, index: str, number: int) -> None:
    """``auto_expand_replicas`` would decide over ``number_of_replicas``: it is set instead."""
    settings = (
        {"index.auto_expand_replicas": f"0-{number}"}
        if number
        else {"index.auto_expand_replicas": "false", "index.number_of_replicas": 0}
    )
    ask(client, "PUT", f"/{index}/_settings", body=settings)
