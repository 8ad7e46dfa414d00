"""The roles on a node with the security plugin: enough, and not more."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.setup import Action, Level, desired_state, diagnose, install, look
from activity_center.setup.cluster import ask

STREAM = "activity-audit-permanent"
INDEX = ".ds-activity-audit-permanent-000001"
DENIED = 403

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


@pytest.fixture(scope="module")
def installed(secure_opensearch: Any) -> Any:
    """The shared node with security, set up. Nothing is removed: others use it too."""
    install(secure_opensearch.client, desired_state())
    return secure_opensearch


@pytest.fixture(scope="module")
def accounts(installed: Any) -> Iterator[dict[str, Cluster]]:
    """Two users: ``collector`` and ``maintain``, each with its role alone."""
    users: dict[str, Cluster] = {}
    for kind in ("collector", "maintain"):
        name, password = f"setup-{kind}-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        api = "/_plugins/_security/api"
        ask(installed.client, "PUT", f"{api}/internalusers/{name}", body={"password": password})
        ask(
            installed.client,
            "PATCH",
            f"{api}/rolesmapping",
            body=[{"op": "add", "path": f"/activity-center-{kind}", "value": {"users": [name]}}],
        )
        users[kind] = replace(installed.cluster, username=name, password=password)
    yield users
    for kind, cluster in users.items():
        ask(installed.client, "DELETE", f"{api}/rolesmapping/activity-center-{kind}")
        ask(installed.client, "DELETE", f"{api}/internalusers/{cluster.username}")


@pytest.fixture
def collector(accounts: dict[str, Cluster]) -> OpenSearch:
    """A client with the collector's role alone."""
    return connect(accounts["collector"])


@pytest.fixture
def maintain(accounts: dict[str, Cluster]) -> OpenSearch:
    """A client with the maintaining role alone."""
    return connect(accounts["maintain"])


def may(client: OpenSearch, method: str, path: str, body: Any = None, **params: str) -> bool:
    """Whether the request is allowed, whatever comes of it."""
    answer = ask(client, method, path, body=body, params=params, allow=(400, DENIED, 404, 405, 409))
    return answer.status != DENIED


def test_roles_are_installed_and_current(installed: Any) -> None:
    """``install`` brings all roles where the security plugin runs; a second run leaves them."""
    plan = look(installed.client, desired_state())
    roles = {step.name: step.action for step in plan.steps if step.kind == "role"}
    assert roles == {
        "activity-center-auditor": Action.LEAVE,
        "activity-center-collector": Action.LEAVE,
        "activity-center-maintain": Action.LEAVE,
        "activity-center-reader-organization": Action.LEAVE,
        "activity-center-sidecar": Action.LEAVE,
    }


def test_a_changed_role_is_drift(installed: Any) -> None:
    """Rights that someone added are found and taken away."""
    path = "/_plugins/_security/api/roles/activity-center-collector"
    role = json.loads(json.dumps(dict(desired_state().roles["activity-center-collector"])))
    role["index_permissions"][0]["allowed_actions"].append("indices:data/read/search")
    ask(installed.client, "PUT", path, body=role)
    plan = look(installed.client, desired_state())
    assert [step.name for step in plan.of(Action.CHANGE)] == ["activity-center-collector"]
    install(installed.client, desired_state())
    assert not look(installed.client, desired_state()).drift


def test_the_collector_may_deliver(collector: OpenSearch) -> None:
    """Its role suffices for looking up streams, ``_bulk`` and ``_mget`` on backing indices."""
    id_ = secrets.token_hex(8)
    lines = (
        json.dumps({"create": {"_index": STREAM, "_id": id_}})
        + "\n"
        + json.dumps({"@timestamp": "2026-01-01T00:00:00Z"})
        + "\n"
    )
    for status in (201, 409):
        answer = ask(collector, "POST", "/_bulk", body=lines).body
        assert answer["items"][0]["create"]["status"] == status
    found = ask(collector, "GET", f"/_data_stream/{STREAM}").body["data_streams"][0]["indices"]
    index = found[-1]["index_name"]
    got = ask(
        collector, "POST", f"/{index}/_mget", params={"_source": "false"}, body={"ids": [id_, "no"]}
    ).body
    assert [one["found"] for one in got["docs"]] == [True, False]
    settings = ask(collector, "GET", f"/{STREAM}/_settings/index.creation_date").body
    assert index in settings


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"/{STREAM}/_search", {"size": 0}),
        ("POST", f"/{STREAM}/_count", None),
        ("POST", f"/{STREAM}/_delete_by_query", {"query": {"match_all": {}}}),
        ("DELETE", f"/{INDEX}/_doc/x", None),
        ("DELETE", f"/_data_stream/{STREAM}", None),
        ("POST", f"/{STREAM}/_rollover", None),
        ("PUT", "/_data_stream/activity-audit-new", None),
        ("GET", "/activity-center-state/_doc/x", None),
        ("PUT", "/_index_template/activity-audit", {"index_patterns": ["x"]}),
        ("GET", "/_plugins/_security/api/roles", None),
    ],
)
def test_the_collector_may_nothing_else(
    collector: OpenSearch, method: str, path: str, body: Any
) -> None:
    """Who steals its password can neither read the record nor remove anything from it."""
    assert not may(collector, method, path, body)


def test_maintaining_may_read_and_delete(maintain: OpenSearch) -> None:
    """Search with a point in time, delete, roll over, keep state with sequence numbers."""
    query = {"query": {"match_none": {}}}
    assert may(maintain, "POST", f"/{STREAM}/_search", {"size": 0})
    assert may(maintain, "POST", f"/{STREAM}/_delete_by_query", query)
    assert may(maintain, "POST", f"/{STREAM}/_update_by_query", query)
    assert may(maintain, "DELETE", f"/{INDEX}/_doc/x")
    pit = ask(
        maintain, "POST", f"/{STREAM}/_search/point_in_time", params={"keep_alive": "1m"}
    ).body["pit_id"]
    assert may(maintain, "DELETE", "/_search/point_in_time", {"pit_id": [pit]})
    state = f"/activity-center-state/_doc/{secrets.token_hex(8)}"
    put = ask(maintain, "PUT", state, body={"kind": "test"}).body
    condition = {"if_seq_no": str(put["_seq_no"]), "if_primary_term": str(put["_primary_term"])}
    assert may(maintain, "DELETE", state, **condition)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/_index_template/activity-audit", {"index_patterns": ["x"]}),
        ("PUT", "/_component_template/activity-settings", {"template": {}}),
        ("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "true"}}),
        ("DELETE", f"/_data_stream/{STREAM}", None),
        ("POST", "/somebody-elses/_search", {"size": 0}),
        ("PUT", "/somebody-elses/_doc/1", {"a": 1}),
        ("GET", "/_plugins/_security/api/roles", None),
    ],
)
def test_maintaining_has_its_limits(
    maintain: OpenSearch, method: str, path: str, body: Any
) -> None:
    """It changes no template, removes no stream, and sees nothing of others."""
    assert not may(maintain, method, path, body)


def test_doctor_tells_the_accounts_apart(
    installed: Any, collector: OpenSearch, maintain: OpenSearch
) -> None:
    """Each account is tried for what it does; one that may too much, or too little, is named."""
    desired = desired_state()

    def rights(delivery: OpenSearch, second: OpenSearch) -> list[tuple[Level, str]]:
        found = diagnose(installed.client, desired, delivery=delivery, maintenance=second)
        return [(one.level, one.message) for one in found if one.check == "permissions"]

    good = rights(collector, maintain)
    assert [level for level, _ in good] == [Level.OK, Level.OK]
    swapped = rights(maintain, collector)
    assert any(level is Level.WARN and "search" in words for level, words in swapped)
    assert any(level is Level.FAIL and "maintenance" in words for level, words in swapped)


def test_doctor_as_the_maintaining_account(maintain: OpenSearch) -> None:
    """Its rights suffice for all checks but those on roles."""
    found = [*diagnose(maintain, desired_state())]
    odd = {one.check for one in found if one.level is not Level.OK}
    assert odd <= {"plugins", "templates"}
    assert all(
        "role" in one.message
        for one in found
        if one.check == "templates" and one.level is not Level.OK
    )


def test_an_account_without_any_right(installed: Any) -> None:
    """Where nothing may be read, the checks say so and delivery fails; none of them breaks."""
    name, password = f"setup-nobody-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    path = f"/_plugins/_security/api/internalusers/{name}"
    ask(installed.client, "PUT", path, body={"password": password})
    client = connect(replace(installed.cluster, username=name, password=password))
    found = [*diagnose(client, desired_state())]
    ask(installed.client, "DELETE", path)
    assert [one.check for one in found if one.level is Level.FAIL] == ["permissions"]
    assert not [one for one in found if one.level is Level.OK]


def test_a_wrong_password(installed: Any) -> None:
    """It exits 1, says where to look, and does not repeat the password."""
    password = secrets.token_urlsafe(24)
    result = subprocess.run(
        [sys.executable, "-m", "activity_center", "doctor"],
        env={
            **os.environ,
            "OPENSEARCH_URL": installed.url,
            "OPENSEARCH_USERNAME": "admin",
            "OPENSEARCH_PASSWORD": password,
            "OPENSEARCH_CA": installed.cluster.ca,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert "401" in result.stdout
    assert "OPENSEARCH_PASSWORD" in result.stdout
    assert password not in result.stdout + result.stderr
