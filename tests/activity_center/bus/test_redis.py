"""What is Redis's own: logins, TLS, memory, foreign keys, crashes."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activity_center.bus import NOWHERE, Published, open_reader, open_writer
from activity_center.config_processes import BusConfig
from activity_center.errors import BusUnavailable
from tests.activity_center.bus.servers import Follower, RedisServer, entries, positions

SLOW_READER = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
from activity_center.bus import advance, open_reader, open_writer
from activity_center.config_processes import BusConfig

config = BusConfig(url=sys.argv[1], folder=sys.argv[2])
reader, found, ticks = open_reader(config), [], []

def follow():
    places = {}
    while len(found) < 3:
        for item in reader.read(places, 5):
            advance(places, item)
            found.append(item.position)

def tick():
    while len(found) < 3:
        ticks.append(1)
        gevent.sleep(0.01)

def write():
    writer = open_writer(config, "s")
    writer.begin("e")
    for number in (1, 2, 3):
        while len(ticks) < number * 20:
            gevent.sleep(0.01)
        writer.publish(("e", number - 1), [(number, b"x")])

gevent.joinall([gevent.spawn(one) for one in (follow, tick, write)], raise_error=True)
print(found, len(ticks) >= 60)
"""


def self_signed(path: Path, address: str) -> None:
    """Write a certificate of that address, ``path`` with .pem, and its key, with .key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "redis"


@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_gevent(folder: Path, kind: str) -> None:
    """A greenlet that waits for entries lets the others of its process run."""
    server = RedisServer(folder) if kind == "redis" else None
    try:
        arguments = [server.url if server else "", str(folder / "steps")]
        done = subprocess.run(
            [sys.executable, "-c", SLOW_READER, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        if server:
            server.kill()
    assert done.stdout.strip() == "[1, 2, 3] True", done.stderr


@pytest.mark.parametrize("file", ["without", "with"])
def test_kill_9(folder: Path, file: str) -> None:
    """Killed with an append-only file it has all that it confirmed; without one it is empty,
    and says so to the writer."""
    more = ("--appendonly", "yes", "--appendfsync", "always") if file == "with" else ()
    server = RedisServer(folder, *more)
    try:
        config = BusConfig(url=server.url)
        with closing(open_writer(config, "s")) as writer, closing(open_reader(config)) as reader:
            writer.begin("e")
            last = 0
            for _ in range(3):
                for number in range(last + 1, last + 11):
                    assert writer.publish(("e", number - 1), entries(number)) == ("e", number)
                last += 10
                server.kill()
                server.start()
                if file == "without":
                    assert writer.publish(("e", last), entries(last + 1)) == NOWHERE
                    assert writer.state() == NOWHERE
                    return
                assert writer.state() == ("e", last)
            assert positions(Follower(reader).read_all()) == [*range(1, 31)]
    finally:
        server.kill()


def test_login(folder: Path) -> None:
    """The configured password is used; a wrong one is said, and never repeated."""
    server = RedisServer(folder, "--protected-mode", "no")
    try:
        server.client().config_set("requirepass", "open-sesame")
        right = BusConfig(url=server.url, password="open-sesame")
        with closing(open_writer(right, "s")) as writer:
            writer.begin("e")
            assert writer.state() == ("e", 0)
        for password in ("wrong-word", ""):
            wrong = BusConfig(url=server.url, password=password)
            with closing(open_reader(wrong)) as reader:
                with pytest.raises(BusUnavailable) as caught:
                    reader.read({}, 0)
                assert "login" in str(caught.value)
                assert not password or password not in str(caught.value)
    finally:
        server.kill()


def test_tls(folder: Path) -> None:
    """rediss:// checks the certificate against the configured authority, and the name in it."""
    folder.mkdir()
    self_signed(folder / "right", "127.0.0.1")
    self_signed(folder / "other", "127.0.0.9")
    for name, works in (("right", True), ("other", False)):
        files = (
            "--tls-cert-file",
            f"{folder}/{name}.pem",
            "--tls-key-file",
            f"{folder}/{name}.key",
        )
        port = ("--tls-port", "0")
        server = RedisServer(folder / name, *files, *port, "--tls-auth-clients", "no")
        try:
            tls_port = server.listen_tls()
            url = f"rediss://127.0.0.1:{tls_port}/0"
            with closing(open_reader(BusConfig(url=url, ca=f"{folder}/{name}.pem"))) as reader:
                if works:
                    assert reader.read({}, 0) == []
                else:
                    with pytest.raises(BusUnavailable):
                        reader.read({}, 0)
            unknown = BusConfig(url=url)
            with closing(open_reader(unknown)) as reader, pytest.raises(BusUnavailable):
                reader.read({}, 0)
        finally:
            server.kill()


def test_no_memory(folder: Path) -> None:
    """A Redis that others have filled refuses; it goes on when there is room, and loses nothing."""
    server = RedisServer(folder, "--maxmemory-policy", "noeviction")
    try:
        config = BusConfig(url=server.url)
        with closing(open_writer(config, "s")) as writer:
            writer.begin("e")
            assert writer.publish(("e", 0), entries(1)) == ("e", 1)
            server.client().set("theirs", b"x" * 4_000_000)
            server.client().config_set("maxmemory", "3mb")
            with pytest.raises(BusUnavailable) as caught:
                writer.publish(("e", 1), entries(2))
            assert caught.value.hint
            assert writer.state() == ("e", 1)
            server.client().config_set("maxmemory", 0)
            assert writer.publish(("e", 1), entries(1000))[1] == 1000
    finally:
        server.kill()


def test_little_memory(folder: Path) -> None:
    """Where the collectors would keep more than Redis has room for, each keeps fewer entries and
    goes on: an epoch after the other begins too, and a reader that is behind is told of a gap."""
    server = RedisServer(folder, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
    try:
        config = BusConfig(url=server.url)
        one, two = open_writer(config, "a-0"), open_writer(config, "b-0")
        with closing(one), closing(two), closing(open_reader(config)) as reader:
            for writer in (one, two):
                writer.begin("e")
                writer.publish(("e", 0), entries(1))
            follower = Follower(reader)
            follower.read_all()
            for number in range(2, 400):
                for writer in (one, two):
                    body = [(number, b"x" * 20_000)]
                    assert writer.publish(("e", number - 1), body) == ("e", number)
            two.begin("e2")
            assert two.publish(("e2", 0), entries(1)) == ("e2", 1)
            found = [item for item in follower.read_all() if item.stream == "a-0"]
        assert positions(found)[0] == "gap"
        assert positions(found)[-1] == 399
        assert 1 < len(found) < 398
    finally:
        server.kill()


def test_keys_that_are_not_ours(folder: Path) -> None:
    """Another program's values under our names are BusUnavailable, never another error."""
    server = RedisServer(folder)
    try:
        client, config = server.client(), BusConfig(url=server.url)
        with closing(open_reader(config)) as reader:
            client.set("activity-center:steps", "theirs")
            with pytest.raises(BusUnavailable):
                reader.read({}, 0)
            client.delete("activity-center:steps")
            client.hset("activity-center:steps", "s", "e")
            client.xadd("activity-center:steps:s:e", {"theirs": "x"}, id="5-1")
            with pytest.raises(BusUnavailable) as caught:
                reader.read({}, 0.6)
            assert "database of its own" in str(caught.value)
    finally:
        server.kill()


def test_two_collectors(folder: Path) -> None:
    """Streams of several collectors stand side by side; each begins anew for itself."""
    server = RedisServer(folder)
    try:
        config = BusConfig(url=server.url)
        one, two = open_writer(config, "a-0"), open_writer(config, "b-0")
        with closing(one), closing(two), closing(open_reader(config)) as reader:
            for writer in (one, two):
                writer.begin("e")
                writer.publish(("e", 0), entries(1))
            follower = Follower(reader)
            assert len(follower.read_all()) == 2
            one.begin("e2")
            one.publish(("e2", 0), entries(1))
            two.publish(("e", 1), entries(2))
            while len(follower.items) < 5:
                follower.read(0.6)
            theirs = [item for item in follower.items if item.stream == "b-0"]
            assert positions(theirs) == [1, 2]
            assert all(isinstance(item, Published) for item in theirs)
    finally:
        server.kill()
