"""``activity-center tail`` against a real node, as a program of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opensearchpy.exceptions import ConnectionTimeout

from activity_center import node
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.setup import desired_state, install
from activity_center.tailing import Follower, Selection

ROOT = Path(__file__).parents[2]
STREAM = "activity-audit-permanent"
STREAMS = (STREAM, "activity-agent-permanent", "activity-process-permanent", "activity-rejected")


class Place:
    """A node of this module's, with templates and streams."""

    def __init__(self) -> None:
        self.name = f"tail-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
        self.info = node.start(self.name, fast=True)
        self.client = connect(self.info.cluster)
        install(self.client, replace(desired_state(), streams=STREAMS))

    def put(self, stream: str = STREAM, received: datetime | None = None, **parts: Any) -> str:
        """Store one activity, searchable at once, and return its ``_id``."""
        now = datetime.now(UTC)
        stamp = now.isoformat(timespec="milliseconds")
        document: dict[str, Any] = {
            "@timestamp": stamp,
            "event": {
                "id": uuid.uuid4().hex,
                "action": "server.create",
                "outcome": "success",
                "ingested": (received or now).isoformat(timespec="milliseconds"),
            },
        }
        for name, value in parts.items():
            old = document.get(name)
            document[name] = {**old, **value} if isinstance(old, dict) else value
        key: str = document["event"]["id"]
        self.client.index(
            index=stream, id=key, body=document, params={"op_type": "create", "refresh": "true"}
        )
        return key


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Return the module's node."""
    made = Place()
    yield made
    made.client.close()
    node.wipe(made.name)


Tail = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def tail(place: Place) -> Iterator[Tail]:
    """Return a function that starts ``activity-center tail`` with arguments."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "activity_center", "tail", *arguments],
                env={**os.environ, "OPENSEARCH_URL": place.info.url, "PYTHONPATH": str(ROOT)},
                text=True,
                **options,
            )
        )
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ids(output: str) -> list[str]:
    """Return the ids of NDJSON lines."""
    return [json.loads(line)["_id"] for line in output.splitlines()]


def own() -> str:
    """Return an organization id that no other test uses."""
    return f"org_{uuid.uuid4().hex[:12]}"


def test_since_lists_each_once_in_the_order_of_receipt(place: Place, tail: Tail) -> None:
    """All three lenses, more than a page, equal times, other streams left out."""
    organization, moment = own(), datetime.now(UTC)
    lines = []
    expected = []
    for number in range(2300):
        lens = ("audit", "agent", "process")[number % 3]
        key = f"{organization}-{number:05}"
        received = (moment + timedelta(milliseconds=number // 900)).isoformat(
            timespec="milliseconds"
        )
        event = {"id": key, "action": "a.b", "ingested": received}
        lines.append({"create": {"_index": f"activity-{lens}-permanent", "_id": key}})
        lines.append({"@timestamp": received, "event": event, "organization": {"id": organization}})
        expected.append(key)
    place.client.bulk(body=lines, params={"refresh": "true"})
    process = tail("--json", "--since", "1h", "--organization", organization, "--until-idle", "0.1")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert ids(output) == expected


def test_filters(place: Place, tail: Tail) -> None:
    """Action by substring in any case, literally; actor by id, name, e-mail or agent."""
    organization = own()
    group = {"organization": {"id": organization, "name": f"Name of {organization}"}}
    create = place.put(event={"action": "server.create"}, user={"id": "U1", "name": "ada"}, **group)
    delete = place.put(event={"action": "Server.Delete*"}, user={"email": "Bo@x.example"}, **group)
    agent = place.put(
        "activity-agent-permanent",
        event={"action": "agent.restartService"},
        gen_ai={"agent": {"name": "ops-pilot"}},
        **group,
    )
    place.put(event={"action": "server.create"}, user={"id": "U1"}, organization={"id": own()})
    for arguments, expected in (
        ((), [create, delete, agent]),
        (("--action", "SERVER."), [create, delete]),
        (("--action", "e"), [create, delete, agent]),
        (("--action", "*"), [delete]),
        (("--action", "?"), []),
        (("--action", "restartservice"), [agent]),
        (("--actor", "U1"), [create]),
        (("--actor", "ADA"), [create]),
        (("--actor", "bo@x.example"), [delete]),
        (("--actor", "ops-pilot"), [agent]),
        (("--actor", "op"), []),
        (("--action", "create", "--actor", "U1"), [create]),
        (("--action", "delete", "--actor", "U1"), []),
    ):
        for named in (organization, f"name of {organization}"):
            process = tail(
                *("--json", "--since", "1h", "--organization", named, "--until-idle", "0.05"),
                *("--interval", "0.05", *arguments),
            )
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert ids(output) == expected, arguments
            if arguments:
                break


def test_without_since_only_what_is_new(place: Place, tail: Tail) -> None:
    """What was there is not shown; a late delivery with an earlier time of receipt is."""
    organization = own()
    group = {"organization": {"id": organization}}
    place.put(**group)
    process = tail("--json", "--organization", organization, "--limit", "2", "--interval", "0.05")
    shown = []
    deadline = time.monotonic() + 60
    while process.poll() is None:  # when it has begun is not visible: keep adding
        assert time.monotonic() < deadline
        shown.append(place.put(received=datetime.now(UTC) - timedelta(seconds=5), **group))
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    first, second = ids(output)
    assert first in shown
    assert shown.index(second) == shown.index(first) + 1


def test_readable_rows(place: Place, tail: Tail) -> None:
    """Without a terminal: one whole line each, no colours, nothing cropped."""
    organization = own()
    place.put(
        event={"action": "server.resize_disk", "outcome": "failure"},
        user={"email": "mira@northwind.example"},
        organization={"id": organization},
        activity={
            "resource": {"type": "server", "name": "web-prod-01 " + "x" * 200},
            "result": "denied",
        },
    )
    process = tail("--since", "1h", "--organization", organization, "--limit", "1")
    output, _ = process.communicate(timeout=60)
    (line,) = output.splitlines()
    assert "\x1b" not in line
    local = datetime.now().strftime("%Y-%m-%d %H:")
    for part in (local, "server.resize_disk", "mira@northwind.example", "x" * 200, "failure"):
        assert part in line


def test_rows_on_a_terminal(place: Place, tail: Tail) -> None:
    """On a terminal: colours, cropped to one line, and no control character of the data."""
    organization = own()
    place.put(
        event={"action": "a.b\x1b[2J\u202e"},
        organization={"id": organization},
        activity={"resource": {"name": "line\nfeed\x9b31m" + "y" * 500}},
    )
    master, slave = pty.openpty()
    environment = {"TERM": "xterm-256color", "COLUMNS": "100"}
    os.environ.update(environment)
    process = tail(
        "--since", "1h", "--organization", organization, "--limit", "1", stdout=slave, stdin=slave
    )
    try:
        assert process.wait(timeout=60) == 0
        os.close(slave)
        data = b""
        while True:
            try:
                data += os.read(master, 65536)
            except OSError:
                break
    finally:
        os.close(master)
        del os.environ["COLUMNS"]
    text = data.decode()
    assert "\x1b[" in text, "colours"
    assert "a.b\\x1b[2J" in text
    for forbidden in ("\x1b[2J", "\x9b", "\u202e"):
        assert forbidden not in text
    assert text.count("\n") == 1


def test_survives_a_killed_node(place: Place, tail: Tail) -> None:
    """The node dies and comes back: nothing is missed, nothing shown twice."""
    organization = own()
    group = {"organization": {"id": organization}}
    process = tail(
        *("--json", "--since", "1h", "--organization", organization, "--interval", "0.05"),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    before = [place.put(**group) for _ in range(3)]
    assert [json.loads(process.stdout.readline())["_id"] for _ in before] == before
    node.kill(place.name)
    assert "waiting" in process.stderr.readline()
    received_meanwhile = datetime.now(UTC)
    place.info = node.start(place.name)
    place.client = connect(place.info.cluster)
    after = [place.put(received=received_meanwhile, **group), place.put(**group)]
    assert [json.loads(process.stdout.readline())["_id"] for _ in after] == after
    assert "answers again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert output == ""


def test_ctrl_c_ends_with_0(place: Place, tail: Tail) -> None:
    """Ending a follower is not a failure."""
    organization = own()
    key = place.put(organization={"id": organization})
    process = tail("--json", "--since", "1h", "--organization", organization)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["_id"] == key
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_reader_that_has_enough(place: Place, tail: Tail) -> None:
    """``tail | head`` ends quietly."""
    organization = own()
    for _ in range(3):
        place.put(organization={"id": organization})
    process = tail("--since", "1h", "--organization", organization, "--interval", "0.05")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    place.put(organization={"id": organization})
    assert process.wait(timeout=30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_a_shard_that_is_away_is_no_answer(place: Place) -> None:
    """While part of an index cannot be asked nothing is skipped: the look is refused."""
    organization = own()
    key = place.put(organization={"id": organization})
    name = f"activity-audit-{organization}"
    settings = place.client.cluster.put_settings
    settings(body={"persistent": {"cluster.routing.allocation.enable": "none"}})
    with contextlib.suppress(ConnectionTimeout):  # it waits for a shard that never starts
        place.client.indices.create_data_stream(name=name, params={"request_timeout": 2})
    selection = Selection(organization=organization)
    follower = Follower(lambda: connect(place.info.cluster), selection, since=0)
    try:
        with pytest.raises(ClusterError):
            list(follower.look())
        settings(body={"persistent": {"cluster.routing.allocation.enable": None}})
        place.client.cluster.health(index=name, params={"wait_for_status": "yellow"})
        assert [activity.id for activity in follower.look()] == [key]
        assert list(follower.look()) == []
    finally:
        settings(body={"persistent": {"cluster.routing.allocation.enable": None}})
        place.client.indices.delete_data_stream(name=name)
        follower.close()


def test_nobody_there(tail: Tail, free_address: str) -> None:
    """The first look must succeed: a wrong address is said at once, with exit code 1."""
    done = subprocess.run(
        [sys.executable, "-m", "activity_center", "tail"],
        env={**os.environ, "OPENSEARCH_URL": free_address, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"{free_address}: OpenSearch cannot be reached: Connection refused" in done.stderr
    assert "is OPENSEARCH_URL right" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_nearly_right(place: Place) -> None:
    """The wrong scheme, or none, is told with what to write instead."""
    address = place.info.url.removeprefix("http://")
    for url, code, words in (
        (f"https://{address}", 1, "use http:// in the address"),
        (address, 2, "such as http://127.0.0.1:9200"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "activity_center", "tail"],
            env={**os.environ, "OPENSEARCH_URL": url, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert words in done.stderr


@pytest.fixture
def free_address() -> str:
    """Return an address where nobody listens."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "soon"),
        ("--since", "999999999d"),
        ("--limit", "0"),
        ("--action", "x" * 300),
        ("--actor", ""),
    ],
)
def test_wrong_use_ends_with_2(arguments: tuple[str, ...], free_address: str) -> None:
    """A filter that cannot be meant is refused before anything is asked."""
    done = subprocess.run(
        [sys.executable, "-m", "activity_center", "tail", *arguments],
        env={**os.environ, "OPENSEARCH_URL": free_address, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr


def test_help_has_examples() -> None:
    """Every verb's help shows how it is used."""
    from click.testing import CliRunner

    from activity_center.cli.tail import command

    answer = CliRunner().invoke(command, ["--help"])
    assert answer.exit_code == 0
    assert "Examples:" in answer.output
    assert "\n    activity-center tail\n" in answer.output
