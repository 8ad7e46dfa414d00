"""Entries over time: at most 80 buckets, in UTC, empty ones too."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sidecar_api.moments import EARLIEST, MILLISECOND, milliseconds, written

MOST: Final = 80
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
INTERVALS: Final = {
    **{f"{n}s": n for n in (1, 5, 10, 30)},
    **{f"{n}m": n * _MINUTE for n in (1, 5, 10, 30)},
    **{f"{n}h": n * _HOUR for n in (1, 3, 6, 12)},
    **{f"{n}d": n * _DAY for n in (1, 7, 30, 90, 365, 3650)},
}
"""Widths of a bucket: name -> seconds. Buckets begin at multiples of it since 1970."""
_FAILED: Final = {"failed": {"filter": {"term": {"event.outcome": "failure"}}}}


def aggregation(
    start: datetime | None, end: datetime | None, held: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the aggregation.

    With both ends known the interval is chosen here; else OpenSearch chooses it from the
    entries that it finds, in the same request, and fills the gaps between them.

    Args:
        start: of the range, included.
        end: of the range, not included.
        held: clauses of filters that the query itself does not hold.
    """
    if start and end:
        how: dict[str, Any] = {
            "date_histogram": {
                "field": "@timestamp",
                "fixed_interval": interval(start, end),
                "min_doc_count": 1,
            }
        }
    else:
        how = {"auto_date_histogram": {"field": "@timestamp", "buckets": MOST}}
    return {
        "filter": {"bool": {"filter": held}},
        "aggs": {"times": {**how, "aggs": _FAILED}},
    }


def interval(start: datetime, end: datetime) -> str:
    """Return the narrowest interval that needs at most 80 buckets."""
    for name, seconds in INTERVALS.items():
        width = seconds * 1000
        if _index(end - MILLISECOND, width) - _index(start, width) < MOST:
            return name
    return next(reversed(INTERVALS))


def result(answer: dict[str, Any], start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """Return ``{"interval", "from", "to", "buckets": [{"at", "count", "failed"}]}``.

    ``to`` is not included. Without entries and without a range there are no buckets, and
    ``from`` and ``to`` are null.
    """
    times = answer["times"]
    found = {int(bucket["key"]): bucket for bucket in times["buckets"]}
    if start and end:
        name = interval(start, end)
        width = INTERVALS[name] * 1000
        begin = _index(start, width)
        places = range(begin, max(begin, _index(end - MILLISECOND, width)) + 1)
        keys = [place * width for place in places]
        first: str | None = written(start)
        last: str | None = written(end)
    else:
        name = times["interval"]
        keys = sorted(found)
        first = written(_at(keys[0])) if keys else None
        last = written(_after(keys[-1], name)) if keys else None
    counts = {key: [0, 0] for key in keys}
    for key, bucket in found.items():
        # A sender's clock may run ahead of a range that ends now: counted at its end.
        count = counts[min(key, keys[-1])]
        count[0] += bucket["doc_count"]
        count[1] += bucket["failed"]["doc_count"]
    buckets = [
        {"at": written(_at(key)), "count": count, "failed": failed}
        for key, (count, failed) in counts.items()
    ]
    return {"interval": name, "from": first, "to": last, "buckets": buckets}


def _index(moment: datetime, width: int) -> int:
    return milliseconds(moment) // width


def _at(key: int) -> datetime:
    return EARLIEST + key * MILLISECOND


def _after(key: int, name: str) -> datetime:
    """End of the bucket that begins at ``key``; months and years are of the calendar."""
    begin = _at(key)
    number, unit = int(name[:-1]), name[-1]
    if unit == "M":
        months = begin.month - 1 + number
        return begin.replace(year=begin.year + months // 12, month=months % 12 + 1)
    if unit == "y":
        return begin.replace(year=begin.year + number)
    return begin + timedelta(seconds=number * {"s": 1, "m": _MINUTE, "h": _HOUR, "d": _DAY}[unit])
