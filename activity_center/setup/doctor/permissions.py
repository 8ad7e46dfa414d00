"""Rights, tried out with requests that change nothing.

There is no question "may I?" that every OpenSearch answers, so each right is used on
something harmless: a document without ``@timestamp``, which a data stream refuses only
after the right was checked; a delete of a document that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from activity_center.setup.cluster import FORBIDDEN, NO_HANDLER, ask
from activity_center.setup.doctor.finding import Finding, fail, ok, warn
from activity_center.streams import LENS_PATTERNS, REJECTED_STREAM

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.setup.desired import Desired

_PROBE: Final = "activity-center-doctor"
_ERRORS: Final = (400, FORBIDDEN, 404, 409, 429, 503)
"""What a probe may be answered with; only 403 ``security_exception`` is about rights."""


def check_delivery(client: OpenSearch, *, dedicated: bool) -> Iterator[Finding]:
    """What the collector does all day: list streams, ``_bulk`` into them, ``_mget`` by index.

    Args:
        dedicated: the account is for delivery alone, so it should not be able to search.
    """
    there: list[dict[str, Any]] = []
    for names in (",".join(LENS_PATTERNS), REJECTED_STREAM):
        answer = ask(client, "GET", f"/_data_stream/{names}", allow=_ERRORS)
        if _forbidden(answer.body):
            yield fail(
                "permissions", "delivery: may not look up data streams", _advice("collector")
            )
            return
        there += answer.body.get("data_streams", []) if answer.ok else []
    if not there:
        yield warn(
            "permissions",
            "delivery: not checked, since no stream exists yet",
            "run activity-center install --config FILE first",
        )
        return
    closed = [*_bulk_refused(client, [one["name"] for one in there])]
    if closed:
        yield fail(
            "permissions", f"delivery: may not write to {', '.join(closed)}", _advice("collector")
        )
    hidden = [*_mget_refused(client, [one["indices"][-1]["index_name"] for one in there])]
    if hidden:
        yield fail(
            "permissions", f"delivery: may not _mget from {', '.join(hidden)}", _advice("collector")
        )
    if closed or hidden:
        return
    yield ok("permissions", f"delivery: may write to and check {len(there)} streams")
    if dedicated and _security(client):
        search = ask(
            client, "POST", f"/{there[0]['name']}/_search", body={"size": 0}, allow=_ERRORS
        )
        if not _forbidden(search.body):
            yield warn(
                "permissions",
                "delivery: this account may also search: who steals it reads everything",
                "give it the role activity-center-collector and no other",
            )


def check_maintenance(client: OpenSearch, desired: Desired) -> Iterator[Finding]:
    """What expiry, alerts and retention do: search, delete by query, keep state."""
    stream = desired.streams[0]
    probes = {
        "search": ("POST", f"/{stream}/_search", {"size": 0}),
        "delete by query": (
            "POST",
            f"/{stream}/_delete_by_query",
            {"query": {"match_none": {}}},
        ),
        "keep state": ("DELETE", f"/{desired.state_index}/_doc/{_PROBE}", None),
    }
    refused = [
        name
        for name, (method, path, body) in probes.items()
        if _forbidden(ask(client, method, path, body=body, allow=(*_ERRORS, 405)).body)
    ]
    if refused:
        yield fail(
            "permissions", f"maintenance: may not {', may not '.join(refused)}", _advice("maintain")
        )
    else:
        yield ok("permissions", "maintenance: may search, delete and keep state")


def _bulk_refused(client: OpenSearch, streams: list[str]) -> Iterator[str]:
    lines = "".join(
        json.dumps({"create": {"_index": name, "_id": _PROBE}}) + "\n{}\n" for name in streams
    )
    # A stream whose shard is nowhere keeps a write waiting; that it is there is enough to ask.
    answer = ask(client, "POST", "/_bulk?timeout=1s", body=lines, allow=_ERRORS)
    if not answer.ok:
        yield from streams if _forbidden(answer.body) else ()
        return
    for name, item in zip(streams, answer.body["items"], strict=True):
        if _forbidden(item["create"]):
            yield name


def _mget_refused(client: OpenSearch, indices: list[str]) -> Iterator[str]:
    documents = [{"_index": name, "_id": _PROBE, "_source": False} for name in indices]
    answer = ask(client, "POST", "/_mget", body={"docs": documents}, allow=_ERRORS)
    if not answer.ok:
        yield from indices if _forbidden(answer.body) else ()
        return
    for name, document in zip(indices, answer.body["docs"], strict=True):
        if _forbidden(document):
            yield name


def _security(client: OpenSearch) -> bool:
    return ask(client, "GET", "/_plugins/_security/authinfo", allow=(FORBIDDEN, *NO_HANDLER)).ok


def _forbidden(body: Any) -> bool:
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and error.get("type") == "security_exception"


def _advice(role: str) -> str:
    return f"map the account to the role activity-center-{role}, which install brings"
