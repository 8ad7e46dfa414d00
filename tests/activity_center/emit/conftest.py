"""Real peers of the emitter: a Forward server that decodes, an HTTP collector's answers."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from activity_center import Emitter
from activity_center.emit import Agent
from tests.activity_center.emit.asking import Asking
from tests.activity_center.emit.heard import Heard
from tests.activity_center.emit.proposals import Sidecar


class ForwardServer:
    """Accepts Forward connections on a TCP port or Unix path and keeps what it decodes."""

    def __init__(self, address: str | tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.messages: list[list[Any]] = []
        self.connections: list[socket.socket] = []
        self.reading = threading.Event()
        self.reading.set()
        if isinstance(address, str):
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(address)
            self._listener.listen()
            self.url, self.port = f"unix://{address}", 0
        else:
            self._listener = socket.create_server(address)
            self.port = self._listener.getsockname()[1]
            self.url = f"forward://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        unpacker = msgpack.Unpacker(timestamp=0)
        while True:
            self.reading.wait()
            try:
                data = connection.recv(65536)
            except OSError:
                return
            if not data:
                return
            unpacker.feed(data)
            self.messages.extend(unpacker)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [message[2] for message in self.messages]

    def cut(self) -> None:
        """Close all connections; the listener stays."""
        for connection in self.connections:
            hard_close(connection)
        self.connections.clear()

    def stop(self) -> None:
        """Close listener and connections, as a killed server would."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self.reading.set()
        self.cut()


def hard_close(connection: socket.socket) -> None:
    """End a connection at once (RST), also while another thread reads from it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def verdict(statuses: list[str]) -> dict[str, Any]:
    """Return the body of the collector's 200: counts, and an item per event."""
    items = [{"status": status} for status in statuses]
    for item in items:
        if item["status"] == "rejected":
            item |= {"reason": "invalid", "detail": "no action", "path": "/event"}
    counts = {name: statuses.count(name) for name in ("accepted", "rejected", "ignored")}
    return {**counts, "items": items}


class Collector(ThreadingHTTPServer):
    """Answers ``POST /v1/activities`` as the collector does.

    Attributes:
        answers: taken one a request: a status, or a function ``(handler, events)`` that
            answers by itself; when empty, everything is accepted.
        requests: per request the headers and the decoded events.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.answers: list[int | Callable[[Any, list[Any]], None]] = []
        self.requests: list[tuple[dict[str, str], list[Any]]] = []
        super().__init__(("127.0.0.1", port), Handler)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, events in self.requests for event in events]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection to :class:`Collector`."""

    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        events = json.loads(body)
        self.server.requests.append(({**self.headers, ":path": self.path}, events))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if callable(answer):
            answer(self, events)
        else:
            self.reply(answer, verdict(["accepted"] * len(events)))

    def reply(self, status: int, document: Any, **headers: str) -> None:
        if status >= 300:
            document = {"title": "refused", "status": status}
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def forward() -> Iterator[Callable[..., ForwardServer]]:
    """Return a factory of Forward servers that are stopped at the end."""
    made: list[ForwardServer] = []

    def make(address: str | tuple[str, int] = ("127.0.0.1", 0)) -> ForwardServer:
        made.append(ForwardServer(address))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    """Return a factory of HTTP collectors that are stopped at the end."""
    made: list[Collector] = []

    def make(port: int = 0) -> Collector:
        made.append(Collector(port))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def emitter() -> Iterator[Callable[..., Emitter]]:
    """Return a factory of emitters that are closed, without waiting, at the end."""
    made: list[Emitter] = []

    def make(url: str, **options: Any) -> Emitter:
        made.append(Emitter(url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close(timeout=0)


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], None]:
    """Return a function that polls until a condition holds, or fails after 20 s."""

    def wait(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            time.sleep(0.005)

    return wait


@pytest.fixture
def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class TlsFiles(NamedTuple):
    """PEM files: an authority, and a certificate of it for 127.0.0.1 with its key."""

    ca: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Return an authority and a server certificate made for this run."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)

    def certificate(name: str, key: Any, issuer: str, signer: Any, authority: bool) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False
            )
        )
        return builder.sign(signer, SHA256())

    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate("test authority", authority_key, "test authority", authority_key, True)
    server = certificate("server", server_key, "test authority", authority_key, False)
    files = TlsFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    files.ca.write_bytes(authority.public_bytes(Encoding.PEM))
    files.certificate.write_bytes(server.public_bytes(Encoding.PEM))
    files.key.write_bytes(
        server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return files


@pytest.fixture
def heard(forward: Any, emitter: Any, until: Any) -> Heard:
    """An emitter over Forward, and what arrived."""
    return Heard(forward, emitter, until)


@pytest.fixture
def agent(heard: Heard) -> Agent:
    """An agent of that emitter."""
    return heard.emitter.agent(
        "agt_ops", "ops-pilot", version="2.3", model="claude-opus", provider="anthropic"
    )


@pytest.fixture
def sidecar() -> Iterator[Sidecar]:
    """A server that is asked for decisions."""
    server = Sidecar()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def asked(forward: Any, emitter: Any, until: Any, sidecar: Sidecar) -> Heard:
    """An emitter whose agents hear of decisions."""
    return Heard(forward, emitter, until, controls_url=sidecar.url)


@pytest.fixture
def asking() -> Iterator[Asking]:
    """A server that is asked for controls."""
    server = Asking()
    yield server
    server.shutdown()
    server.server_close()
