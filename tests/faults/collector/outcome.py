"""What a scenario brought, and whether invariant 1 held."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from opensearchpy import OpenSearch

from tests.faults.collector.traffic import KEY_FIELD
from tests.integration.process import count_by_id


@dataclass(slots=True)
class Outcome:
    """Counts of one scenario; one line of the table in docs/faults.md.

    Attributes:
        name: the fault.
        faults: how often it was made.
        acked: events acknowledged.
        found: of those, events in OpenSearch.
        lost: keys acknowledged and neither in OpenSearch nor in the rejected store.
        twice: keys that are stored more than once, acknowledged or not.
        rejected: events in the rejected store, with a reason.
        note: what else was seen.
    """

    name: str
    faults: int = 0
    acked: int = 0
    found: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    rejected: int = 0
    note: str = ""
    begun: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def count(
        self, client: OpenSearch, acked: Iterable[str], sent: Iterable[str], *, rejected: int = 0
    ) -> Outcome:
        """Look every event up in OpenSearch."""
        acked = set(acked)
        stored = count_by_id(client, sorted(acked | set(sent)), field=KEY_FIELD)
        missing = sorted(acked - stored.keys())
        self.acked = len(acked)
        self.found = len(acked & stored.keys())
        self.rejected = rejected
        self.lost = missing[rejected:]
        self.twice = sorted(key for key, count in stored.items() if count > 1)
        self.seconds = time.monotonic() - self.begun
        return self

    def check(self) -> None:
        """Nothing acknowledged is lost, nothing is there twice, and something was at stake."""
        assert self.acked > 0, self
        assert self.lost == [], self
        assert self.twice == [], self
