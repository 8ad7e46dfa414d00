"""Whether an answer of OpenSearch speaks for all that was asked."""

from __future__ import annotations

from typing import Any

from activity_center.errors import IncompleteAnswer


def whole(answer: Any, where: str | None = None) -> dict[str, Any]:
    """Return an answer that speaks for all shards: of a search, a count, or a point in time.

    While a shard recovers OpenSearch answers 200 with part of the documents and ``failed: 0``,
    whatever ``allow_partial_search_results`` says: only ``successful`` against ``total`` tells.

    Args:
        answer: its decoded body.
        where: what was asked, for the error.

    Raises:
        IncompleteAnswer: a shard did not answer, the time was over, or no shards are named.
    """
    found: dict[str, Any] = answer if isinstance(answer, dict) else {}
    shards = found.get("_shards")
    if not isinstance(shards, dict) or "total" not in shards:
        problem = "the answer does not say which shards it speaks for"
    elif shards.get("successful") != shards["total"] or shards.get("failed"):
        problem = f"{shards.get('successful')} of {shards['total']} shards answered"
    elif found.get("timed_out"):
        problem = "the time was over before all shards had answered"
    else:
        return found
    raise IncompleteAnswer(
        problem,
        where=where,
        hint="wait while shards recover, then try again; activity-center doctor says what is wrong",
    )
