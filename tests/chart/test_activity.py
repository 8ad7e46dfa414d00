"""`helm test` for real: the chart's parts run as processes, and its script goes through them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.processes import Pods
from tests.chart.rendering import objects, one, pods, rendered
from tests.conftest import Node


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
