"""Certificates that are renewed while clients come in."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from activity_center import tls
from activity_center.config import Tls

RENEWALS = 30
PARTS = ("pem", "key")


def pair(folder: Path, name: str) -> None:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def use(folder: Path, name: str) -> None:
    """Put a pair in the place of the one in use, a file after the other."""
    for part in PARTS:
        shutil.copy(folder / f"{name}.{part}", folder / f"next.{part}")
        (folder / f"next.{part}").replace(folder / f"used.{part}")


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A listener that shakes hands, and looks at its files all the time."""
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.01)
    for name in ("one", "two"):
        pair(tmp_path, name)
    use(tmp_path, "one")
    context = tls.renewed_context(Tls(str(tmp_path / "used.pem"), str(tmp_path / "used.key")))

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:  # the client fails too, and tells
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_nobody_is_turned_away_while_a_certificate_is_renewed(
    address: tuple[str, int], tmp_path: Path
) -> None:
    """Whoever comes in just then gets the former certificate or the new one, with its key."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

    def shown() -> bytes | None:
        with (
            socket.create_connection(address) as connection,
            client.wrap_socket(connection) as secured,
        ):
            return secured.getpeercert(binary_form=True)

    of = {
        name: ssl.PEM_cert_to_DER_cert((tmp_path / f"{name}.pem").read_text())
        for name in ("one", "two")
    }
    assert shown() == of["one"]
    for number in range(RENEWALS):
        wanted = ("two", "one")[number % 2]
        use(tmp_path, wanted)
        while (found := shown()) != of[wanted]:
            assert found in of.values()
