"""What is wrong with retention: indices that will not go the way their class promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from activity_center.answers import whole
from activity_center.errors import ClusterError, IncompleteAnswer, VocabularyError
from activity_center.policies import Policy, duration, patterns
from activity_center.setup import ism
from activity_center.setup.cluster import ask
from activity_center.setup.doctor.finding import Finding, fail, ok, unreadable, warn
from activity_center.vocabulary import retention_classes
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
_REMOVE: Final = "activity-center retention remove-organization"
_AT_ONCE: Final = 1000
"""Removed organizations in one question."""


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
        *_removals(client, policies),
    ]
    installed = ism.read_policies(client)
    if installed is None and ism.is_there(client):
        found.append(unreadable(CHECK, "the policies of Index State Management"))
    elif installed is None:
        found += _by_us(policies, backing, archives(client), now)
    else:
        found += _by_ism(client, policies, backing, installed, now)
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


def _removals(client: OpenSearch, policies: Mapping[str, Policy]) -> Iterator[Finding]:
    done = []
    for one in tombstones(client).values():
        if one.done:
            done.append(one.organization)
        else:
            yield fail(
                CHECK,
                f"the removal of {one.organization}, begun {one.removed}, is not finished",
                f"{_REMOVE} {one.organization}",
            )
    for start in range(0, len(done), _AT_ONCE):
        yield from _came_later(client, policies, done[start : start + _AT_ONCE])


def _came_later(
    client: OpenSearch, policies: Mapping[str, Policy], removed: Sequence[str]
) -> Iterator[Finding]:
    """Entries of removed organizations: a removal ends when there are none, but for the law's."""
    classes = retention_classes()
    names = [one for name in policies if not classes[name].legal for one in patterns(name)]
    path = f"/{','.join(names)}/_search"
    counts = {"terms": {"field": "organization.id", "size": _AT_ONCE}}
    theirs = {"terms": {"organization.id": removed}}
    body = ask(
        client,
        "POST",
        path,
        params={"ignore_unavailable": "true"},
        body={"size": 0, "query": theirs, "aggs": {"organizations": counts}},
    ).body
    try:
        whole(body, path)
    except IncompleteAnswer as wrong:
        what = "entries of removed organizations"
        yield warn(CHECK, f"{what} could not all be looked for", str(wrong.message))
    for one in body.get("aggregations", {}).get("organizations", {}).get("buckets", ()):
        yield warn(
            CHECK,
            f"{one['doc_count']} entries of {one['key']} arrived after its removal",
            "if it came again under this id, that is as it should be; else take it out of the "
            f"configuration, then {_REMOVE} {one['key']}",
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
    now: datetime,
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
        elif facts.stopped:
            yield fail(
                CHECK,
                f"{one.name} stands still in {facts.state or 'its first state'}: ISM no longer "
                "looks at it",
                f"POST _plugins/_ism/remove/{one.name}, then {_INSTALL}",
            )
        elif (
            one.complete
            and current is not None
            and facts.policy == policy.id
            and keeps == policy.keeps
            and facts.seq_no in (None, current.seq_no)
        ):
            yield from _late_in_ism(policy, one, facts, now - LATE)


def _late_in_ism(
    policy: Policy, one: Backing, facts: ism.Managed, when: datetime
) -> Iterator[Finding]:
    """What ISM should have done by ``when``, by the dates of the policy.

    Only what is seen in an index that ISM keeps counts: with ``auto_expand_replicas`` copies
    never get fewer, the removal of an organization adds segments, and whether there is a copy
    in the archive ``guard`` looks after. Whether these were tried shows in ISM's state.
    """
    aged = replace(one, size=0, documents=min(one.documents, 1), segments=0, replicas=0)
    copied = Archive(one.name, one.uuid, "", "", one.max_seq_no, documents=one.documents)
    step = next_step(policy, aged, copied, when)
    tiers = list(policy.states)
    what = ""
    if step.is_due(when):
        what = f"{step.action.kind if step.action else ''} ({step.tier}) was due"
    elif facts.state in tiers and tiers.index(facts.state) < tiers.index(step.tier):
        what = f"it is in {facts.state}, and {step.tier} was due"
    if what:
        yield warn(
            CHECK,
            f"{one.name} is late: {what} more than a day ago",
            "does ISM run (plugins.index_state_management.enabled)? It looks at an index every few "
            f"minutes: GET _plugins/_ism/explain/{one.name}",
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
