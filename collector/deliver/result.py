"""What became of the records of one try to deliver them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from collector.deliver.bulk import RequestFailed
from collector.deliver.outcome import Item
from collector.records import Reject
from collector.spool import Record


@dataclass(slots=True)
class Result:
    """What became of the records of one try; those in none of the lists are done.

    Attributes:
        retry: to be tried again.
        unknown: positions among ``retry`` that may be stored already.
        parked: stream -> records that it refuses, whatever is in them.
        refused: records that go to the rejected store, and as what.
        last: position -> the answer, for records of ``retry`` that had one.
        failure: why a request brought no items, if one did not.
    """

    retry: list[Record] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)
    parked: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    refused: list[tuple[Record, Reject]] = field(default_factory=list)
    last: dict[int, Item] = field(default_factory=dict)
    failure: RequestFailed | None = None

    def again(self, records: Iterable[Record], *, unknown: bool) -> None:
        """Note ``records`` for another try."""
        for record in records:
            self.retry.append(record)
            if unknown:
                self.unknown.add(record[0])
