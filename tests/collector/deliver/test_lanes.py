"""Requests at the same time: what each carries, and that all answers are told in order."""

from __future__ import annotations

import threading

import pytest

from collector.deliver.bulk import Pushback
from collector.deliver.lanes import Answer, ask_all, cut
from collector.deliver.outcome import Item
from collector.records import Entry
from collector.spool import Record


def _records(*sizes: int) -> list[Record]:
    return [
        (position, size, Entry("s", str(position), 0, "", b"{}", "t"))
        for position, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "documents", "size", "expected"),
    [
        ((1,) * 5, 2, 100, [2, 2]),
        ((1,) * 3, 2, 100, [2, 1]),
        ((1,), 2, 100, [1]),
        ((60, 60, 60), 10, 100, [1, 1]),
        ((50, 50, 50), 10, 100, [2, 1]),
        ((500, 500), 10, 100, [1, 1]),
    ],
)
def test_lots_keep_to_documents_and_bytes(
    sizes: tuple[int, ...], documents: int, size: int, expected: list[int]
) -> None:
    """In order, nothing left out in between; a record above the size goes alone."""
    records = _records(*sizes)
    lots = cut(records, documents, size, 2)
    assert [len(lot) for lot in lots] == expected
    assert [one for lot in lots for one in lot] == records[: sum(expected)]


def test_requests_are_under_way_at_the_same_time() -> None:
    """Neither waits for the other's answer: each returns only when both have been sent."""
    both = threading.Barrier(2, timeout=30)

    def ask(lot: list[Record]) -> Answer:
        both.wait()
        return [Item(201, lot[0][2].id)]

    answers = ask_all([[one] for one in _records(1, 1)], ask)
    assert answers == [[Item(201, "0")], [Item(201, "1")]]


def test_a_failed_request_is_an_answer_and_a_fault_is_raised() -> None:
    """One request that fails hides nothing of the other; what nobody foresaw is not swallowed."""
    refused = Pushback("429")
    first, second = _records(1, 1)

    def ask(lot: list[Record]) -> Answer:
        return refused if lot[0] is first else [Item(201, "x")]

    assert ask_all([[first], [second]], ask) == [refused, [Item(201, "x")]]

    def broken(lot: list[Record]) -> Answer:
        if lot[0] is second:
            raise ZeroDivisionError
        return refused

    with pytest.raises(ZeroDivisionError):
        ask_all([[first], [second]], broken)
