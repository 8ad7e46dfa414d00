"""How many records and bytes are undelivered, in total and of each sender."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from collector.spool.layout import Record


def by_sender(records: Iterable[Record]) -> dict[str, int]:
    """Return the bytes of ``records`` on disk, by sender."""
    sums: dict[str, int] = {}
    for _, size, entry in records:
        sender = entry.sender
        sums[sender] = sums.get(sender, 0) + size
    return sums


class Accounts:
    """Counters that several threads change.

    Attributes:
        records: undelivered records.
        bytes: their size on disk.
        senders: sender -> bytes; senders with nothing are left out.
    """

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self.senders: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, records: int, sums: Mapping[str, int]) -> None:
        """Count ``records`` more, ``sums`` bytes by sender."""
        with self._lock:
            self.records += records
            for sender, size in sums.items():
                self.bytes += size
                self.senders[sender] = self.senders.get(sender, 0) + size

    def remove(self, records: int, sums: Mapping[str, int]) -> None:
        """Count ``records`` less, ``sums`` bytes by sender."""
        with self._lock:
            self.records = max(0, self.records - records)
            for sender, size in sums.items():
                left = self.senders.get(sender, 0) - size
                self.bytes = max(0, self.bytes - size)
                if left > 0:
                    self.senders[sender] = left
                else:
                    self.senders.pop(sender, None)

    def add_one(self, record: Record) -> None:
        """Count one record more."""
        self.add(1, {record[2].sender: record[1]})

    def clear(self) -> None:
        """Start again from nothing."""
        with self._lock:
            self.records = self.bytes = 0
            self.senders.clear()
