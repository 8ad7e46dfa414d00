"""The protocol over WebSockets, by a real sidecar: what is told, and what ends a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from wsproto.events import BytesMessage, TextMessage
from wsproto.events import Ping as Beat

from sidecar_api.processes.hub import PER_READER
from tests.integration.process import until
from tests.sidecar_api.processes.peer import SUBPROTOCOL, Gone, Peer
from tests.sidecar_api.processes.stage import Stage


def test_a_snapshot_then_what_changes(stage: Stage, process: str) -> None:
    """First hello and all there is, then each change once, in order; what the client makes of
    it is what the sidecar shows."""
    stage.steps.start(process, stage.a)
    stage.steps.move(process, stage.a, 1)
    until(lambda: stage.sees(process) is not None)
    with Peer(stage, process=process) as peer:
        assert peer.head["sec-websocket-protocol"] == SUBPROTOCOL
        assert "sec-websocket-extensions" not in peer.head
        hello = {"type": "hello", "version": 1, "heartbeat": 15, "recovered": None}
        assert peer.hello == {**hello, "at": peer.hello["at"]}
        peer.until(lambda: peer.at(process) == 1)
        stage.steps.move(process, stage.a, *range(2, 40))
        stage.steps.print(process, stage.a, "one\ntwo\n")
        stage.steps.publish(stage.steps.entry(process, "process.completed", stage.a))
        peer.until(lambda: (peer.shows(process) or {})["state"] == "done")
        assert peer.kinds()[:2] == ["hello", "snapshot"]
        assert set(peer.kinds()[2:]) == {"delta"}
        assert peer.moves == [*range(2, 40), 1000]
        assert peer.shows(process) == stage.sees(process)


def test_hostile_texts_stay_texts(stage: Stage, process: str) -> None:
    """Quotes, line separators, other planes and markup come through all of it as they were."""
    text = '"}],"x":[{\u2028\u2029\u0085\\u0000</script><b>\U0001f680\u202e'
    stage.steps.start(process, stage.a, activity__process__name=text)
    with Peer(stage, process=process) as peer:
        peer.until(lambda: peer.shows(process) is not None)
        stage.steps.print(process, stage.a, f"{text}\n")
        peer.until(lambda: bool((peer.shows(process) or {})["output"]["lines"]))
        found = peer.shows(process) or {}
        assert found["name"] == text
        assert "".join(line["text"] for line in found["output"]["lines"]) == text


def test_no_extension_is_agreed_on(stage: Stage) -> None:
    """Frames are made once for many: compression, which a client may offer, is not taken."""
    with Peer(stage, headers={"Sec-WebSocket-Extensions": "permessage-deflate"}) as peer:
        assert peer.status == 101
        assert "sec-websocket-extensions" not in peer.head
        assert peer.hello["recovered"] is None


def test_only_what_is_asked_for(stage: Stage, process: str) -> None:
    """Channel, organization and process each leave out all else, in snapshots and in deltas."""
    other = f"{process}-other"
    stage.steps.start(process, stage.a, channel="ssl")
    stage.steps.start(other, stage.b, channel="git-deploy")
    until(lambda: stage.sees(other, "admin") is not None)
    peers = [
        Peer(stage, "admin", channel="ssl"),
        Peer(stage, "admin", organization=stage.a),
        Peer(stage, "admin", process=process),
    ]
    for peer in peers:
        peer.until(lambda peer=peer: peer.shows(process) is not None)
    stage.steps.move(other, stage.b, 1)
    stage.steps.move(process, stage.a, 2)
    for peer in peers:
        peer.until(lambda peer=peer: peer.at(process) == 2)
        assert peer.shows(other) is None
        assert other.encode() not in peer.raw
        peer.break_off()


# -- going on ----------------------------------------------------------------------------


def test_who_comes_back_gets_just_what_was_missed(stage: Stage, process: str) -> None:
    """With its last place a client goes on: nothing is missing, nothing comes twice, however
    often it comes back."""
    stage.steps.start(process, stage.a)
    until(lambda: stage.sees(process) is not None)
    peer = Peer(stage)
    peer.until(lambda: peer.shows(process) is not None).break_off()
    number, moves = 0, []
    for count in (1, 0, 30):
        missed = [*range(number + 1, number + 1 + count)]
        for one in missed:
            stage.steps.move(process, stage.a, one)
        number += count
        until(lambda number=number: round(stage.sees(process)["progress"] * 1000) == number)
        with Peer(stage, after=peer) as peer:
            assert peer.hello["recovered"] is True
            number += 1
            stage.steps.move(process, stage.a, number)
            peer.until(lambda peer=peer, number=number: peer.moves[-1:] == [number])
            assert "snapshot" not in peer.kinds()
            assert peer.moves == [*missed, number]
            moves += peer.moves
    assert moves == [*range(1, number + 1)]
    assert peer.shows(process) == stage.sees(process)


def _altered(stage: Stage, peer: Peer) -> dict[str, str]:
    letter = "A" if peer.offset[10] != "A" else "B"
    return {"offset": peer.offset[:10] + letter + peer.offset[11:]}


def _made_up(stage: Stage, peer: Peer) -> dict[str, str]:
    return {"offset": "x" * 4096}


def _of_other_rights(stage: Stage, peer: Peer) -> dict[str, str]:
    with Peer(stage, "other") as other:
        other.until(lambda: bool(other.offset))
        return {"offset": other.offset}


def _of_another_part(stage: Stage, peer: Peer) -> dict[str, str]:
    with Peer(stage, organization=stage.a) as other:
        other.until(lambda: bool(other.offset))
        return {"offset": other.offset}


@pytest.mark.parametrize("forge", [_altered, _made_up, _of_other_rights, _of_another_part])
def test_a_place_that_is_not_ones_own_is_said_to_be_none(
    stage: Stage, process: str, forge: Callable[[Stage, Peer], dict[str, str]]
) -> None:
    """Altered, invented, of a reader with other rights or of another part: ``recovered`` is
    false, and a snapshot follows."""
    stage.steps.start(process, stage.a)
    until(lambda: stage.sees(process) is not None)
    with Peer(stage) as peer:
        peer.until(lambda: peer.shows(process) is not None)
        stage.steps.move(process, stage.a, 7)
        peer.until(lambda: peer.at(process) == 7)
        with Peer(stage, epoch=peer.epoch, **forge(stage, peer)) as again:
            assert again.hello["recovered"] is False
            again.until(lambda: again.at(process) == 7)
            assert again.kinds() == ["hello", "snapshot"]


def test_a_place_that_is_too_long_ago_is_said_to_be_none(stage: Stage, process: str) -> None:
    """More than is told again has happened since: ``recovered`` is false, and a snapshot."""
    stage.steps.start(process, stage.a)
    with Peer(stage) as peer:
        peer.until(lambda: peer.shows(process) is not None)
        place = peer.offset
    for begin in range(1, 2001, 500):
        stage.steps.move(process, stage.a, *(n % 1000 for n in range(begin, begin + 500)))
    stage.steps.publish(stage.steps.entry(process, "process.failed", stage.a))
    until(lambda: (stage.sees(process) or {})["state"] == "failed")
    with Peer(stage, offset=place) as again:
        assert again.hello["recovered"] is False
        again.until(lambda: (again.shows(process) or {}).get("state") == "failed")
        assert again.kinds() == ["hello", "snapshot"]


# -- who may open one --------------------------------------------------------------------


@pytest.fixture(scope="module")
def cookie(stage: Stage) -> str:
    """A session of the owner's."""
    return stage.sign_in("owner")


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        ("own", True),
        ("localhost", True),
        ("https://elsewhere.example", False),
        ("null", False),
        ("none", False),
    ],
)
def test_a_page_elsewhere_opens_none(stage: Stage, cookie: str, origin: str, taken: bool) -> None:
    """Browsers send cookies from any page, so the page's origin decides; a cookie without an
    origin is of no browser."""
    named = {
        "own": stage.url,
        "localhost": f"http://localhost:{stage.port}",
        "none": "",
    }.get(origin, origin)
    host = f"localhost:{stage.port}" if origin == "localhost" else f"127.0.0.1:{stage.port}"
    headers = {"Cookie": cookie, "Origin": named, "Host": host}
    with Peer(stage, "", headers=headers) as peer:
        if taken:
            assert peer.hello["recovered"] is None
        else:
            assert peer.end().code == 1008
            assert [one["type"] for one in peer.said] == ["error"]


def test_an_origin_that_the_configuration_names(make_stage: Callable[..., Stage]) -> None:
    """``sidecar.origins`` lets pages of other addresses in, and a foreign page is refused even
    with an API token."""
    own = make_stage(origins=["https://portal.example"]).start()
    with Peer(own, headers={"Origin": "https://portal.example"}) as peer:
        assert peer.hello["version"] == 1
    with Peer(own, headers={"Origin": "https://portal.example.evil"}) as peer:
        gone = peer.end()
        assert (gone.code, "sidecar.origins" in gone.reason) == (1008, True)


def test_who_may_not_watch_is_told_so(stage: Stage) -> None:
    """Nobody known: 4401; an organization of others: 4403. Each says why before it closes, and
    shows nothing."""
    for who, query, code in (
        ("", {}, 1008),  # without Origin and token: it is not said whether others may
        ("owner", {"organization": stage.b}, 4403),
        ("stranger", {"organization": stage.a}, 4403),
    ):
        with Peer(stage, who, **query) as peer:
            assert peer.end().code == code
            (error,) = peer.said
            assert (error["type"], error["code"]) == ("error", code)
            assert ("needs an API token: --token-file" in error["detail"]) is (code == 1008)
            assert "sidecar.origins" not in error["detail"]
    for headers in ({"Authorization": "Bearer wrong"}, {"Origin": stage.url}):
        with Peer(stage, "", headers=headers) as peer:
            assert peer.end().code == 4401
            assert [one["type"] for one in peer.said] == ["error"]


def test_more_than_a_reader_may_have(stage: Stage) -> None:
    """One connection more than a reader may have is refused with the time to wait; when one has
    ended there is room again, and others were never concerned."""
    peers = [Peer(stage, "second") for _ in range(PER_READER)]
    for peer in peers:
        assert peer.hello["version"] == 1
    with Peer(stage, "second") as more:
        gone = more.end()
        assert (gone.code, gone.reason.partition(";")[0]) == (4429, "Retry-After: 30")
    with Peer(stage, "owner") as other:
        assert other.hello["version"] == 1
    assert stage.metric("process_watchers") >= PER_READER
    peers.pop().break_off()

    def room() -> bool:
        with Peer(stage, "second") as again:
            try:
                return bool(again.hello["type"] == "hello")
            except (Gone, AssertionError):
                return False

    until(room)
    for peer in peers:
        peer.break_off()
    until(lambda: stage.metric("process_watchers") == 0)


@pytest.mark.parametrize(("who", "code"), [("nobody", 4401), ("owner", 4403), ("elsewhere", 1008)])
def test_a_refused_handshake_counts(make_stage: Callable[..., Stage], who: str, code: int) -> None:
    """Whoever is refused has asked all the same: beyond the rate of their address, or their own,
    it is for that, with the time to wait; another reader is let in."""
    own = make_stage()
    own.sidecar.document["sidecar"]["rate_limit"] = {"requests": 30}
    own.start()

    def refused() -> Gone:
        origin = {"nobody": own.url, "elsewhere": "https://elsewhere.example"}.get(who, "")
        with Peer(
            own, "" if origin else who, headers={"Origin": origin}, organization=own.b
        ) as one:
            return one.end()

    ends = [refused() for _ in range(60)]
    codes = [one.code for one in ends]
    assert (codes[0], {*codes}) == (code, {code, 4429})
    assert codes.count(code) < 45
    assert all(one.reason.startswith("Retry-After: ") for one in ends if one.code == 4429)
    with Peer(own, "second") as other:
        assert other.hello["version"] == 1


# -- what a client may say ---------------------------------------------------------------


def test_is_anybody_there(stage: Stage) -> None:
    """A ping of the protocol, and one of the WebSocket's own, are answered."""
    with Peer(stage) as peer:
        peer.until(lambda: "snapshot" in peer.kinds())
        peer.say('{"type":"ping"}')
        while peer.next()["type"] != "pong":
            pass
        peer.send(Beat(payload=b"x"))
        peer.say('{"type":"ping"}')
        while peer.next()["type"] != "pong":
            pass


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"type":"pong","at":"' + "x" * 5000 + '"}', 1008),
        ('{"type":"subscribe"}', 4409),
        ("[]", 4409),
        ("{", 4409),
        ("[" * 4000, 4409),
        ("", 4409),
    ],
    ids=["too large", "something else", "no object", "no JSON", "deep", "empty"],
)
def test_a_client_says_ping_and_pong_alone(stage: Stage, said: str, code: int) -> None:
    """Whatever else it says ends the connection with the reason; the sidecar goes on."""
    with Peer(stage) as peer:
        peer.until(lambda: "snapshot" in peer.kinds())
        peer.say(said)
        gone = peer.end()
        assert gone.code == code
        assert peer.said[-1]["type"] == "error" and peer.said[-1]["code"] == code
        assert gone.reason == peer.said[-1]["detail"]


def test_frames_that_are_none_of_ours(stage: Stage) -> None:
    """Bytes, a message in endless parts and bytes that are no frame end the connection too."""
    with Peer(stage) as peer:
        peer.until(lambda: "snapshot" in peer.kinds())
        peer.send(BytesMessage(data=b"x"))
        assert peer.end().code == 4409
    with Peer(stage) as peer:
        peer.until(lambda: "snapshot" in peer.kinds())
        for _ in range(3):
            peer.send(TextMessage(data="x" * 2000, message_finished=False))
        assert peer.end().code == 1008
    with Peer(stage) as peer:
        peer.until(lambda: "snapshot" in peer.kinds())
        peer.sock.sendall(b"\xff" * 64)
        assert peer.end().code == 4409


def test_too_many_messages(stage: Stage) -> None:
    """Who says more than ten things in a second is cut off, however right each one is."""
    with Peer(stage) as peer:
        peer.until(lambda: "snapshot" in peer.kinds())
        for _ in range(40):
            peer.say('{"type":"pong"}')
        assert peer.end().code == 1008


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"since": "x"}, {}),
        ({"process": "x" * 257}, {}),
        ({"offset": "x" * 4097}, {}),
        ({}, {"Sec-WebSocket-Protocol": "activity-center.processes.v2"}),
    ],
    ids=["unknown", "long", "long offset", "another version"],
)
def test_a_handshake_that_asks_for_something_else(
    stage: Stage, query: dict[str, str], headers: dict[str, Any]
) -> None:
    """A parameter that is none, or too long, and another version of the protocol: 4409."""
    with Peer(stage, headers=headers, **query) as peer:
        assert peer.end().code == 4409


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Version": "8"},
        {"Upgrade": ""},
    ],
    ids=["no key", "short key", "old version", "no upgrade"],
)
def test_a_handshake_that_is_none(stage: Stage, headers: dict[str, str]) -> None:
    """It is answered as HTTP, with a problem document, before anything is opened."""
    with Peer(stage, headers=headers) as peer:
        assert peer.status == 400
        assert peer.head["content-type"] == "application/problem+json"
