"""The repository of archives, on a real embedded node and on one that is none."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activity_center.node.folders import node_folder
from activity_center.node.settings import EMBEDDED
from activity_center.setup import Action, Desired, Kind, Plan, install, look
from activity_center.setup.cluster import ask

NAME = "activity-center-archive"
STREAM = "activity-audit-billing-7y"
"""Of a class whose policy archives."""


def repositories(plan: Plan) -> list[tuple[str, Action]]:
    """What the plan says of repositories."""
    return [(one.name, one.action) for one in plan.steps if one.kind is Kind.REPOSITORY]


def test_doctor_is_content_with_a_fresh_embedded_node(empty: Any) -> None:
    """``doctor`` misses the repository, ``install`` registers it, and then nothing fails, also
    where there is something to archive."""
    ask(empty.client, "DELETE", f"/_snapshot/{NAME}", allow=(404,))
    dry = empty.run("install", "--dry-run")
    assert f"+ snapshot repository  {NAME}" in dry.stdout, dry.stdout
    assert empty.run("install").returncode == 0
    document = {"@timestamp": "2026-01-01T00:00:00Z", "activity": {"retention": {}}}
    document["activity"] = {"retention": {"class": "billing-7y"}}
    empty.put(f"/{STREAM}/_create/one", document, refresh="true")
    good = empty.run("doctor")
    assert good.returncode == 0, good.stdout
    assert "0 failed" in good.stdout
    assert empty.run("install", "--dry-run").returncode == 0

    ask(empty.client, "DELETE", f"/_snapshot/{NAME}")
    bad = empty.run("doctor", "--json")
    assert bad.returncode == 1
    failed = [one for one in json.loads(bad.stdout)["findings"] if one["level"] == "fail"]
    assert {one["check"] for one in failed} == {"templates", "retention"}
    assert all(NAME in one["message"] for one in failed)


def test_what_is_archived_lies_in_the_nodes_own_folder(
    own_node: Callable[..., Any], few: Desired
) -> None:
    """A snapshot can be made, in a folder that only the node's account enters; a node of an
    earlier release, which had no such folder, starts, keeps its data, and gets one.

    In a cluster that is not the embedded node ``install`` registers none, whatever its
    ``path.repo``; a repository that is there is left as it is in either.
    """
    own = own_node({f"node.attr.{EMBEDDED}": "false"})
    assert repositories(look(own.client, few)) == []
    install(own.client, few)
    assert ask(own.client, "GET", "/_snapshot").body == {}

    body = {"type": "fs", "settings": {"location": "elsewhere"}}
    ask(own.client, "PUT", f"/_snapshot/{NAME}", body=body)
    folder = node_folder(own.name).archive
    own.client.index(index="kept", id="1", body={"a": 1})
    own.stop()
    shutil.rmtree(folder)
    own.start(settings={})
    assert own.client.get(index="kept", id="1")["_source"] == {"a": 1}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.parent == Path(own.info.folder)
    assert repositories(look(own.client, few)) == [(NAME, Action.LEAVE)]
    install(own.client, few)
    there = ask(own.client, "GET", f"/_snapshot/{NAME}").body[NAME]
    assert there["settings"]["location"] == "elsewhere"

    ask(own.client, "DELETE", f"/_snapshot/{NAME}")
    install(own.client, few)
    made = ask(
        own.client,
        "PUT",
        f"/_snapshot/{NAME}/one",
        body={"indices": ".ds-activity-rejected-*"},
        params={"wait_for_completion": "true"},
    ).body
    assert made["snapshot"]["state"] == "SUCCESS"
    assert list((folder / NAME).glob("snap-*.dat"))
    own.close()
    assert not folder.exists()
