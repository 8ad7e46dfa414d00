"""Activities beside their counterparts: one that is missing, or that says something else.

Both are looked up by the group (organization and id together): anybody may write an entry with
another organization's id. What a counterpart must be stands in the rule, and it stands before
the activity: what comes afterwards allowed nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from activity_center.agents.difference import drifted
from activity_center.agents.verdicts import SKEW
from activity_center.alerting import Rule
from activity_center.alerting.conditions import Query, between, compiled
from activity_center.alerting.searches import VALUES, valued
from activity_center.config_alerts import Hours

_LATEST: Final = {"last": {"max": {"field": "@timestamp"}}}
_BOTH: Final = {**_LATEST, "first": {"min": {"field": "@timestamp"}}}
_SENDERS: Final = 100
"""Senders of which counterparts are told apart; they are named in the configuration."""
_SKEW: Final = SKEW // 1000
"""Milliseconds that a counterpart may seem to come after its activity: two machines' clocks."""
Bucket = Mapping[str, Any]


def parts(rule: Rule, hours: Hours) -> dict[str, Any]:
    """The aggregations over what there is of one group before its first activity."""
    if rule.kind == "missing":
        return {
            "there": {**_all(rule.counterpart, hours), "aggregations": _LATEST},
            "own": {
                **_all(rule.own, hours),
                "aggregations": {
                    "senders": {
                        **valued("activity.sender", size=_SENDERS),
                        "aggregations": _LATEST,
                    }
                },
            },
            "unless": {**_all(rule.unless, hours), "aggregations": _LATEST},
        }
    said = {"said": {**valued(rule.equal[0], size=VALUES), "aggregations": _BOTH}}
    first = {"order": {"first": "asc"}}
    basis = valued(rule.equal[0], size=VALUES)
    return {
        "rather": {**_all((*rule.counterpart, *rule.rather), hours), "aggregations": said},
        "there": {**_all(rule.counterpart, hours), "aggregations": said},
        "basis": {
            **_all(rule.basis, hours),
            "aggregations": {
                "said": {"terms": {**basis["terms"], **first}, "aggregations": _BOTH},
            },
        },
    }


def before(bucket: Bucket) -> Query:
    """The filter on what is there when the activities of a group begin, or a little later."""
    return {"range": {"@timestamp": {
        **between(None, int(_last_start(bucket)) + _SKEW + 1), "format": "epoch_millis",
    }}}  # fmt: skip


def is_missing(bucket: Bucket, found: Bucket) -> bool:
    """Whether no counterpart stands before the first activity, or its last word was no."""
    senders = [one["key"] for one in bucket["senders"]["buckets"]]
    own = [
        one["last"]["value"]
        for one in found["own"]["senders"]["buckets"]
        if [one["key"]] == senders  # else nobody knows whose word it would be
    ]
    given = [one for one in (found["there"]["last"]["value"], *own) if one is not None]
    taken = found["unless"]["last"]["value"]
    return not given or (taken is not None and taken > max(given))


def differs(bucket: Bucket, found: Bucket) -> bool:
    """Whether any value of the activities is another one than its counterpart allows.

    What one of the two does not say, or says under another key, cannot be compared.
    """
    counting = found["rather"] if found["rather"]["doc_count"] else found["there"]
    told = counting["said"]["buckets"]
    basis = [one["key"] for one in found["basis"]["said"]["buckets"] if one["key"]]
    for one in bucket["said"]["buckets"]:
        if not one["key"]:
            continue
        allowed = _latest(told, one["first"]["value"] + _SKEW)
        if allowed == "":
            allowed = basis[0] if basis else ""
        if allowed and drifted(allowed, (one["key"],)):
            return True
    return False


def _latest(told: Sequence[Bucket], until: float) -> str | None:
    """The value that was said last until a time; ``""``: none; ``None``: nothing was said."""
    times = [
        (when, str(one["key"]))
        for one in told
        for when in (one["first"]["value"], one["last"]["value"])
        if when <= until
    ]
    return max(times)[1] if times else None


def _last_start(bucket: Bucket) -> float:
    """When the latest of the values begins; without values, when the first activity does."""
    starts: Iterator[float] = (one["first"]["value"] for one in _said(bucket))
    return max(starts, default=bucket["first"]["value"])


def _said(bucket: Bucket) -> Sequence[Bucket]:
    return bucket["said"]["buckets"] if "said" in bucket else ()


def _all(conditions: Sequence[Mapping[str, Any]], hours: Hours) -> dict[str, Any]:
    """A filter for what meets all conditions; without any it finds nothing."""
    if not conditions:
        return {"filter": {"match_none": {}}}
    return {"filter": {"bool": {"filter": compiled(conditions, hours)}}}
