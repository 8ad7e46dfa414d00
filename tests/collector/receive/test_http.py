"""POST /v1/activities: what comes in, who may send, what is answered."""

from __future__ import annotations

import gzip

import pytest

from activity_center.config import SenderConfig
from collector.receive.credentials import Credentials
from tests.clients.http import PATH, Client, head, problem, raw_connection


@pytest.fixture
def post(serve):
    """A client of a server with the usual limits."""
    return Client(serve.http().address)


# -- what comes in -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"n": 1}', "application/json"),
        (b' \n{"n":\n 1}\n', "application/json; charset=utf-8"),
        (b'{"n": 1}', ""),
        (b'\xef\xbb\xbf{"n": 1}', "text/plain"),
        (b'[{"n": 1}]', "application/json"),
        (b'{"n": 1}\n', "application/x-ndjson"),
        (b'\r\n{"n": 1}\r\n\r\n', "application/jsonl"),
        (b'{"n": 1}', "application/cloudevents+json"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_forms(post, sink, body, kind, zipped):
    """One object, an array or lines; by type or found out; gzip or plain; one connection."""
    headers = {"Content_Type": kind} if kind else {}
    if zipped:
        body, headers["Content_Encoding"] = gzip.compress(body), "gzip"
    for _ in range(2):
        answer = post(body, **headers)
        assert answer.status == 200
        assert answer.body == {
            "accepted": 1,
            "rejected": 0,
            "ignored": 0,
            "items": [{"status": "accepted", "id": "id-1"}],
        }
    assert sink.records == [{"n": 1}] * 2
    assert sink.batches[0].sender.name == "app"
    assert sink.batches[0].received > 1_700_000_000 * 10**9


def test_source_and_answer_per_event(post, sink):
    """The query names the source; the answer says of each event what became of it, in the
    order sent."""
    events = [{"n": 1}, 5, {"ignore": True}, {"n": 2}]
    answer = post(events, PATH + "?source=native")
    assert sink.batches[0].source == "native"
    assert answer.body == {
        "accepted": 2,
        "rejected": 1,
        "ignored": 1,
        "items": [
            {"status": "accepted", "id": "id-1"},
            {
                "status": "rejected",
                "reason": "not_an_object",
                "detail": "not an object",
                "path": "",
            },
            {"status": "ignored", "detail": "not wanted"},
            {"status": "accepted", "id": "id-2"},
        ],
    }


LINES = [
    (b'{"n": 1}', None),
    (b'{"n":', "undecodable"),
    (b'{"n": "\xff"}', "bad_text"),
    (b'{"n": "\\ud800"}', "bad_text"),
    (b'{"n": NaN}', "bad_number"),
    (b'{"n": 1e999}', "bad_number"),
    (b'{"n": ' + b"9" * 5000 + b"}", "bad_number"),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, "too_deep"),
    (b'{"n": "' + b"x" * 1_100_000 + b'"}', "too_large"),
    (b'{"n": 2}', None),
]


@pytest.mark.parametrize("form", ["ndjson", "sniffed", "array"])
def test_a_broken_event_costs_itself(post, sink, form):
    """In lines and in arrays alike the others are accepted; the broken ones are kept as
    bytes, and the answer has them in their places."""
    lines = LINES
    if form == "array":  # its brackets must be found: an element must be JSON at least loosely
        lines = [one for one in LINES if one[1] not in ("undecodable", "too_deep")]
        body = b"[" + b",".join(line for line, _ in lines) + b"]"
    else:
        body = b"\n".join(line for line, _ in lines)
    kind = {"Content_Type": "application/x-ndjson"} if form == "ndjson" else {}
    answer = post(body, **kind)
    assert answer.status == 200
    assert [item.get("reason") for item in answer.body["items"]] == [why for _, why in lines]
    assert (answer.body["accepted"], answer.body["rejected"]) == (2, len(lines) - 2)
    assert sink.records == [{"n": 1}, {"n": 2}]
    assert [raw for _, raw, _ in sink.rejected] == [line for line, why in lines if why]
    assert [detail.split(":")[0] for *_, detail in sink.rejected] == [
        why for _, why in lines if why
    ]


def test_what_json_can_say(post, sink):
    """80-bit integers stay what they are; dotted keys, dates far off and 10,000 keys too."""
    big = 2**80
    record = {
        "big": big,
        "a.b": {"": 1},
        "when": "9999-12-31",
        **{f"k{n}": n for n in range(10000)},
    }
    assert post(record).status == 200
    assert sink.records == [record]


def test_certificate_instead_of_a_token(serve, sink, pki):
    """A client certificate tells the sender too."""
    senders = (SenderConfig(name="shipper", certificate_sha256=pki.fingerprints["shipper"]),)
    server = serve.http(tls=pki.server(client_ca=True), senders=senders)
    client = Client(server.address, pki.context("shipper"))
    assert client({"n": 1}, auth={}).status == 200
    stranger = Client(server.address, pki.context("stranger"))
    problem(stranger({"n": 1}, auth={}), 401, "unauthorized")
    assert [batch.sender.name for batch in sink.batches] == ["shipper"]


def test_expect_continue(serve, sink):
    """A client that asks first (curl does, for larger bodies) is told to go on."""
    with raw_connection(serve.http().address) as raw:
        raw.sendall(head(b"8", b"Expect: 100-continue\r\n"))
        assert raw.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b'{"n": 1}')
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert len(sink.records) == 1


# -- who ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [None, "Bearer wrong", "Bearer ", "Bearer", "Basic YTpi", "bearer  wrong", "Bearer \xff\xfe"],
)
def test_wrong_token(post, sink, capsys, field):
    """401 with a challenge (RFC 6750); the token is in no log; others go on."""
    auth = {} if field is None else {"Authorization": field}
    answer = post({"n": 1}, auth=auth)
    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert sink.batches == []
    assert post({"n": 1}).status == 200
    log = capsys.readouterr().out
    assert "request refused" in log and "wrong" not in log.replace("what is wrong", "")


def test_source_not_allowed(post, sink):
    """403 for a source that the sender may not use; nothing is taken."""
    problem(post({"n": 1}, PATH + "?source=kubernetes-audit"), 403, "source-not-allowed")
    assert sink.batches == []


def test_reload(serve, sink):
    """Other senders from the next request on, on the same connection."""
    server = serve.http()
    client = Client(server.address)
    assert client({"n": 1}).status == 200
    server.reload(Credentials(()))
    problem(client({"n": 1}), 401, "unauthorized")
