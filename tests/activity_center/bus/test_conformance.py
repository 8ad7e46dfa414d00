"""What every kind of bus keeps: one suite for all of them."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import pairwise

import pytest

from activity_center.bus import NOWHERE, Gap, Published, open_reader, open_writer
from activity_center.errors import BusUnavailable
from tests.activity_center.bus.servers import Bus, Follower, entries, positions
from tests.integration.process import until


def test_in_order_once_and_whole(bus: Bus) -> None:
    """A reader gets every entry of every stream once, in order, with the bytes published."""
    with closing(open_reader(bus.config())) as reader:
        follower = Follower(reader)
        assert follower.read() == []
        for stream in ("one-0", "two-0"):
            with closing(open_writer(bus.config(), stream)) as writer:
                assert writer.state() == NOWHERE
                writer.begin("e1")
                assert writer.state() == ("e1", 0)
                assert writer.publish(("e1", 0), entries(3, 7)) == ("e1", 7)
                assert writer.publish(("e1", 7), entries(1000)) == ("e1", 1000)
                assert writer.state() == ("e1", 1000)
        until(lambda: follower.read(0.2) == [] and len(follower.items) >= 6)
        assert sorted(follower.items) == [
            Published(stream, "e1", number, b'{"n":%d}' % number)
            for stream in ("one-0", "two-0")
            for number in (3, 7, 1000)
        ]
        assert follower.places == {"one-0": ("e1", 1000), "two-0": ("e1", 1000)}
        assert reader.first() == {"one-0": ("e1", 3), "two-0": ("e1", 3)}


def test_bytes_come_as_they_went(bus: Bus) -> None:
    """Empty, huge and non-ASCII bodies come back unchanged."""
    bodies = [b"", "\u00e4\u2028\U0001f600".encode(), bytes(range(256)), b"x" * 1024 * 1024]
    with closing(open_writer(bus.config(), "s")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), [*enumerate(bodies, 1)])
    with closing(open_reader(bus.config())) as reader:
        found = Follower(reader).read_all()
    assert [item.body for item in found if isinstance(item, Published)] == bodies


def test_a_position_is_added_once(bus: Bus) -> None:
    """Publishing again what is there already, alone or with more behind it, adds only the rest."""
    with closing(open_writer(bus.config(), "s")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), entries(1, 2, 3))
        assert writer.publish(("e", 0), entries(1, 2, 3)) == ("e", 3)
        assert writer.publish(("e", 1), entries(2, 3, 4)) == ("e", 4)
        assert writer.publish(("e", 4), entries(2)) == ("e", 4)
    with closing(open_reader(bus.config())) as reader:
        assert positions(Follower(reader).read_all()) == [1, 2, 3, 4]


def test_readers_start_anywhere(bus: Bus) -> None:
    """A reader goes on from its places; readers do not take anything from each other."""
    with closing(open_writer(bus.config(), "s")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), entries(1, 5, 9))
    with closing(open_reader(bus.config())) as one, closing(open_reader(bus.config())) as two:
        assert positions(Follower(one, {"s": ("e", 5)}).read_all()) == [9]
        assert positions(Follower(one, {"s": ("e", 6)}).read_all()) == [9]
        assert positions(Follower(two).read_all()) == [1, 5, 9]
        assert Follower(two, {"s": ("e", 9)}).read_all() == []
        assert Follower(two, {"gone": ("x", 9), "s": ("e", 9)}).read_all() == []


def test_a_waiting_reader_wakes(bus: Bus) -> None:
    """A reader that waits gets what another thread publishes, also of a stream that is new."""
    with closing(open_reader(bus.config())) as reader:
        follower = Follower(reader)
        thread = threading.Thread(
            target=lambda: [follower.read(1) for _ in range(100) if len(follower.items) < 2]
        )
        thread.start()
        with closing(open_writer(bus.config(), "s")) as writer:
            writer.begin("e")
            writer.publish(("e", 0), entries(1))
            until(lambda: follower.items)
            writer.publish(("e", 1), entries(2))
            thread.join(60)
    assert positions(follower.items) == [1, 2]


def test_a_new_epoch_is_told(bus: Bus) -> None:
    """When an epoch begins, readers of the former one get a gap, once, then all of the new one;
    a reader who comes later gets no gap."""
    with (
        closing(open_writer(bus.config(), "s")) as writer,
        closing(open_reader(bus.config())) as reader,
    ):
        writer.begin("e1")
        writer.publish(("e1", 0), entries(8, 9))
        follower = Follower(reader)
        assert positions(follower.read_all()) == [8, 9]
        writer.begin("e2")
        assert writer.publish(("e1", 9), entries(10)) == ("e2", 0), "the former epoch is over"
        until(lambda: follower.read(0.2))
        assert follower.items[2:] == [Gap("s", "e2")]
        assert follower.read_all() == [], "a gap is told once"
        writer.publish(("e2", 0), entries(2, 9))
        until(lambda: len(follower.items) >= 5 or follower.read(0.2) is None)
        assert positions(follower.items) == [8, 9, "gap", 2, 9]
        assert positions(Follower(reader).read_all()) == [2, 9]
        assert positions(Follower(reader, {"s": ("e1", 5)}).read_all()) == ["gap", 2, 9]


def test_a_late_reader_is_told(bus: Bus) -> None:
    """Only the newest entries are kept; who comes from before them gets a gap and then these,
    who comes from among them gets none."""
    config = bus.config(keep_entries=100)
    with closing(open_writer(config, "s")) as writer:
        writer.begin("e")
        last = 0
        for start in range(1, 5001, 100):
            numbers = range(start, start + 100)
            body = b"x" * 200
            _, last = writer.publish(("e", last), [(number, body) for number in numbers])
    with closing(open_reader(config)) as reader:
        oldest = reader.first()["s"][1]
        assert 1 < oldest <= 4901 and last == 5000
        kept = [*range(oldest, 5001)]
        assert len(kept) <= 300
        assert positions(Follower(reader, {"s": ("e", 10)}).read_all()) == ["gap", *kept]
        assert positions(Follower(reader, {"s": ("e", 0)}).read_all()) == ["gap", *kept]
        assert positions(Follower(reader, {"s": ("e", oldest - 1)}).read_all()) == kept
        assert positions(Follower(reader).read_all()) == kept


def test_bytes_are_bounded(bus: Bus) -> None:
    """``keep`` bounds the bytes: large entries push out the oldest long before their number."""
    config = bus.config(keep_bytes=1024 * 1024)
    with closing(open_writer(config, "s")) as writer:
        writer.begin("e")
        last = 0
        for number in range(1, 201):
            _, last = writer.publish(("e", last), [(number, b"x" * 32 * 1024)])
    with closing(open_reader(config)) as reader:
        kept = Follower(reader, {"s": ("e", 1)}).read_all()
    assert isinstance(kept[0], Gap)
    assert positions(kept[1:])[-1] == 200
    held = sum(len(item.body) for item in kept if isinstance(item, Published))
    assert 256 * 1024 <= held <= 1280 * 1024


def test_the_newest_entry_stays_whatever_its_size(bus: Bus) -> None:
    """An entry larger than all that may be kept is still there to be read."""
    config = bus.config(keep_bytes=64 * 1024)
    with closing(open_writer(config, "s")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), [(1, b"a"), (2, b"x" * 500_000)])
        assert writer.state() == ("e", 2)
    with closing(open_reader(config)) as reader:
        assert positions(Follower(reader).read_all())[-1] == 2


def test_lost_newest_entries_are_noticed(bus: Bus) -> None:
    """What is there is older than the writer knows: nothing is added, and it learns where to
    go on. Published again in the same epoch, it comes to each reader once."""
    with (
        closing(open_writer(bus.config(), "s")) as writer,
        closing(open_reader(bus.config())) as reader,
    ):
        writer.begin("e")
        writer.publish(("e", 0), entries(1, 2, 3))
        early = Follower(reader, {"s": ("e", 1)})
        ahead = Follower(reader, {"s": ("e", 3)})
        bus.lose_newest("s", "e", 3)
        assert writer.publish(("e", 3), entries(4)) == ("e", 2)
        assert writer.publish(("e", 2), entries(3, 4)) == ("e", 4)
        assert positions(early.read_all()) == [2, 3, 4]
        assert positions(ahead.read_all()) == [4]


def test_lost_entries_that_cannot_come_again_are_a_gap(bus: Bus) -> None:
    """A reader notices a hole itself: the entry behind it names one that the reader lacks."""
    with (
        closing(open_writer(bus.config(), "s")) as writer,
        closing(open_reader(bus.config())) as reader,
    ):
        writer.begin("e")
        writer.publish(("e", 0), entries(1, 2, 3, 4))
        bus.lose_newest("s", "e", 3)
        assert positions(Follower(reader).read_all()) == [1, 2, "gap", 4]
        assert positions(Follower(reader, {"s": ("e", 3)}).read_all()) == [4]
        assert positions(Follower(reader, {"s": ("e", 2)}).read_all()) == ["gap", 4]


@pytest.mark.parametrize("what", ["all", "stream"])
def test_everything_lost(bus: Bus, what: str) -> None:
    """A wiped bus takes nothing for the old epoch, under the feet of an open writer too; the
    new epoch is a gap for who was there before."""
    with (
        closing(open_writer(bus.config(), "s")) as writer,
        closing(open_reader(bus.config())) as reader,
    ):
        writer.begin("e1")
        writer.publish(("e1", 0), entries(1, 2))
        follower = Follower(reader)
        assert positions(follower.read_all()) == [1, 2]
        bus.lose_all() if what == "all" else bus.lose_stream("s")
        assert follower.read(0.1) == []
        assert writer.publish(("e1", 2), entries(3)) == NOWHERE
        writer.begin("e2")
        writer.publish(("e2", 0), entries(3))
        until(lambda: len(follower.items) == 4 or follower.read(0.2) is None)
        assert positions(follower.items) == [1, 2, "gap", 3]


def test_a_writer_starts_again(bus: Bus) -> None:
    """Another writer of the same stream finds where the former one was, and goes on."""
    with closing(open_writer(bus.config(), "s")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), entries(1, 2))
    with closing(open_reader(bus.config())) as reader:
        follower = Follower(reader)
        assert positions(follower.read_all()) == [1, 2]
        with closing(open_writer(bus.config(), "s")) as writer:
            assert writer.state() == ("e", 2)
            writer.publish(("e", 2), entries(6))
            until(lambda: len(follower.items) >= 3 or follower.read(0.2) is None)
        assert positions(follower.items) == [1, 2, 6]


def test_threads_share_a_reader(bus: Bus) -> None:
    """Several threads can ask one reader while a writer writes; each gets all, in order."""
    with closing(open_reader(bus.config())) as reader:
        followers = [Follower(reader) for _ in range(4)]
        wrong: list[BaseException] = []

        def follow(follower: Follower) -> None:
            try:
                end = time.monotonic() + 60
                while len(follower.items) < 500 and time.monotonic() < end:
                    follower.read(0.2)
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=follow, args=(one,)) for one in followers]
        for thread in threads:
            thread.start()
        with closing(open_writer(bus.config(), "s")) as writer:
            writer.begin("e")
            for start, end in pairwise(range(0, 501, 10)):
                writer.publish(("e", start), entries(*range(start + 1, end + 1)))
        for thread in threads:
            thread.join()
    assert wrong == []
    for follower in followers:
        assert positions(follower.items) == [*range(1, 501)]


def test_a_reader_comes_before_the_writer(bus: Bus) -> None:
    """A bus that nobody wrote to is empty, and no error."""
    with closing(open_reader(bus.config())) as reader:
        assert reader.read({"s": ("e", 3)}, 0.05) == []
        assert reader.first() == {}


def test_closing_twice(bus: Bus) -> None:
    """``close`` may be called again."""
    reader, writer = open_reader(bus.config()), open_writer(bus.config(), "s")
    reader.read({}, 0)
    writer.begin("e")
    for _ in range(2):
        reader.close()
        writer.close()


def test_streams_of_writers_that_are_gone_are_forgotten(bus: Bus) -> None:
    """A stream whose writer gave no sign of life for a week goes with the next sign of another;
    the living stay."""
    with closing(open_writer(bus.config(), "gone")) as gone:
        gone.begin("e")
        gone.publish(("e", 0), entries(1))
    with (
        closing(open_writer(bus.config(), "here")) as here,
        closing(open_reader(bus.config())) as reader,
    ):
        here.begin("e")
        here.publish(("e", 0), entries(1))
        here.touch()
        assert {*reader.first()} == {"gone", "here"}
        bus.age("gone", 8 * 24 * 3600)
        bus.age("here", 6 * 24 * 3600)
        here.touch()
        assert {*reader.first()} == {"here"}
        assert here.state() == ("e", 1)


def test_a_stream_that_lives_is_kept(bus: Bus) -> None:
    """After a sign of life a stream is as young as a new one, however old the last one was: no
    look forgets it, its own or another's, and it goes on. Without one nothing is left of it."""
    with (
        closing(open_writer(bus.config(), "one")) as one,
        closing(open_writer(bus.config(), "two")) as two,
        closing(open_reader(bus.config())) as reader,
    ):
        for writer in (one, two):
            writer.begin("e")
            writer.publish(("e", 0), entries(1))
        follower = Follower(reader)
        assert positions(follower.read_all()) == [1, 1]
        bus.age("one", 8 * 24 * 3600)
        one.touch()
        two.touch()
        assert {*reader.first()} == {"one", "two"}
        assert one.publish(("e", 1), entries(2)) == ("e", 2)
        assert positions(follower.read_all()) == [2]
        bus.age("one", 8 * 24 * 3600)
        two.touch()
        assert {*reader.first()} == {"two"}
        assert (bus.traces("one"), bool(bus.traces("two"))) == ([], True)
        assert one.state() == NOWHERE


def test_what_comes_at_a_fast_pace_comes_together(bus: Bus) -> None:
    """After an answer a reader that may wait leaves a moment for more: of entries that are
    published one by one meanwhile not each costs an answer of its own."""
    rounds, each = 40, 3
    if bus.server:
        bus.server.client().config_set("appendfsync", "no")
    with (
        closing(open_writer(bus.config(), "s")) as writer,
        closing(open_reader(bus.config())) as reader,
    ):
        writer.begin("e")
        go, begun = threading.Semaphore(0), threading.Semaphore(0)

        def write() -> None:
            for number in range(rounds * each):
                if number % each == 0:
                    go.acquire()
                writer.publish(("e", number), entries(number + 1))
                if number % each == 0:
                    begun.release()
                time.sleep(0.001)  # the pace

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        follower, answers = Follower(reader), 0
        for number in range(rounds):
            go.release()
            assert begun.acquire(timeout=60)
            while len(follower.items) < (number + 1) * each:
                answers += bool(follower.read(1))
        thread.join(60)
    assert positions(follower.items) == [*range(1, rounds * each + 1)]
    assert answers < rounds * 1.5  # without that moment two a round


def test_what_cannot_be_reached_says_what_to_do(bus: Bus) -> None:
    """Writer and reader raise BusUnavailable with place and hint, and work when it is back."""
    config = bus.config()
    with (
        closing(open_writer(config, "s")) as writer,
        closing(open_reader(config)) as reader,
    ):
        writer.begin("e")
        writer.publish(("e", 0), entries(1))
        with bus.away():
            for ask in (
                writer.state,
                lambda: writer.begin("e2"),
                lambda: writer.publish(("e", 1), entries(2)),
                writer.touch,
                lambda: reader.read({}, 0.1),
                reader.first,
            ):
                with pytest.raises(BusUnavailable) as caught:
                    ask()
                assert caught.value.where and caught.value.hint
        assert writer.publish(("e", 1), entries(2)) == ("e", 2)
        assert positions(Follower(reader).read_all()) == [1, 2]
