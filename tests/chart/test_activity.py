"""`helm test` for real: the chart's parts run as processes, and its script goes through them."""

from __future__ import annotations

import copy
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.processes import Pods
from tests.chart.rendering import CHART, objects, one, pods, rendered
from tests.conftest import Node
from tests.integration.process import until


@pytest.fixture
def release(opensearch: Node, tmp_path: Path) -> Iterator[Pods]:
    """The chart with its defaults on a real OpenSearch: installed, and every part ready."""
    values = f"{{fullnameOverride: ac, opensearch: {{url: {opensearch.url}}}}}"
    every = objects(rendered(values))
    specs = dict(pods(every))
    made = Pods(every, tmp_path)
    try:
        made.run_to_end("install", specs["Job/ac-install"])
        made.start("bus", specs["Deployment/ac-bus"])
        made.start("collector", with_volume(every), "http://127.0.0.1:9600/readyz")
        made.start("sidecar", specs["Deployment/ac-sidecar"], "https://127.0.0.1:8600/readyz")
        yield made
    finally:
        made.stop()


def with_volume(every: list[dict[str, Any]]) -> dict[str, Any]:
    """The collector's pod with a folder in place of the volume that it claims."""
    spec = copy.deepcopy(one(every, "StatefulSet", "ac-collector")["spec"])
    pod: dict[str, Any] = spec["template"]["spec"]
    for claim in spec["volumeClaimTemplates"]:
        pod["volumes"].append({"name": claim["metadata"]["name"], "emptyDir": {}})
    return pod


def test_an_activity_goes_in_and_comes_back(release: Pods) -> None:
    """The script posts over TLS to the collector, and reads it from the sidecar as its actor.

    So the rendered configurations, keys and certificates fit together: TLS, tokens, the bus.
    """
    spec = one(release.objects, "Pod", "ac-test")["spec"]
    said = release.run_to_end("test", spec)
    assert "The collector accepted the activity of helm-test-" in said
    assert "The sidecar shows it to its actor: all is well." in said


def listens(address: str) -> bool:
    """Whether somebody takes connections at ``HOST:PORT``."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def compose_bus(spec: dict[str, Any]) -> dict[str, Any]:
    """The pod of the chart's bus, with what deploy/compose runs for it."""
    file = CHART.parents[1] / "deploy" / "compose" / "compose.yaml"
    shell, option, script = yaml.safe_load(file.read_text("utf-8"))["services"]["bus"]["command"]
    for theirs, ours in (
        ("$$", "$"),
        ("$BUS_PASSWORD", "$(cat /etc/bus/own/bus-password)"),
        ("/tls/bus/", "/etc/bus/tls/"),
        ("/tls/authority/", "/etc/bus/tls/"),
        ("dir /data", "dir /tmp"),
    ):
        assert theirs in script
        script = script.replace(theirs, ours)
    made = copy.deepcopy(spec)
    made["containers"][0] |= {"command": [shell, option], "args": [script]}
    return made


@pytest.mark.parametrize("where", ["chart", "compose"])
def test_the_bus_ends_by_a_signal(where: str, tmp_path: Path) -> None:
    """The first process of its container is the server, and it catches SIGTERM.

    To the first process of a container the kernel gives no signal that it does not catch, so a
    shell in that place lasts until it is killed; and here, where it is not the first, it leaves
    the server behind.
    """
    every = objects(rendered("fullnameOverride: ac"))
    spec = dict(pods(every))["Deployment/ac-bus"]
    made = Pods(every, tmp_path)
    address = made.here("127.0.0.1:6379", "bus")
    assert not listens(address)
    process = made.start("bus", compose_bus(spec) if where == "compose" else spec)
    try:
        until(lambda: listens(address), why="the bus does not listen")
        status = Path(f"/proc/{process}/status").read_text("utf-8")
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        assert caught & 1 << signal.SIGTERM - 1
    finally:
        made.stop()
    assert not listens(address)


@pytest.mark.parametrize(
    ("more", "forward"),
    [
        ("", False),
        ("config: {senders: [{name: a, username: a, password: '${HOME}'}]}", True),
        ("fluentBit: {enabled: true}", True),
        ("tests: {enabled: false}", False),
    ],
    ids=["defaults", "a-sender-by-forward", "fluent-bit", "no-tests"],
)
def test_the_collector_takes_its_file(more: str, forward: bool, tmp_path: Path) -> None:
    """`collect --check` finds nothing, and Forward is open exactly when somebody may use it."""
    every = objects(rendered(f"fullnameOverride: ac\n{more}"))
    spec = with_volume(every)
    (container,) = spec["containers"]
    container["args"].insert(1, "--check")
    Pods(every, tmp_path).run_to_end("collector", spec)
    service = one(every, "Service", "ac-collector")["spec"]["ports"]
    assert ("forward" in {port["name"] for port in service}) is forward
