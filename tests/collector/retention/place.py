"""A node with a snapshot repository, whose indices can be made old."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from activity_center import node
from activity_center.connection import connect
from activity_center.setup import desired_state, install
from activity_center.setup.cluster import ask
from collector.retention import Backing, read_backing
from tests.clients.command_line import run_here

REPOSITORY = "activity-center-archive"
LIVE = "activity-audit-*,activity-agent-*,activity-process-*"
RECORDS = "activity-audit-permanent"
"""Where retention's own entries go."""


@dataclass(frozen=True, slots=True)
class Place:
    """The node: its client, and the folder of its repository on this disk."""

    url: str
    client: OpenSearch
    folder: Path

    def set_up(self, *streams: str) -> None:
        """Install with these streams (and the one of retention's own entries) alone."""
        install(self.client, replace(desired_state(), streams=(RECORDS, *streams)))

    def born(self, when: datetime, node: str = "*") -> None:
        """Indices that are made from now on count as made at ``when``, and live on ``node``."""
        path = "/_component_template/activity-settings"
        body = ask(self.client, "GET", path).body["component_templates"][0]["component_template"]
        index = body["template"]["settings"]["index"]
        index["creation_date"] = int(when.timestamp() * 1000)
        index["routing"] = {"allocation": {"require": {"_name": node}}}
        ask(self.client, "PUT", path, body=body)

    def stream(self, name: str, when: datetime) -> None:
        """Make a stream whose first index counts as made at ``when``."""
        self.born(when)
        ask(self.client, "PUT", f"/_data_stream/{name}")

    def roll(self, stream: str, when: datetime) -> None:
        """Let a stream roll over at ``when``."""
        self.born(when)
        ask(self.client, "POST", f"/{stream}/_rollover")

    def put(self, stream: str, entries: Iterable[tuple[str, datetime, str]]) -> None:
        """Store entries: id, time, organization."""
        lines = []
        for id_, when, organization in entries:
            lines += [
                json.dumps({"create": {"_id": id_}}),
                json.dumps(
                    {
                        "@timestamp": when.isoformat(),
                        "event": {"id": id_, "ingested": when.isoformat()},
                        "organization": {"id": organization},
                        "activity": {"retention": {"class": stream.split("-", 2)[2]}},
                    }
                ),
            ]
        body = ask(
            self.client,
            "POST",
            f"/{stream}/_bulk",
            body="\n".join([*lines, ""]),
            params={"refresh": "true"},
        ).body
        assert not body["errors"], body

    def ids(self, index: str, organization: str | None = None) -> set[str]:
        """Ids of the entries in an index, a stream or a pattern."""
        query: Mapping[str, Any] = (
            {"term": {"organization.id": organization}} if organization else {"match_all": {}}
        )
        ask(self.client, "POST", f"/{index}/_refresh")
        body = ask(
            self.client, "POST", f"/{index}/_search", body={"size": 10_000, "query": query}
        ).body
        assert body["_shards"]["successful"] == body["_shards"]["total"]
        return {hit["_id"] for hit in body["hits"]["hits"]}

    def backing(self, stream: str) -> list[Backing]:
        """The backing indices of a stream, oldest first."""
        return [one for one in read_backing(self.client) if one.stream == stream]

    def records(self, action: str) -> list[dict[str, Any]]:
        """Retention's own entries of one action."""
        ask(self.client, "POST", f"/{RECORDS}/_refresh")
        query = {"term": {"event.action": action}}
        body = ask(
            self.client, "POST", f"/{RECORDS}/_search", body={"size": 1000, "query": query}
        ).body
        return [hit["_source"] for hit in body["hits"]["hits"]]

    def break_repository(self) -> None:
        """Lose the data of all snapshots; the list of snapshots stays."""
        shutil.rmtree(self.folder / "indices")

    def command(self, *arguments: str) -> Sequence[str]:
        """The command line of ``activity-center`` with these arguments."""
        return [sys.executable, "-m", "activity_center", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """Sends the command line to this node."""
        return {**os.environ, "OPENSEARCH_URL": self.url}

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """``activity-center`` with these arguments against this node."""
        return run_here(arguments, self.environment, typed)


def wipe(client: OpenSearch) -> None:
    """Remove streams, indices and templates that a test left."""
    names = "activity-*,restored-*"
    found = ask(client, "GET", f"/_resolve/index/{names}", params={"expand_wildcards": "all"}).body
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


@contextmanager
def archiving(kind: str, *, secure: bool = False) -> Iterator[tuple[node.NodeInfo, Path]]:
    """A node that may write to a folder of this disk; both go at the end."""
    root = Path(tempfile.mkdtemp(prefix="activity-center-archive-"))
    root.chmod(0o777)  # the node of root runs under another account
    name = f"{kind}-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    node.wipe(name)
    try:
        settings = {"path.repo": str(root)}
        yield node.start(name, secure=secure, settings=settings, fast=True), root
    finally:
        node.wipe(name)
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def emptied(info: node.NodeInfo, root: Path) -> Iterator[Place]:
    """The node without anything of ours, with a new, empty repository."""
    client = connect(info.cluster)
    wipe(client)
    folder = Path(tempfile.mkdtemp(dir=root))
    folder.chmod(0o777)
    body = {"type": "fs", "settings": {"location": str(folder)}}
    ask(client, "DELETE", f"/_snapshot/{REPOSITORY}", allow=(404,))
    ask(client, "PUT", f"/_snapshot/{REPOSITORY}", body=body)
    yield Place(info.url, client, folder)
    client.close()
