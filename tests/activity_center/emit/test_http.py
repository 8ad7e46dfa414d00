"""HTTP: the collector's "accepted" is the proof; everything else is tried again or counted."""

from __future__ import annotations

import json
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from activity_center.emit import NotRecorded
from activity_center.emit.over_http import read_answer
from activity_center.errors import ConfigError

TOKEN = "token-of-the-shop"


def items(handler: Any, statuses: list[str]) -> None:
    """Answer 200 with these statuses."""
    accepted = [{"status": status} for status in statuses]
    for item in accepted:
        if item["status"] == "rejected":
            item |= {"reason": "invalid", "detail": "no action", "path": "/event"}
    handler.reply(200, {"items": accepted})


def cut(handler: Any, events: list[Any]) -> None:
    """Take the request and close without an answer."""
    handler.close_connection = True


def captive(handler: Any, events: list[Any]) -> None:
    """Answer as a portal or proxy would: 200, but not the collector's."""
    handler.reply(200, {"welcome": "please sign in"})


def test_accepted(collector: Any, emitter: Any) -> None:
    """Events go out in batches over one connection, with the token, to the native source."""
    server = collector()
    made = emitter(server.url, token=TOKEN)
    ids = [made.emit("a.b", metadata={"text": "ü" * 100}) for _ in range(1000)]
    assert made.flush(20)
    assert [event["event"]["id"] for event in server.events] == ids
    assert made.stats().accepted == 1000
    headers, _ = server.requests[0]
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers[":path"] == "/v1/activities?source=native"
    assert headers["Content-Type"] == "application/json"
    assert len(server.requests) < 200
    assert any("Content-Encoding" in headers for headers, _ in server.requests)


def test_rejected_and_ignored_are_counted_and_not_sent_again(
    collector: Any, emitter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The collector keeps what it rejects, so it is done; the log says why."""
    server = collector()
    server.answers = [
        lambda handler, events: items(handler, ["rejected"]),
        lambda handler, events: items(handler, ["ignored"]),
    ]
    made = emitter(server.url)
    for _ in range(2):
        made.emit("a.b")
        assert made.flush(20)
    stats = made.stats()
    assert (stats.sent, stats.accepted, stats.rejected, stats.queued) == (2, 0, 1, 0)
    assert len(server.requests) == 2
    assert "invalid: no action" in caplog.text


@pytest.mark.parametrize("trouble", [503, 429, 500, 401, 403, 302, 204, cut, captive])
def test_trouble_is_tried_again(collector: Any, emitter: Any, until: Any, trouble: Any) -> None:
    """Without a clear verdict nothing counts as accepted; the same event is sent again."""
    server = collector()
    server.answers = [trouble, trouble]
    made = emitter(server.url, token=TOKEN)
    made.emit("a.b")
    until(lambda: made.flush(1))
    assert made.stats().accepted == 1
    assert len(server.requests) >= 3
    assert len({event["event"]["id"] for event in server.events}) == 1


def test_the_wait_that_is_asked_for_is_kept(collector: Any, emitter: Any, until: Any) -> None:
    """Retry-After is obeyed; only a flush or close tries earlier."""
    server = collector()
    server.answers = [lambda handler, events: handler.reply(503, {}, Retry_After="3600")]
    made = emitter(server.url)
    made.emit("a.b")
    until(lambda: made.stats().errors == 1)
    made.emit("a.b")
    assert made.stats().queued == 2
    until(lambda: made.flush(1))
    assert made.stats().accepted == 2


def test_one_bad_event_does_not_hold_up_the_others(collector: Any, emitter: Any) -> None:
    """A request refused whole is halved until the one event is found."""
    server = collector()
    gate = threading.Event()

    def refuse(handler: Any, events: list[Any]) -> None:
        gate.wait(20)
        if any(event["event"]["action"] == "bad" for event in events):
            handler.reply(413, {})
        else:
            items(handler, ["accepted"] * len(events))

    server.answers = [refuse] * 100
    made = emitter(server.url)
    for number in range(50):
        made.emit("bad" if number == 30 else "good")
    gate.set()
    assert made.flush(20)
    stats = made.stats()
    assert (stats.accepted, stats.rejected, stats.dropped) == (49, 1, 0)


def test_a_server_that_comes_back(collector: Any, emitter: Any, free_port: int) -> None:
    """Down at first, then up, then restarted under a kept connection: nothing is lost."""
    made = emitter(f"http://127.0.0.1:{free_port}")
    made.emit("one")
    assert not made.flush(0.05)
    first = collector(free_port)
    assert made.flush(20)
    first.stop()
    made.emit("two")
    second = collector(free_port)
    assert made.flush(20)
    assert [event["event"]["action"] for event in first.events + second.events] == ["one", "two"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"null", b"{}", b'{"items": 3}', b'{"items": [{}]}', b'{"items": []}'],
)
def test_less_than_a_verdict_per_event_is_no_proof(answer: bytes) -> None:
    """Only one known status for each event counts."""
    assert read_answer(answer, 1) is None
    assert read_answer(b'{"items": [{"status": "perhaps"}]}', 1) is None
    assert read_answer(b'{"items": [{"status": "accepted"}]}', 2) is None
    good = read_answer(b'{"items": [{"status": "accepted"}]}', 1)
    assert good is not None
    assert good.accepted == 1


def test_a_token_file_is_read_again(collector: Any, emitter: Any, tmp_path: Path) -> None:
    """A rotated token is used from the next request on."""
    server = collector()
    path = tmp_path / "token"
    path.write_text("first\n")
    made = emitter(server.url, token_file=path)
    made.emit("a.b")
    assert made.flush(20)
    path.write_text("second\n")
    made.emit("a.b")
    assert made.flush(20)
    assert [headers["Authorization"] for headers, _ in server.requests] == [
        "Bearer first",
        "Bearer second",
    ]


def test_required_records(collector: Any, emitter: Any) -> None:
    """``require_record`` returns after "accepted" and raises our error otherwise."""
    server = collector()
    made = emitter(server.url, record_timeout=0.5)
    event_id = made.emit("export.create", require_record=True)
    assert [event["event"]["id"] for event in server.events] == [event_id]
    assert made.stats().accepted == 1
    server.answers = [lambda handler, events: items(handler, ["rejected"])]
    with pytest.raises(NotRecorded, match="no action"):
        made.emit("export.create", require_record=True)
    server.answers = [503] * 50
    with pytest.raises(NotRecorded, match="not made durable within"):
        made.emit("export.create", require_record=True)
    server.answers = [503]
    assert made.emit("export.create", require_record=True)
    stats = made.stats()
    assert (stats.emitted, stats.accepted, stats.dropped) == (4, 2, 2)


def test_required_records_around_an_action(collector: Any, emitter: Any) -> None:
    """The block's success needs its record; the block's own error is never masked."""
    server = collector()
    made = emitter(server.url, record_timeout=0.3, require_record=True)
    server.answers = [503] * 50
    with pytest.raises(NotRecorded), made.action("export.create"):
        pass
    with pytest.raises(LookupError), made.action("export.create"):
        raise LookupError


def test_required_records_beside_forward(collector: Any, emitter: Any, free_port: int) -> None:
    """Forward cannot prove anything; with ``record_url`` those that must be go by HTTP."""
    forward = f"forward://127.0.0.1:{free_port}"
    with pytest.raises(ConfigError, match="acknowledgement"):
        emitter(forward, require_record=True)
    with pytest.raises(NotRecorded, match="acknowledgement"):
        emitter(forward).emit("a.b", require_record=True)
    server = collector()
    made = emitter(forward, record_url=server.url)
    made.emit("a.b")
    made.emit("must.be", require_record=True)
    assert [event["event"]["action"] for event in server.events] == ["must.be"]


def test_threads_that_require_records_do_not_wait_for_each_other(
    collector: Any, emitter: Any
) -> None:
    """Each has a connection of its own while it waits."""
    server = collector()
    barrier = threading.Barrier(4, timeout=20)

    def together(handler: Any, events: list[Any]) -> None:
        barrier.wait()  # answers only once all four are here
        items(handler, ["accepted"])

    server.answers = [together] * 4
    made = emitter(server.url)
    threads = [
        threading.Thread(target=made.emit, args=("a.b",), kwargs={"require_record": True})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.stats().accepted == 4


def test_tls_is_verified(collector: Any, emitter: Any, tls_files: Any, until: Any) -> None:
    """With our authority it is accepted; without, nothing, not even the token, is sent."""
    server = collector()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files.certificate, tls_files.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.port}"
    trusting = emitter(url, ca=tls_files.ca, token=TOKEN)
    trusting.emit("a.b")
    assert trusting.flush(20)
    assert trusting.stats().accepted == 1
    wary = emitter(url, token=TOKEN)
    wary.emit("a.b")
    until(lambda: wary.stats().errors)
    assert wary.stats().sent == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["{path} cannot be read: No such file or directory", "write the sender's token"]),
        (b"secret-one\nsecret-two\n", ["{path} holds no token", "one line"]),
        (b"secret \xff", ["{path} holds no token"]),
        (b"\n", ["{path} holds no token"]),
    ],
    ids=["missing", "two lines", "no ASCII", "empty"],
)
def test_a_token_file_that_has_none(
    collector: Any,
    emitter: Any,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    content: bytes | None,
    words: list[str],
) -> None:
    """The warning names the file and what is wrong with it, and never what is in it; nothing is
    sent, and what waits goes once the file is right."""
    server = collector()
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    made = emitter(server.url, token_file=path)
    made.emit("a.b")
    assert not made.flush(0.5)
    for one in words:
        assert one.format(path=path) in caplog.text
    assert "secret" not in caplog.text
    assert server.requests == []
    path.write_text("right")
    assert made.flush(20)


def test_who_gives_no_token_is_told_so(
    collector: Any, emitter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the collector wants one: not that a token, which there is not, was refused."""
    server = collector()
    server.answers = [401]
    made = emitter(server.url)
    made.emit("a.b")
    assert made.flush(20)
    assert "HTTP 401, this needs a token, and none was given: token or token_file" in caplog.text
    assert "not accepted" not in caplog.text


def test_no_secret_in_log_or_error(
    collector: Any, emitter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails, the token is in no line."""
    server = collector()
    server.answers = [401, 403, 500, cut, captive]
    made = emitter(server.url, token=TOKEN, record_timeout=0.1)
    with pytest.raises(NotRecorded) as refused:
        made.emit("a.b", require_record=True)
    made.emit("a.b")
    made.flush(5)
    assert TOKEN not in caplog.text + str(refused.value) + repr(made) + json.dumps(
        made.stats().as_dict()
    )
