"""Servers on real sockets, in an event loop of their own thread, and what they accept."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activity_center.config import ForwardListener, HttpListener, SenderConfig, Tls
from activity_center.errors import SpoolFailed, SpoolFull
from collector.receive.credentials import Credentials
from collector.receive.forward import ForwardServer
from collector.receive.http import HttpServer
from collector.records import Batch, Receipt, Reject, Sender

TOKEN = "token-of-app"
SENDERS = (
    SenderConfig(name="local"),
    SenderConfig(
        name="app",
        token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),
        username="ada",
        password="correct horse",
        sources=frozenset({"native"}),
    ),
)


@dataclass
class Sink:
    """Stands where the pipeline stands: keeps what arrives; can be full, broken or slow."""

    batches: list[Batch] = field(default_factory=list)
    rejected: list[tuple[str, bytes, str]] = field(default_factory=list)
    rejects: int = 0  # calls of reject_bytes
    full: int = 0  # so many calls raise SpoolFull
    retry_after: float = 0.05
    broken: bool = False
    crash: bool = False
    blocked: threading.Event | None = None
    under_way: int = 0
    most_under_way: int = 0

    @property
    def records(self) -> list[Any]:
        return [record for batch in self.batches for record in batch.records]

    def _check(self) -> None:
        if self.crash:
            raise ZeroDivisionError("secret detail")
        if self.broken:
            raise SpoolFailed("the disk failed")
        if self.full:
            self.full -= 1
            full = SpoolFull("no room")
            full.retry_after = self.retry_after  # type: ignore[assignment]
            raise full

    async def accept(self, batch: Batch) -> Receipt:
        self._check()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        while self.blocked is not None and not self.blocked.is_set():
            await asyncio.sleep(0.002)
        self.under_way -= 1
        self.batches.append(batch)
        receipt = Receipt()
        for index, record in enumerate(batch.records):
            receipt.ids.append([])
            if not isinstance(record, dict):
                receipt.rejected[index] = Reject(
                    "not_an_object", "not an object", "", None, None, "", "", "", 0
                )
            elif record.get("ignore"):
                receipt.ignored[index] = "not wanted"
            else:
                receipt.ids[index].append(f"id-{record.get('n', index)}")
                receipt.accepted += 1
        return receipt

    async def reject_bytes(self, sender: Sender, broken: Sequence[tuple[bytes, str]]) -> None:
        self._check()
        self.rejects += 1
        self.rejected += [(sender.name, data, detail) for data, detail in broken]


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Serve:
    """Starts servers that all use one sink and the senders above."""

    def __init__(self, loop: Loop, sink: Sink) -> None:
        self.loop = loop
        self.sink = sink
        self.servers: list[ForwardServer | HttpServer] = []

    def _start(self, server: Any) -> Any:
        self.loop.run(server.start())
        self.servers.append(server)
        return server

    def forward(
        self,
        bind: str = "127.0.0.1:0",
        *,
        senders: Any = SENDERS,
        options: Any = None,
        **listener: Any,
    ) -> ForwardServer:
        if not listener.keys() & {"sender", "shared_key", "tls"}:
            listener["sender"] = "local"
        return self._start(
            ForwardServer(
                ForwardListener(bind=bind, **listener),
                Credentials(senders),
                self.sink.accept,
                self.sink.reject_bytes,
                **(options or {}),
            )
        )

    def http(
        self, bind: str = "127.0.0.1:0", *, senders: Any = SENDERS, tls: Any = None, **options: Any
    ) -> HttpServer:
        return self._start(
            HttpServer(
                HttpListener(bind=bind, tls=tls),
                Credentials(senders),
                self.sink.accept,
                self.sink.reject_bytes,
                **options,
            )
        )


@pytest.fixture
def sink() -> Sink:
    """What the servers of a test accept."""
    return Sink()


@pytest.fixture
def serve(sink: Sink) -> Iterator[Serve]:
    """Starts servers, and stops them."""
    loop = Loop()
    made = Serve(loop, sink)
    yield made
    if sink.blocked is not None:
        sink.blocked.set()
    for server in made.servers:
        loop.run(server.stop(2))
    loop.close()


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Poll until a condition holds; its value is returned, and it fails after 10 s."""

    def poll(condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 10
        while not (value := condition()):
            assert time.monotonic() < deadline, "the condition did not come true within 10 s"
            time.sleep(0.005)
        return value

    return poll


@dataclass(frozen=True)
class Pki:
    """An authority, a server certificate for localhost, two client certificates."""

    folder: Path
    fingerprints: dict[str, str]

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def server(self, *, client_ca: bool = False) -> Tls:
        return Tls(
            certificate=self.file("server.pem"),
            key=self.file("server.key"),
            client_ca=self.file("ca.pem") if client_ca else "",
        )

    def context(self, client: str = "") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.file("ca.pem"))
        if client:
            context.load_cert_chain(self.file(f"{client}.pem"), self.file(f"{client}.key"))
        return context


def _certificate(
    name: str, issuer: tuple[x509.Certificate, Any] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates of this run."""
    folder = tmp_path_factory.mktemp("pki")
    authority = _certificate("test authority", None)
    fingerprints = {}
    for name in ("ca", "server", "shipper", "stranger"):
        certificate, key = authority if name == "ca" else _certificate(name, authority)
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        fingerprints[name] = certificate.fingerprint(hashes.SHA256()).hex()
    return Pki(folder, fingerprints)
