"""One node for the tests of this folder, emptied of our objects before each."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center import node
from activity_center.assets import data_folder
from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.setup import Desired, desired_state
from activity_center.setup.cluster import ask
from tests.clients.command_line import run_here

STREAMS = ("activity-audit-permanent", "activity-agent-permanent", "activity-rejected")
"""A few streams are as good as all for most rules, and three times faster."""


@dataclass(frozen=True, slots=True)
class Empty:
    """A node without anything of ours."""

    url: str
    cluster: Cluster
    client: OpenSearch

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """``activity-center`` with these arguments against this node."""
        return run_here(arguments, {**os.environ, "OPENSEARCH_URL": self.url, **environment})

    def get(self, path: str) -> Any:
        return ask(self.client, "GET", path).body

    def put(self, path: str, body: Any = None, **params: str) -> Any:
        return ask(self.client, "PUT", path, body=body, params=params).body


@pytest.fixture(scope="session")
def _setup_node() -> Iterator[node.NodeInfo]:
    name = f"setup-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    yield node.start(name, fast=True)
    node.wipe(name)


@pytest.fixture
def empty(_setup_node: node.NodeInfo) -> Iterator[Empty]:
    """A running node that holds nothing of ours."""
    client = connect(_setup_node.cluster)
    _wipe(client)
    yield Empty(_setup_node.url, _setup_node.cluster, client)
    client.close()


def _wipe(client: OpenSearch) -> None:
    """Remove streams, indices, templates and settings that tests left."""
    settings = ask(client, "GET", "/_cluster/settings", params={"flat_settings": "true"}).body
    for scope in ("persistent", "transient"):
        if settings[scope]:
            nothing = dict.fromkeys(settings[scope])
            ask(client, "PUT", "/_cluster/settings", body={scope: nothing})
    found = ask(
        client, "GET", "/_resolve/index/activity-*", params={"expand_wildcards": "all"}
    ).body
    for stream in found["data_streams"]:
        ask(client, "DELETE", f"/_data_stream/{stream['name']}")
    for index in found["indices"]:
        if "data_stream" not in index:
            ask(client, "DELETE", f"/{index['name']}")
    for kind, key in (
        ("_index_template", "index_templates"),
        ("_component_template", "component_templates"),
    ):
        for one in ask(client, "GET", f"/{kind}").body[key]:
            ask(client, "DELETE", f"/{kind}/{one['name']}")


@pytest.fixture
def few() -> Desired:
    """Our real templates with :data:`STREAMS` alone."""
    from dataclasses import replace

    return replace(desired_state(), streams=STREAMS)


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Desired]:
    """``changed("component/activity-mappings", change)``: our templates with one of them changed.

    ``change`` gets the decoded file and alters it in place; the version is raised by
    ``raise_version``.
    """
    from dataclasses import replace

    def make(
        name: str, change: Callable[[dict[str, Any]], None], *, raise_version: int = 1
    ) -> Desired:
        folder = tmp_path / "templates"
        for file in data_folder("opensearch/templates").rglob("*.json"):
            place = folder / file.parent.name / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            body = json.loads(file.read_text())
            if f"{file.parent.name}/{file.stem}" == name:
                body["_meta"]["version"] += raise_version
                change(body)
            place.write_text(json.dumps(body))
        return replace(desired_state(templates_folder=folder), streams=STREAMS)

    return make
