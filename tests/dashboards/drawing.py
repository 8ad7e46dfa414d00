"""What a chart draws of what is stored."""

from __future__ import annotations

from collections import Counter
from typing import Any

from activity_center.dashboards import PREFIX, objects
from activity_center.dashboards.check import pattern_of
from tests.dashboards.conftest import Demo
from tests.dashboards.searching import aggregations, leaves, value
from tests.dashboards.test_searches import clauses

Json = dict[str, Any]
KNOWN = {(one["type"], one["id"]): one for one in objects()}


def drawn(demo: Demo, name: str) -> dict[tuple[str, ...], float]:
    """The keys of each bucket and its number; ``__missing__`` is shown as –."""
    chart = KNOWN["visualization", f"{PREFIX}{name}"]
    title = pattern_of(chart, KNOWN)
    assert title is not None
    state = chart["attributes"]["visState"]
    aggs = {"aggs": one} if (one := aggregations(state, title)) else {}
    answer = demo.search(title, clauses(chart), size=0, **aggs)
    whole = {"doc_count": answer["hits"]["total"]["value"], **answer.get("aggregations", {})}
    return {keys: value(state, bucket) for keys, bucket in leaves(state, whole)}


def totals(demo: Demo, name: str) -> dict[str, float]:
    """The numbers of each colour of a chart over time, added up."""
    found: Counter[str] = Counter()
    for keys, number in drawn(demo, name).items():
        found[keys[-1]] += int(number)
    return dict(found)
