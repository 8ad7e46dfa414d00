"""How watching ends, and how it goes on afterwards: sidecars that stop, rights that are lost."""

from __future__ import annotations

import json
import signal
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.process import until
from tests.sidecar_api.processes.peer import Gone, Peer, Stream
from tests.sidecar_api.processes.stage import Stage


def test_a_sidecar_that_stops(make_stage: Callable[..., Stage], process: str) -> None:
    """SIGTERM closes every socket with 1001 and ends every event stream; the next sidecar goes
    on with them where they were."""
    own = make_stage()
    own.steps.start(process, own.a)
    own.start()
    peers, stream = [Peer(own) for _ in range(5)], Stream(own)
    for one in (*peers, stream):
        one.until(lambda one=one: one.shows(process) is not None)
    assert own.sidecar.terminate() == 0
    for peer in peers:
        gone = peer.end()
        assert (gone.code, gone.reason) == (1001, "the server goes away")
    stream.end()
    own.steps.move(process, own.a, 1, 2)
    own.start()
    own.steps.move(process, own.a, 3)
    for one in (Peer(own, after=peers[0]), Stream(own, after=stream)):
        one.until(lambda one=one: one.at(process) == 3)
        assert one.moves == [1, 2, 3]
        assert "snapshot" not in one.kinds()


def test_a_sidecar_that_is_killed(make_stage: Callable[..., Stage], process: str) -> None:
    """After kill -9 in the midst of it, again and again, a client that comes back misses no
    step, gets none twice, and ends with what the sidecar shows."""
    own = make_stage().start()
    own.steps.start(process, own.a)
    peer, stream = Peer(own), Stream(own)
    for one in (peer, stream):
        one.until(lambda one=one: one.shows(process) is not None)
    number, moves, events = 0, list[int](), list[int]()
    for _ in range(3):
        for _ in range(10):
            number += 1
            own.steps.move(process, own.a, number)
        own.kill()
        moves += taken(peer)
        events += taken(stream)
        own.steps.move(process, own.a, number := number + 1)
        own.start()
        own.steps.move(process, own.a, number := number + 1)
        peer, stream = Peer(own, after=peer), Stream(own, after=stream)
        assert peer.hello["recovered"] is True
        for one in (peer, stream):
            one.until(lambda one=one, number=number: one.at(process) == number)
            assert "snapshot" not in one.kinds()
    assert moves + peer.moves == events + stream.moves == [*range(1, number + 1)]
    assert peer.shows(process) == stream.shows(process) == own.sees(process)


def taken(client: Peer | Stream) -> list[int]:
    """What a client had until its connection broke."""
    if isinstance(client, Peer):
        client.end()
    else:
        with pytest.raises(requests.RequestException):
            client.end()
            raise requests.ConnectionError  # it ended in good order, as far as HTTP can tell
    return client.moves


def test_several_workers_are_one_sidecar(make_stage: Callable[..., Stage], process: str) -> None:
    """Each worker reads the bus for itself; who comes back to another one goes on there."""
    own = make_stage(workers=2)
    own.steps.start(process, own.a)
    own.start()
    place = Peer(own).until(lambda: True)
    place.until(lambda: place.shows(process) is not None).break_off()
    own.steps.move(process, own.a, 1, 2)
    until(lambda: len(own.sidecar.workers()) == 2)
    peers = [Peer(own, after=place) for _ in range(12)]
    own.steps.move(process, own.a, 3)
    for peer in peers:
        peer.until(lambda peer=peer: peer.at(process) == 3)
        if peer.hello["recovered"]:
            assert peer.moves == [1, 2, 3]
        else:  # its worker had not read as far as the place, or it had too much of it
            assert peer.kinds()[:2] == ["hello", "snapshot"]
        peer.break_off()
    assert [peer.hello["recovered"] for peer in peers].count(True) > 0


def test_a_new_configuration(make_stage: Callable[..., Stage], process: str) -> None:
    """A reload sends all on to the new workers: who may watch as before goes on, who may not
    any more is told so and shown nothing."""
    own = make_stage().start()
    own.steps.start(process, own.a)
    stays, loses = Peer(own), Peer(own, "second", organization=own.a)
    for peer in (stays, loses):
        peer.until(lambda peer=peer: peer.shows(process) is not None)
    (person,) = (
        one for one in own.sidecar.document["identity"]["people"] if one["id"] == own.id("second")
    )
    del person["organizations"]
    own.sidecar.write()
    own.sidecar.signal(signal.SIGHUP)
    assert stays.end().code == loses.end().code == 1001
    own.steps.move(process, own.a, 1)
    again = back(own, stays)
    assert again.hello["recovered"] is True
    again.until(lambda: again.at(process) == 1)
    told: list[Peer] = []

    def refused() -> bool:
        with Peer(own, "second", after=loses, organization=own.a) as peer:
            told.append(peer)
            return peer.end().code == 4403

    until(refused)
    assert {one["type"] for peer in told for one in peer.said} == {"error"}
    peer = back(own, loses, "second")
    assert peer.hello["recovered"] is False
    peer.until(lambda: "snapshot" in peer.kinds())
    assert peer.processes == {}
    peer.break_off()


def back(stage: Stage, peer: Peer, who: str = "owner") -> Peer:
    """The same client on the next connection that is taken."""
    made: list[Peer] = []

    def taken() -> bool:
        try:
            again = Peer(stage, who, after=peer)
            made[:] = [again] if again.hello else []
        except (Gone, OSError, AssertionError):
            return False
        return bool(made)

    until(taken)
    return made[0]


# -- what shows after a minute -----------------------------------------------------------


@dataclass
class Minute:
    """What became of those who were connected for more than a minute, each in its own thread."""

    stage: Stage
    process: str
    silent: Peer
    said: dict[str, Any]
    later: dict[str, Peer | Stream]


def change(stage: Stage, cookie: str, organizations: dict[str, list[str]]) -> None:
    """A session has other claims from now on, as after a new sign-in at the provider."""
    import hashlib

    key = hashlib.sha256(cookie.partition("=")[2].encode()).hexdigest()
    file = Path(stage.sidecar.document["sidecar"]["data_dir"]) / "sign-ins.sqlite3"
    with closing(sqlite3.connect(file, timeout=10)) as database, database:
        [(text,)] = database.execute("SELECT subject FROM sessions WHERE id = ?", (key,))
        subject = {**json.loads(text), "organizations": organizations}
        database.execute("UPDATE sessions SET subject = ? WHERE id = ?", (json.dumps(subject), key))


@pytest.fixture(scope="module")
def minute(quick_stage: Stage) -> Iterator[Minute]:
    """One sidecar, many clients, and what happens to them within a minute of its time."""
    stage = quick_stage
    process = f"prc_{uuid.uuid4().hex[:12]}"
    stage.steps.start(process, stage.a)
    stage.steps.start(f"{process}-b", stage.b)
    until(lambda: stage.sees(f"{process}-b", "admin") is not None)
    cookies = {name: stage.sign_in("stranger") for name in ("loses", "fewer", "leaves")}
    both = {stage.a: ["owner"], stage.b: ["owner"]}
    change(stage, cookies["loses"], both)
    change(stage, cookies["fewer"], both)
    headers = {name: {"Cookie": one, "Origin": stage.url} for name, one in cookies.items()}
    silent = Peer(stage, answers=False)
    sockets: dict[str, Any] = {
        "silent": silent,
        "loses": Peer(stage, "", headers=headers["loses"]),
        "leaves": Peer(stage, "", headers=headers["leaves"]),
    }
    streams: dict[str, Any] = {
        "loses": Stream(stage, "", headers=headers["loses"]),
        "leaves": Stream(stage, "", headers=headers["leaves"]),
    }
    later: dict[str, Any] = {
        "fewer": Peer(stage, "", headers=headers["fewer"]),
        "fewer-events": Stream(stage, "", headers=headers["fewer"]),
        "stays": Peer(stage),
        "stays-events": Stream(stage),
    }
    for one in (*sockets.values(), *streams.values(), *later.values()):
        one.until(lambda one=one: "snapshot" in one.kinds())
    change(stage, cookies["loses"], {})
    change(stage, cookies["fewer"], {stage.b: ["owner"]})
    csrf = requests.get(f"{stage.url}/api/v1/me", headers=headers["leaves"], timeout=30).json()[
        "csrf"
    ]
    gone = requests.delete(
        f"{stage.url}/api/v1/session",
        headers={**headers["leaves"], "X-CSRF-Token": csrf},
        timeout=30,
    )
    assert gone.status_code == 200, gone.text
    with ThreadPoolExecutor(16) as pool:
        ends: dict[str, Future[Any]] = {name: pool.submit(one.end) for name, one in sockets.items()}
        ends |= {f"{name}-events": pool.submit(one.end) for name, one in streams.items()}
        for name in ("fewer", "fewer-events"):
            one = later[name]
            ends[name] = pool.submit(one.until, lambda one=one: "rights" in one.resets)
        last = f"{process}-last"
        for name in ("stays", "stays-events"):
            one = later[name]
            ends[name] = pool.submit(one.until, lambda one=one: one.shows(last) is not None)
        said = {name: one.result() for name, one in ends.items() if "stays" not in name}
        stage.steps.start(last, stage.a)
        for name in ("stays", "stays-events"):
            ends[name].result()
    yield Minute(stage, process, silent, said, later)
    for one in later.values():
        one.__exit__()


def test_one_that_gives_no_sign_of_life(minute: Minute) -> None:
    """A client that answers nothing for 45 seconds is closed with 4408, and was asked before."""
    gone = minute.said["silent"]
    assert (gone.code, gone.reason) == (4408, "no sign of life for 45 seconds")
    assert minute.silent.said[-1]["type"] == "error"
    assert minute.silent.raw.count(b'"type":"ping"') >= 2


def test_rights_that_are_lost_in_the_midst(minute: Minute) -> None:
    """Who may watch nothing any more is closed with 4403 within a minute."""
    assert minute.said["loses"].code == 4403


def test_a_session_that_is_over(minute: Minute) -> None:
    """Who has signed out is closed with 4401 within a minute."""
    assert minute.said["leaves"].code == 4401


@pytest.mark.parametrize("way", ["fewer", "fewer-events"])
def test_less_than_before(minute: Minute, way: str) -> None:
    """Who may watch less from now on begins anew with that: nothing of the rest is shown, or
    told, any more."""
    found = minute.later[way]
    assert found.resets[-1] == "rights"
    assert found.said[-1]["type"] in ("reset", "snapshot")
    found.until(lambda: found.said[-1]["type"] == "snapshot")
    assert {key[0] for key in found.processes} == {minute.stage.b}


@pytest.mark.parametrize("way", ["stays", "stays-events"])
def test_nobody_else_is_disturbed(minute: Minute, way: str) -> None:
    """Who answers and keeps their rights has one connection all the time, without a reset."""
    found = minute.later[way]
    assert found.resets == []
    assert found.kinds().count("snapshot") == 1


def test_event_streams_end_too(minute: Minute) -> None:
    """Events have no close codes: the stream ends, and the next request is refused."""
    assert {"loses-events", "leaves-events"} <= minute.said.keys()
    answer = requests.get(
        f"{minute.stage.url}/api/v1/processes/stream",
        headers={"Cookie": "activity_session=" + "x" * 43},
        timeout=30,
    )
    assert answer.status_code == 401
