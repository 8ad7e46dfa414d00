"""What the demo that stays up shows beside its month: odd records, and alerts of the past.

``demo --check`` has neither: what it sends is to be found, and nothing of it refused.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opensearchpy import OpenSearch
    from rich.console import Console

    from activity_center.alerting import Rule
    from activity_center.demo.stack import Stack
    from collector.alerts.finding import Finding

SENDER: Final = "warehouse"
"""A program that writes what the collector cannot keep, and what nobody has heard of."""
_WITHOUT_ACTION: Final = 24
"""More than ``rejections-rising`` asks for (20 of one reason within ten minutes)."""
_FOREIGN: Final = 3
_UNKNOWN: Final = 2
_STORED_WITHIN: Final = 20.0
_POLL: Final = 0.25
_CONFLICT: Final = 409
_STARTING: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds before a rule is tried again."""


def fill(stack: Stack, start: datetime, err: Console) -> None:
    """Send the odd records and look for alerts since ``start``, beside everything else."""

    def look() -> None:
        from activity_center.connection import connect
        from activity_center.errors import ActivityCenterError

        try:
            with closing(connect(stack.cluster)) as client:
                send(client, stack)
                keep(client, alerts_of_the_past(client, start, datetime.now(UTC)))
        except (ActivityCenterError, OSError) as wrong:
            err.print(f"Alerts of the past and refused records are not all there: {wrong}")

    # It ends with the demo, wherever it is: what is missing then is made by the next one.
    threading.Thread(target=look, name="beside", daemon=True).start()


def refused(when: str) -> list[dict[str, Any]]:
    """Return records that no collector takes: some name no action, some are of no known form.

    Args:
        when: stands in each: a record that was refused before would not be stored again.
    """
    unnamed = [
        {"event": {"action": ""}, "metadata": {"pallet": 4400 + n, "scanned": when}}
        for n in range(_WITHOUT_ACTION)
    ]
    foreign: list[dict[str, Any]] = [
        {"level": "info", "msg": f"pallet {4400 + n} moved, {when}"} for n in range(_FOREIGN)
    ]
    return unnamed + foreign


def unknown() -> list[dict[str, Any]]:
    """Return records that are kept, of an action that the catalogue does not have."""
    event = {"action": "pallet.move", "outcome": "success"}
    return [{"event": event, "metadata": {"pallet": 4400 + n}} for n in range(_UNKNOWN)]


def send(client: OpenSearch, stack: Stack) -> int:
    """Send both, and wait until the refused ones can be found; return how many were.

    Raises:
        ClusterError: OpenSearch cannot be asked.
        OSError: the collector does not answer.
    """
    from activity_center.setup.cluster import ask
    from activity_center.streams import REJECTED_STREAM

    begun = datetime.now(UTC).isoformat(timespec="milliseconds")
    records = refused(begun)
    request = urllib.request.Request(  # noqa: S310 - the demo's own collector
        f"{stack.url}/v1/activities",
        data=b"\n".join(json.dumps(one).encode() for one in [*records, *unknown()]),
        headers={
            "Authorization": f"Bearer {stack.tokens[SENDER]}",
            "Content-Type": "application/x-ndjson",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answer.read()
    mine = [{"term": {"rejected.sender": SENDER}}, {"range": {"@timestamp": {"gte": begun}}}]
    end = time.monotonic() + _STORED_WITHIN
    while True:
        ask(client, "POST", f"/{REJECTED_STREAM}/_refresh")
        body = {"query": {"bool": {"filter": mine}}}
        found = int(ask(client, "POST", f"/{REJECTED_STREAM}/_count", body=body).body["count"])
        if found >= len(records) or time.monotonic() > end:
            return found
        time.sleep(_POLL)


def alerts_of_the_past(
    client: OpenSearch,
    start: datetime,
    end: datetime,
    also: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """Return what the rules would have found, had a collector evaluated them all the time.

    A collector looks at the last day at most. Here each rule is evaluated wherever something
    happened that it looks at; one that needs something not to happen (a silence, a figure of
    the collector) is left out.

    Args:
        also: a further filter of everything that is looked at.

    Raises:
        ClusterError: OpenSearch cannot be asked, or still answers in part.
    """
    from activity_center.alerting import load_rules
    from activity_center.config_alerts import Hours
    from collector.alerts.evaluate import Evaluator

    evaluator = Evaluator(client, Hours(), also=also)

    def of(rule: Rule) -> list[Finding]:
        found: list[Finding] = []
        fired: dict[str, int] = {}
        for moment in _windows(client, rule, start, end, also):
            for one in evaluator.evaluate(rule, moment).findings:
                before = fired.get(one.key)
                if before is None or one.end - before >= rule.throttle * 1000:
                    fired[one.key] = one.end
                    found.append(one)
        return found

    rules = [rule for rule in load_rules().values() if rule.kind not in ("silence", "figure")]
    return [one for rule in rules for one in _when_started(partial(of, rule))]


def _when_started(asked: Callable[[], list[Finding]]) -> list[Finding]:
    """Ask again while a shard is just starting: each new stream has such a moment."""
    from activity_center.errors import IncompleteAnswer

    for pause in _STARTING:
        try:
            return asked()
        except IncompleteAnswer:
            time.sleep(pause)
    return asked()


def _windows(
    client: OpenSearch, rule: Rule, start: datetime, end: datetime, also: Mapping[str, Any] | None
) -> Iterator[int]:
    """Ends of the windows in which something happened that the rule looks at, Unix ms."""
    from activity_center.alerting.searches import filters, indices
    from activity_center.answers import whole
    from activity_center.config_alerts import Hours
    from activity_center.setup.cluster import ask

    bounds = (int(moment.timestamp() * 1000) for moment in (start, end))
    wanted = [*filters(rule, Hours(), *bounds), *([also] if also else [])]
    interval = {"field": "@timestamp", "fixed_interval": f"{rule.every}s", "min_doc_count": 1}
    answer = ask(
        client,
        "POST",
        f"/{','.join(indices(rule))}/_search",
        body={
            "size": 0,
            "query": {"bool": {"filter": wanted}},
            "aggs": {"when": {"date_histogram": interval}},
        },
    ).body
    grace = rule.grace if rule.join else 0
    for bucket in whole(answer, rule.name)["aggregations"]["when"]["buckets"]:
        yield int(bucket["key"]) + (rule.every + grace) * 1000


def keep(client: OpenSearch, findings: Iterable[Finding]) -> None:
    """Store them as alerts, unless they are there.

    Raises:
        ClusterError: OpenSearch does not take one.
    """
    from activity_center.errors import ClusterError
    from activity_center.streams import ALERTS_STREAM

    now = datetime.now(UTC)
    lines: list[dict[str, Any]] = []
    for one in findings:
        lines += [{"create": {"_index": ALERTS_STREAM, "_id": one.id}}, one.document(now)]
    if not lines:
        return
    body = "\n".join([*(json.dumps(one) for one in lines), ""])
    for item in client.bulk(body=body, params={"refresh": "true"})["items"]:
        if item["create"]["status"] >= 300 and item["create"]["status"] != _CONFLICT:
            raise ClusterError(f"the demo's alerts: {item['create']['error']}")
