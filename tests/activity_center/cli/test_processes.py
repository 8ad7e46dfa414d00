"""``activity-center processes``: channels, list, show and watch, against a real sidecar."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.activity_center.liar import EMPTY, HELLO, Liar
from tests.integration.process import free_port, until
from tests.sidecar_api.processes.stage import Stage, at, valid
from tests.sidecar_api.search.log import document, put_templates

if TYPE_CHECKING:
    from tests.conftest import Node

COMMAND = [sys.executable, "-m", "activity_center", "processes"]


@pytest.fixture(scope="module")
def stage(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar for the module, with two finished processes in OpenSearch."""
    put_templates(opensearch.client)
    with Stage(opensearch, tmp_path_factory.mktemp("cli")) as made:
        made.start()
        lines = []
        for number, (name, end) in enumerate([("good", "completed"), ("bad", "failed")]):
            for sequence, action in enumerate(
                ["process.started", "process.output", f"process.{end}"], 1
            ):
                fields: dict[str, Any] = {
                    "organization__id": made.a,
                    "activity__process__id": f"{name}-{made.mark}",
                    "activity__process__name": f"Deploy {name}",
                    "activity__process__channel": "ssl",
                    "activity__process__attempt": 1,
                    "event__sequence": sequence,
                }
                if action == "process.output":
                    text = "first\nsecond \x1b[31mred\n"
                    fields["activity__output"] = {"stream": "stdout", "offset": 0, "text": text}
                if action == "process.failed":
                    fields["error__message"] = "the quota is used up"
                one = document(at=at(-100 + number * 10 + sequence), event__action=action, **fields)
                index = f"activity-{one['activity']['lens']}-permanent"
                lines += [json.dumps({"create": {"_index": index, "_id": one["event"]["id"]}})]
                lines += [json.dumps(one)]
        answer = opensearch.client.bulk(body="\n".join(lines) + "\n", params={"refresh": "true"})
        assert not answer["errors"], answer
        yield made


def environment(stage: Stage | None = None, who: str = "owner") -> dict[str, str]:
    """What the command finds."""
    said = {} if stage is None else {"ACTIVITY_CENTER_URL": stage.url}
    token = {} if stage is None else {"ACTIVITY_CENTER_API_TOKEN": stage.token(who)}
    return {**os.environ, **said, **token}


def run(
    *arguments: str, stage: Stage | None = None, who: str = "owner"
) -> subprocess.CompletedProcess[str]:
    """``activity-center processes`` with these arguments."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(stage, who),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lines_of(text: str) -> list[Any]:
    """JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def test_channels(tmp_path: Path) -> None:
    """Those that are shipped, without a sidecar and without OpenSearch; a configuration adds
    some and words others."""
    done = run("channels", "--json")
    assert done.returncode == 0, done.stderr
    shipped = {one["name"]: one for one in json.loads(done.stdout)}
    assert {"server-provisioning", "backup-restore", "site-setup", "ssl"} <= shipped.keys()
    assert {"git-deploy", "docker-app-deploy", "cloud-transfer", "pqc-activation"} <= shipped.keys()
    config = tmp_path / "activity-center.yml"
    own = {"dns-move": {"label": "DNS move", "steps": ["Copy", "Switch"]}, "ssl": {"label": "TLS"}}
    config.write_text(yaml.safe_dump({"channels": own}))
    done = run("channels", "--config", str(config), "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found.keys() == {*shipped, "dns-move"}
    assert (found["dns-move"]["steps"], found["ssl"]["label"]) == (["Copy", "Switch"], "TLS")
    plain = run("channels", "--config", str(config)).stdout
    assert "dns-move: DNS move" in plain and "    Copy > Switch" in plain


def test_list(stage: Stage) -> None:
    """Newest first, filtered as asked, as a table or as the API's JSON; what is not one's own
    to watch is not there."""
    done = run("list", "--json", "--organization", stage.a, "--channel", "ssl", stage=stage)
    assert done.returncode == 0, done.stderr
    found = [one["id"] for one in json.loads(done.stdout)["processes"]]
    assert found == [f"bad-{stage.mark}", f"good-{stage.mark}"]
    failed = run("list", "--state", "failed", "--organization", stage.a, stage=stage)
    assert failed.returncode == 0, failed.stderr
    assert f"bad-{stage.mark}" in failed.stdout and "Deploy good" not in failed.stdout
    assert failed.stderr.startswith("1 to 1 of ")
    for when, number in ((("--from", "1h"), 2), (("--to", "1h"), 0), (("--from", "9s"), 0)):
        timed = run("list", "--json", "--organization", stage.a, *when, stage=stage)
        assert len(json.loads(timed.stdout)["processes"]) == number, (when, timed.stderr)
    head = failed.stdout.splitlines()[0].split("\t")
    assert head == ["State", "Started", "Took", "Channel", "Name", "Id"]
    others = run("list", "--json", stage=stage, who="other")
    assert stage.mark not in "".join(
        one["id"] for one in json.loads(others.stdout)["processes"] if one["id"].startswith("good")
    )


def test_show(stage: Stage) -> None:
    """A process with its error; with all of its output, in which control characters have no
    effect on a terminal."""
    name = f"bad-{stage.mark}"
    done = run("show", name, "--json", stage=stage)
    assert done.returncode == 0, done.stderr
    (shown,) = lines_of(done.stdout)
    assert (shown["id"], shown["state"]) == (name, "failed")
    assert shown["error"]["message"] == "the quota is used up"
    plain = run("show", name, "--output", stage=stage)
    assert plain.returncode == 0, plain.stderr
    assert "Deploy bad" in plain.stdout and "the quota is used up" in plain.stdout
    assert "it did not say what is left" in plain.stdout
    assert f"  organization  {stage.a}\n" in plain.stdout
    assert f"  id            {name}\n" in plain.stdout
    assert "second" in plain.stdout and "\x1b" not in plain.stdout
    pieces = lines_of(run("show", name, "--output", "--json", stage=stage).stdout)
    assert "".join(one["text"] for one in pieces[1:]) == "first\nsecond \x1b[31mred\n"


def test_what_goes_wrong(stage: Stage, tmp_path: Path) -> None:
    """1 with one sentence where the sidecar refuses or does not answer, 2 for wrong use; a
    token is in no message."""
    file = tmp_path / "token"
    file.write_text("wrong-token-of-the-test")
    nowhere = f"http://127.0.0.1:{free_port()}"
    for arguments, code, words in (
        (["show", "no-such-process"], 1, "process"),
        (["list", "--token-file", str(file)], 1, "credential"),
        (["watch", "--token-file", str(file)], 1, "credential"),
        (["watch", "--organization", stage.b], 1, "process:view"),
        (["list", "--url", nowhere], 1, "does not answer"),
        (["watch", "--url", nowhere], 1, "hint: is the sidecar running there"),
        (["watch", "--token-file", os.devnull], 1, "hint: give an API token of a reader"),
        (["list", "--url", "http://activity.example"], 2, "https"),
        (["watch", "--url", "http://activity.example"], 2, "https"),
        (["list", "--state"], 2, ""),
        (["list", "--page", "0"], 2, ""),
    ):
        done = run(*arguments, stage=stage)
        assert done.returncode == code, (arguments, done.returncode, done.stderr)
        assert words in done.stderr, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert "token-of" not in done.stderr


class Watches:
    """``processes watch`` that runs."""

    def __init__(self, stage: Stage, *arguments: str, who: str = "owner") -> None:
        self._process = subprocess.Popen(
            [*COMMAND, "watch", *arguments],
            env=environment(stage, who),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self.lines: list[str] = []

    def until(self, condition: Callable[[str], bool]) -> None:
        """Read lines until one fulfils it."""
        for line in self._out:
            self.lines.append(line.rstrip("\n"))
            if condition(line):
                return
        raise AssertionError((self.lines, self._process.communicate()[1]))

    def warning(self) -> str:
        """The next line of its errors."""
        assert self._process.stderr is not None
        return self._process.stderr.readline()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Read the rest; return the exit code."""
        out, _ = self._process.communicate(timeout=120)
        self.lines += out.splitlines()
        return self._process.returncode


def test_watch_tells_what_happens(stage: Stage, process: str) -> None:
    """One line for each thing that happens, in a form for people; with --until-end it ends with
    the process, and its exit code says how that ended."""
    for end, code in (("completed", 0), ("failed", 1)):
        id_ = f"{process}-{end}"
        stage.steps.start(id_, stage.a)
        until(lambda id_=id_: stage.sees(id_) is not None)
        watches = Watches(stage, "--process", id_, "--until-end")
        told = f"  {stage.a}  {id_}  {id_}: "
        watches.until(lambda line, told=told: line.endswith(f"{told}running\n"))
        assert re.match(r"\d\d-\d\d \d\d:\d\d:\d\d  ", watches.lines[-1])
        control = {"id": "ctl_1", "kind": "cancel", "expires_at": at(600)}
        stage.steps.publish(
            stage.steps.entry(
                id_, "process.cancel", stage.a, user__id="usr_mk", event__reason="too slow",
                activity__control=control,
            )
        )  # fmt: skip
        watches.until(lambda line: "cancel requested by usr_mk: too slow" in line)
        step = {"id": "s", "name": "Order \x1b[2J", "index": 0}
        stage.steps.publish(
            stage.steps.entry(id_, "process.step.started", stage.a, activity__step=step)
        )
        watches.until(lambda line: "Order" in line)
        stage.steps.publish(stage.steps.entry(id_, f"process.{end}", stage.a))
        assert watches.end() == code
        assert "\x1b" not in "".join(watches.lines)
        assert told in watches.lines[-1]


def test_watch_says_that_there_is_nothing(stage: Stage, process: str) -> None:
    """Under an id that nobody has, on a channel that nobody declared, and of an organization
    that the token's reader does not know; it goes on to wait."""
    nothing = f"nothing yet under this id: {process}"
    undeclared = "nothing yet on this channel, which nobody declared: nope; declared are "
    sees = f"this token may see {stage.a}, {stage.b}"
    for arguments, words in (
        (("--process", process), nothing),
        (("--channel", "nope", "--process", ""), undeclared),
        (("--organization", "nope"), f"nothing yet of this organization: nope; {sees}"),
    ):
        watches = Watches(stage, *arguments, who="admin")
        assert words in watches.warning()
        watches.signal(signal.SIGINT)
        assert watches.end() == 0
        assert watches.lines == []


def test_watch_for_programs(stage: Stage, process: str) -> None:
    """--json: one event a line, with whole processes; Ctrl-C ends it without an error."""
    stage.steps.start(process, stage.a)
    until(lambda: stage.sees(process) is not None)
    watches = Watches(stage, "--process", process, "--json")
    watches.until(lambda line: process in line)
    stage.steps.move(process, stage.a, 250)
    watches.until(lambda line: json.loads(line)["kind"] == "delta")
    watches.signal(signal.SIGINT)
    assert watches.end() == 0
    events = [json.loads(line) for line in watches.lines]
    assert [one["kind"] for one in events] == ["snapshot", "delta"]
    for one in events:
        keys = {"kind", "recovered", "reason", "cut", "stale_since", "processes"}
        assert one.keys() == keys
        assert (one["cut"], one["stale_since"]) == (False, None)
        for shown in one["processes"]:
            valid(shown, "process")
    assert events[1]["processes"][0]["progress"] == 0.25


TOLD = ',"stale_since":"2026-11-24T09:15:30.000Z"}'
AWAY = f'{{"type":"ping"{TOLD}'


def test_watch_says_what_the_server_says_of_itself() -> None:
    """That it reads nothing new, that it reads again, and that there is more than it tells: a
    line each on stderr, so that who reads stdout has processes alone."""
    lines = [HELLO, EMPTY[:-1] + ',"cut":true}', AWAY, '{"type":"ping"}', (4401, "over")]
    with Liar(lines) as server:
        done = run("watch", "--url", server.url)
    assert done.returncode == 1
    assert done.stdout == ""
    more, since, again = done.stderr.splitlines()[:3]
    assert more.startswith("activity-center: there are more than these")
    assert since == (
        "activity-center: since 09:15:30 UTC the sidecar cannot read the step bus: steps come late"
    )
    assert again == "activity-center: the sidecar reads the step bus again"
    with Liar([HELLO, EMPTY, (4401, "over")]) as server:
        quiet = run("watch", "--url", server.url)
    assert len(quiet.stderr.splitlines()) == len(done.stderr.splitlines()) - 3


def test_watch_tells_programs_what_the_server_says_of_itself() -> None:
    """With --json: in each event, and in one of its own where it changes."""
    cut = EMPTY[:-1] + ',"cut":true}'
    lines = [HELLO[:-1] + TOLD, cut, '{"type":"ping"}', EMPTY, (4401, "over")]
    with Liar(lines) as server:
        done = run("watch", "--json", "--url", server.url)
    since = "2026-11-24T09:15:30+00:00"
    told = [(one["kind"], one["cut"], one["stale_since"]) for one in lines_of(done.stdout)]
    assert told == [
        ("stale", False, since),
        ("snapshot", True, since),
        ("stale", True, None),
        ("snapshot", False, None),
    ]


@pytest.fixture
def process() -> str:
    """The id of a process of this test's own."""
    import uuid

    return f"prc_{uuid.uuid4().hex[:12]}"
