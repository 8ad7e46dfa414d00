"""Forward clients that others wrote, unmodified, against real sockets."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fluent.sender import FluentSender

CLIENTS = Path(__file__).parents[2] / "clients"
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "activity-center" / "tests"
)


def _built(kind: str, made: str, command: list[str]) -> Path:
    """Copy a client's folder to the cache and build it there, once per version of it."""
    source = CLIENTS / kind
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(source.iterdir())))
    folder = CACHE / f"{kind}-{digest.hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of xdist share the cache
        if not (folder / made).exists():
            shutil.copytree(source, folder, dirs_exist_ok=True)
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
    return folder


@pytest.fixture(scope="session")
def node() -> Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Run @fluent-org/logger with its own options."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("node and npm are missing: @fluent-org/logger is not tried")
    folder = _built("node", "node_modules", ["npm", "install", "--no-audit", "--no-fund"])

    def run(options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["node", "send.js", json.dumps(options)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture(scope="session")
def golang() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run fluent-logger-golang with RequestAck."""
    if not shutil.which("go"):
        pytest.skip("go is missing: fluent-logger-golang is not tried")
    folder = _built("golang", "client", ["go", "build", "-o", "client", "."])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(folder / "client"), *arguments], capture_output=True, text=True, timeout=60
        )

    return run


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.parametrize("mode", ["Message", "Forward", "PackedForward", "CompressedPackedForward"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_node_modes(serve, sink, node, mode, nanoseconds):
    """@fluent-org/logger: all modes, every event acknowledged."""
    server = serve.forward()
    socket = {"host": "127.0.0.1", "port": _port(server.address)}
    done = node({"mode": mode, "count": 30, "nanoseconds": nanoseconds, "socket": socket})
    assert done.returncode == 0, done.stderr
    assert sorted(record["n"] for record in sink.records) == list(range(30))
    assert {record["text"] for record in sink.records} == {"π"}
    times = [time for batch in sink.batches for time in batch.times or []]
    assert min(times) == 1_700_000_000_000_000_000
    assert max(times) - min(times) == (29 if nanoseconds else 0)
    assert {batch.tag for batch in sink.batches} == {"node.event"}


def test_node_handshake(serve, sink, node):
    """@fluent-org/logger: shared key, with a user and without, and refused ones."""
    server = serve.forward(shared_key="key", sender="local")
    socket = {"host": "127.0.0.1", "port": _port(server.address)}
    security = {"clientHostname": "node", "sharedKey": "key"}
    user = {"username": "ada", "password": "correct horse"}
    options = {"mode": "PackedForward", "count": 2, "socket": socket}
    for ok, wanted in (
        (True, security),
        (True, {**security, **user}),
        (False, {**security, "sharedKey": "wrong"}),
        (False, {**security, **user, "password": "wrong"}),
    ):
        done = node({**options, "security": wanted})
        assert (done.returncode == 0) is ok, done.stderr
    assert {batch.sender.name for batch in sink.batches} == {"local", "app"}
    assert server.counters.auth_failures == 2


def test_node_tls(serve, sink, node, pki):
    """@fluent-org/logger over TLS with a client certificate."""
    server = serve.forward(tls=pki.server(client_ca=True), sender="local")
    tls = {
        "ca": Path(pki.file("ca.pem")).read_text(),
        "cert": Path(pki.file("shipper.pem")).read_text(),
        "key": Path(pki.file("shipper.key")).read_text(),
        "servername": "localhost",
    }
    socket = {"host": "127.0.0.1", "port": _port(server.address), "tls": tls}
    done = node({"mode": "CompressedPackedForward", "count": 5, "socket": socket})
    assert done.returncode == 0, done.stderr
    assert len(sink.records) == 5


def test_node_unix_socket(serve, sink, node, tmp_path):
    """@fluent-org/logger over a Unix socket."""
    serve.forward(f"unix:{tmp_path}/s")
    done = node({"mode": "Forward", "count": 5, "socket": {"path": f"{tmp_path}/s"}})
    assert done.returncode == 0, done.stderr
    assert len(sink.records) == 5


@pytest.mark.parametrize("asynchronous", ["false", "true"])
def test_golang(serve, sink, golang, asynchronous):
    """fluent-logger-golang with RequestAck: every event acknowledged."""
    server = serve.forward()
    done = golang("127.0.0.1", str(_port(server.address)), "50", asynchronous)
    assert done.returncode == 0, done.stderr
    assert sorted(record["n"] for record in sink.records) == list(range(50))
    assert server.counters.acks == 50


@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("unix", [False, True])
def test_fluent_logger(serve, sink, until, tmp_path, precise, unix):
    """fluent-logger for Python (no acks): TCP and Unix, whole seconds and nanoseconds."""
    server = serve.forward(f"unix:{tmp_path}/s" if unix else "127.0.0.1:0")
    where = (
        {"host": f"unix://{tmp_path}/s"}
        if unix
        else {"host": "127.0.0.1", "port": _port(server.address)}
    )
    sender = FluentSender("py", nanosecond_precision=precise, **where)
    for n in range(20):
        assert sender.emit("event", {"n": n})
    sender.close()
    until(lambda: len(sink.records) == 20)
    assert [record["n"] for record in sink.records] == list(range(20))
    assert all(batch.times[0] is not None for batch in sink.batches)
    assert any(batch.times[0] % 10**9 for batch in sink.batches) is precise
