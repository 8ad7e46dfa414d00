"""A bus that lost everything says again what is known: no place of meanwhile is gone on from.

Found by the kills: whoever went on from such a place at another sidecar was told lines twice, or
one was left out.
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
from sidecar_api.processes.places import NO_PLACE
from sidecar_api.processes.taking import Taking


@cache
def entry(number: int) -> dict[str, Any]:
    """A line of output, or the beginning; the same one whoever has it."""
    said = {"stream": "stdout", "offset": number * 10, "text": f"line {number:03d}\n"}
    return {
        "@timestamp": datetime.now(UTC).isoformat(),
        "event": {
            "id": f"e{number}",
            "action": "process.output" if number else "process.started",
            "sequence": number,
        },
        "organization": {"id": "acme"},
        "activity": {
            "lens": "process",
            "process": {"id": "prc", "attempt": 1},
            **({"output": said} if number else {}),
        },
    }


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
