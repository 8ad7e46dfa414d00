"""Our objects as the searches that Dashboards sends for them.

DQL: ``src/plugins/data/common/opensearch_query/kuery/functions/`` of OpenSearch Dashboards;
aggregations: ``src/plugins/data/common/search/aggs/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from activity_center.dashboards import dql
from activity_center.dashboards.mapped import mapped

Json = dict[str, Any]
_SPECIAL = re.compile(r'([+\-=&|!(){}\[\]^"~:/\\ ])')


def clause(query: Mapping[str, str], title: str) -> Json:
    """Translate a query bar's text."""
    return _node(dql.parse(query["query"]), title) if query["query"] else {"match_all": {}}


def _node(node: dql.Node, title: str) -> Json:
    if isinstance(node, dql.Not):
        return {"bool": {"must_not": [_node(node.node, title)]}}
    if isinstance(node, dql.Join):
        inner = [_node(one, title) for one in node.nodes]
        if node.operator == "and":
            return {"bool": {"filter": inner}}
        return {"bool": {"should": inner, "minimum_should_match": 1}}
    return {"bool": {"should": [_comparison(node, title)], "minimum_should_match": 1}}


def _comparison(node: dql.Is | dql.Range, title: str) -> Json:
    if isinstance(node, dql.Range):
        sign = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}[node.operator]
        return {"range": {node.field: {sign: node.value}}}
    if node.exists:
        return {"exists": {"field": node.field}}
    if node.wildcard:
        parts = [_SPECIAL.sub(r"\\\1", part) for part in node.value.split("*")]
        return {"query_string": {"fields": [node.field], "query": "*".join(parts)}}
    known = mapped(title).get(node.field)  # None: below a flat_object, and sent as it stands
    if known is not None and known.type == "date":
        return {"range": {node.field: {"gte": node.value, "lte": node.value}}}
    return {"match_phrase" if node.phrase else "match": {node.field: node.value}}


def aggregations(state: Json, title: str) -> Json:
    """Translate a ``visState``: buckets one in the other, the value in the innermost."""
    metric = state["aggs"][0]
    made = _metric(metric)
    for one in reversed(state["aggs"][1:]):
        bucket = _bucket(one, metric, title)
        made = {one["id"]: {**bucket, "aggs": {**_metric(metric), **made}}}
    return made


def _metric(one: Json) -> Json:
    if one["type"] == "count":
        return {}
    params = {key: one["params"][key] for key in ("field", "percents") if key in one["params"]}
    return {one["id"]: {one["type"]: params}}


def _bucket(one: Json, metric: Json, title: str) -> Json:
    params = one["params"]
    if one["type"] == "date_histogram":
        interval = {"field": params["field"], "fixed_interval": "12h", "time_zone": "UTC"}
        return {"date_histogram": {**interval, "min_doc_count": params["min_doc_count"]}}
    if one["type"] == "filters":
        filters = {case["label"]: clause(case["input"], title) for case in params["filters"]}
        return {"filters": {"filters": filters}}
    order = params["orderBy"]
    if order == metric["id"] and metric["type"] == "count":
        order = "_count"
    told = {"field": params["field"], "size": params["size"]}
    if params["missingBucket"] and mapped(title)[params["field"]].type == "keyword":
        told["missing"] = "__missing__"  # buckets/terms.ts, for fields of words
    return {"terms": {**told, "order": {order: params["order"]}}}


def leaves(state: Json, answer: Json) -> list[tuple[tuple[str, ...], Json]]:
    """Return every innermost bucket with the keys that lead to it."""
    found: list[tuple[tuple[str, ...], Json]] = [((), answer)]
    for one in state["aggs"][1:]:
        below = []
        for keys, bucket in found:
            buckets = bucket[one["id"]]["buckets"]
            named = (
                buckets.items() if isinstance(buckets, dict) else ((b["key"], b) for b in buckets)
            )
            below += [((*keys, str(key)), inner) for key, inner in named]
        found = below
    return found


def value(state: Json, bucket: Json) -> float:
    """Return the number that a bucket shows; percentiles: the highest."""
    metric = state["aggs"][0]
    if metric["type"] == "count":
        return float(bucket["doc_count"])
    found = bucket[metric["id"]]
    if metric["type"] == "percentiles":
        return float(max((one for one in found["values"].values() if one), default=0))
    return float(found["value"] or 0)
