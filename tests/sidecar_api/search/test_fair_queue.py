"""Turns: few at a time, each reader an equal share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from sidecar_api.failures import RateLimited
from sidecar_api.search.turns import RECENT, FairQueue
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
    """Searches that wait for their turns, one at a time, by a clock that they alone move.

    Attributes:
        few: the queue.
        now: what its clock says, in seconds.
        served: who got one, in their order.
        meanwhile: called while the first, second, ... has theirs.
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._futures: list[Future[None]] = []
        self.now = 0.0
        self.few = FairQueue(at_once=1, longest=60, clock=lambda: self.now)
        self.served: list[str] = []
        self.meanwhile: dict[int, Callable[[], None]] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Somebody else has a turn, who is not heard of again."""
        with self.few.turn("first"):
            yield
            self.now += 1

    def join(self, *asked: tuple[str, float]) -> None:
        """Let readers wait for turns that take so many seconds, in this order."""
        for reader, seconds in asked:
            before = self._length()
            self._futures.append(self._threads.submit(self._search, reader, seconds))
            until(lambda before=before: self._length() > before)  # type: ignore[misc]

    def join_alone(self, reader: str, seconds: float) -> None:
        """Let a reader have a turn at once."""
        self._search(reader, seconds)

    def end(self) -> list[str]:
        """Return who was served, once all were."""
        for one in self._futures:
            one.result(60)
        return self.served

    def _length(self) -> int:
        return sum(map(len, self.few._waiting.values()))

    def _search(self, reader: str, seconds: float) -> None:
        with self.few.turn(reader):
            self.served.append(reader)
            self.meanwhile.get(len(self.served), lambda: None)()
            self.now += seconds


@pytest.fixture
def line(threads: ThreadPoolExecutor) -> Line:
    """An empty one."""
    return Line(threads)


def test_who_seldom_asks_waits_for_what_is_under_way(line: Line) -> None:
    """However often others ask, and however long it takes them."""
    line.meanwhile[3] = lambda: line.join(("alice", 1))
    with line.held():
        line.join(*[("mallory", 5), ("trent", 5)] * 3)
    assert line.end() == ["mallory", "trent", "mallory", "alice", "trent", "mallory", "trent"]


def test_who_comes_begins_where_the_others_are(line: Line) -> None:
    """And not before them, for all the time that they were here and one was not."""
    line.meanwhile[6] = lambda: line.join(*[("alice", 5)] * 3)
    with line.held():
        line.join(*[("mallory", 5), ("trent", 5)] * 5)
    rest = ["alice", *["mallory", "trent", "alice"] * 2]
    assert line.end() == [*["mallory", "trent"] * 3, *rest]


def test_each_gets_as_much_time(line: Line) -> None:
    """Who takes longer is served less often, but is served."""
    with line.held():
        line.join(*[("bob", 1)] * 6, *[("alice", 3)] * 2)
    assert line.end() == ["bob", "alice", "bob", "bob", "alice", *["bob"] * 3]


def test_who_goes_and_comes_back_is_no_newcomer(line: Line) -> None:
    """Asking for one after the other brings no more than asking for all at once."""
    line.meanwhile[2] = lambda: line.join(("mallory", 2))
    with line.held():
        line.join(("mallory", 2), *[("bob", 1)] * 3)
    assert line.end() == ["mallory", "bob", "bob", "mallory", "bob"]


def test_who_is_gone_for_a_turn_of_anothers_is_no_newcomer(line: Line) -> None:
    """Nor who had less time than who is always here: of two that have the same, next is whose
    last turn is longer ago."""
    line.meanwhile[3] = lambda: line.join(("trent", 19), ("alice", 1))
    with line.held():
        line.join(("mallory", 20), ("trent", 19), ("mallory", 20), ("mallory", 20))
    assert line.end() == ["mallory", "trent", "mallory", "alice", "trent", "mallory"]


def test_who_goes_and_comes_back_in_others_time_is_no_newcomer(line: Line) -> None:
    """Several that take a little less than who is always here, and are never here all at once."""
    several = ["bob", "carol", "dave", "erin"]
    line.meanwhile[7] = lambda: line.join(*[(one, 1.9) for one in several], ("alice", 1))
    with line.held():
        line.join(*[("mallory", 2)] * 4, *[(one, 1.9) for one in several])
    first = ["mallory", *several, "mallory", "mallory"]
    assert line.end() == [*first, "alice", *several, "mallory"]


def test_a_turn_long_ago_is_none(line: Line) -> None:
    """Who had one more than a minute ago is like who never had: they are in the order they came."""
    line.meanwhile[3] = lambda: line.join(("alice", 1), ("bob", 1))
    with line.held():
        line.join(("alice", 1), ("mallory", 99), ("mallory", 1), ("mallory", 1))
    assert line.end() == ["alice", "mallory", "mallory", "alice", "bob", "mallory"]


def test_who_goes_with_all_others_and_comes_back_is_no_newcomer(line: Line) -> None:
    """Though nobody was here meanwhile: neither who was alone when they came, nor who was the
    last to go."""
    line.meanwhile[1] = lambda: line.join(("trent", 9), ("mallory", 9), ("trent", 9))
    line.join_alone("bob", 9)
    assert line.end() == ["bob", "trent", "mallory", "trent"]
    with line.held():
        line.join(("bob", 9), ("trent", 9), ("mallory", 9), ("alice", 1))
    assert line.end()[4:] == ["alice", "bob", "mallory", "trent"]


def test_who_comes_begins_with_the_least_served(line: Line) -> None:
    """And not behind all that who is here may ask before it is another's turn again."""
    line.meanwhile[3] = lambda: line.join(("alice", 1))
    with line.held():
        line.join(*[("mallory", 20)] * 2, *[("bob", 1)] * 5)
    assert line.end() == ["mallory", "bob", "bob", "alice", "bob", "bob", "bob", "mallory"]


def test_a_turn_under_way_counts_once(line: Line) -> None:
    """For who comes meanwhile, and when it ends: also where that is the same reader."""

    def meanwhile() -> None:
        line.now += 3
        line.join(*[("alice", 1)] * 4, ("mallory", 1))

    line.meanwhile[1] = meanwhile
    with line.held():
        line.join(("mallory", 2))
    assert line.end() == ["mallory", "alice", "alice", "mallory", "alice", "alice"]


def test_a_long_turn_counts_while_it_lasts(threads: ThreadPoolExecutor) -> None:
    """Who comes beside it does not begin where it began, and so before all others."""
    now = [0.0]
    few = FairQueue(at_once=2, longest=60, clock=lambda: now[0])
    served: list[str] = []

    def search(reader: str) -> None:
        with few.turn(reader):
            served.append(reader)
            now[0] += 5

    with few.turn("mallory"):
        with few.turn("trent"):
            now[0] = 15
        with few.turn("first"):
            waiting = []
            for reader in ["trent"] * 2 + ["alice"] * 3:
                waiting.append(threads.submit(search, reader))
                until(lambda: sum(map(len, few._waiting.values())) == len(waiting))
        for one in waiting:
            one.result(60)
    assert served == ["alice", "trent", "alice", "trent", "alice"]


def test_who_waited_in_vain_is_charged_nothing(line: Line) -> None:
    """However many of theirs, and however often."""
    with line.held():
        line.few._longest = 0.01
        for _ in range(3):
            with pytest.raises(RateLimited), line.few.turn("alice"):
                pass
        line.few._longest = 60
        line.join(("alice", 1), ("bob", 1), ("alice", 1))
    assert line.end() == ["alice", "bob", "alice"]


def test_what_disturbed_nobody_does_not_count(line: Line) -> None:
    """Who was served for long while nobody waited is like all others then."""
    line.join_alone("mallory", 9)
    with line.held():
        line.join(("mallory", 1), ("alice", 1))
    assert line.end() == ["mallory", "mallory", "alice"]


def test_what_one_asked_alone_does_not_count(line: Line) -> None:
    """Also where several of theirs waited for each other."""
    line.meanwhile[1] = lambda: line.join(("mallory", 9))
    line.join_alone("mallory", 9)
    line.end()
    with line.held():
        line.join(("mallory", 1), ("alice", 1))
    assert line.end()[2:] == ["mallory", "alice"]


def test_a_place_is_not_kept_for_who_has_one(threads: ThreadPoolExecutor) -> None:
    """Somebody else takes the second one, while the first reader has more waiting."""
    few = FairQueue(at_once=2, longest=60)
    served: list[str] = []

    def search(reader: str) -> None:
        with few.turn(reader):
            served.append(reader)

    with few.turn("mallory"):
        with few.turn("first"):
            waiting = []
            for reader in ("mallory", "alice"):
                waiting.append(threads.submit(search, reader))
                until(lambda: len(few._waiting) == len(waiting))
        waiting[1].result(60)
        assert served == ["alice"]
    waiting[0].result(60)


def test_a_readers_own_searches_are_in_order(threads: ThreadPoolExecutor) -> None:
    """A page's table, asked for first, does not come behind what stands beside it."""
    few = FairQueue(at_once=1, longest=60)
    served: list[int] = []

    def search(number: int) -> None:
        with few.turn("alice"):
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
    assert (few._busy, few._waiting, few._served) == ({}, {}, {})
    few = FairQueue(clock=lambda: 0)
    with few.turn("mallory"):
        for number in range(100):
            with few.turn(str(number)):
                pass
        assert len(few._served) < 3


def test_who_is_gone_is_forgotten_in_time() -> None:
    """While there is always somebody: those of the last minute are known."""
    now = [0.0]
    few = FairQueue(clock=lambda: now[0])
    with few.turn("mallory"):
        for number in range(500):
            with few.turn(str(number)):
                now[0] += 1
        assert len(few._served) == 1 + RECENT
