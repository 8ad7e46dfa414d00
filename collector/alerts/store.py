"""Alerts in the stream ``activity-alerts``: written once, held back, and who was told.

The id of an alert follows from rule, group and window, so of two evaluators one writes it.
What a group has fired is looked up before; the search may not see what another one wrote a
moment ago, but then both look at the same window and the id decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from activity_center.alerting import SEVERITIES
from activity_center.answers import whole
from activity_center.config_alerts import RUNBOOKS, Webhook
from activity_center.errors import ClusterError
from activity_center.setup.cluster import CONFLICT, NOT_FOUND, ask
from activity_center.streams import ALERTS_STREAM, STATE_INDEX
from collector.alerts.finding import Finding

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

MOST: Final = 100
"""Alerts of one rule and window; of more groups, those with the highest counts are told."""
CURSOR: Final = f"/{STATE_INDEX}/_doc/alerts-cursor"
GIVEN_UP: Final = "now-1d"
"""A webhook that has not taken an alert for so long is not told of it any more."""
_SLICE: Final = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """An alert as it is stored: where, which version, and what it says."""

    index: str
    id: str
    seq_no: int
    primary_term: int
    source: dict[str, Any]


class Written(NamedTuple):
    """What became of the findings of one rule and window.

    Attributes:
        new: what was written.
        cut: how many were neither written nor held back, since there were more than :data:`MOST`.
    """

    new: list[Finding]
    cut: int


class AlertStore:
    """Reads and writes alerts.

    Args:
        client: of an account that may read and write the stream and the state index.
        runbook_base: address of the page that says what to do, for alerts that are written.
    """

    def __init__(self, client: OpenSearch, runbook_base: str = RUNBOOKS) -> None:
        self._client = client
        self._runbook_base = runbook_base
        self._version: dict[str, Any] = {}

    def write(self, findings: Sequence[Finding]) -> Written:
        """Write what is new, of more than :data:`MOST` those with the highest counts.

        Of the others together tells one alert more, which is held back like every other.

        Args:
            findings: of one rule and window.

        Raises:
            ClusterError: no answer, a missing right or stream; what was written stays.
        """
        held = self._held(findings)
        new = [one for one in findings if one.key not in held]
        new.sort(key=lambda one: one.count, reverse=True)
        chosen, cut = new[:MOST], max(0, len(new) - MOST)
        if cut:
            rest = replace(new[MOST], group=(), events=(), organization="", more=cut)
            rest = replace(rest, count=cut, distinct=None)
            chosen += [rest] if rest.key not in self._held([rest]) else []
        written = []
        for one in chosen:
            document = one.document(datetime.now(UTC), self._runbook_base)
            if self.put(one.id, document, wait=one is chosen[-1]):
                written.append(one)
        return Written([one for one in written if not one.more], cut)

    def put(self, id_: str, document: Mapping[str, Any], *, wait: bool = True) -> bool:
        """Write one alert; return whether it is new.

        Args:
            wait: until searches find it.

        Raises:
            ClusterError: no answer, a missing right or stream.
        """
        answer = ask(
            self._client,
            "PUT",
            f"/{ALERTS_STREAM}/_create/{id_}",
            params={"refresh": "wait_for" if wait else "false"},
            body=document,
            allow=(CONFLICT,),
        )
        return answer.ok

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
        """Yield the alerts that ``webhook`` is yet to be told of: the gravest first, then by age.

        Else a flood of small ones would hold up, or outlast, the one that matters.
        """
        body = {
            "size": size,
            "seq_no_primary_term": True,
            "sort": [{"event.severity": "desc"}, {"event.created": "asc"}, {"event.id": "asc"}],
            "query": _untold(webhook, {"gte": GIVEN_UP}),
        }
        for hit in self._search(body)["hits"]["hits"]:
            yield Stored(
                hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit["_source"]
            )

    def given_up(self, webhook: Webhook) -> int:
        """Return of how many alerts of the day before yesterday's ``webhook`` was not told."""
        query = _untold(webhook, {"gte": f"{GIVEN_UP}-1d", "lt": GIVEN_UP})
        found = self._search({"size": 0, "track_total_hits": True, "query": query})
        return int(found["hits"]["total"]["value"])

    def mark(self, alert: Stored, webhook: Webhook, *, taken: bool) -> bool:
        """Note that a webhook took an alert, or refused it for good.

        Returns:
            Whether it is noted; not if another one changed the alert meanwhile.
        """
        word = "told" if taken else "refused"
        names = [*alert.source["alert"].get(word, ()), webhook.name]
        answer = ask(
            self._client,
            "POST",
            f"/{alert.index}/_update/{alert.id}",
            params={
                "if_seq_no": alert.seq_no,
                "if_primary_term": alert.primary_term,
                "refresh": "wait_for",
            },
            body={"doc": {"alert": {word: names}}},
            allow=(CONFLICT, NOT_FOUND),
        )
        return answer.status != CONFLICT

    def cursor(self) -> dict[str, int]:
        """Return up to when each rule has been evaluated, Unix time in ms by rule.

        Raises:
            ClusterError: no answer, a missing right, or the state index is not there.
        """
        answer = ask(self._client, "GET", CURSOR, allow=(NOT_FOUND,))
        if "found" not in answer.body:
            # A write would make it, and not as ``install`` does.
            raise ClusterError(
                f"there is no {STATE_INDEX}", hint="activity-center install --config FILE"
            )
        if not answer.body["found"]:
            self._version = {"op_type": "create"}
            return {}
        self._version = {
            "if_seq_no": answer.body["_seq_no"],
            "if_primary_term": answer.body["_primary_term"],
        }
        kept = answer.body["_source"]["data"].items()
        return {str(name): at for name, at in kept if isinstance(at, int)}

    def move(self, cursor: dict[str, int]) -> None:
        """Keep the cursor, in the place of the version that was read.

        Where another one moved it meanwhile it stays as that one left it: at worst windows are
        evaluated again, which fires nothing twice.
        """
        body = {"kind": "cursor", "name": "alerts", "data": cursor}
        ask(self._client, "PUT", CURSOR, params=self._version, body=body, allow=(CONFLICT,))

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = ask(
            self._client,
            "POST",
            f"/{ALERTS_STREAM}/_search",
            params={"allow_partial_search_results": "false"},
            body=body,
        ).body
        return whole(answer, ALERTS_STREAM)


def _untold(webhook: Webhook, created: Mapping[str, str]) -> dict[str, Any]:
    """What a webhook is told of, is not yet, and was made at a time."""
    loud = SEVERITIES[SEVERITIES.index(webhook.severity) :]
    return {
        "bool": {
            "filter": [
                {"range": {"event.created": dict(created)}},
                {"terms": {"alert.severity": list(loud)}},
            ],
            "must_not": [
                {"terms": {"alert.told": [webhook.name]}},
                {"terms": {"alert.refused": [webhook.name]}},
            ],
        }
    }
