"""``activity-center alerts run`` and ``fired`` on a node with our streams."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.alerts.loop import LEASE
from tests.collector.alerts.parts import Place, Receiver, at, failed_login

NOW = at("2026-11-24T13:05:00Z")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "activity_center", "alerts", *arguments]


def run(place: Place, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env={**os.environ, "OPENSEARCH_URL": place.url, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def found(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def config(tmp_path: Path, place: Place) -> str:
    file = tmp_path / "activity-center.yml"
    file.write_text(
        f"opensearch: {{url: '{place.url}'}}\n"
        "collector: {health: '127.0.0.1:1'}\n"
        "alerts:\n  enabled: true\n  without: [login-new-country, login-new-device]\n"
        "  webhooks: [{name: hook, webhook: '${HOOK}', secret: '${KEY}'}]\n"
    )
    return str(file)


def test_a_dry_run_of_the_past(place: Place) -> None:
    """It says what would have fired at a time; nothing is written, nothing is remembered."""
    place.record(*(failed_login(NOW - 1000 * n, number=n) for n in range(1, 13)))
    login = {"id": "1", "action": "user.login", "outcome": "success"}
    place.record({"@timestamp": NOW - 86_400_000, "event": login})
    arguments = ("run", "--once", "--dry-run", "--json", "--at", "2026-11-24T13:05:00Z")
    document = found(run(place, *arguments))
    (alert,) = document["alerts"]
    assert (alert["rule"], alert["count"]) == ("failed-logins-account", 12)
    person = {"user.id": None, "user.name": "mira", "user.email": None}
    assert alert["group"] == {"organization.id": "northwind", **person}
    assert document["lacking"]["login-new-country"] == ["source.geo.country_iso_code"]
    told = run(place, *(one for one in arguments if one != "--json")).stderr
    (line,) = (one for one in told.splitlines() if one.startswith("login-new-country: "))
    assert line.endswith("(collector.country_database adds the country of an address)")
    assert place.alerts() == []
    quiet = found(run(place, *arguments[:-1], "2026-11-24T12:00:00Z"))
    assert quiet["alerts"] == []
    done = run(place, "run", "mass-deletion", *arguments[1:3], *arguments[4:])
    assert done.stdout == "nothing new\n"


def test_once(place: Place, receiver: Receiver, tmp_path: Path) -> None:
    """It evaluates now, writes, tells, and does not fire again; ``fired`` lists what did."""
    now = int(time.time() * 1000)
    place.record(*(failed_login(now - 60_000 - 1000 * n, number=n) for n in range(1, 13)))
    environment = {"HOOK": receiver.address, "KEY": "k" * 24}
    arguments = ("run", "--once", "--json", "--config", config(tmp_path, place))
    first = found(run(place, *arguments, **environment))
    assert [one["rule"] for one in first["alerts"]] == ["failed-logins-account"]
    assert first["lacking"] == {}
    assert found(run(place, *arguments, **environment))["alerts"] == []
    assert len(receiver.got) == 1
    (listed,) = found(run(place, "fired", "--json"))
    assert listed["alert"]["told"] == ["hook"]
    head, line = run(place, "fired", "--rule", "failed-logins-account").stdout.splitlines()
    assert head.split("\t") == ["time", "severity", "rule", "organization", "message"]
    assert line.endswith(
        "\thigh\tfailed-logins-account\tnorthwind\t12 failed logins for mira within 10 minutes"
    )
    assert run(place, "fired", "--rule", "break-glass").stdout == "no alert has fired\n"


def test_once_beside_one_who_leads(place: Place, receiver: Receiver, tmp_path: Path) -> None:
    """While another one leads, it evaluates and writes, and leaves telling to that one."""
    now = int(time.time() * 1000)
    place.record(*(failed_login(now - 60_000 - 1000 * n, number=n) for n in range(1, 13)))
    with Lease(place.client, LEASE, index=STATE_INDEX):
        done = run(
            place, "run", "--once", "--config", config(tmp_path, place),
            HOOK=receiver.address, KEY="k" * 24,
        )  # fmt: skip
    assert (done.returncode, receiver.got) == (0, [])
    assert "another one evaluates all the time, and tells webhooks" in done.stderr
    (alert,) = place.alerts()
    assert alert["alert"]["told"] == []


def test_a_webhook_that_is_not_told(place: Place, tmp_path: Path) -> None:
    """It ends with 1 when a webhook could not be told, and says that it is tried again."""
    now = int(time.time() * 1000)
    place.record(*(failed_login(now - 60_000 - 1000 * n, number=n) for n in range(1, 13)))
    file = config(tmp_path, place)
    done = run(place, "run", "--once", "--config", file, HOOK="http://127.0.0.1:1/", KEY="k" * 24)
    assert done.returncode == 1
    assert "a webhook could not be told; it is tried again" in done.stderr
    assert "127.0.0.1:1" not in done.stderr


def test_it_runs_until_it_is_told_to_stop(place: Place, receiver: Receiver, tmp_path: Path) -> None:
    """Without --once it goes on as the collector's loop, and ends on SIGTERM with 0."""
    now = int(time.time() * 1000)
    place.record(*(failed_login(now - 60_000 - 1000 * n, number=n) for n in range(1, 13)))
    environment = {**os.environ, "HOOK": receiver.address, "KEY": "k" * 24}
    process = subprocess.Popen(
        command("run", "--config", config(tmp_path, place)),
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    while not receiver.got and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert len(receiver.got) == 1, log
    assert process.returncode == 0, log
    assert receiver.address not in log
