"""Several requests at the same time, so that OpenSearch need not wait for us between two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from collector.deliver.bulk import RequestFailed
from collector.deliver.outcome import Item
from collector.spool import Record

LANES: Final = 2
"""Requests under way at the same time while more waits."""

Answer = list[Item] | RequestFailed


def cut(records: list[Record], documents: int, size: int, most: int) -> list[list[Record]]:
    """Return what the next requests carry.

    Args:
        documents: of a request, at most.
        size: bytes of a request, about; one record alone may be larger.
        most: requests.
    """
    lots: list[list[Record]] = []
    start = 0
    while start < len(records) and len(lots) < most:
        stop, left = min(start + documents, len(records)), size
        for place in range(start, stop):
            left -= records[place][1]
            if left < 0 and place > start:
                stop = place
                break
        lots.append(records[start:stop])
        start = stop
    return lots


def ask_all(lots: list[list[Record]], ask: Callable[[list[Record]], Answer]) -> list[Answer]:
    """Call ``ask`` for all lots at the same time; return when all have ended.

    Raises:
        Exception: what the first of them raised that raised any.
    """
    answers: list[Answer | Exception] = [RequestFailed("not sent")] * len(lots)

    def one(number: int) -> None:
        try:
            answers[number] = ask(lots[number])
        except Exception as wrong:
            answers[number] = wrong

    others = [
        threading.Thread(target=one, args=(number,), name=f"deliver-{number}", daemon=True)
        for number in range(1, len(lots))
    ]
    for other in others:
        other.start()
    one(0)
    for other in others:
        other.join()
    told: list[Answer] = []
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, RequestFailed):
            raise answer
        told.append(answer)
    return told
