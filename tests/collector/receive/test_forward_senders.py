"""Who may send over Forward, and as whom; and on which kinds of sockets."""

from __future__ import annotations

import hashlib
import shutil
import socket
import ssl
import stat
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest
from structlog.testing import capture_logs

from activity_center.config import SenderConfig, Tls
from activity_center.errors import ConfigError
from collector.receive.credentials import Credentials
from collector.receive.limits import ConnectionLimits
from tests.clients.forward import ForwardClient, HandshakeRefused, NotAcknowledged, encode

KEY = "s3cret-of-both"
EVENT = [(1, {"n": 1})]


def test_shared_key(serve, sink):
    """With the shared key and no user, the listener's sender it is; the salt in PING may be
    bytes that are no UTF-8 (Fluent Bit's is)."""
    server = serve.forward(shared_key=KEY, sender="local", senders=(SenderConfig(name="local"),))
    for _ in range(20):  # the salt is random
        with ForwardClient(server.address, shared_key=KEY) as client:
            client.send("a", EVENT)
    assert {batch.sender.name for batch in sink.batches} == {"local"}


def test_pong_proves_the_key(serve):
    """Our PONG carries the digest by which the client knows that we have the key too."""
    import os

    server = serve.forward(shared_key=KEY, sender="local", hostname="here")
    with ForwardClient(server.address) as client:
        client._unpacker = msgpack.Unpacker(raw=True)
        helo = client.read()
        assert helo[0] == b"HELO" and helo[1][b"keepalive"] is True
        salt, nonce = os.urandom(16), helo[1][b"nonce"]
        digest = hashlib.sha512(salt + b"me" + nonce + KEY.encode()).hexdigest()
        client.write(msgpack.packb(["PING", "me", salt, digest, "", ""]))
        ours = hashlib.sha512(salt + b"here" + nonce + KEY.encode()).hexdigest().encode()
        assert client.read() == [b"PONG", True, b"", b"here", ours]


def test_user(serve, sink):
    """A Forward user is the sender that has it, whatever the listener's sender is."""
    server = serve.forward(shared_key=KEY, sender="local")
    with ForwardClient(
        server.address, shared_key=KEY, username="ada", password="correct horse"
    ) as client:
        client.send("a", EVENT)
    with ForwardClient(server.address, shared_key=KEY) as client:
        client.send("a", EVENT)
    assert [batch.sender.name for batch in sink.batches] == ["app", "local"]


@pytest.mark.parametrize(
    ("key", "username", "password", "reason"),
    [
        ("wrong", "ada", "correct horse", "shared_key mismatch"),
        (KEY, "ada", "wrong", "username/password mismatch"),
        (KEY, "nobody", "", "username/password mismatch"),
        (KEY, "", "", "username/password mismatch"),
    ],
)
def test_refused(serve, sink, capsys, key, username, password, reason):
    """A wrong key, user or password is refused with PONG, counted and logged without the
    secret; others go on."""
    server = serve.forward(shared_key=KEY)
    right = {"shared_key": KEY, "username": "ada", "password": "correct horse"}
    with ForwardClient(server.address, **right) as good:
        with pytest.raises(HandshakeRefused, match=reason):
            ForwardClient(server.address, shared_key=key, username=username, password=password)
        good.send("a", EVENT)
    assert server.counters.auth_failures == 1
    assert len(sink.batches) == 1
    log = capsys.readouterr().out
    assert reason in log
    assert KEY not in log and "correct horse" not in log


def test_events_before_the_handshake(serve, sink, until):
    """Events without a handshake are not taken, and their bytes not kept: whoever has not
    shown who it is does not get to fill the disk."""
    server = serve.forward(shared_key=KEY, sender="local")
    with ForwardClient(server.address) as client:
        client.write(encode("a", EVENT, chunk="c"))
        client.read()  # HELO
        with pytest.raises(NotAcknowledged):
            client.read()
    assert sink.batches == [] and sink.rejected == []
    assert server.counters.protocol_errors == 1


def test_tls(serve, sink, pki):
    """TLS, with the handshake inside it."""
    server = serve.forward(tls=pki.server(), shared_key=KEY, sender="local")
    with ForwardClient(server.address, tls=pki.context(), shared_key=KEY) as client:
        client.send("a", EVENT, "packed", compressed=True)
    assert len(sink.records) == 1


def test_a_renewed_certificate(serve, sink, pki, until, tmp_path):
    """Renewed files count for new connections once they fit together; a connection that is
    open stays so."""

    def write(name, *suffixes):
        for suffix in suffixes:
            shutil.copy(pki.file(f"{name}.{suffix}"), tmp_path / f"used.{suffix}")

    def shown():
        with ForwardClient(server.address, tls=pki.context(), shared_key=KEY) as client:
            return hashlib.sha256(client.socket.getpeercert(binary_form=True)).hexdigest()

    write("server", "pem", "key")
    tls = Tls(str(tmp_path / "used.pem"), str(tmp_path / "used.key"))
    server = serve.forward(tls=tls, shared_key=KEY, sender="local")
    with (
        capture_logs() as told,
        ForwardClient(server.address, tls=pki.context(), shared_key=KEY) as open_before,
    ):
        assert shown() == pki.fingerprints["server"]
        write("shipper", "pem")
        until(lambda: [line for line in told if "not renewed" in line["event"]])
        assert shown() == pki.fingerprints["server"]
        write("shipper", "key")
        until(lambda: shown() == pki.fingerprints["shipper"])
        open_before.send("a", EVENT, "packed")
    assert len(sink.records) == 1


def test_plain_client_on_tls(serve, sink, pki, until):
    """A client without TLS gets nothing through a TLS listener; others go on."""
    server = serve.forward(tls=pki.server(), sender="local")
    with ForwardClient(server.address, tls=pki.context()) as good:
        with ForwardClient(server.address) as bad:
            bad.write(encode("a", EVENT, chunk="c"))
            with pytest.raises(NotAcknowledged):
                bad.read()
        good.send("a", EVENT)
    assert len(sink.records) == 1


def test_client_certificate(serve, sink, pki):
    """With client_ca the certificate's SHA-256 tells the sender; without a certificate
    nobody comes in, and neither does one that no sender has."""
    print_ = pki.fingerprints["shipper"]
    colons = ":".join(print_[n : n + 2] for n in range(0, 64, 2)).upper()  # as openssl prints it
    senders = (SenderConfig(name="shipper", certificate_sha256=colons),)
    server = serve.forward(tls=pki.server(client_ca=True), senders=senders)
    with ForwardClient(server.address, tls=pki.context("shipper")) as client:
        client.send("a", EVENT)
        with pytest.raises(NotAcknowledged):
            ForwardClient(server.address, tls=pki.context("stranger")).send("a", EVENT)
        with pytest.raises((NotAcknowledged, ssl.SSLError, OSError)):
            ForwardClient(server.address, tls=pki.context()).send("a", EVENT)
        client.send("a", EVENT)
    assert [batch.sender.name for batch in sink.batches] == ["shipper"] * 2
    assert server.counters.auth_failures == 1


def test_ipv6(serve, sink):
    """IPv6."""
    server = serve.forward("[::1]:0")
    assert server.address.startswith("[::1]:")
    with ForwardClient(server.address) as client:
        client.send("a", EVENT)
    assert len(sink.records) == 1


def test_localhost_is_both(serve, sink):
    """A name is served on every address it has, with the same port."""
    port = int(serve.forward("localhost:0").address.rpartition(":")[2])
    found = {info[4][0] for info in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)}
    for host in found:
        with ForwardClient((host, port)) as client:
            client.send("a", EVENT)
    assert len(sink.records) == len(found)


def test_unix_socket(serve, sink, tmp_path: Path):
    """A Unix socket: mode 0660, a stale one replaced, one in use refused, removed at stop."""
    path = tmp_path / "forward.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    server = serve.forward(f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with ForwardClient(f"unix:{path}") as client:
        client.send("a", EVENT)
    with pytest.raises(ConfigError, match="another process listens there"):
        serve.forward(f"unix:{path}")
    serve.loop.run(server.stop(1))
    assert not path.exists()
    path.write_text("a file")
    with pytest.raises(ConfigError, match="no socket"):
        serve.forward(f"unix:{path}")
    assert path.read_text() == "a file"


def test_address_in_use(serve):
    """An address that is taken is an error that names it."""
    address = serve.forward().address
    with pytest.raises(ConfigError, match=address):
        serve.forward(address)


def test_workers_share_a_port(serve, sink):
    """With reuse_port several processes can listen on one port."""
    first = serve.forward(options={"reuse_port": True})
    serve.forward(first.address, options={"reuse_port": True})
    for _ in range(10):
        with ForwardClient(first.address) as client:
            client.send("a", EVENT)
    assert len(sink.records) == 10


def test_reload(serve, sink):
    """Other senders after a reload: whose sender is gone is cut off, others go on."""
    server = serve.forward(shared_key=KEY, sender="local")
    user = {"shared_key": KEY, "username": "ada", "password": "correct horse"}
    with (
        ForwardClient(server.address, **user) as gone,
        ForwardClient(server.address, shared_key=KEY) as stays,
    ):
        gone.send("a", EVENT)
        stays.send("a", EVENT)

        async def reload() -> None:
            server.reload(Credentials((SenderConfig(name="local", quota_bytes=5),)))

        serve.loop.run(reload())
        stays.send("a", EVENT)
        assert sink.batches[-1].sender.quota_bytes == 5
        with pytest.raises((NotAcknowledged, OSError)):
            gone.send("a", EVENT)
    assert len(sink.batches) == 3


def _reload(serve, server, *senders: SenderConfig) -> None:
    async def reload() -> None:
        server.reload(Credentials(senders))

    serve.loop.run(reload())


def test_reload_during_the_handshake(serve, sink, until):
    """Whoever got HELO before a reload begins again: its user may be gone."""
    server = serve.forward(shared_key=KEY, sender="local")
    with ForwardClient(server.address) as client:
        client.read()  # HELO
        _reload(serve, server, SenderConfig(name="local"))
        with pytest.raises(NotAcknowledged):
            client.read()
    until(lambda: server.counters.open_connections == 0)
    assert server.counters.auth_failures == 0


def test_reload_of_a_password(serve, sink):
    """After a change of the password, connections made with the old one end; others go on."""
    ada = SenderConfig(name="app", username="ada", password="correct horse")
    bob = SenderConfig(name="bob", username="bob", password="battery")
    server = serve.forward(shared_key=KEY, senders=(ada, bob))
    old = {"shared_key": KEY, "username": "ada", "password": "correct horse"}
    with (
        ForwardClient(server.address, **old) as changed,
        ForwardClient(server.address, shared_key=KEY, username="bob", password="battery") as same,
    ):
        changed.send("a", EVENT)
        _reload(serve, server, replace(ada, password="staple"), bob)
        with pytest.raises((NotAcknowledged, OSError)):
            changed.send("a", EVENT)
        same.send("a", EVENT)
        with pytest.raises(HandshakeRefused):
            ForwardClient(server.address, **old)
    with ForwardClient(server.address, **{**old, "password": "staple"}) as client:
        client.send("a", EVENT)
    assert [batch.sender.name for batch in sink.batches] == ["app", "bob", "app"]


def test_connections_of_one_sender(serve, sink):
    """One sender cannot take all connections; what is beyond its share is refused, counted."""
    limits = ConnectionLimits(sender_connections=1, idle_timeout=3600)
    server = serve.forward(shared_key=KEY, sender="local", options={"connection_limits": limits})
    ada = {"shared_key": KEY, "username": "ada", "password": "correct horse"}
    with ForwardClient(server.address, **ada) as first:
        with pytest.raises(HandshakeRefused, match="too many connections of this sender"):
            ForwardClient(server.address, **ada)
        assert server.counters.refused_connections == 1
        with ForwardClient(server.address, shared_key=KEY) as other:
            other.send("a", EVENT)
        first.send("a", EVENT)
    open_ = serve.forward(options={"connection_limits": limits})
    with ForwardClient(open_.address) as first:
        first.send("a", EVENT)
        with pytest.raises((NotAcknowledged, OSError)):
            ForwardClient(open_.address).send("a", EVENT)
        first.send("a", EVENT)
    assert open_.counters.refused_connections == 1


def test_connection_limit(serve, sink, until):
    """Beyond the limit a connection is refused, unless one has been idle long enough."""
    patient = ConnectionLimits(connections=2, idle_timeout=3600)
    server = serve.forward(options={"connection_limits": patient})
    clients = [ForwardClient(server.address) for _ in range(2)]
    for client in clients:
        client.send("a", EVENT)
    with pytest.raises((NotAcknowledged, OSError)):
        ForwardClient(server.address).send("a", EVENT)
    assert server.counters.refused_connections == 1
    clients[0].send("a", EVENT)

    hasty = serve.forward(
        options={"connection_limits": ConnectionLimits(connections=1, idle_timeout=0)}
    )
    first, second = ForwardClient(hasty.address), ForwardClient(hasty.address)
    second.send("a", EVENT)
    with pytest.raises(NotAcknowledged):
        first.read()
    for client in (*clients, first, second):
        client.close()


@pytest.mark.parametrize(
    ("senders", "listener", "message"),
    [
        ((), {"sender": "ghost"}, "no sender is named 'ghost'"),
        ((), {"shared_key": KEY}, "nothing tells who sends here"),
        ((SenderConfig(name="a", username="u"),), {"shared_key": KEY}, "needs a password"),
        (
            (
                SenderConfig(name="a", token_sha256="0" * 64),
                SenderConfig(name="b", token_sha256="0" * 64),
            ),
            {"sender": "a"},
            "senders.b.token_sha256: the same as of a",
        ),
        ((SenderConfig(name="a", token_sha256="xyz"),), {"sender": "a"}, "not a SHA-256 in hex"),
        (
            (SenderConfig(name="a"),),
            {"sender": "a", "tls": Tls("none.pem", "none.key")},
            "none.pem",
        ),
        ((SenderConfig(name="a"),), {"sender": "a", "bind": "nowhere"}, "not host:port"),
        ((SenderConfig(name="a"),), {"sender": "a", "bind": "127.0.0.1:99999"}, "not host:port"),
    ],
)
def test_wrong_configuration(serve, senders, listener, message):
    """What cannot work is an error at start, with the place."""
    with pytest.raises(ConfigError, match=message):
        serve.forward(senders=senders, **listener)
