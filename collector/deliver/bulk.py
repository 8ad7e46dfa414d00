"""One ``_bulk`` request: entries in, items out, and every other ending as one of a few errors.

The body is put together as bytes: opensearch-py's helpers cost four to ten times as
much. The transport must not retry by itself: a request whose answer was lost has to be
known, or its repetition after a rollover is a duplicate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NotConnected
from opensearchpy.exceptions import OpenSearchException, TransportError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from collector.deliver.outcome import Item
from collector.spool import Record

_ANSWER: Final = (
    "items.*.status,items.*._index,items.*.error.type,items.*.error.reason,"
    "items.*.error.caused_by.reason"
)


class RequestFailed(Exception):
    """A request that brought no items. ``str()`` says why; ``cause`` is a metric label."""

    cause = "other"


class Unanswered(RequestFailed):
    """No answer, or none of OpenSearch's: the events may or may not be stored."""

    cause = "unanswered"


class Unreachable(RequestFailed):
    """No connection could be made: not executed."""

    cause = "unreachable"


class Pushback(RequestFailed):
    """429: not executed; the cluster wants fewer or smaller requests."""

    cause = "pushback"


class TooLarge(RequestFailed):
    """413: not executed; the body is too long for the cluster or a proxy."""

    cause = "too_large"


class Malformed(RequestFailed):
    """400: not executed; one line makes the cluster refuse the whole body."""

    cause = "malformed"


class Unauthorized(RequestFailed):
    """401: not executed; the credential is wrong."""

    cause = "unauthorized"


class Forbidden(Unauthorized):
    """403: not executed; the credential lacks a right."""


_BY_STATUS: Final[dict[Any, type[RequestFailed]]] = {
    400: Malformed,
    401: Unauthorized,
    403: Forbidden,
    413: TooLarge,
    429: Pushback,
}


def failure(wrong: Exception) -> RequestFailed:
    """Turn an error of opensearch-py into one of ours (its text holds no credential)."""
    if isinstance(wrong, NotConnected) and isinstance(
        wrong.info, NewConnectionError | ConnectTimeoutError
    ):
        return Unreachable(str(wrong.info)[:300])
    if isinstance(wrong, TransportError):
        kind = _BY_STATUS.get(wrong.status_code, Unanswered)
        return kind(f"{wrong.status_code}: {str(wrong.error)[:300]}")
    return Unanswered(f"{type(wrong).__name__}: {str(wrong)[:300]}")


def body_of(records: Sequence[Record]) -> bytes:
    """Return the body that creates ``records``, each in its stream."""
    parts: list[bytes] = []
    for record in records:
        entry = record[2]
        parts += (
            f'{{"create":{{"_index":"{entry.stream}","_id":"{entry.id}"}}}}\n'.encode(),
            entry.body,
            b"\n",
        )
    return b"".join(parts)


def send(client: OpenSearch, records: Sequence[Record], timeout: float) -> list[Item]:
    """Create ``records`` and return an item for each, in order.

    Args:
        timeout: seconds for the whole request. The cluster itself waits a quarter of it
            for a primary shard, so that its own answer comes before we give up.

    Raises:
        RequestFailed: one of its kinds; no record's fate is known beyond what it says.
    """
    params = {
        "filter_path": _ANSWER,
        "timeout": f"{max(1, int(timeout / 4))}s",
        "request_timeout": timeout,
    }
    try:
        answer = client.bulk(body=body_of(records), params=params)
    except OpenSearchException as wrong:
        raise failure(wrong) from wrong
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list) or len(items) != len(records):
        raise Unanswered("the answer has not one item for each document")
    plain: dict[tuple[Any, Any], Item] = {}
    try:
        return [_item(item["create"], plain) for item in items]
    except (KeyError, TypeError, AttributeError) as wrong:
        raise Unanswered(f"the answer is not one of OpenSearch: {wrong!r}") from wrong


def _item(value: dict[str, Any], plain: dict[tuple[Any, Any], Item]) -> Item:
    """Return the item; those without an error are alike, and made once (``plain``)."""
    error = value.get("error")
    if error is None:
        key = (value["status"], value["_index"])
        found = plain.get(key)
        if found is None:
            found = plain[key] = Item(*key)
        return found
    reason = str(error.get("reason", ""))
    cause = error.get("caused_by")
    if cause and cause.get("reason"):
        reason = f"{reason}: {cause['reason']}"
    return Item(value["status"], value.get("_index", ""), str(error.get("type", "")), reason)
