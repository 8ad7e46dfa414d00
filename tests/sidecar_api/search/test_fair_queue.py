"""Turns: few at a time, each reader an equal share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sidecar_api.failures import RateLimited
from sidecar_api.search import turns
from sidecar_api.search.turns import FairQueue
from tests.integration.process import until


def test_who_waits_too_long_is_told() -> None:
    """As by every other limit, and does not stand in the way of who comes then."""
    few = FairQueue(at_once=1, longest=0.1)
    with few.turn("mallory"):
        for reader in ("mallory", "alice"):
            with pytest.raises(RateLimited) as told, few.turn(reader):
                pass
            assert told.value.headers["Retry-After"] == "5"
    with few.turn("alice"):
        pass


def test_each_reader_is_served_once_a_round(threads: ThreadPoolExecutor) -> None:
    """Also one with several waiting, beside others who come back as soon as they were served."""
    few = FairQueue(at_once=1)
    served: list[str] = []
    ended = threading.Event()

    def again(reader: str) -> None:
        while not ended.is_set():
            with few.turn(reader):
                served.append(reader)
                time.sleep(0.005)

    def once() -> None:
        with few.turn("alice"):
            served.append("alice")

    with few.turn("first"):
        busy = [threads.submit(again, reader) for reader in ("mallory", "trent")]
        until(lambda: len(few._waiting) == 2)
        waiting = [threads.submit(once) for _ in range(3)]
        until(lambda: len(few._waiting.get("alice", ())) == 3)
    for one in waiting:
        one.result(30)
    ended.set()
    for one in busy:
        one.result(30)
    assert len(served) - served[::-1].index("alice") <= 9  # two others before each of hers


class Line:
    """Searches that wait for their turns.

    Attributes:
        served: who got one, in their order.
        meanwhile: called while a reader has theirs, once.
    """

    def __init__(self, few: FairQueue, threads: ThreadPoolExecutor) -> None:
        self._few, self._threads = few, threads
        self._futures: list[Future[None]] = []
        self.served: list[str] = []
        self.meanwhile: dict[str, Callable[[], None]] = {}

    def join(self, *asked: tuple[str, int]) -> None:
        """Let readers wait for turns of a length, in this order."""
        for reader, length in asked:
            before = self._length()
            self._futures.append(self._threads.submit(self._search, reader, length))
            until(lambda before=before: self._length() > before)  # type: ignore[misc]

    def end(self) -> list[str]:
        """Return who was served, once all were."""
        for one in self._futures:
            one.result(60)
        return self.served

    def _length(self) -> int:
        return sum(map(len, self._few._waiting.values()))

    def _search(self, reader: str, length: int) -> None:
        with self._few.turn(reader, length):
            self.served.append(reader)
            self.meanwhile.pop(reader, lambda: None)()


def test_who_looks_for_less_is_served_first(threads: ThreadPoolExecutor) -> None:
    """One who seldom asks waits for none of those who always ask for the most there is."""
    few = FairQueue(at_once=1, longest=60)
    line = Line(few, threads)
    with few.turn("mallory", turns.MOST_LENGTH):
        for reader in ("mallory", "trent"):
            line.join(*[(reader, turns.MOST_LENGTH)] * 3)
        line.join(("alice", 600))
    assert line.end() == ["alice", *["trent", "mallory"] * 3]


def test_who_looks_for_much_is_served_too(threads: ThreadPoolExecutor) -> None:
    """After each of the others has had as much looked for, however many come."""
    few = FairQueue(at_once=1, longest=60)
    line = Line(few, threads)
    with few.turn("first", 600):
        line.join(*[("bob", 600)] * 4, ("alice", 2000), *[("carol", 600)] * 5)
    assert line.end() == [*["bob", "carol"] * 3, "alice", "bob", "carol", "carol"]


def test_who_comes_later_begins_where_the_others_are(threads: ThreadPoolExecutor) -> None:
    """Also while one is served that began before them and takes longer."""
    few = FairQueue(at_once=1, longest=60)
    line = Line(few, threads)
    line.meanwhile["alice"] = lambda: line.join(("carol", 1500))
    with few.turn("first", 600):
        line.join(*[("bob", 600)] * 5, ("alice", 2000))
    assert line.end() == ["bob", "bob", "bob", "alice", "bob", "carol", "bob"]


def test_who_waited_in_vain_keeps_their_place(threads: ThreadPoolExecutor) -> None:
    """Another try of the same is not another turn of theirs."""
    few = FairQueue(at_once=1, longest=0.01)
    line = Line(few, threads)
    with few.turn("first", 600):
        for _ in range(3):
            with pytest.raises(RateLimited), few.turn("alice", 600):
                pass
        few._longest = 60
        line.join(("bob", 1000), ("alice", 600))
    assert line.end() == ["alice", "bob"]


def test_who_waits_for_several_keeps_their_place_too(threads: ThreadPoolExecutor) -> None:
    """One that is given up costs nothing; what they ask for next comes behind the others."""
    few = FairQueue(at_once=1, longest=0.2)
    line, vain = Line(few, threads), Line(few, threads)
    with few.turn("first", 600):
        vain.join(("alice", 600))
        few._longest = 60
        line.join(("alice", 600))
        with pytest.raises(RateLimited):
            vain.end()
        line.join(("bob", 1000), ("alice", 600), ("carol", 1500))
    assert line.end() == ["alice", "bob", "alice", "carol"]


def test_a_place_is_not_kept_for_who_has_one(threads: ThreadPoolExecutor) -> None:
    """Who looks for more takes the second one, while the first reader has more waiting."""
    few = FairQueue(at_once=2, longest=60)
    line = Line(few, threads)
    with few.turn("mallory", 1):
        with few.turn("first", 1):
            line.join(("mallory", 1), ("alice", 600))
        until(lambda: line.served == ["alice"])
    assert line.end() == ["alice", "mallory"]


def test_a_readers_own_searches_are_in_order(threads: ThreadPoolExecutor) -> None:
    """A page's table, asked for first, does not come behind what stands beside it."""
    few = FairQueue(at_once=1, longest=60)
    served: list[int] = []

    def search(number: int) -> None:
        with few.turn("alice", 1000 - number):
            served.append(number)

    with few.turn("alice"):
        waiting = []
        for number in range(8):
            waiting.append(threads.submit(search, number))
            while len(few._waiting.get("alice", ())) < len(waiting):
                time.sleep(0.001)
    for one in waiting:
        one.result(60)
    assert served == list(range(8))


def test_no_place_stays_free_while_somebody_waits(threads: ThreadPoolExecutor) -> None:
    """Of two that become free at once: who looked before it was their turn is told again. Who
    looks first is a matter of chance, so it is tried often."""
    for _ in range(20):
        few = FairQueue(at_once=2, longest=90)
        both = threading.Barrier(2)

        def search(reader: str, few: FairQueue = few, both: threading.Barrier = both) -> None:
            with few.turn(reader):
                both.wait(30)

        with few.turn("mallory"), few.turn("trent"):
            waiting = []
            for reader in ("mallory", "alice"):  # she waits first, but has just had a turn
                waiting.append(threads.submit(search, reader))
                while len(few._waiting) < len(waiting):
                    time.sleep(0.001)
            time.sleep(0.01)
        for one in waiting:
            one.result(60)


def test_a_search_that_fails_ends_its_turn() -> None:
    """Whatever it fails with."""
    few = FairQueue(at_once=1, longest=0.1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), few.turn("mallory"):
            raise ZeroDivisionError


def test_nothing_of_it_is_kept() -> None:
    """Of readers that are gone."""
    few = FairQueue()
    for number in range(100):
        with few.turn(str(number)):
            pass
    assert (few._busy, few._waiting, few._ends) == (set(), {}, {})
    with few.turn("mallory", 1000):
        for _ in range(2):
            with few.turn("alice", 1001):
                pass
        assert few._ends == {"alice": 2002}
