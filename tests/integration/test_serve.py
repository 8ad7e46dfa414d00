"""``activity-center serve`` as a process: start, TLS, signals, workers, wrong use."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from activity_center.node.certificates import generate
from tests.integration.process import free_port, until
from tests.integration.sidecar import ADMIN, Sidecar
from tests.sidecar_api.desk import PROBLEM
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture
def sidecar(opensearch: Node, tmp_path: Path) -> Iterator[Sidecar]:
    """A sidecar that does not run yet."""
    put_templates(opensearch.client)
    with Sidecar(tmp_path / "sidecar", opensearch.cluster) as made:
        yield made


def stream(sidecar: Sidecar) -> Iterator[bytes]:
    """An open live tail, after its first bytes; it closes when it is let go."""
    answer = sidecar.get("/api/v1/activities/stream", stream=True, timeout=60)
    assert answer.status_code == 200
    rest: Iterator[bytes] = answer.iter_content(64)
    assert next(rest)
    return rest


def streams(sidecar: Sidecar) -> float:
    """How many live tails the sidecar has open."""
    text = sidecar.get("/metrics", token="").text
    name = 'activity_center_sidecar_open_requests{route="/api/v1/activities/stream"}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def test_it_starts_answers_and_ends(sidecar: Sidecar) -> None:
    """The line that says it is ready says where to go; all are JSON; SIGTERM ends with 0."""
    sidecar.start()
    (line,) = sidecar.logged("starting")
    assert line["address"] == sidecar.url
    (line,) = sidecar.logged("ready")
    assert line["next"] == f"open {sidecar.url}"
    assert sidecar.get("/api/v1/me").json()["reader"]["id"] == "root"
    assert sidecar.get("/api/v1/activities?q=private-word").status_code == 200
    page = sidecar.get("/", token="")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert sidecar.terminate() == 0
    text = json.dumps(list(sidecar.lines()))
    assert "private-word" not in text
    assert ADMIN not in text
    assert not (Path.home() / ".gunicorn").exists()
    assert (sidecar.folder / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_closes_open_streams(sidecar: Sidecar, number: int) -> None:
    """A live tail does not hold the end up: it is closed in good order, and the exit code is 0."""
    sidecar.start()
    open_streams = [stream(sidecar) for _ in range(3)]
    assert streams(sidecar) == 3
    began = time.monotonic()
    sidecar.signal(number)
    for rest in open_streams:
        for _ in rest:  # a torn connection would raise
            pass
    assert sidecar.process is not None
    assert sidecar.process.wait(60) == 0
    assert time.monotonic() - began < 20 - 1, "it waited for the streams until it gave up"
    assert not [line for line in sidecar.lines() if "graceful timeout" in str(line)]


def test_who_hangs_up_gives_the_place_back(sidecar: Sidecar) -> None:
    """A page that is loaded again and again does not use up its places: they are free before
    the next heartbeat, which would notice it anyway."""
    sidecar.start()
    tails = [stream(sidecar) for _ in range(10)]
    assert sidecar.get("/api/v1/activities/stream").status_code == 429
    tails.clear()
    until(lambda: streams(sidecar) == 0, timeout=10)
    assert stream(sidecar)


def test_many_at_once_are_held_back(sidecar: Sidecar) -> None:
    """One reader's flood is answered 429 in part; afterwards the places are free again."""
    sidecar.start()
    with ThreadPoolExecutor(40) as many:
        path = "/api/v1/activities?q=a+e+i+o&include=facets,histogram&size=100&resource_name="
        answers = [*many.map(lambda n: sidecar.get(f"{path}{n}").status_code, range(80))]
    assert set(answers) <= {200, 429}
    assert answers.count(200) >= 8
    assert sidecar.get("/api/v1/activities").status_code == 200


def test_a_bad_file_changes_nothing(sidecar: Sidecar) -> None:
    """SIGHUP with a wrong file: the same worker, the same answers, open streams stay open."""
    sidecar.start()
    before = sidecar.workers()
    tail = stream(sidecar)
    sidecar.document["sidecar"]["no_such_key"] = 1
    sidecar.write()
    sidecar.signal(signal.SIGHUP)
    event = "configuration not reloaded; the former one stays"
    until(lambda: sidecar.logged(event))
    (line,) = sidecar.logged(event)
    assert "no_such_key" in line["error"]
    assert sidecar.get("/api/v1/me").status_code == 200
    assert sidecar.workers() == before
    assert streams(sidecar) == 1
    del tail
    until(lambda: streams(sidecar) == 0)


JWT: Final = {"issuer": "https://issuer.example", "audience": "activity", "algorithms": ["ES256"]}


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("sidecar", "recording", {"url": "https://127.0.0.1:9", "ca": "/none/there"}),
        ("identity", "jwt", [{**JWT, "jwks_file": "/none/there"}]),
        ("identity", "jwt", [{**JWT, "jwks_url": "https://issuer.example", "ca": "/none/there"}]),
    ],
)
def test_a_file_that_is_named_and_missing_changes_nothing(
    sidecar: Sidecar, section: str, key: str, value: Any
) -> None:
    """SIGHUP with a configuration that only fails when it is used: the former one answers on."""
    sidecar.start()
    before = sidecar.workers()
    sidecar.document[section][key] = value
    sidecar.write()
    sidecar.signal(signal.SIGHUP)
    event = "configuration not reloaded; the former one stays"
    until(lambda: sidecar.logged(event))
    assert "/none/there" in sidecar.logged(event)[0]["error"]
    assert sidecar.get("/api/v1/me").status_code == 200
    assert sidecar.workers() == before


@pytest.mark.parametrize("lost", ["identity", "recording"])
def test_a_file_that_was_cut_off_changes_nothing(sidecar: Sidecar, lost: str) -> None:
    """SIGHUP while an editor writes: without its end, or empty, the file is right and not meant."""
    sidecar.document["sidecar"]["recording"] = {"url": "http://127.0.0.1:9"}
    sidecar.start()
    before = sidecar.workers()
    if lost == "identity":
        sidecar.config.write_text("")
    else:
        del sidecar.document["sidecar"]["recording"]
        sidecar.write()
    sidecar.signal(signal.SIGHUP)
    event = "configuration not reloaded; the former one stays"
    until(lambda: sidecar.logged(event))
    assert lost in sidecar.logged(event)[0]["error"]
    assert "would be gone" in sidecar.logged(event)[0]["error"]
    assert sidecar.get("/api/v1/me").status_code == 200
    assert sidecar.workers() == before


def test_a_good_file_is_taken_up(sidecar: Sidecar) -> None:
    """SIGHUP with another token: it counts, the former one does not, nobody is turned away."""
    sidecar.start()
    failed: list[Any] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                if sidecar.get("/healthz", token="").status_code != 200:
                    failed.append("status")
            except requests.RequestException as wrong:
                failed.append(wrong)

    asking = threading.Thread(target=ask)
    asking.start()
    before = sidecar.workers()
    sidecar.document["identity"]["tokens"][0]["token_sha256"] = "0" * 63 + "1"
    sidecar.write()
    sidecar.signal(signal.SIGHUP)
    until(lambda: sidecar.workers() and not set(sidecar.workers()) & set(before))
    until(lambda: sidecar.get("/api/v1/me").status_code == 401)
    stop.set()
    asking.join()
    assert failed == []
    assert sidecar.terminate() == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_over_tls(sidecar: Sidecar, tmp_path: Path) -> None:
    """With a certificate it speaks TLS 1.2 and later, and says so to browsers; a renewed one
    is taken up without a restart, once its key is there too."""
    made = generate()
    files = {"ca.pem": made.ca, "server.pem": made.node.certificate, "server.key": made.node.key}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    sidecar.document["sidecar"]["tls"] = {
        "certificate": str(tmp_path / "server.pem"),
        "key": str(tmp_path / "server.key"),
    }
    sidecar.document["sidecar"]["public_url"] = "https://audit.example.org"
    sidecar.verify = str(tmp_path / "ca.pem")
    sidecar.start()
    answer = sidecar.get("/api/v1/me")
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    (line,) = sidecar.logged("starting")
    assert line["address"] == "https://audit.example.org"
    old = ssl.create_default_context(cafile=sidecar.verify)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", sidecar.port), 10) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(plain, server_hostname="localhost")
    (tmp_path / "server.pem").write_bytes(generate().node.certificate)  # of no use with the key
    until(lambda: sidecar.logged("certificate not renewed; the former one stays"))
    assert sidecar.get("/api/v1/me").status_code == 200
    made = generate()
    for name, content in (("server.pem", made.node.certificate), ("server.key", made.node.key)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "renewed.pem").write_bytes(made.ca)
    until(lambda: sidecar.logged("certificate renewed"))
    with pytest.raises(requests.exceptions.SSLError):
        sidecar.get("/api/v1/me")  # its authority signed the former one alone
    sidecar.verify = str(tmp_path / "renewed.pem")
    assert sidecar.get("/api/v1/me").status_code == 200
    tail = stream(sidecar)
    assert sidecar.terminate() == 0
    for _ in tail:
        pass
    assert list(sidecar.lines())  # the handshake that failed left no other lines


def test_several_workers_answer_as_one(sidecar: Sidecar) -> None:
    """Two workers share cursors, key and metrics: whichever is asked answers for all."""
    sidecar.document["sidecar"]["workers"] = 2
    sidecar.start()
    until(lambda: len(sidecar.workers()) == 2)
    for _ in range(20):
        assert sidecar.get("/api/v1/filters", headers={"Connection": "close"}).status_code == 200
    csrf = {sidecar.get("/api/v1/me").json()["csrf"] for _ in range(6)}
    assert len(csrf) == 1
    name = "activity_center_sidecar_requests_total"

    def counts() -> set[float]:
        return {
            float(line.rpartition(" ")[2])
            for _ in range(4)
            for line in sidecar.get("/metrics", token="").text.splitlines()
            if line.startswith(name) and "/api/v1/filters" in line
        }

    assert counts() == {20.0}
    assert sidecar.terminate() == 0


def test_what_is_no_http_gets_a_problem_too(sidecar: Sidecar) -> None:
    """A request that never gets to the application is refused in the one shape, and not logged."""
    sidecar.start()
    for raw, status in (
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nBad Header: private-word\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 70_000 + b"\r\n\r\n", 431),
    ):
        with socket.create_connection(("127.0.0.1", sidecar.port), 10) as plain:
            plain.sendall(raw)
            answer = b""
            while part := plain.recv(65536):
                answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
        assert PROBLEM.encode() in head
        assert json.loads(body)["status"] == status
    assert sidecar.get("/healthz", token="").status_code == 200
    assert "private-word" not in sidecar.log.read_text()


def test_a_body_that_does_not_come(sidecar: Sidecar) -> None:
    """Who announces a body and sends no more of it, or too slowly, gets 408 and is cut off."""
    sidecar.start()
    head = (
        f"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1:{sidecar.port}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()
    lengths = (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{")
    asked = [socket.create_connection(("127.0.0.1", sidecar.port), 30) for _ in lengths]
    for one, rest in zip(asked, lengths, strict=True):
        one.sendall(head + rest)
    for one in asked:
        answer = b""
        while part := one.recv(65536):
            answer += part
        one.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), head
        assert json.loads(body)["type"] == "/problems/too-slow"
    assert sidecar.get("/healthz", token="").status_code == 200


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verb to its end."""
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_says_right_or_wrong(sidecar: Sidecar) -> None:
    """``--check`` starts nothing, makes nothing, and exits with 0 or, with every finding, 2."""
    sidecar.write()
    good = run("--config", str(sidecar.config), "--check")
    assert (good.returncode, good.stderr) == (0, "")
    assert sidecar.url in good.stdout
    assert not (sidecar.folder / "data").exists()
    empty = sidecar.folder / "empty.yml"
    empty.write_text("")
    closed = run("--config", str(empty), "--check")
    assert closed.returncode == 0
    assert "nobody gets in yet" in closed.stderr and "hint: say in identity" in closed.stderr
    sidecar.document["sidecar"]["tls"] = {"certificate": "/none.pem", "key": "/none.key"}
    sidecar.write()
    bad = run("--config", str(sidecar.config), "--check")
    assert bad.returncode == 2
    assert "sidecar.tls" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_bind_opens_no_door_that_the_file_keeps_closed(sidecar: Sidecar) -> None:
    """``--bind`` may name another port; beyond loopback it must stand in the file, checked."""
    sidecar.write()
    for address in ("0.0.0.0:8601", "[::]:8601", "no-port", "127.0.0.1:99999"):
        refused = run("--config", str(sidecar.config), "--bind", address, "--check")
        assert refused.returncode == 2, address
        assert "--bind" in refused.stderr
    sidecar.port = free_port()
    sidecar.start("--bind", f"127.0.0.1:{sidecar.port}")
    assert sidecar.get("/healthz", token="").status_code == 200


def test_no_opensearch_is_told(sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch) -> None:
    """With none configured and no embedded one: exit code 1, and what to do."""
    monkeypatch.setenv("ACTIVITY_CENTER_STATE", str(sidecar.folder / "no-nodes"))
    del sidecar.document["opensearch"]
    sidecar.write()
    ended = run("--config", str(sidecar.config))
    assert ended.returncode == 1
    _said, hint = ended.stderr.splitlines()
    assert "activity-center node start" in hint


def test_an_address_in_use_is_told(sidecar: Sidecar) -> None:
    """A second sidecar on the same address ends with 1; one line names it, one the next step."""
    sidecar.start()
    second = run("--config", str(sidecar.config))
    assert second.returncode == 1
    said, hint = second.stderr.splitlines()
    assert f"127.0.0.1:{sidecar.port}" in said
    assert "--bind or sidecar.bind" in hint


def test_an_opensearch_that_is_not_there_is_told(sidecar: Sidecar) -> None:
    """The sidecar starts, and a warning names the address and the next step."""
    port = free_port()
    sidecar.document["opensearch"] = {"url": f"http://127.0.0.1:{port}"}
    sidecar.launch()
    until(lambda: list(sidecar.logged("OpenSearch cannot be reached")))
    (line,) = sidecar.logged("OpenSearch cannot be reached")
    assert (line["level"], line["address"]) == ("warning", f"127.0.0.1:{port}")
    assert "opensearch.url" in line["hint"]
