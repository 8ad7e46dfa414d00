"""Hostile bytes on the wire, to the real server: malformed, smuggled, cut off, without end."""

from __future__ import annotations

import errno
import json
import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.integration.sidecar import ADMIN, Sidecar
from tests.sidecar_api.desk import PROBLEM
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node

CLOSE = b"Connection: close\r\n"
HOST = b"Host: 127.0.0.1\r\n"
TOKEN = f"Authorization: Bearer {ADMIN}\r\n".encode()
END = b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SIGN_IN = b"POST /api/v1/session HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
SMUGGLED = b"GET /api/v1/me HTTP/1.1\r\n" + HOST + TOKEN + END
GET = b"GET /healthz HTTP/1.1\r\n" + HOST


def chunked(*lines: bytes) -> bytes:
    """A sign-in whose body comes in chunks."""
    return SIGN_IN + CLOSE + CHUNKED + b"\r\n" + b"\r\n".join(lines)


ROWS: dict[str, tuple[bytes, set[int]]] = {
    # what is right, if old
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n" + HOST + END, {200}),
    "HTTP/1.0 without Host": (b"GET /healthz HTTP/1.0\r\n\r\n", {400}),
    "HTTP/1.1 without Host": (b"GET /healthz HTTP/1.1\r\n" + CLOSE + END, {400}),
    "absolute form": (
        b"GET http://127.0.0.1/healthz HTTP/1.1\r\n" + HOST + CLOSE + END, {200, 404},
    ),
    "absolute form of another": (
        b"GET http://example.invalid/healthz HTTP/1.1\r\nHost: example.invalid\r\n" + CLOSE + END,
        {400, 404},
    ),
    # versions and first lines
    "HTTP/9.9": (b"GET / HTTP/9.9\r\n" + HOST + END, {400}),
    "HTTP/2 by prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", {400}),
    "no version": (b"GET /healthz HTTP\r\n\r\n", {400}),
    "three spaces": (b"GET   /healthz   HTTP/1.1\r\n" + HOST + END, {400}),
    "lower case": (b"get /healthz HTTP/1.1\r\n" + HOST + CLOSE + END, {400, 405}),
    "method of signs": (b"<script> / HTTP/1.1\r\n" + HOST + END, {400}),
    "NUL in the target": (b"GET /healthz\x00 HTTP/1.1\r\n" + HOST + CLOSE + END, {400, 404}),
    "raw bytes in the target": (b"GET /\xc0\xaf\xff HTTP/1.1\r\n" + HOST + CLOSE + END, {400, 404}),
    "dots in the target": (b"GET /static/../../x HTTP/1.1\r\n" + HOST + CLOSE + END, {404}),
    "asterisk": (b"GET * HTTP/1.1\r\n" + HOST + CLOSE + END, {400, 404}),
    "CONNECT": (b"CONNECT example.invalid:443 HTTP/1.1\r\n" + HOST + CLOSE + END, {400, 404, 405}),
    "a very long target": (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + END, {414}),
    "TLS": (bytes.fromhex("160301006c0100006803") + b"\x00" * 100 + b"\r\n\r\n", {400}),
    "noise": (bytes(range(256)) * 4 + b"\r\n\r\n", {400, 414}),
    "SSH": (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", {400}),
    # headers
    "space in a name": (GET + b"X Long: a\r\n\r\n", {400}),
    "space before the colon": (GET + b"Transfer-Encoding : chunked\r\n\r\n", {400}),
    "no colon": (GET + b"nonsense\r\n\r\n", {400}),
    "no name": (GET + b": a\r\n\r\n", {400}),
    "folded": (GET + b"X-A: a\r\n b\r\n\r\n", {400}),
    "NUL in a value": (GET + b"X-A: a\x00b\r\n\r\n", {400}),
    "CR in a value": (GET + b"X-A: a\rX-B: b\r\n\r\n", {400}),
    "two hosts": (GET + b"Host: example.invalid\r\n" + CLOSE + END, {400}),
    "underscores": (GET + b"Content_Length: 100\r\n" + CLOSE + END, {200, 400}),
    "101 headers": (GET + b"X-A: a\r\n" * 101 + END, {431}),
    "a long header": (GET + b"X-A: " + b"a" * 70_000 + END + END, {431}),
    # lengths, and smuggling by them
    "length and chunks": (
        SIGN_IN + CLOSE + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
        {400},
    ),
    "two lengths": (SIGN_IN + b"Content-Length: 0\r\nContent-Length: 90\r\n\r\n" + SMUGGLED, {400}),
    "lengths in one": (SIGN_IN + b"Content-Length: 0, 90\r\n\r\n" + SMUGGLED, {400}),
    "negative length": (SIGN_IN + b"Content-Length: -1\r\n\r\n", {400}),
    "signed length": (SIGN_IN + b"Content-Length: +5\r\n\r\n", {400}),
    "length in hexadecimal": (SIGN_IN + b"Content-Length: 0x5\r\n\r\n", {400}),
    "length beyond all": (
        SIGN_IN + CLOSE + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", {400, 413},
    ),
    "other encoding": (SIGN_IN + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    "chunked twice": (
        SIGN_IN + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        {400},
    ),
    "chunked in HTTP/1.0": (
        b"POST /api/v1/session HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n",
        {400},
    ),
    "chunks of nonsense": (chunked(b"ZZ", b"{}", b"0", b"", b""), {400}),
    "chunk size with a sign": (chunked(b"-2", b"{}", b"0", b"", b""), {400}),
    "chunk beyond all": (chunked(b"F" * 40, b"{}", b"0", b"", b""), {400, 413}),
    "chunk longer than it says": (chunked(b"1", b"{}", b"0", b"", b""), {400}),
    "chunks beyond the bound": (chunked(b"20000", b"x" * 0x20000, b"0", b"", b""), {400, 413}),
    "chunks with a bare line feed": (chunked(b"2\n{}", b"0", b"", b""), {400}),
}  # fmt: skip
"""What is sent -> statuses that are right for its first answer; none at all is never right."""


@pytest.fixture(scope="module")
def sidecar(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """One server for all rows."""
    put_templates(opensearch.client)
    with Sidecar(tmp_path_factory.mktemp("wire") / "sidecar", opensearch.cluster) as made:
        made.document["sidecar"]["rate_limit"] = {"requests": 100_000, "sign_ins": 10_000}
        made.start()
        yield made


@pytest.fixture(autouse=True)
def unharmed(sidecar: Sidecar) -> Iterator[None]:
    """After each test the same worker answers the next request, and logged no error."""
    before, seen = sidecar.workers(), len(list(sidecar.lines()))
    yield
    assert sidecar.get("/healthz", token="").status_code == 200
    assert sidecar.workers() == before
    logged = list(sidecar.lines())[seen:]
    assert [line for line in logged if line["level"] in ("error", "critical")] == []
    assert "Traceback" not in str(logged)


def sent(sidecar: Sidecar, *parts: bytes) -> bytes:
    """Send; return all that comes until the server closes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", sidecar.port), 20) as plain:
        for part in parts:
            plain.sendall(part)
        try:
            plain.shutdown(socket.SHUT_WR)
        except OSError as gone:  # it has closed already: what it said can still be read
            assert gone.errno == errno.ENOTCONN, gone
        try:
            while part := plain.recv(65536):
                answer += part
        except ConnectionResetError:  # it closed while we had more to say
            pass
    return answer


def statuses(answer: bytes) -> list[int]:
    """The status of each answer."""
    return [int(one) for one in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", answer, re.MULTILINE)]


@pytest.mark.parametrize("name", ROWS)
def test_each_is_refused_or_answered(sidecar: Sidecar, name: str) -> None:
    """One answer, the right one, as a problem; what is smuggled behind it gets none."""
    raw, right = ROWS[name]
    answer = sent(sidecar, raw)
    found = statuses(answer)
    assert len(found) == 1, answer
    assert found[0] in right, answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b'"reader"' not in body
    if found[0] >= 400:
        assert PROBLEM.encode() in head, head
        assert json.loads(body)["status"] == found[0]


def test_pipelined_requests_are_answered_in_order(sidecar: Sidecar) -> None:
    """Two requests in one packet: two answers, the first one first."""
    one = b"GET /healthz HTTP/1.1\r\n" + HOST + END
    two = b"GET /no-such HTTP/1.1\r\n" + HOST + CLOSE + END
    assert statuses(sent(sidecar, one + two)) == [200, 404]


def test_a_body_is_never_the_next_request(sidecar: Sidecar) -> None:
    """A body where none is taken is not read as a request of its own."""
    length = f"Content-Length: {len(SMUGGLED)}\r\n\r\n".encode()
    follow = b"GET /no-such HTTP/1.1\r\n" + HOST + CLOSE + END
    answer = sent(sidecar, GET + length + SMUGGLED + follow)
    assert b'"reader"' not in answer
    assert statuses(answer) == [200, 404]


@pytest.mark.parametrize("forged", ["x", "e30.e30", "0", "*", "../../x", "a" * 5000, "\u00ff"])
def test_a_forged_place_begins_anew(sidecar: Sidecar, forged: str) -> None:
    """A Last-Event-ID that is none of ours: the live tail says so, and begins now."""
    headers = {"Last-Event-ID": forged.encode("latin-1")}
    path = "/api/v1/activities/stream"
    with sidecar.get(path, headers=headers, stream=True, timeout=20) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert "event: reset" in [next(lines).decode() for _ in range(6)]


def test_a_request_that_never_ends_hurts_nobody(sidecar: Sidecar) -> None:
    """Slow and cut-off requests wait by themselves; others are answered meanwhile."""
    begun = []
    for raw in (b"", b"G", GET[:20], GET, SIGN_IN + b"Content-Length: 100\r\n\r\n{"):
        for _ in range(10):
            plain = socket.create_connection(("127.0.0.1", sidecar.port), 20)
            plain.sendall(raw)
            begun.append(plain)
    assert sidecar.get("/healthz", token="").status_code == 200
    for plain in begun:
        plain.close()
