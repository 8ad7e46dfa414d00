"""What a sidecar takes in: all of it, others having their turn, and what is said again.

A bus that lost everything says again what is known; no place of meanwhile is gone on from. Found
by the kills: whoever went on from such a place at another sidecar was told lines twice, or one
was left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from activity_center.bus import Place, Reader, Writer, open_reader, open_writer
from activity_center.config_processes import BusConfig
from sidecar_api.processes.earlier import Seen
from sidecar_api.processes.places import NO_PLACE
from sidecar_api.processes.taking import Taking
from tests.activity_center.processes.entries import BEYOND, Unreadable, entry_of
from tests.sidecar_api.processes.stage import Steps


@cache
def entry(number: int) -> dict[str, Any]:
    """A line of output, or the beginning; the same one whoever has it."""
    said = {"stream": "stdout", "offset": number * 10, "text": f"line {number:03d}\n"}
    action = "process.output" if number else "process.started"
    output = {"activity__output": said} if number else {}
    return entry_of("prc", action, number, at=datetime.now(UTC), **output)


class Stream:
    """The writer's side."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._place: Place = ("", 0)

    def begin(self, epoch: str) -> None:
        """Everything is lost."""
        self._writer.begin(epoch)
        self._place = (epoch, 0)

    def tell(self, *numbers: int) -> None:
        """Publish entries, each at the position of its number and one."""
        for number in numbers:
            body = orjson.dumps(entry(number))
            self._place = self._writer.publish(self._place, [(number + 1, body)])


@pytest.fixture
def config(tmp_path: Path) -> BusConfig:
    """An embedded bus."""
    return BusConfig(folder=str(tmp_path / "steps"))


@pytest.fixture
def stream(config: BusConfig) -> Iterator[Stream]:
    """Its one stream."""
    with closing(open_writer(config, "one")) as writer:
        made = Stream(writer)
        made.begin("first")
        yield made


@pytest.fixture
def reader(config: BusConfig) -> Iterator[Reader]:
    """A reader of it."""
    with closing(open_reader(config)) as made:
        yield made


def read(taking: Taking, reader: Reader) -> None:
    """Take all that is there."""
    while found := reader.read(taking.places.after(), 0.0):
        taking.take(found)


def lines(taking: Taking) -> int:
    """How many it knows."""
    ((_, kept),) = taking.board
    return int(kept.process.as_dict()["output"]["total"])


def missed(taking: Taking, places: Mapping[str, int]) -> list[int] | None:
    """Positions that somebody with these places is told of; ``None``: told to begin anew."""
    found = taking.ring.missed(places, taking.places.of)
    return None if found is None else [one.position for one in found]


def test_what_is_said_again(stream: Stream, reader: Reader) -> None:
    """While the bus says again what a sidecar knows, its places do not count, neither for it nor
    elsewhere; and who is at a place of another sidecar is not told the rest as if it were all."""
    stream.tell(0, 1, 2, 3)
    knows = Taking.load(reader, lambda _: ())
    assert knows.sure and lines(knows) == 3
    stream.begin("second")
    stream.tell(0, 1)
    read(knows, reader)
    assert lines(knows) == 3  # two of which the bus has not said again
    assert not knows.sure
    begun_anew = Taking.load(reader, lambda _: ())
    assert begun_anew.sure and lines(begun_anew) == 1
    place = dict(begun_anew.places.of)
    stream.tell(2, 3, 4)
    for one in (knows, begun_anew):
        read(one, reader)
        assert lines(one) == 4
    assert missed(begun_anew, place) == [3, 4, 5]
    assert missed(knows, place) is None
    assert missed(begun_anew, NO_PLACE) is None and missed(knows, NO_PLACE) is None


def test_what_opensearch_had_before_the_bus(stream: Stream, reader: Reader) -> None:
    """A sidecar that starts when OpenSearch has more than the bus gives no place that counts."""
    stream.tell(1, 2)
    made = Taking.load(reader, lambda _: [entry(0), entry(3)])
    assert not made.sure and lines(made) == 3
    place = dict(made.places.of)
    stream.tell(3, 4)
    read(made, reader)
    assert lines(made) == 4
    assert missed(made, place) is None


def test_a_start_on_what_the_bus_has(stream: Stream, reader: Reader) -> None:
    """A sidecar that knows from the bus alone what it knows is sure of it at once."""
    stream.tell(0, 1, 2)
    assert Taking.load(reader, lambda _: ()).sure
    old = {**entry(0), "@timestamp": "2020-01-01T00:00:00.000Z"}
    stream.begin("second")
    stream.tell(1, 2)
    assert Taking.load(reader, lambda _: [old]).sure


def test_others_have_their_turn(steps: Steps) -> None:
    """Many entries that come in one answer of the bus are folded a part at a time, all of them
    and in order; each part leaves the state in which everything up to it is told."""
    steps.publish(*(steps.entry(f"p{n}", "process.started", "acme") for n in range(3000)))
    with_all = open_reader(steps.config)
    found = with_all.read({}, 0.0)
    while len(found) < 3000:
        places = {"one-0": (steps.epoch, len(found))}
        found += with_all.read(places, 0.0)
    taking = Taking()
    positions: list[int] = []
    parts = 0
    for took in taking.take_in_turns(found):
        parts += 1
        positions += [change.position for change in took.changes]
        assert list(taking.places.of.values()) == [positions[-1]]
    assert positions == [*range(1, 3001)]
    assert parts > 1
    with_all.close()


# -- what cannot be handled costs only itself --


def test_a_sidecar_starts_whatever_opensearch_has(steps: Steps) -> None:
    """An entry that cannot be folded in is left out, and all others, earlier and later ones and
    those of the bus, are there; nothing is missing that could be asked for again."""
    steps.start("new", "acme")
    bad = entry_of("old", "process.progress", 2)
    bad["activity"]["output"] = Unreadable(text="x")

    def earlier(_seen: Seen) -> Iterator[Mapping[str, Any]]:
        yield entry_of("old", "process.started", 1)
        yield bad
        yield entry_of("old", "process.completed", 3)

    made = Taking.load(open_reader(steps.config), earlier)
    assert {key[1] for key, _ in made.board} == {"old", "new"}
    kept = made.board.get(("acme", "old"))
    assert kept is not None and kept.process.state == "done"
    assert not made.partial


def test_a_sidecar_starts_if_opensearch_answers_nonsense(steps: Steps) -> None:
    """What OpenSearch has is missing then, and the bus is shown; it is asked again."""
    steps.start("new", "acme")

    def earlier(_seen: Seen) -> Iterator[Mapping[str, Any]]:
        yield entry_of("old", "process.started", 1)
        raise KeyError("_source")

    made = Taking.load(open_reader(steps.config), earlier)
    assert {key[1] for key, _ in made.board} == {"old", "new"}
    assert made.partial


def test_entries_of_the_bus_whose_parts_are_something_else(steps: Steps) -> None:
    """An event that is a text and a process without one of its parts hold nothing up."""
    odd = [entry_of(f"odd{n}", "process.started", n) for n in range(2)]
    odd[0]["event"] = "process.started"
    odd[1]["activity"]["process"] = {"id": "odd1", "lease": BEYOND, "attempt": "first"}
    steps.publish(*odd, entry_of("fine", "process.started", 3))
    made = Taking.load(open_reader(steps.config), lambda _seen: ())
    assert made.board.get(("acme", "fine")) is not None
