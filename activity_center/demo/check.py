"""Look every event up in OpenSearch: found exactly once, missing, or twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from opensearchpy import OpenSearch

from activity_center.answers import whole
from activity_center.errors import IncompleteAnswer
from activity_center.streams import LENS_PATTERNS

_IDS: Final = 500
_PAGE: Final = 5000
_POLL: Final = 0.25


@dataclass(slots=True)
class Summary:
    """The closing count of ``demo --check``.

    Attributes:
        sent: events sent and to be found.
        found: of them, found at least once.
        missing: of them, not found.
        duplicates: documents beyond the first of an event.
        rejected: events that the collector rejected.
        seconds: from the first event sent to the last one found.
    """

    sent: int
    found: int
    missing: int
    duplicates: int
    rejected: int
    seconds: float

    @property
    def good(self) -> bool:
        """Whether every event sent is found exactly once."""
        return self.missing == self.duplicates == self.rejected == 0 and self.found == self.sent

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of ``--json``."""
        return asdict(self)


def count(client: OpenSearch, field: str, values: Sequence[str]) -> Counter[str]:
    """Return how many documents have each of ``values`` in ``field`` (or ``_id``).

    Every generation of every lens stream is asked.

    Raises:
        IncompleteAnswer: a shard did not answer, so a count would be a lie.
    """
    found: Counter[str] = Counter()
    for start in range(0, len(values), _IDS):
        part = list(values[start : start + _IDS])
        query = {"ids": {"values": part}} if field == "_id" else {"terms": {field: part}}
        answer = client.search(
            index=",".join(LENS_PATTERNS),
            body={"size": _PAGE, "query": query, "_source": [field], "track_total_hits": True},
        )
        hits = whole(answer)["hits"]["hits"]
        if answer["hits"]["total"]["value"] > len(hits):
            raise IncompleteAnswer(f"more than {_PAGE} documents for {len(part)} events")
        for hit in hits:
            found[hit["_id"] if field == "_id" else _value(hit["_source"], field)] += 1
    return found


def _value(source: dict[str, Any], field: str) -> str:
    value: Any = source
    for part in field.split("."):
        value = value[part]
    return str(value)


class Expected:
    """What has to be found: event ids, and document ids for sources without any."""

    def __init__(self, event_ids: Iterable[str], document_ids: Iterable[str] = ()) -> None:
        self._wanted = {"event.id": set(event_ids), "_id": set(document_ids)}

    def __len__(self) -> int:
        return sum(len(ids) for ids in self._wanted.values())

    def look(self, client: OpenSearch) -> tuple[int, int]:
        """Return (events found, documents beyond the first of each)."""
        found = extra = 0
        for name, ids in self._wanted.items():
            counts = count(client, name, sorted(ids))
            found += len(counts)
            extra += counts.total() - len(counts)
        return found, extra

    def wait(
        self, client: OpenSearch, timeout: float, delivered: Callable[[], int]
    ) -> tuple[int, int]:
        """Look until all are found or ``timeout`` seconds have passed.

        An earlier run of the same day has stored the same events: so what is found counts
        only as far as OpenSearch has answered for it to the collector of this run. A shard
        that has only just been made, or recovers, is waited for like an event.

        Args:
            client: of the cluster that the collector delivers to.
            timeout: seconds.
            delivered: number of documents that OpenSearch has confirmed in this run.

        Returns:
            Events found (never more than delivered), documents beyond the first of each.

        Raises:
            IncompleteAnswer: a shard was still silent when the time was over.
        """
        end = time.monotonic() + timeout
        while True:
            late = time.monotonic() > end
            try:
                client.indices.refresh(index=",".join(LENS_PATTERNS))
                found, extra = self.look(client)
            except IncompleteAnswer:
                if late:
                    raise
            else:
                found = min(found, delivered())
                if late or found == len(self):
                    return found, extra
            time.sleep(_POLL)
