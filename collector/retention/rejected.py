"""Rejected records of an organization: they were kept as text, so each is read to tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from activity_center.answers import whole
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.streams import REJECTED_STREAM

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_PAGE: Final = 500


def rejected_of(client: OpenSearch, organization: str) -> Iterator[list[str]]:
    """Ids of the rejected records that name the organization as theirs, page by page.

    Raises:
        IncompleteAnswer: not every shard answered.
    """
    path = f"/{REJECTED_STREAM}/_search"
    query: dict[str, Any] = {
        "size": _PAGE,
        "query": {"match_phrase": {"rejected.record": organization}},
        "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}],
        "_source": ["rejected.record"],
    }
    params = {"allow_partial_search_results": "false"}
    while True:
        answer = ask(client, "POST", path, params=params, body=query, allow=(NOT_FOUND,))
        if not answer.ok:
            return
        whole(answer.body, path)
        hits = answer.body["hits"]["hits"]
        found = [one["_id"] for one in hits if _names(one["_source"], organization)]
        if found:
            yield found
        if len(hits) < _PAGE:
            return
        query["search_after"] = hits[-1]["sort"]


def _names(source: Mapping[str, Any], organization: str) -> bool:
    """Whether a record says that it is of that organization."""
    try:
        record = json.loads(source["rejected"]["record"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return False
    if not isinstance(record, dict):
        return False
    nested = record.get("organization")
    named = nested.get("id") if isinstance(nested, dict) else record.get("organization.id")
    return bool(named == organization)
