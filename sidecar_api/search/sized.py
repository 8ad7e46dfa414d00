"""Fetching many entries at once without more of them in memory than OpenSearch can bear.

A node holds the sources of all hits of a search in its memory, whatever they weigh: a page of
2500 entries of a megabyte each ends it, and so do some lists of a hundred at the same time. Large
entries say their size (``activity.size``, see :data:`activity_center.canonical.LARGE_BYTES`), so
it can be known before. Where there are none in what is asked for, nothing changes; else hits
come without source, and the sources follow in batches that weigh a bounded amount.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from opensearchpy import OpenSearch

from activity_center.canonical import LARGE_BYTES
from sidecar_api.failures import Incomplete
from sidecar_api.search import ask

BATCH_BYTES: Final = 8 * 1024 * 1024
"""What the sources of one search may weigh."""
LEFT_OUT: Final = (
    *("metadata", "related", "error.message", "error.stack_trace"),
    *("activity.overflow", "activity.old_value", "activity.new_value", "activity.output"),
    *("activity.changes", "activity.modified_fields", "activity.execution"),
    *("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
)
"""What a list leaves out of large entries: the entry itself has it."""
PARTIAL: Final = "partial"
"""Member of a hit without them."""
_SIZE: Final = "activity.size"

Hit = dict[str, Any]


def are_large(client: OpenSearch, body: dict[str, Any], *, pit: bool = False) -> bool:
    """Return whether there is a large entry among all that a search finds."""
    looked: dict[str, Any] = {
        "size": 0,
        "terminate_after": 1,
        "track_total_hits": True,
        "query": _all(body["query"], {"exists": {"field": _SIZE}}),
    }
    if pit:
        looked["pit"] = body["pit"]
    return bool(ask.search(client, looked, pit=pit)["hits"]["total"]["value"])


def search(client: OpenSearch, body: dict[str, Any]) -> dict[str, Any]:
    """Search as :func:`sidecar_api.search.ask.search`, for a list: see :data:`LEFT_OUT`.

    Raises:
        Incomplete: an entry is gone in between; and as ``ask.search`` does.
    """
    if not are_large(client, body):
        return ask.search(client, body)
    answer = ask.search(client, without_sources(body))
    answer["hits"]["hits"] = [
        hit for batch in filled(client, body, answer["hits"]["hits"], lean=True) for hit in batch
    ]
    return answer


def hits(client: OpenSearch, body: dict[str, Any]) -> Iterator[Hit]:
    """Yield the hits of one search, whole, however large; raises as :func:`search`."""
    if not are_large(client, body):
        yield from ask.search(client, body)["hits"]["hits"]
        return
    found = ask.search(client, without_sources(body))["hits"]["hits"]
    for batch in filled(client, body, found):
        yield from batch


def without_sources(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a search whose hits say their size in place of their source."""
    return {**body, "_source": False, "docvalue_fields": [_SIZE]}


def filled(
    client: OpenSearch, body: dict[str, Any], hits: Sequence[Hit], *, lean: bool = False
) -> Iterator[list[Hit]]:
    """Yield hits of :func:`without_sources` with their sources, in the same order, in batches.

    Args:
        body: of the search that found them; with its ``pit`` if it has one.
        lean: without :data:`LEFT_OUT` of large ones, which are marked :data:`PARTIAL`.

    Raises:
        Incomplete: an entry is gone in between.
    """
    for batch in _batches(hits, lean):
        sources: dict[tuple[str, str], Any] = {}
        large = [hit for hit in batch if _size(hit)]
        for part in ([hit for hit in batch if not _size(hit)], large):
            if part:
                leave = lean and part is large
                for found in _fetched(client, body, part, leave):
                    sources[found["_index"], found["_id"]] = found["_source"]
        made = []
        for hit in batch:
            source = sources.get((hit["_index"], hit["_id"]))
            if source is None:
                raise Incomplete(ask.INCOMPLETE, hint=ask.INCOMPLETE_HINT)
            mark = {PARTIAL: True} if lean and _size(hit) else {}
            made.append({**hit, "_source": source, **mark})
        yield made


def _fetched(
    client: OpenSearch, body: dict[str, Any], part: list[Hit], leave: bool
) -> list[dict[str, Any]]:
    ids = [hit["_id"] for hit in part]
    asked: dict[str, Any] = {
        # The same id may stand in two generations of a stream.
        "size": 2 * len(ids),
        "track_total_hits": False,
        "query": _all(body["query"], {"ids": {"values": ids}}),
        "_source": {"excludes": list(LEFT_OUT)} if leave else True,
    }
    if "pit" in body:
        answer = ask.patiently(client, {**asked, "pit": body["pit"]})
    else:
        answer = ask.search(client, asked)
    found: list[dict[str, Any]] = answer["hits"]["hits"]
    return found


def _batches(hits: Sequence[Hit], lean: bool) -> Iterator[list[Hit]]:
    batch: list[Hit] = []
    room = BATCH_BYTES
    for hit in hits:
        weight = LARGE_BYTES if lean else (_size(hit) or LARGE_BYTES)
        if batch and weight > room:
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(hit)
        room -= weight
    if batch:
        yield batch


def _size(hit: Hit) -> int:
    said = hit.get("fields", {}).get(_SIZE, [0])
    return int(said[0])


def _all(*clauses: dict[str, Any]) -> dict[str, Any]:
    return {"bool": {"filter": list(clauses)}}
