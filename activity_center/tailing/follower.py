"""Each new activity once, in spite of late deliveries, outages and partial answers.

Activities are read by ``event.ingested``, the time of receipt. They become searchable a
little later and not in that order, so each look goes back by an overlap, and ``_id`` tells
what was seen. After an outage the collector delivers from its spool what it received
meanwhile: until that is over, looks go back to before the outage. What comes later still, since
the collector alone could not reach OpenSearch, is counted (:meth:`Follower.late`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activity_center.answers import whole
from activity_center.errors import ClusterError
from activity_center.streams import LENS_PATTERNS
from activity_center.tailing.search import PAGE, Selection, count, newest, page

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

OVERLAP: Final = 60.0
"""Seconds that each look goes back."""
REACH: Final = 24 * 3_600_000
"""Milliseconds before the overlap in which what comes late is counted."""
GRACE: Final = 30.0
"""Seconds, beyond the length of an outage, that looks go back to before it."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity as stored.

    Attributes:
        id: ``_id``.
        index: the backing index that holds it.
        document: ``_source``.
    """

    id: str
    index: str
    document: Mapping[str, Any]


class Follower:
    """Finds new activities at each :meth:`look`.

    Args:
        connect: makes a client; called at first and after each failure, since a node that
            was started again may have another port.
        selection: which activities are wanted.
        since: Unix time in ms from which on recorded activities count as new; ``None``:
            from now on.
        overlap: seconds that each look goes back.
    """

    def __init__(
        self,
        connect: Callable[[], OpenSearch],
        selection: Selection,
        *,
        since: int | None = None,
        overlap: float = OVERLAP,
    ) -> None:
        self._connect = connect
        self._selection = selection
        self._overlap = int(overlap * 1000)
        self._client: OpenSearch | None = None
        self._seen: dict[str, int] = {}
        self._begun = False
        self._mark = since
        self._start = since or 0
        self._known = -1
        self._held: int | None = None
        self._held_until = 0.0
        self._failed_at: float | None = None
        # Activities from _before to _edge that are known; what was seen is from _edge on.
        self._before = self._edge = 0
        self._counted = 0

    def look(self) -> Iterator[Activity]:
        """Yield what is new, in the order of receipt.

        Raises:
            ClusterError: OpenSearch could not be asked, or refused.
            IncompleteAnswer: it answered with part of the documents. In both cases the
                next call goes on where this one stopped, without a gap or a repetition.
            ConfigError, NodeError: see :func:`activity_center.connection.connect`.
        """
        try:
            yield from self._look()
        except GeneratorExit:
            raise
        except BaseException:
            self._note_failure()
            raise
        self._note_success()

    def late(self) -> int:
        """Return how many activities came so late, since this was last asked, that no look finds
        them; ask when a look is over. Raises as :meth:`look`.
        """
        if not self._begun:
            return 0
        known = self._counted
        return max(0, self._count() - known)

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _look(self) -> Iterator[Activity]:
        if self._mark is None:
            # Not this machine's clock: the collectors' own times are what counts.
            hits = self._search(newest())
            self._mark = self._known = int(hits[0]["sort"][0]) if hits else 0
        begun = self._begun  # until the first look is done, what was there is not new
        floor = self._floor()
        if not begun:
            self._edge = floor
            self._before = max(self._start, floor - REACH)
            self._count()
        after: list[Any] | None = None
        while True:
            hits = self._search(page(self._selection, floor, after))
            for hit in hits:
                if hit["_id"] in self._seen:
                    continue
                received = int(hit["sort"][0])
                self._seen[hit["_id"]] = received
                self._mark = max(self._mark, received)
                if begun or received > self._known:
                    yield Activity(hit["_id"], hit["_index"], hit["_source"])
            if len(hits) < PAGE:
                break
            after = hits[-1]["sort"]
        self._begun = True
        self._forget(self._floor())

    def _floor(self) -> int:
        """The earliest time of receipt that is read again."""
        floor = (self._mark or 0) - self._overlap
        if self._held is not None:
            floor = min(floor, self._held)
        return max(floor, self._start)

    def _forget(self, floor: int) -> None:
        kept = {key: received for key, received in self._seen.items() if received >= floor}
        self._counted += len(self._seen) - len(kept)
        self._seen, self._edge = kept, floor

    def _count(self) -> int:
        """Count what there is before the edge, and note what of it is not older than a day."""
        recent = max(self._start, self._edge - REACH)
        answer = self._ask(count(self._selection, self._before, recent, self._edge))
        self._before, self._counted = recent, int(answer["aggregations"]["recent"]["doc_count"])
        return int(answer["hits"]["total"]["value"])

    def _note_failure(self) -> None:
        if self._failed_at is None:
            self._failed_at = time.monotonic()
            if self._mark is not None and self._held is None:
                self._held = self._mark - self._overlap
        with contextlib.suppress(Exception):  # the connection is broken already
            self.close()

    def _note_success(self) -> None:
        now = time.monotonic()
        if self._failed_at is not None:
            self._held_until = now + (now - self._failed_at) + GRACE
            self._failed_at = None
        elif self._held is not None and now >= self._held_until:
            self._held = None

    def _address(self) -> str:
        """Where the client asks; no login is in it."""
        return "" if self._client is None else str(self._client.transport.get_connection().host)

    def _search(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        hits: list[dict[str, Any]] = self._ask(body)["hits"]["hits"]
        return hits

    def _ask(self, body: dict[str, Any]) -> dict[str, Any]:
        from opensearchpy.exceptions import OpenSearchException, TransportError

        try:
            self._client = self._client or self._connect()
            answer = self._client.search(
                index=",".join(LENS_PATTERNS),
                body=body,
                params={"ignore_unavailable": "true", "allow_partial_search_results": "false"},
            )
        except TransportError as wrong:
            raise _refused(wrong, self._address()) from wrong
        except OpenSearchException as wrong:
            raise ClusterError(
                f"OpenSearch cannot be asked: {type(wrong).__name__}", where=self._address()
            ) from wrong
        found: dict[str, Any] = whole(answer)
        return found


def _refused(wrong: Any, address: str) -> ClusterError:
    from activity_center.connection import unreachable

    status = wrong.status_code
    if not isinstance(status, int):  # there was no answer
        return unreachable(wrong, address)
    if status in (401, 403):
        return ClusterError(
            f"OpenSearch answers {status}: this login may not read the activities",
            where=address,
            hint="OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD, or OPENSEARCH_API_TOKEN",
        )
    return ClusterError(f"OpenSearch answers {status}: {str(wrong.error)[:200]}", where=address)
