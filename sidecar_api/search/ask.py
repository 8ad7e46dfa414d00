"""Asking OpenSearch, and what is made of an answer that is none, or not whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final, TypeVar

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import OpenSearchException, SerializationError, TransportError

from activity_center import answers
from activity_center.errors import IncompleteAnswer
from activity_center.streams import LENS_PATTERNS
from sidecar_api import ending
from sidecar_api.failures import Failure, Incomplete, RateLimited, TooBig, Unavailable
from sidecar_api.search import clauses
from sidecar_api.search.turns import LONG, MOST_LENGTH, SHORT, SHORT_LENGTH, reader

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

SECONDS: Final = 20
"""After this time OpenSearch gives up a search, and says so."""
STARTING: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds that a search waits for a shard that is just starting: each rollover, and each stream
that is new, has such a moment, and who asks in it should not be told that the log is broken."""
PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds that a long reading waits for an OpenSearch that has too much to do, or for another try
at its turn."""
INDEX: Final = ",".join(LENS_PATTERNS)
_NO_SHARD: Final = ("search_phase_execution", "no_shard_available")
_TOO_MUCH: Final = ("too_many", "too_complex_to_determinize", "regex", "pattern")
_MOST_CAUSES: Final = 100
INCOMPLETE: Final = "OpenSearch answered with only part of the log."
INCOMPLETE_HINT: Final = "Part of it is still starting or is lost: see activity-center doctor."


def search(client: OpenSearch, body: dict[str, Any], *, pit: bool = False) -> dict[str, Any]:
    """Search the log; return an answer that is whole (:func:`when_started`).

    Args:
        pit: the body names a point in time, which knows its indices.

    Raises:
        TooBig: it looks for too much, or OpenSearch finds so.
        RateLimited: it has too much to do.
        Unavailable: it cannot be reached or took too long.
        Incomplete: it still answers in part.
    """
    return when_started(lambda: _search(client, body, pit=pit))


def when_started(asked: Callable[[], Answer]) -> Answer:
    """Return what is answered, asking again for :data:`STARTING` while it is not whole.

    An answer that took longer than that, since OpenSearch ran out of time, is not asked for again.

    Raises:
        Incomplete: it still is not; and as ``asked`` does.
    """
    begun = time.monotonic()
    for pause in STARTING:
        try:
            return asked()
        except Incomplete:
            if time.monotonic() - begun > sum(STARTING) or ending.pause(pause):
                raise
    return asked()


def _search(client: OpenSearch, body: dict[str, Any], *, pit: bool) -> dict[str, Any]:
    params = {"allow_partial_search_results": "false"}
    if not pit:
        params |= {"allow_no_indices": "true", "ignore_unavailable": "true"}
    body = {**body, "timeout": f"{SECONDS}s"}
    length = clauses.pattern_length(body)
    if length > MOST_LENGTH:
        raise TooBig(hint="Look for fewer and shorter words and parts of names.")
    long = length > SHORT_LENGTH
    if length:
        # So many threads of a node, which has four for searching on two cores: with two short ones
        # and a long one all are taken, for a moment.
        params["max_concurrent_shard_requests"] = "1" if long else "2"
    try:
        with (LONG if long else SHORT).turn(reader.get()) if length else nullcontext():
            answer: dict[str, Any] = client.search(
                body=body, index=None if pit else INDEX, params=params
            )
    except OpenSearchException as wrong:
        raise failure(wrong) from wrong
    return whole(answer)


def patiently(client: OpenSearch, body: dict[str, Any]) -> dict[str, Any]:
    """:func:`search` in a point in time, for a long reading: one busy moment does not end it.

    Raises:
        RateLimited: OpenSearch still has too much to do after :data:`PAUSES`, or no turn has come
            in all that time (:mod:`sidecar_api.search.turns`).
        Failure: as :func:`search`.
    """
    for pause in PAUSES:
        try:
            return search(client, body, pit=True)
        except RateLimited:
            if ending.pause(pause):
                raise
    return search(client, body, pit=True)


def whole(answer: Any) -> dict[str, Any]:
    """Return the answer of a search, or of the making of a PIT.

    Raises:
        Incomplete: it is not whole (:func:`activity_center.answers.whole`).
    """
    try:
        return answers.whole(answer)
    except IncompleteAnswer as wrong:
        raise Incomplete(INCOMPLETE, hint=INCOMPLETE_HINT) from wrong


def failure(wrong: OpenSearchException) -> Failure:
    """Return what to raise for an error of the client; the cause is logged, not shown."""
    if isinstance(wrong, NoConnection | SerializationError):
        log.warning("OpenSearch cannot be reached: %s", type(wrong).__name__)
        return Unavailable("OpenSearch cannot be reached.", hint="Try again in a moment.")
    if not isinstance(wrong, TransportError):
        log.error("OpenSearch could not be asked: %s", type(wrong).__name__)
        return Failure(
            "OpenSearch could not be asked.", hint="This is a fault of ours: tell the operator."
        )
    status, reason = wrong.status_code, str(wrong.error)
    kinds = " ".join([reason, *_kinds(wrong.info)])
    log.warning("OpenSearch answered %s: %s", status, kinds[:500])
    if status == 429:
        return RateLimited("OpenSearch has too much to do.", retry_after=5)
    # Too many buckets is a 503, as a shard that is just starting is, and too many clauses in all a
    # 500, as a fault is: the cause tells them apart.
    if status in (400, 500, 503) and any(word in kinds for word in _TOO_MUCH):
        return TooBig(hint="Use fewer filters.")
    if status == 404 and "search_context_missing" in kinds:
        return Unavailable("This reading of the log took too long.", hint="Resume it.")
    if status == 400:
        return Failure(
            "OpenSearch refused a search of ours.",
            hint="This is a fault of ours: tell the operator.",
        )
    if status in (401, 403):
        return Unavailable(
            "OpenSearch does not let the sidecar search.",
            retry_after=60,
            hint="Whoever runs this: see the login under sidecar.opensearch.",
        )
    if status == 503 and any(word in kinds for word in _NO_SHARD):
        return Incomplete(INCOMPLETE, hint=INCOMPLETE_HINT)
    return Unavailable("OpenSearch cannot answer now.", hint="Try again in a moment.")


def _kinds(info: Any) -> list[str]:
    """Types of the causes in an error's body: of shards, and of what led to it."""
    error = info.get("error") if isinstance(info, dict) else None
    if not isinstance(error, dict):
        return []
    found = error.get("root_cause")
    causes = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    cause = error.get("caused_by")
    while isinstance(cause, dict) and len(causes) < _MOST_CAUSES:
        causes.append(cause)
        cause = cause.get("caused_by")
    return [str(cause.get("type")) for cause in causes]
