"""From a chart's description to the ``visState`` of a visualization.

Only aggregations and parameters that OpenSearch Dashboards 2.11 knows are written; what is
left out has the same default there and in 3.x.
"""

from __future__ import annotations

from typing import Any, Final

from activity_center.dashboards.description import Chart
from activity_center.dashboards.expand import expand
from activity_center.errors import VocabularyError

Json = dict[str, Any]

_TYPES: Final = {
    "metric": "metric",
    "bars": "histogram",
    "line": "line",
    "rows": "horizontal_bar",
    "donut": "pie",
    "table": "table",
}
_METRICS: Final = {
    "unique": "cardinality",
    "average": "avg",
    "sum": "sum",
    "latest": "max",
    "percentiles": "percentiles",
}


def vis_state(chart: Chart) -> Json:
    """Return the decoded ``visState``."""
    return {
        "title": chart.title,
        "type": _TYPES[chart.kind],
        "aggs": _aggregations(chart),
        "params": _parameters(chart),
    }


def markdown(title: str, text: str) -> Json:
    """Return the decoded ``visState`` of a text panel."""
    params = {"fontSize": 12, "openLinksInNewTab": False, "markdown": text}
    return {"title": title, "type": "markdown", "aggs": [], "params": params}


def _aggregations(chart: Chart) -> list[Json]:
    made = [_metric(chart)]

    def add(type_: str, schema: str, params: Json) -> None:
        made.append(_aggregation(str(len(made) + 1), type_, schema, params))

    bucket = "bucket" if chart.kind == "table" else "segment"
    if chart.over:
        interval = {"field": chart.over, "interval": "auto", "min_doc_count": 1}
        add("date_histogram", "segment", interval)
    if chart.cases:
        cases = [
            {"label": label, "input": {"query": expand(query), "language": "kuery"}}
            for label, query in chart.cases.items()
        ]
        add("filters", "group" if chart.over else bucket, {"filters": cases})
    order = "_key" if chart.kind != "metric" and "percentiles" in chart.value else "1"
    for name in chart.by:
        # A row without its person or organization would be left out of a table.
        add("terms", bucket, _terms(name, chart.size, order, missing=chart.kind == "table"))
    if chart.split:
        add("terms", "group", _terms(chart.split, 8, order))
    return made


def _metric(chart: Chart) -> Json:
    params: Json = {"customLabel": chart.label}
    if chart.value == "count":
        return _aggregation("1", "count", "metric", params)
    (name, told), *more = chart.value.items()
    if name not in _METRICS or more:
        raise VocabularyError(f"no such value: {dict(chart.value)}", where=chart.id)
    if name == "percentiles":
        # Dashboards writes the percent before the field's own name: a label would hide it.
        params = {"field": told["field"], "percents": told["percents"]}
    else:
        params["field"] = told
    return _aggregation("1", _METRICS[name], "metric", params)


def _aggregation(id_: str, type_: str, schema: str, params: Json) -> Json:
    return {"id": id_, "enabled": True, "type": type_, "schema": schema, "params": params}


def _terms(name: str, size: int, order: str, *, missing: bool = False) -> Json:
    return {
        "field": name,
        "orderBy": order,
        "order": "desc",
        "size": size,
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": missing,
        "missingBucketLabel": "–",
    }


def _parameters(chart: Chart) -> Json:
    if chart.kind == "metric":
        return _metric_parameters()
    if chart.kind == "donut":
        labels = {"show": True, "values": True, "last_level": True, "truncate": 100}
        return {"type": "pie", **_legend(), "isDonut": True, "labels": labels}
    if chart.kind == "table":
        return {
            "perPage": 10,
            "showPartialRows": False,
            "showMetricsAtAllLevels": False,
            "showTotal": False,
            "totalFunc": "sum",
            "percentageCol": "",
        }
    return _axes(chart)


def _metric_parameters() -> Json:
    style = {
        "bgFill": "#000",
        "bgColor": False,
        "labelColor": False,
        "subText": "",
        "fontSize": 36,
    }
    return {
        "type": "metric",
        "addTooltip": True,
        "addLegend": False,
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": style,
        },
    }


def _legend() -> Json:
    return {"addTooltip": True, "addLegend": True, "legendPosition": "right"}


def _axes(chart: Chart) -> Json:
    lying = chart.kind == "rows"
    shape = "line" if chart.kind == "line" else "histogram"
    series = {
        "show": True,
        "type": shape,
        "mode": "normal" if shape == "line" else "stacked",
        "data": {"id": "1", "label": chart.label},
        "valueAxis": "ValueAxis-1",
        "drawLinesBetweenPoints": True,
        "lineWidth": 2,
        "showCircles": True,
    }
    category = {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": "left" if lying else "bottom",
        "show": True,
        "style": {},
        "scale": {"type": "linear"},
        "labels": {"show": True, "filter": not lying, "truncate": 200},
        "title": {},
    }
    value = {
        "id": "ValueAxis-1",
        "name": "BottomAxis-1" if lying else "LeftAxis-1",
        "type": "value",
        "position": "bottom" if lying else "left",
        "show": True,
        "style": {},
        "scale": {"type": "linear", "mode": "percentage" if chart.share else "normal"},
        "labels": {"show": True, "rotate": 0, "filter": True, "truncate": 100},
        "title": {"text": chart.label},
    }
    return {
        "type": shape,
        **_legend(),
        "grid": {"categoryLines": False},
        "categoryAxes": [category],
        "valueAxes": [value],
        "seriesParams": [series],
        "times": [],
        "addTimeMarker": False,
        "labels": {},
        "thresholdLine": {
            "show": False,
            "value": 10,
            "width": 1,
            "style": "full",
            "color": "#E7664C",
        },
    }
