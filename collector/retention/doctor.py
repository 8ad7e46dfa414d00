"""What is wrong with retention: indices that will not go the way their class promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from activity_center.answers import whole
from activity_center.errors import ClusterError, IncompleteAnswer, VocabularyError
from activity_center.policies import Policy, duration, patterns
from activity_center.setup import ism
from activity_center.setup.cluster import ask
from activity_center.setup.doctor.finding import Finding, fail, ok, unreadable, warn
from collector.retention.clock import agreed_now
from collector.retention.facts import Backing, read_backing
from collector.retention.guard import is_protected
from collector.retention.plan import next_step
from collector.retention.state import Archive, archives, tombstones

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

CHECK: Final = "retention"
LATE: Final = timedelta(days=1)
"""How long after its date a step may still be waiting for the next run."""

_INSTALL: Final = "run activity-center install --config FILE"


def check_retention(
    client: OpenSearch, policies: Mapping[str, Policy], now: datetime
) -> Iterator[Finding]:
    """Name every index that is unmanaged, out of date, failed, or due on another day.

    Raises:
        ClusterError: no answer, or one that is not whole.
    """
    backing = read_backing(client)
    found = [
        *_clocks(client),
        *_classes(backing),
        *_strangers(client, policies),
        *_repositories(client, policies, backing),
        *_removals(client),
    ]
    installed = ism.read_policies(client)
    if installed is None and ism.is_there(client):
        found.append(unreadable(CHECK, "the policies of Index State Management"))
    elif installed is None:
        found += _by_us(policies, backing, archives(client), now)
    else:
        found += _by_ism(client, policies, backing, installed)
    yield from found
    if not found:
        how = "activity-center retention run" if installed is None else "ISM"
        yield ok(CHECK, f"{len(backing)} indices follow their policies, carried out by {how}")


def _clocks(client: OpenSearch) -> Iterator[Finding]:
    try:
        agreed_now(client)
    except ClusterError as wrong:
        yield fail(CHECK, str(wrong.message), str(wrong.hint or ""))


def _classes(backing: Sequence[Backing]) -> Iterator[Finding]:
    for one in backing:
        if one.retention_class is None:
            yield fail(
                CHECK,
                f"{one.name} is unmanaged: its stream's name has none of our retention classes",
                f"_reindex {one.stream} into a stream of a class, then delete it",
            )
        elif not one.complete:
            yield fail(
                CHECK,
                f"{one.name} is closed, or lacks a primary shard: nothing is done to it",
                f"POST {one.name}/_open, or see GET _cluster/allocation/explain",
            )


def _strangers(client: OpenSearch, policies: Mapping[str, Policy]) -> Iterator[Finding]:
    """Entries in a stream of another class than their own."""
    for name in policies:
        path = f"/{','.join(patterns(name))}/_count"
        other = {"bool": {"must_not": [{"term": {"activity.retention.class": name}}]}}
        body = ask(
            client, "POST", path, params={"ignore_unavailable": "true"}, body={"query": other}
        ).body
        try:
            whole(body, path)
        except IncompleteAnswer as wrong:
            yield warn(CHECK, f"entries of {name} could not all be looked at", str(wrong.message))
        if body["count"]:
            yield fail(
                CHECK,
                f"{body['count']} entries lie in streams of {name} and are of another class: "
                "they are deleted on another day than it promises",
                "_reindex them into the streams of their class",
            )


def _repositories(
    client: OpenSearch, policies: Mapping[str, Policy], backing: Sequence[Backing]
) -> Iterator[Finding]:
    used = {
        policy.repository
        for name, policy in policies.items()
        if policy.repository
        and any(one.retention_class == name and one.documents for one in backing)
    }
    for name in sorted(filter(None, used)):
        answer = ask(client, "POST", f"/_snapshot/{name}/_verify", allow=(400, 403, 404, 500))
        if not answer.ok:
            yield fail(
                CHECK,
                f"the repository {name} cannot be used: {answer.why}; nothing that is archived "
                "by policy will be deleted",
                f"register it: PUT _snapshot/{name} (docs/retention.md)",
            )


def _removals(client: OpenSearch) -> Iterator[Finding]:
    for one in tombstones(client).values():
        if not one.done:
            yield fail(
                CHECK,
                f"the removal of {one.organization}, begun {one.removed}, is not finished",
                f"activity-center retention remove-organization {one.organization}",
            )


def _by_us(
    policies: Mapping[str, Policy],
    backing: Sequence[Backing],
    known: Mapping[str, Archive],
    now: datetime,
) -> Iterator[Finding]:
    for one in backing:
        policy = policies.get(one.retention_class or "")
        if policy is None or not one.complete:
            continue
        archive = known.get(one.name)
        step = next_step(policy, one, archive, now - LATE)
        kind = step.action.kind if step.action else ""
        if archive is not None and archive.uuid == one.uuid and archive.problem:
            yield fail(
                CHECK,
                f"{one.name} failed: its archive is not proven: {archive.problem}",
                "mend the repository; the next run makes a new snapshot",
            )
        elif step.is_due(now - LATE):
            yield warn(
                CHECK,
                f"{one.name} is late: {kind} ({step.tier}) was due more than a day ago",
                "is the collector running? else: activity-center retention run",
            )


def _by_ism(
    client: OpenSearch,
    policies: Mapping[str, Policy],
    backing: Sequence[Backing],
    installed: Mapping[str, ism.Installed],
) -> Iterator[Finding]:
    managed = ism.read_managed(client, [one.name for one in backing])
    known = archives(client)
    for one in backing:
        policy, facts = policies.get(one.retention_class or ""), managed[one.name]
        if policy is None:
            continue
        if facts.policy is None and is_protected(one, known.get(one.name)):
            yield fail(
                CHECK,
                f"{one.name} is unmanaged: it was taken away from ISM, since its archive is not "
                f"proven: {known[one.name].problem}; nothing deletes it",
                "mend the repository, then activity-center retention run makes a copy and counts "
                "it, and activity-center install gives the index back",
            )
            continue
        if facts.policy is None:
            yield fail(CHECK, f"{one.name} is unmanaged: ISM has no policy for it", _INSTALL)
            continue
        current = installed.get(facts.policy)
        keeps = _keeps(current.policy) if current else None
        if facts.policy != policy.id or current is None or keeps != policy.keeps:
            yield fail(
                CHECK,
                f"{one.name} is managed by {facts.policy}, which deletes "
                f"{_words(keeps)}; its class promises {_words(policy.keeps)}",
                _INSTALL
                if facts.policy == policy.id
                else f"POST _plugins/_ism/remove/{one.name}, then {_INSTALL}",
            )
        elif facts.seq_no is not None and facts.seq_no != current.seq_no:
            yield warn(CHECK, f"{one.name} follows an old version of {policy.id}", _INSTALL)
        if facts.failed:
            yield fail(
                CHECK,
                f"{one.name} failed in {facts.state or 'its first state'}: {facts.failed}",
                f"mend the cause, then POST _plugins/_ism/retry/{one.name}",
            )


def _keeps(policy: Mapping[str, Any]) -> timedelta | None:
    """At which age since rollover a policy of any kind deletes first; ``None``: never."""
    states = {one["name"]: one for one in policy.get("states", ())}
    deleting = {
        name
        for name, one in states.items()
        if any("delete" in action for action in one.get("actions", ()))
    }
    ages = []
    for state in states.values():
        for one in state.get("transitions") or ():
            if one.get("state_name") not in deleting:
                continue
            age = (one.get("conditions") or {}).get("min_rollover_age", "0d")
            try:
                ages.append(duration(age))
            except VocabularyError:
                ages.append(timedelta())
    return min(ages, default=None)


def _words(keeps: timedelta | None) -> str:
    return "never" if keeps is None else f"{keeps.days} days after rollover"
