"""The Python client against real sidecars: it comes back by itself, and misses nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from activity_center.errors import ConfigError, WatchEnded
from activity_center.watch import Event, Watch
from tests.activity_center.liar import EMPTY, HELLO, Liar, Line
from tests.integration.process import until
from tests.sidecar_api.processes.stage import Stage, valid
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture
def stage(calm_opensearch: Node, tmp_path: Path) -> Iterator[Stage]:
    """A sidecar of this test's own, which is yet to be started."""
    put_templates(calm_opensearch.client)
    with Stage(calm_opensearch, tmp_path) as made:
        yield made


class Follows:
    """Iterates over a watch in a thread of its own, as a program does."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.events: list[Event] = []
        self.failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for event in self.watch:
                self.events.append(event)
        except WatchEnded as ended:
            self.failed.append(ended)

    def at(self, process: str) -> int:
        """Progress of a process, in thousandths; -1: it is not there."""
        found = [one for key, one in [*self.watch.processes.items()] if key[1] == process]
        return round(found[0]["progress"] * 1000) if found else -1

    def kinds(self) -> list[str]:
        """Kinds of events so far."""
        return [one.kind for one in self.events]

    def join(self) -> None:
        """Wait for the end of it."""
        self._thread.join(60)
        assert not self._thread.is_alive()


def watch(stage: Stage, who: str = "owner", **options: str) -> Watch:
    """A watch that does not wait for long."""
    return Watch(stage.url, token=stage.token(who), retry=0.1, **options)


def test_it_comes_back_and_misses_nothing(stage: Stage) -> None:
    """After kill -9 of the sidecar, again and again, each step is told once and in order, and
    it is said that nothing was missed."""
    stage.start()
    stage.steps.start("prc", stage.a)
    follows = Follows(watch(stage))
    until(lambda: follows.at("prc") == 0)
    number = 0

    def step() -> None:
        nonlocal number
        number += 1
        stage.steps.print("prc", stage.a, f"line {number:03}\n", (number - 1) * 9)
        stage.steps.move("prc", stage.a, number)

    for round_ in range(1, 3):
        for _ in range(5):
            step()
        stage.kill()
        until(lambda: follows.kinds()[-1:] == ["waiting"])
        step()
        stage.start()
        step()
        until(lambda number=number: follows.at("prc") == number)
        found = [one.recovered for one in follows.events if one.recovered is not None]
        assert found == [True] * round_
    (shown,) = follows.watch.processes.values()
    lines = [one["text"] for one in shown["output"]["lines"]]
    assert lines == [f"line {one:03}" for one in range(1, number + 1)]
    assert follows.kinds().count("snapshot") == 1
    assert shown == stage.sees("prc")
    follows.watch.close()
    follows.join()
    assert follows.failed == []


def test_it_says_when_something_was_missed(stage: Stage) -> None:
    """Where the bus began anew while it was away, the first event is a snapshot that says so;
    and so is one where it began anew while it watched."""
    stage.start()
    stage.steps.start("prc", stage.a)
    with watch(stage) as watching:
        follows = Follows(watching)
        until(lambda: follows.at("prc") == 0)
        stage.kill()
        until(lambda: follows.kinds()[-1:] == ["waiting"])
        stage.steps.begin()
        stage.steps.move("prc", stage.a, 5)
        stage.start()
        until(lambda: follows.at("prc") == 5)
        (told,) = [one for one in follows.events if one.recovered is not None]
        assert (told.kind, told.recovered) == ("snapshot", False)
        stage.steps.begin()
        stage.steps.move("prc", stage.a, 6)
        until(lambda: follows.at("prc") == 6)
        told = [one for one in follows.events if one.recovered is not None][1]
        assert (told.kind, told.recovered, told.reason) == ("snapshot", False, "gap")
    follows.join()


def test_only_a_part(stage: Stage) -> None:
    """Channel, organization and process leave out all else."""
    one, two = f"one-{stage.mark}", f"two-{stage.mark}"
    stage.steps.start(one, stage.a, channel="ssl")
    stage.steps.start(two, stage.b, channel="git-deploy")
    stage.start()
    for part in ({"channel": "ssl"}, {"organization": stage.a}, {"process": one}):
        with watch(stage, "admin", **part) as watching:
            for event in watching:
                assert event.kind == "snapshot"
                found = {shown["id"] for shown in event.changed}
                assert one in found and two not in found
                break


@pytest.mark.parametrize(
    ("who", "organization", "code", "hint"),
    [("nobody", "", 4401, "API token"), ("stranger", "a", 4403, "process:view")],
)
def test_a_refusal_is_final(
    stage: Stage, who: str, organization: str, code: int, hint: str
) -> None:
    """What another try would not mend ends it, with code, address and what to do; the token is
    nowhere in it."""
    stage.start()
    watching = watch(stage, who, organization=getattr(stage, organization, ""))
    with pytest.raises(WatchEnded) as ended:
        list(watching)
    assert ended.value.code == code
    assert hint in str(ended.value.hint)
    assert ended.value.where == f"ws://127.0.0.1:{stage.port}/ws/processes"
    assert stage.token(who) not in str(ended.value)


def test_it_says_when_the_sidecar_reads_nothing_new(stage: Stage, tmp_path: Path) -> None:
    """Once when that begins and once when it is over, on the same connection."""
    stage.start()
    stage.steps.start("prc", stage.a)
    with watch(stage) as watching:
        follows = Follows(watching)
        until(lambda: follows.at("prc") == 0)
        folder, aside = tmp_path / "steps", tmp_path / "aside"
        folder.rename(aside)
        folder.write_text("a file where the folder was")
        until(lambda: follows.kinds()[-1:] == ["stale"])
        assert watching.stale_since is not None
        folder.unlink()
        aside.rename(folder)
        until(lambda: follows.kinds().count("stale") == 2)
        assert watching.stale_since is None
        stage.steps.move("prc", stage.a, 7)
        until(lambda: follows.at("prc") == 7)
        assert follows.kinds().count("snapshot") == 1 and "waiting" not in follows.kinds()
    follows.join()


def test_a_first_connection_that_fails_is_an_error(stage: Stage) -> None:
    """Nobody there: it is said at once, and not tried for ever."""
    with pytest.raises(WatchEnded) as ended:
        list(watch(stage))
    assert ended.value.code == 1006


def test_no_token_in_the_clear() -> None:
    """An address of another machine must be https; a token must be one that HTTP can carry."""
    for url in ("http://activity.example", "ftp://activity.example", "", "activity.example"):
        with pytest.raises(ConfigError):
            Watch(url, token="x")
    with pytest.raises(ConfigError):
        Watch("https://activity.example", token="x\r\nHost: elsewhere")


# -- servers that are not as they should be ----------------------------------------------


@pytest.fixture
def liar() -> Iterator[Callable[..., Liar]]:
    """Make servers."""
    made: list[Liar] = []

    def make(*lines: list[Line]) -> Liar:
        made.append(Liar(*lines))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"type":"hello","version":2}',
        '{"type":"delta","epoch":"e","offset":"o","changes":[{}]}',
        '{"type":"snapshot","epoch":"e","offset":"o","processes":[{"id":"x"}]}',
        '{"type":"snapshot"}',
        b"\x82\x01x",
        b"\xff\xff",
    ],
    ids=["no JSON", "no object", "version", "delta", "snapshot", "bare", "bytes", "no frame"],
)
def test_a_server_that_breaks_the_protocol(liar: Callable[..., Liar], line: str | bytes) -> None:
    """It ends with 4409 or as a broken connection, never in an error of another kind."""
    lines = [HELLO, line] if isinstance(line, bytes) or "hello" not in line else [line]
    with pytest.raises(WatchEnded) as ended:
        list(Watch(liar(lines).url, retry=0.01))
    assert ended.value.code in (4409, 1002)


def test_what_it_does_not_know_it_leaves_alone(liar: Callable[..., Liar]) -> None:
    """Messages and members that are added within a version disturb nothing; pings are
    answered."""
    server = liar(
        [
            HELLO.replace("{", '{"new":1,', 1),
            '{"type":"news"}',
            '{"type":"ping","at":"2026-11-24T13:00:00Z"}',
            EMPTY.replace("{", '{"new":1,', 1),
            (4401, "over"),
        ]
    )
    with pytest.raises(WatchEnded) as ended:
        list(Watch(server.url))
    assert (ended.value.code, ended.value.message) == (4401, "over")
    until(lambda: server.heard == ['{"type":"pong"}'])
    valid(json.loads(server.heard[0]), "client")


def test_what_ended_long_ago_is_let_go_of(liar: Callable[..., Liar]) -> None:
    """As the server does, and by the server's clock: else a program that watches for days has all
    that ever ran. What runs stays, and what ended a while ago."""
    times = {"old": ("done", "11:50"), "new": ("failed", "12:10"), "long": ("running", "01:00")}
    rows = [
        {
            "id": id_,
            "organization": {"id": "acme"},
            "state": state,
            "updated": f"2026-11-24T{at}:00.000Z",
        }
        for id_, (state, at) in times.items()
    ]
    snapshot = {**json.loads(EMPTY), "processes": rows}
    ping = '{"type":"ping","at":"2026-11-24T13:00:00.000Z"}'
    watching = Watch(liar([HELLO, json.dumps(snapshot), ping, (4401, "over")]).url)
    with pytest.raises(WatchEnded):
        list(watching)
    assert watching.processes.keys() == {("acme", "new"), ("acme", "long")}


def test_many_that_ended_long_ago_are_let_go_of(liar: Callable[..., Liar]) -> None:
    """Also between two signs of life; each was told of before."""

    def delta(first: int) -> str:
        changes = [
            {
                "id": f"p{first + number}",
                "organization": "acme",
                "process": {"state": "done", "updated": "2026-11-01T00:00:00.000Z"},
            }
            for number in range(500)
        ]
        return json.dumps({"type": "delta", "epoch": "e", "offset": "o", "changes": changes})

    deltas = [delta(first) for first in range(0, 5000, 500)]
    watching = Watch(liar([HELLO, EMPTY, *deltas, (4401, "over")]).url)
    told = []
    with pytest.raises(WatchEnded):
        for event in watching:
            told += [one["state"] for one in event.changed]
    assert told == ["done"] * 5000
    assert len(watching.processes) <= 1000


@pytest.mark.parametrize("at", [None, 7, "soon", "0001-01-01T00:00:00+14:00", "9999-12-31"])
def test_times_that_are_none_harm_nothing(liar: Callable[..., Liar], at: object) -> None:
    """Whatever a server says of its clock or of a process."""
    row = {"id": "p", "organization": {"id": "acme"}, "state": "done", "updated": at}
    lines = [
        HELLO,
        json.dumps({**json.loads(EMPTY), "processes": [row]}),
        json.dumps({"type": "ping", "at": at}),
        json.dumps({"type": "ping", "at": "2026-11-24T13:00:00Z"}),
        (4401, "over"),
    ]
    with pytest.raises(WatchEnded, match="over"):
        list(Watch(liar(lines).url))


def test_what_the_server_says_of_reading_nothing_new(liar: Callable[..., Liar]) -> None:
    """In its first word or in a sign of life: an event where it begins and where it is over, and
    none in between. A connection that says nothing of it is one to a server that reads."""
    told_since = ',"stale_since":"2026-11-24T09:15:30.000Z"}'
    ping = '{"type":"ping","at":"2026-11-24T13:00:00.000Z"}'
    away, back = ping[:-1] + told_since, ping
    server = liar(
        [HELLO[:-1] + told_since, EMPTY, away, back, back, away, away, (1001, "going away")],
        [HELLO, EMPTY, (4401, "over")],
    )
    watching = Watch(server.url, retry=0.01)
    told = []
    with pytest.raises(WatchEnded, match="over"):
        for event in watching:
            told.append((event.kind, watching.stale_since))
    since = datetime(2026, 11, 24, 9, 15, 30, tzinfo=UTC)
    assert told == [
        ("stale", since),
        ("snapshot", since),
        ("stale", None),
        ("stale", since),
        ("waiting", since),
        ("stale", None),
        ("snapshot", None),
    ]


def test_a_snapshot_says_whether_there_is_more(liar: Callable[..., Liar]) -> None:
    """That holds until the next snapshot, whatever moves."""
    cut = EMPTY[:-1] + ',"cut":true}'
    delta = '{"type":"delta","epoch":"e","offset":"o","changes":[]}'
    watching = Watch(liar([HELLO, EMPTY, cut, delta, EMPTY, (4401, "over")]).url)
    told = []
    with pytest.raises(WatchEnded, match="over"):
        for event in watching:
            told.append((event.kind, watching.cut))
    assert told == [("snapshot", False), ("snapshot", True), ("delta", True), ("snapshot", False)]


@pytest.mark.parametrize("code", [1008, 4401, 4403, 4409])
def test_a_last_word_that_is_final(liar: Callable[..., Liar], code: int) -> None:
    """Who watched for a while, and is told that another try would end the same way, makes none."""
    other = 4403 if code == 4401 else 4401
    server = liar([HELLO, EMPTY, (code, "no longer")], [HELLO, EMPTY, (other, "again")])
    kinds = []
    with pytest.raises(WatchEnded) as ended:
        for event in Watch(server.url, retry=0.01):
            kinds.append(event.kind)
    assert (ended.value.code, ended.value.message) == (code, "no longer")
    assert kinds == ["snapshot"]
    assert len(server.targets) == 1


def test_it_waits_as_long_as_it_is_asked(liar: Callable[..., Liar]) -> None:
    """Too many connections: it tries again by itself, with the place it had."""
    server = liar([HELLO, EMPTY, (4429, "Retry-After: 1; too many")], [HELLO, EMPTY, (4401, "")])
    events = []
    with pytest.raises(WatchEnded):
        for event in Watch(server.url, retry=0.01):
            events.append(event)
    assert [one.kind for one in events] == ["snapshot", "waiting", "snapshot"]
    assert events[1].reason.startswith("Retry-After: 1")
    assert server.targets == ["/ws/processes", "/ws/processes?epoch=e&offset=o"]


def test_close_ends_it_from_any_thread(liar: Callable[..., Liar]) -> None:
    """Who waits for the next message is let go at once, without an error."""
    watching = Watch(liar([HELLO, EMPTY]).url)
    follows = Follows(watching)
    until(lambda: follows.kinds() == ["snapshot"])
    watching.close()
    follows.join()
    assert (follows.failed, follows.kinds()) == ([], ["snapshot"])
