"""Evaluating a rule: searches over whole answers, and what follows from them.

It only reads. Every bound is given by the caller, so that the same rule, window and record
give the same findings, whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from activity_center.alerting import Rule
from activity_center.alerting.conditions import compiled
from activity_center.alerting.rules import COLLECTOR
from activity_center.alerting.searches import (
    GROUPS,
    chosen,
    filters,
    grouped,
    indices,
    within,
)
from activity_center.answers import whole
from activity_center.config_alerts import Hours
from activity_center.errors import ClusterError
from activity_center.setup.cluster import ask
from collector.alerts import joined
from collector.alerts.finding import Finding, Group

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

PAGES: Final = 20
"""Pages of groups that are read for one rule; beyond, the result says that it is cut."""
_AT_ONCE: Final = 100
"""Groups of which one search asks whether they have a counterpart or an older equal."""
_WEEK: Final = 7 * 86_400_000
_WHO: Final = ("user.id", "user.email", "user.name")
Bucket = Mapping[str, Any]


@dataclass(slots=True)
class Result:
    """What became of one evaluation.

    Attributes:
        lacking: fields that the rule needs and that none of its activities of a week has.
        cut: more groups than are read; those that were read are judged.
    """

    rule: Rule
    findings: list[Finding] = field(default_factory=list)
    lacking: tuple[str, ...] = ()
    cut: bool = False


class Evaluator:
    """Evaluates rules against a cluster.

    Args:
        client: of an account that may search the streams.
        places: index to search instead of a rule's streams, by stream; for replaying cases.
        also: a further filter; for replaying cases.
        machine: what figures are of.
    """

    def __init__(
        self,
        client: OpenSearch,
        hours: Hours,
        *,
        places: Mapping[str, str] | None = None,
        also: Mapping[str, Any] | None = None,
        machine: str = "",
    ) -> None:
        self._client = client
        self._hours = hours
        self._places = places
        self._also = [also] if also else []
        self._machine = machine

    def evaluate(self, rule: Rule, now: int, figures: Mapping[str, float] | None = None) -> Result:
        """Evaluate a rule for the window that ends at ``now`` (less its grace).

        Args:
            now: Unix time in ms.
            figures: of this machine's collector, by name.

        Raises:
            ClusterError: no answer, or a right is missing.
            IncompleteAnswer: some shards or the time did not suffice: nothing is known.
        """
        grace = rule.grace * 1000 if rule.join else 0
        end = now - grace
        start = end - rule.window * 1000
        result = Result(rule)
        if rule.kind == "figure":
            value = (figures or {}).get(rule.figure)
            if value is None:
                raise ClusterError(
                    f"{rule.figure} of the collector of this machine is not known",
                    where=rule.name,
                    hint="its metrics are read from collector.health; is it running?",
                )
            if value >= rule.at_least:
                group: Group = ((COLLECTOR, self._machine),)
                result.findings.append(Finding(rule, group, start, end, value))
            return result
        find = {
            "threshold": self._counted,
            "silence": self._silent,
            "new_value": self._new,
            "missing": self._unmatched,
            "differs": self._unmatched,
        }[rule.kind]
        result.findings += find(result, start, end)
        if rule.needs and not result.findings:
            result.lacking = self._lacking(rule, end)
        return result

    def _counted(self, result: Result, start: int, end: int) -> Iterator[Finding]:
        rule = result.rule
        if rule.keys:
            for bucket in self._buckets(result, filters(rule, self._hours, start, end)):
                yield _finding(rule, bucket, start, end)
            return
        parts = grouped(rule)["aggregations"]
        answer = self._search(rule, filters(rule, self._hours, start, end), parts, total=True)
        count = answer["hits"]["total"]["value"]
        bucket = {**answer["aggregations"], "key": {}, "doc_count": count}
        distinct = bucket["distinct"]["value"] if rule.distinct else count
        if distinct >= rule.at_least:
            yield _finding(rule, bucket, start, end)

    def _silent(self, result: Result, start: int, end: int) -> Iterator[Finding]:
        rule = result.rule
        span = filters(rule, self._hours, end - rule.baseline * 1000, end)
        for bucket in self._buckets(result, span, recent=start):
            yield _finding(rule, bucket, start, end)

    def _new(self, result: Result, start: int, end: int) -> Iterator[Finding]:
        """Groups whose value did not occur in the baseline, in which they were seen at all."""
        rule = result.rule
        older = filters(rule, self._hours, start - rule.baseline * 1000, start)
        seen = [*self._buckets(result, filters(rule, self._hours, start, end))]
        for some in _slices(seen):
            asked: dict[str, Any] = {}
            for number, bucket in enumerate(some):
                group = _telling(bucket["key"], rule.group_by)
                asked[f"same{number}"] = _matching(bucket["key"], (*group, *rule.value))
                asked[f"group{number}"] = _matching(bucket["key"], group)
            parts = {"asked": {"filters": {"filters": asked}}}
            found = self._search(rule, older, parts)["aggregations"]["asked"]["buckets"]
            for number, bucket in enumerate(some):
                known = found[f"group{number}"]["doc_count"]
                if known and not found[f"same{number}"]["doc_count"]:
                    yield _finding(rule, bucket, start, end)

    def _unmatched(self, result: Result, start: int, end: int) -> Iterator[Finding]:
        """Activities without counterpart, or with one that says something else."""
        rule = result.rule
        judged = joined.is_missing if rule.kind == "missing" else joined.differs
        span = within(start - rule.baseline * 1000, end + rule.grace * 1000)
        parts = joined.parts(rule, self._hours)
        for some in _slices([*self._buckets(result, filters(rule, self._hours, start, end))]):
            ids = [one["key"][rule.join] for one in some if one["key"][rule.join] is not None]
            asked = {}
            for number, bucket in enumerate(some):
                same = _matching(bucket["key"], rule.keys)
                asked[str(number)] = {"bool": {"filter": [same, joined.before(bucket)]}}
            by_group = {"filters": {"filters": asked}, "aggregations": parts}
            wanted = [span, {"terms": {rule.join: ids}}]
            answer = self._search(rule, wanted, {"by_group": by_group})
            found = answer["aggregations"]["by_group"]["buckets"]
            for number, bucket in enumerate(some):
                # Without an id there is nothing that it could have been joined with.
                if bucket["key"][rule.join] is None or judged(bucket, found[str(number)]):
                    yield _finding(rule, bucket, start, end)

    def _lacking(self, rule: Rule, end: int) -> tuple[str, ...]:
        """Which of the fields that the rule needs none of its activities of a week has.

        Without any such activity nothing can be said.
        """
        rest = [one for one in rule.query if one.get("field") not in rule.needs]
        asked = {name: {"filter": {"exists": {"field": name}}} for name in rule.needs}
        wanted = [within(end - _WEEK, end), *compiled(rest, self._hours)]
        answer = self._search(rule, wanted, asked, total=True)
        if not answer["hits"]["total"]["value"]:
            return ()
        found = answer["aggregations"]
        return tuple(name for name in rule.needs if not found[name]["doc_count"])

    def _buckets(
        self, result: Result, wanted: Sequence[Mapping[str, Any]], *, recent: int = 0
    ) -> Iterator[Bucket]:
        """The groups that meet the rule's condition, page by page."""
        rule = result.rule
        groups = grouped(rule, recent=recent)
        groups["aggregations"]["chosen"] = {"bucket_selector": chosen(rule)}
        for _ in range(PAGES):
            found = self._search(rule, wanted, {GROUPS: groups})["aggregations"][GROUPS]
            yield from found["buckets"]
            if "after_key" not in found:
                return
            groups["composite"]["after"] = found["after_key"]
        result.cut = True

    def _search(
        self,
        rule: Rule,
        wanted: Sequence[Mapping[str, Any]],
        parts: Mapping[str, Any],
        *,
        total: bool = False,
    ) -> dict[str, Any]:
        """Search, and insist on all shards: an answer with 200 may be of some of them."""
        places = self._places
        names = [places[one] for one in rule.streams] if places else indices(rule)
        answer = ask(
            self._client,
            "POST",
            f"/{','.join(names)}/_search",
            params={"allow_partial_search_results": "false", "ignore_unavailable": "true"},
            body={
                "size": 0,
                "track_total_hits": total,
                "query": {"bool": {"filter": [*self._also, *wanted]}},
                "aggregations": dict(parts),
            },
        ).body
        found = whole(answer, rule.name)
        if not found["_shards"]["total"]:
            raise ClusterError(
                f"there is no {','.join(names)}",
                where=rule.name,
                hint="activity-center install --config FILE",
            )
        return found


def _finding(rule: Rule, bucket: Bucket, start: int, end: int) -> Finding:
    ids = [
        hit["fields"]["event.id"][0] for hit in bucket["samples"]["hits"]["hits"] if "fields" in hit
    ]
    owners = [one["key"] for one in bucket["organizations"]["buckets"]]
    return Finding(
        rule,
        tuple((name, bucket["key"].get(name)) for name in rule.keys),
        start,
        end,
        bucket["doc_count"],
        bucket["distinct"]["value"] if rule.distinct else None,
        tuple(str(one) for one in ids),
        organization=owners[0] if len(owners) == 1 else "",
    )


def _telling(key: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """The fields that tell somebody: the id; else the e-mail address; else the login name.

    What stands beside the first of them may be changed, or be missing from older entries.
    """
    telling = next((name for name in _WHO if key.get(name) is not None), None)
    return tuple(name for name in names if name not in _WHO or telling in (name, None))


def _matching(key: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A filter for what has the same values; a value that is absent must be absent."""
    must: list[Any] = []
    absent: list[Any] = []
    for name in names:
        if key[name] is None:
            absent.append({"exists": {"field": name}})
        else:
            must.append({"term": {name: {"value": key[name]}}})
    return {"bool": {"filter": must, "must_not": absent}}


def _slices(buckets: Sequence[Bucket]) -> Iterator[Sequence[Bucket]]:
    for begin in range(0, len(buckets), _AT_ONCE):
        yield buckets[begin : begin + _AT_ONCE]
