"""Fetching many entries at once without more of them in memory than OpenSearch can bear.

A node holds the sources of all hits of a search in its memory, whatever they weigh: a page of
2500 entries of a megabyte each ends it, and so do some lists of a hundred at the same time. Large
entries say their size (``activity.size``, see :data:`activity_center.canonical.LARGE_BYTES`), so
it can be known before. Where there are none in what is asked for, nothing changes; else hits
come without source, and the sources follow in batches whose entries weigh a bounded amount, each
with its real size, also where a list leaves out what may be long of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from opensearchpy import OpenSearch

from activity_center.canonical import LARGE_BYTES
from activity_center.clauses import all_of
from activity_center.vocabulary import Field, fields
from activity_center.weights import BATCH_BYTES, NO_SOURCES, SIZE, Hit, batches, said, weight
from sidecar_api.failures import Incomplete
from sidecar_api.search import ask
from sidecar_api.search.clauses import broader

LEAN_BYTES: Final = 128 * 1024
"""What is left of a large entry in a list weighs less, in ASCII."""
LONGEST: Final = 4096
"""Characters of a message that a list has of a large entry."""
_MESSAGE: Final = "message"
_ROW: Final = frozenset({_MESSAGE, "event.reason", "activity.resource.url"})
"""What a row shows although it may be long."""
_UNBOUNDED: Final = frozenset({"flat_object", "object_disabled", "object_array", "match_only_text"})
_TEXT: Final = 1024
"""Characters that a field of a row may have."""


def _is_long(one: Field) -> bool:
    """Whether it may hold more than a row shows: long text, an object, or a list of any texts."""
    listed = one.many and not one.values
    return one.type in _UNBOUNDED or listed or (one.max_length or 0) > _TEXT


LEFT_OUT: Final = tuple(
    name for name, one in fields().items() if _is_long(one) and name not in _ROW
)
"""What a list leaves out of large entries: the entry itself has it."""
PARTIAL: Final = "partial"
"""Member of a hit without them."""


def are_large(client: OpenSearch, body: dict[str, Any], *, pit: bool = False) -> bool:
    """Return whether there may be a large entry among all that a search finds."""
    looked: dict[str, Any] = {
        "size": 0,
        "terminate_after": 1,
        "track_total_hits": True,
        "query": all_of(broader(body["query"]), {"exists": {"field": SIZE}}),
    }
    if pit:
        looked["pit"] = body["pit"]
    return bool(ask.search(client, looked, pit=pit)["hits"]["total"]["value"])


def search(client: OpenSearch, body: dict[str, Any]) -> dict[str, Any]:
    """Search as :func:`sidecar_api.search.ask.search`, for a list: see :data:`LEFT_OUT`.

    Raises:
        Incomplete: an entry is gone in between; and as ``ask.search`` does.
    """
    if _at_once(client, body):
        return ask.search(client, body)
    answer = ask.search(client, without_sources(body))
    answer["hits"]["hits"] = [
        hit for batch in filled(client, body, answer["hits"]["hits"], lean=True) for hit in batch
    ]
    return answer


def hits(client: OpenSearch, body: dict[str, Any]) -> Iterator[Hit]:
    """Yield the hits of one search, whole, however large; raises as :func:`search`."""
    if _at_once(client, body):
        yield from ask.search(client, body)["hits"]["hits"]
        return
    found = ask.search(client, without_sources(body))["hits"]["hits"]
    for batch in filled(client, body, found):
        yield from batch


def _at_once(client: OpenSearch, body: dict[str, Any]) -> bool:
    """Whether all that a search finds may come in one answer."""
    return body["size"] * LARGE_BYTES <= BATCH_BYTES and not are_large(client, body)


def without_sources(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a search whose hits say their size in place of their source."""
    return {**body, **NO_SOURCES}


def within(hits: Sequence[Hit], most: int, *, lean: bool) -> list[Hit]:
    """Return the first hits of :func:`without_sources` that weigh so many bytes together.

    Args:
        lean: they are fetched without :data:`LEFT_OUT` of large ones.
    """
    kept = []
    for hit in hits:
        most -= min(weight(hit), LEAN_BYTES) if lean else weight(hit)
        if most < 0:
            break
        kept.append(hit)
    return kept


def filled(
    client: OpenSearch,
    body: dict[str, Any],
    hits: Sequence[Hit],
    *,
    lean: bool = False,
    also: Sequence[str] = (),
) -> Iterator[list[Hit]]:
    """Yield hits of :func:`without_sources` with their sources, in the same order, in batches.

    Args:
        body: of the search that found them; with its ``pit`` if it has one.
        lean: without :data:`LEFT_OUT` of large ones, which are marked :data:`PARTIAL`.
        also: fields that lean ones have all the same.

    Raises:
        Incomplete: an entry is gone in between.
    """
    left = [name for name in LEFT_OUT if name not in also] if lean else []
    for batch in batches(hits):
        sources: dict[tuple[str, str], Any] = {}
        large = [hit for hit in batch if said(hit)]
        for part in ([hit for hit in batch if not said(hit)], large):
            if part:
                for found in _fetched(client, body, part, left if part is large else []):
                    sources[found["_index"], found["_id"]] = found["_source"]
        made = []
        for hit in batch:
            source = sources.get((hit["_index"], hit["_id"]))
            if source is None:
                raise Incomplete(ask.INCOMPLETE, hint=ask.INCOMPLETE_HINT)
            if lean and said(hit):
                if len(str(source.get(_MESSAGE, ""))) > LONGEST:
                    del source[_MESSAGE]
                made.append({**hit, "_source": source, PARTIAL: True})
            else:
                made.append({**hit, "_source": source})
        yield made


def _fetched(
    client: OpenSearch, body: dict[str, Any], part: list[Hit], left: list[str]
) -> list[dict[str, Any]]:
    ids = [hit["_id"] for hit in part]
    asked: dict[str, Any] = {
        # The same id may stand in two generations of a stream.
        "size": 2 * len(ids),
        "track_total_hits": False,
        "query": all_of(broader(body["query"]), {"ids": {"values": ids}}),
        "_source": {"excludes": left} if left else body.get("_source", True),
    }
    if "pit" in body:
        answer = ask.patiently(client, {**asked, "pit": body["pit"]})
    else:
        answer = ask.search(client, asked)
    found: list[dict[str, Any]] = answer["hits"]["hits"]
    return found
