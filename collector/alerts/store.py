"""Alerts in the stream ``activity-alerts``: written once, held back, and who was told.

The id of an alert follows from rule, group and window, so of two evaluators one writes it.
What a group has fired is looked up before; the search may not see what another one wrote a
moment ago, but then both look at the same window and the id decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.alerting import SEVERITIES
from activity_center.config_alerts import Webhook
from activity_center.errors import ClusterError, IncompleteAnswer
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.streams import ALERTS_STREAM, STATE_INDEX
from collector.alerts.finding import Finding

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

MOST: Final = 100
"""Alerts of one rule and window; of more groups, those with the highest counts are told."""
CURSOR: Final = f"/{STATE_INDEX}/_doc/alerts-cursor"
GIVEN_UP: Final = "now-1d"
"""A webhook that has not taken an alert for so long is not told of it any more."""
_CONFLICT: Final = 409
_SLICE: Final = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """An alert as it is stored: where, which version, and what it says."""

    index: str
    id: str
    seq_no: int
    primary_term: int
    source: dict[str, Any]


class AlertStore:
    """Reads and writes alerts.

    Args:
        client: of an account that may read and write the stream and the state index.
    """

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def write(self, findings: Sequence[Finding]) -> list[Finding]:
        """Write what is new; return it.

        Args:
            findings: of one rule and window.

        Raises:
            ClusterError: no answer, a missing right or stream; what was written stays.
        """
        held = self._held(findings)
        new = [one for one in findings if one.key not in held]
        new.sort(key=lambda one: one.count, reverse=True)
        written = []
        for one in new[:MOST]:
            answer = ask(
                self._client,
                "PUT",
                f"/{ALERTS_STREAM}/_create/{one.id}",
                params={"refresh": "wait_for" if one is new[:MOST][-1] else "false"},
                body=one.document(datetime.now(UTC)),
                allow=(_CONFLICT,),
            )
            if answer.ok:
                written.append(one)
        return written

    def _held(self, findings: Sequence[Finding]) -> set[str]:
        """Keys of groups that have fired within the throttle, before the window or after it."""
        held: set[str] = set()
        keys = [one.key for one in findings]
        for begin in range(0, len(keys), _SLICE):
            some = keys[begin : begin + _SLICE]
            end, throttle = findings[0].end, findings[0].rule.throttle * 1000
            near = {"gt": end - throttle, "lt": end + throttle, "format": "epoch_millis"}
            wanted = [
                {"terms": {"alert.group_key": some}},
                {"range": {"@timestamp": near}},
            ]
            parts = {"keys": {"terms": {"field": "alert.group_key", "size": _SLICE}}}
            answer = self._search({"size": 0, "query": {"bool": {"filter": wanted}}, "aggs": parts})
            held |= {one["key"] for one in answer["aggregations"]["keys"]["buckets"]}
        return held

    def newest(self, size: int, rule: str = "") -> list[dict[str, Any]]:
        """Return the newest alerts, of one rule or all."""
        query = {"term": {"rule.id": rule}} if rule else {"match_all": {}}
        order = [{"@timestamp": "desc"}, {"event.id": "asc"}]
        answer = self._search({"size": size, "query": query, "sort": order})
        return [hit["_source"] for hit in answer["hits"]["hits"]]

    def untold(self, webhook: Webhook, size: int = 100) -> Iterator[Stored]:
        """Yield the alerts that ``webhook`` is yet to be told of, oldest first."""
        loud = SEVERITIES[SEVERITIES.index(webhook.severity) :]
        names = (
            {"terms": {"alert.told": [webhook.name]}},
            {"terms": {"alert.refused": [webhook.name]}},
        )
        body = {
            "size": size,
            "seq_no_primary_term": True,
            "sort": [{"event.created": "asc"}, {"event.id": "asc"}],
            "query": {
                "bool": {
                    "filter": [
                        {"range": {"event.created": {"gte": GIVEN_UP}}},
                        {"terms": {"alert.severity": list(loud)}},
                    ],
                    "must_not": list(names),
                }
            },
        }
        for hit in self._search(body)["hits"]["hits"]:
            yield Stored(
                hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit["_source"]
            )

    def mark(self, alert: Stored, webhook: Webhook, *, taken: bool) -> None:
        """Note that a webhook took an alert, or refused it for good."""
        word = "told" if taken else "refused"
        names = [*alert.source["alert"].get(word, ()), webhook.name]
        ask(
            self._client,
            "POST",
            f"/{alert.index}/_update/{alert.id}",
            params={
                "if_seq_no": alert.seq_no,
                "if_primary_term": alert.primary_term,
                "refresh": "wait_for",
            },
            body={"doc": {"alert": {word: names}}},
            allow=(_CONFLICT, NOT_FOUND),
        )

    def cursor(self) -> dict[str, int]:
        """Return up to when each rule has been evaluated, Unix time in ms by rule.

        Raises:
            ClusterError: no answer, a missing right, or the state index is not there.
        """
        answer = ask(self._client, "GET", CURSOR, allow=(NOT_FOUND,))
        if "found" not in answer.body:
            # A write would make it, and not as ``install`` does.
            raise ClusterError(f"there is no {STATE_INDEX}", hint="activity-center install")
        if not answer.body["found"]:
            return {}
        return {str(name): int(at) for name, at in answer.body["_source"]["data"].items()}

    def move(self, cursor: dict[str, int]) -> None:
        """Keep the cursor."""
        body = {"kind": "cursor", "name": "alerts", "data": cursor}
        ask(self._client, "PUT", CURSOR, body=body)

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = ask(
            self._client,
            "POST",
            f"/{ALERTS_STREAM}/_search",
            params={"allow_partial_search_results": "false"},
            body=body,
        ).body
        shards = answer["_shards"]
        if answer["timed_out"] or shards["failed"] or shards["successful"] != shards["total"]:
            raise IncompleteAnswer(
                f"{shards['successful']} of {shards['total']} shards answered", where=ALERTS_STREAM
            )
        return answer
