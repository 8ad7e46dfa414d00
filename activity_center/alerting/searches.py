"""The search of a rule: which streams, which filters, which groups.

The collector's evaluator and the monitors of the Alerting plugin send the same search; only
the bounds of the window differ (times here, placeholders there). Groups are the buckets of a
``composite`` aggregation, which is read page by page: a ``terms`` aggregation would count
wrongly over shards and forget the groups beyond its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from activity_center.alerting.conditions import between, compiled
from activity_center.alerting.rules import Rule
from activity_center.config_alerts import Hours
from activity_center.streams import REJECTED_STREAM

GROUPS: Final = "groups"
PAGE: Final = 1000
"""Groups a page."""
SAMPLES: Final = 5
"""Newest activities of a group that its alert names."""
VALUES: Final = 20
"""Different values of one field that are compared in a group."""
PRECISION: Final = 3000
"""Up to about so many different values are counted exactly."""

ABSENT: Final = "(none)"
"""What a monitor's group says for a field that is absent."""
_OR_ABSENT: Final = (
    "def field = doc[params.field]; "
    "return field.size() == 0 ? params.absent : field.value.toString()"
)

_FIRST: Final = (
    "for (def name : params.fields) { def field = doc[name]; "
    "if (field.size() != 0) return field.value.toString(); } return null"
)
"""Of several fields the value of the first that an activity has; ``null`` is not counted."""

Bound = str | int
"""Epoch milliseconds, or a placeholder of the plugin's."""


def indices(rule: Rule) -> list[str]:
    """Index patterns that a rule searches."""
    return [REJECTED_STREAM if one == "rejected" else f"activity-{one}-*" for one in rule.streams]


def filters(rule: Rule, hours: Hours, start: Bound, end: Bound) -> list[dict[str, Any]]:
    """The rule's query, from ``start`` on, before ``end``."""
    return [within(start, end), *compiled(rule.query, hours)]


def within(start: Bound, end: Bound) -> dict[str, Any]:
    """A filter on ``@timestamp``."""
    return {"range": {"@timestamp": {**between(start, end), "format": "epoch_millis"}}}


def grouped(rule: Rule, *, monitor: bool = False, recent: Bound = 0) -> dict[str, Any]:
    """The aggregation of a rule's groups, each with what decides whether it fires.

    No document is read, only values of fields: documents of a group may be larger together
    than what OpenSearch has memory for (tried on 3.4: it ends).

    Args:
        monitor: as the Alerting plugin needs it: without what only our alerts say, and no key
            is null, on which the plugin fails (its ``TriggerService``, 3.x).
        recent: for ``silence``: from when on nothing is silence.
    """
    parts: dict[str, Any] = {}
    if rule.distinct:
        parts["distinct"] = {
            "cardinality": {**_counted(rule.distinct), "precision_threshold": PRECISION}
        }
    if rule.kind == "silence":
        parts["recent"] = {"filter": {"range": {"@timestamp": {
            **between(recent, None), "format": "epoch_millis"}}}}  # fmt: skip
    if not monitor:
        parts["samples"] = {
            "top_hits": {
                "size": SAMPLES,
                "sort": [{"@timestamp": {"order": "desc"}}],
                "stored_fields": "_none_",
                "docvalue_fields": ["event.id"],
            }
        }
        parts["organizations"] = valued("organization.id", size=2)
    if rule.join:
        parts["first"] = {"min": {"field": "@timestamp"}}
        parts["senders"] = valued("activity.sender", size=2)
    if rule.equal:
        first = {"first": {"min": {"field": "@timestamp"}}}
        parts["said"] = {**valued(rule.equal[1], size=VALUES), "aggregations": first}
    return {"composite": _composite(rule, monitor=monitor), "aggregations": parts}


def valued(name: str, *, size: int) -> dict[str, Any]:
    """The different values of a field; ``""`` stands for its absence."""
    return {"terms": {"field": name, "size": size, "missing": ""}}


def chosen(rule: Rule) -> dict[str, Any]:
    """The condition that a group must meet: paths of values, and a script over them."""
    paths: Mapping[str, str] = {"count": "_count"}
    limit = int(rule.at_least)
    if rule.kind == "silence":
        paths = {"count": "_count", "recent": "recent._count"}
        source = f"params.count >= {limit} && params.recent == 0"
    elif rule.distinct:
        paths = {"distinct": "distinct"}
        source = f"params.distinct >= {limit}"
    else:
        source = f"params.count >= {limit}"
    return {"buckets_path": dict(paths), "script": {"source": source, "lang": "painless"}}


def _counted(distinct: str) -> dict[str, Any]:
    """What a ``cardinality`` counts the different values of."""
    names = distinct.split("|")
    if len(names) == 1:
        return {"field": distinct}
    return {"script": {"source": _FIRST, "lang": "painless", "params": {"fields": names}}}


def _composite(rule: Rule, *, monitor: bool) -> dict[str, Any]:
    sources = _never_null(rule) if monitor else [_or_null(key) for key in rule.keys]
    return {"size": PAGE, "sources": sources}


def _or_null(key: str) -> dict[str, Any]:
    # An activity without the field is a group too: a rule that does not want it says "exists".
    return {key: {"terms": {"field": key, "missing_bucket": True}}}


def _never_null(rule: Rule) -> list[dict[str, Any]]:
    there = {one["field"] for one in rule.query if "field" in one and one.get("exists", True)}
    script = {"source": _OR_ABSENT, "lang": "painless"}
    return [
        {key: {"terms": {"field": key}}}
        if key in there
        else {key: {"terms": {"script": {**script, "params": {"field": key, "absent": ABSENT}}}}}
        for key in rule.keys
    ]
