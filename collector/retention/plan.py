"""What happens to an index next, and when: functions over policy, facts and a date.

An index's state is not kept anywhere: it follows from the facts. Each action can be seen to
be done (a block is set, segments are few, a copy was counted), so a run that was killed goes
on where it stopped, and a date in the future shows what will be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from activity_center.policies import Action, Policy, State, duration, size
from collector.retention.facts import Backing
from collector.retention.state import Archive


@dataclass(frozen=True, slots=True)
class Step:
    """Where an index stands, and what comes next.

    Attributes:
        tier: the state of its policy that it is in.
        action: what is done next; ``None``: nothing ever.
        due: from when on; ``None`` with an action: as soon as there are entries, or once
            it rolled over.
    """

    tier: str
    action: Action | None = None
    due: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be done at ``now``."""
        return self.action is not None and self.due is not None and self.due <= now


def is_proven(backing: Backing, archive: Archive | None) -> bool:
    """Whether a copy of the index as it is now was restored and counted."""
    return (
        archive is not None
        and archive.uuid == backing.uuid
        and archive.documents is not None
        and archive.max_seq_no == backing.max_seq_no
    )


def next_step(policy: Policy, backing: Backing, archive: Archive | None, now: datetime) -> Step:
    """Return where ``backing`` stands at ``now`` and what comes next."""
    state = policy.states[policy.first]
    tier: str | None = None  # where it stays meanwhile, once a date in the future is met
    waiting: datetime | None = None
    for _ in range(len(policy.states) + 1):
        action = _undone(state, backing, archive)
        if action is not None:
            due = _due(action, backing, now)
            if due is not None and waiting is not None:
                due = max(due, waiting)
            return Step(tier or state.name, action, due)
        onward = _onward(state, backing, now)
        if onward is None:
            break
        name, date = onward
        if date is None:
            return Step(tier or state.name, next(iter(policy.states[name].actions), None))
        if date > now:
            tier, waiting = tier or state.name, max(waiting or date, date)
        state = policy.states[name]
    return Step(tier or state.name)


def forecast(
    policy: Policy, backing: Backing, archive: Archive | None, now: datetime, until: datetime
) -> tuple[Step, list[tuple[datetime, str, Action]]]:
    """Let time pass: what is done to the index up to ``until``, if every step succeeds.

    An index that is written to counts as rolled over when its age is reached: it may be
    earlier, by size or number of entries.

    Returns:
        Where it stands then, and what was done: when, in which state, what. After a
        ``delete`` the tier is ``gone``.
    """
    done: list[tuple[datetime, str, Action]] = []
    at = now
    for _ in range(100):
        step = next_step(policy, backing, archive, at)
        if step.action is None or step.due is None or step.due > until:
            break
        at = max(at, step.due)
        step = next_step(policy, backing, archive, at)
        if step.action is None or not step.is_due(at):
            continue
        done.append((at, step.tier, step.action))
        if step.action.kind == "delete":
            return Step("gone"), done
        backing, archive = _after(step.action, backing, archive, at)
    return next_step(policy, backing, archive, max(until, at)), done


def deletion(policy: Policy, backing: Backing) -> datetime | None:
    """The day that its class promises: from when on the index may be deleted.

    For an index that is still written to: the earliest, if it rolls over at its age;
    ``None`` while it has no entries, since then it does not.
    """
    if policy.keeps is None:
        return None
    rolled = backing.rolled
    if rolled is None and backing.documents:
        for action in policy.states[policy.first].actions:
            if action.kind == "rollover":
                age = action.parameters.get("min_index_age")
                rolled = backing.created + (duration(age) if age else timedelta())
    return None if rolled is None else rolled + policy.keeps


def _undone(state: State, backing: Backing, archive: Archive | None) -> Action | None:
    for action in state.actions:
        if not _is_done(action, backing, archive):
            return action
    return None


def _is_done(action: Action, backing: Backing, archive: Archive | None) -> bool:
    """Whether the facts show that an action was carried out."""
    given: Mapping[str, Any] = action.parameters
    if action.kind == "rollover":
        return not backing.is_write_index
    if action.kind == "read_only":
        return backing.read_only
    if action.kind == "force_merge":
        return backing.segments <= int(given["max_num_segments"])
    if action.kind == "replica_count":
        return backing.replicas <= int(given["number_of_replicas"])
    if action.kind == "snapshot":
        return backing.documents == 0 or is_proven(backing, archive)
    return False


def _due(action: Action, backing: Backing, now: datetime) -> datetime | None:
    """From when on the next action may be done; ``None``: that is not known."""
    if action.kind != "rollover":
        return now
    if backing.documents == 0:
        return None
    given: Mapping[str, Any] = action.parameters
    if "min_size" in given and backing.size >= size(given["min_size"]):
        return now
    if backing.documents >= int(given.get("min_doc_count", backing.documents + 1)):
        return now
    age = given.get("min_index_age")
    return backing.created + duration(age) if age else None


def _onward(state: State, backing: Backing, now: datetime) -> tuple[str, datetime | None] | None:
    """The transition that is taken, or the one that comes first: its state and its date."""
    coming: list[tuple[str, datetime | None]] = []
    for one in state.transitions:
        since = backing.rolled if one.since_rollover else backing.created
        due = now if one.age is None else None if since is None else since + one.age
        if due is not None and due <= now:
            return one.state, due
        coming.append((one.state, due))
    known = [one for one in coming if one[1] is not None]
    return min(known, key=lambda one: one[1] or now, default=next(iter(coming), None))


def _after(
    action: Action, backing: Backing, archive: Archive | None, at: datetime
) -> tuple[Backing, Archive | None]:
    """Facts and archive as they would be once an action was done."""
    given: Mapping[str, Any] = action.parameters
    if action.kind == "rollover":
        return replace(backing, rolled=at), archive
    if action.kind == "read_only":
        return replace(backing, read_only=True), archive
    if action.kind == "force_merge":
        return replace(backing, segments=int(given["max_num_segments"])), archive
    if action.kind == "replica_count":
        return replace(backing, replicas=int(given["number_of_replicas"])), archive
    made = Archive(
        index=backing.name,
        uuid=backing.uuid,
        repository=str(given["repository"]),
        snapshot="",
        max_seq_no=backing.max_seq_no,
        documents=backing.documents,
    )
    return backing, made
