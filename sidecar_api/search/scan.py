"""Reading the log from end to end, for exports: point in time and ``search_after``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException, TransportError

from sidecar_api.failures import Incomplete, RateLimited
from sidecar_api.search import ask, sized

log = logging.getLogger(__name__)

KEEP_ALIVE: Final = "5m"
"""Renewed by each page: longer than the slowest client takes for one."""
LARGEST_PAGE: Final = 10_000


def pages(client: OpenSearch, body: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield the hits, up to a page of them at once; the PIT goes when the generator is closed.

    Args:
        body: with ``query``, ``size`` (up to :data:`LARGEST_PAGE`) and ``sort``.

    Raises:
        RateLimited: there are as many readings as OpenSearch allows, or it has too much to do.
        Unavailable: a page, or the PIT itself, is not whole.
    """
    pit = ask.when_started(lambda: _open(client))
    if pit is None:
        return
    try:
        body = {**body, "track_total_hits": False, "pit": {"id": pit, "keep_alive": KEEP_ALIVE}}
        large = sized.are_large(client, body, pit=True)
        while True:
            body["pit"] = {"id": pit, "keep_alive": KEEP_ALIVE}
            asked = sized.without_sources(body) if large else body
            answer = ask.patiently(client, asked)
            pit = answer.get("pit_id", pit)
            hits = answer["hits"]["hits"]
            if large:
                body["pit"] = {"id": pit, "keep_alive": KEEP_ALIVE}
                yield from sized.filled(client, body, hits)
            elif hits:
                yield hits
            if len(hits) < body["size"]:
                return
            body["search_after"] = hits[-1]["sort"]
    finally:
        _close(client, pit)


def _open(client: OpenSearch) -> str | None:
    """Return the PIT; none where there is no index at all."""
    params = {
        "keep_alive": KEEP_ALIVE,
        # Without it a PIT over part of the shards comes with 200.
        "allow_partial_pit_creation": "false",
        "allow_no_indices": "true",
        "ignore_unavailable": "true",
    }
    try:
        answer = client.create_pit(index=ask.INDEX, params=params)
    except TransportError as wrong:
        if wrong.status_code == 429:
            raise RateLimited(
                "As many exports are running as OpenSearch allows.", retry_after=60
            ) from wrong
        if wrong.status_code == 400 and _nothing_there(client):
            return None  # OpenSearch stumbles over a PIT of no index
        raise ask.failure(wrong) from wrong
    except OpenSearchException as wrong:
        raise ask.failure(wrong) from wrong
    pit = answer.get("pit_id") if isinstance(answer, dict) else None
    try:
        ask.whole(answer)
        if not isinstance(pit, str):
            raise Incomplete(ask.INCOMPLETE, hint=ask.INCOMPLETE_HINT)
    except Incomplete:
        if isinstance(pit, str):
            _close(client, pit)
        raise
    return pit


def _nothing_there(client: OpenSearch) -> bool:
    answer = ask.search(client, {"size": 0, "track_total_hits": False})
    return bool(answer["_shards"]["total"] == 0)


def _close(client: OpenSearch, pit: str) -> None:
    try:
        client.delete_pit(body={"pit_id": [pit]})
    except OpenSearchException as wrong:  # it goes by itself when its time is over
        log.warning("a point in time could not be deleted: %s", type(wrong).__name__)
