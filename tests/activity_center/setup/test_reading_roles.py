"""The roles that read, on a node with the security plugin: enough, and not more."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center import config as configuration
from activity_center.connection import connect
from activity_center.setup import Action, desired_state, install, look
from activity_center.setup.cluster import Answer, ask
from activity_center.streams import ALERTS_STREAM, LENS_PATTERNS, REJECTED_STREAM

SECURITY = "/_plugins/_security/api"
ORGANIZATION = f"t{secrets.token_hex(6)}"
LENSES = ",".join(LENS_PATTERNS)
SHARED = "activity-audit-permanent"
OWN = f"{SHARED}-{ORGANIZATION}"
ERRORS = (400, 403, 404, 405, 409, 429, 500)

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


@pytest.fixture(scope="module")
def readers(
    secure_opensearch: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, OpenSearch]]:
    """One user for each role that reads, on a node set up with an organization's own streams.

    The streams are removed at the end; what other tests use stays.
    """
    file = tmp_path_factory.mktemp("setup") / "activity-center.yml"
    file.write_text(f"organizations:\n  {ORGANIZATION}: {{own_streams: true}}\n")
    desired = desired_state(configuration.load(file))
    admin = secure_opensearch.client
    install(admin, desired)
    assert not look(admin, desired).of(Action.CREATE, Action.CHANGE)
    roles = {
        "sidecar": "activity-center-sidecar",
        "auditor": "activity-center-auditor",
        "member": "activity-center-reader-organization",
        "nobody": "activity-center-reader-organization",
        "own": f"activity-center-organization-{ORGANIZATION}",
    }
    clients = {}
    for kind, role in roles.items():
        name, password = f"reading-{kind}-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        body: dict[str, Any] = {"password": password, "opendistro_security_roles": [role]}
        if kind == "member":
            body["attributes"] = {"organization": ORGANIZATION}
        ask(admin, "PUT", f"{SECURITY}/internalusers/{name}", body=body)
        cluster = replace(secure_opensearch.cluster, username=name, password=password)
        clients[kind] = connect(cluster)
    yield clients
    for client in clients.values():
        user = ask(client, "GET", "/_plugins/_security/authinfo").body["user_name"]
        ask(admin, "DELETE", f"{SECURITY}/internalusers/{user}")
        client.close()
    streams = [name for name in desired.streams if name.endswith(f"-{ORGANIZATION}")]
    for stream in streams:
        ask(admin, "DELETE", f"/_data_stream/{stream}")
    ask(admin, "DELETE", f"{SECURITY}/roles/{roles['own']}")


@pytest.fixture(scope="module")
def documents(secure_opensearch: Any, readers: Mapping[str, OpenSearch]) -> Mapping[str, str]:
    """One document in the organization's own stream, two in the shared one; stream by id."""
    made = {}
    for stream, organization in (
        (OWN, ORGANIZATION),
        (SHARED, ORGANIZATION),
        (SHARED, f"{ORGANIZATION}_2"),
    ):
        id_ = secrets.token_hex(8)
        body = {
            "@timestamp": "2026-01-01T00:00:00Z",
            "organization": {"id": organization},
            "tags": [f"{ORGANIZATION}-reading"],
        }
        path = f"/{stream}/_create/{id_}"
        ask(secure_opensearch.client, "PUT", path, body=body, params={"refresh": "true"})
        made[f"{stream} {organization}"] = id_
    return made


def tried(client: OpenSearch, method: str, path: str, body: Any = None, **params: str) -> Answer:
    """What a request is answered with."""
    return ask(client, method, path, body=body, params=params, allow=ERRORS)


def found(client: OpenSearch, names: str) -> set[str]:
    """Ids of this module's documents that a user finds."""
    query = {"term": {"tags": f"{ORGANIZATION}-reading"}}
    hits = ask(client, "POST", f"/{names}/_search", body={"query": query}).body["hits"]["hits"]
    return {hit["_id"] for hit in hits}


def test_what_each_one_finds(
    readers: Mapping[str, OpenSearch], documents: Mapping[str, str]
) -> None:
    """The sidecar and auditors find all, others their organization's; own streams hold no other."""
    own, mine, _ = documents.values()
    for kind in ("sidecar", "auditor"):
        assert found(readers[kind], LENSES) == set(documents.values())
    assert found(readers["member"], LENSES) == {own, mine}
    assert found(readers["own"], OWN) == {own}


def test_a_user_without_the_attribute_finds_nothing(readers: Mapping[str, OpenSearch]) -> None:
    """The role of an organization's readers, given to somebody of none, opens nothing at all."""
    answer = tried(readers["nobody"], "POST", f"/{LENSES}/_search", {"size": 10})
    assert not answer.ok
    assert "hits" not in json.dumps(answer.body)


def test_the_sidecar_may_do_its_work(readers: Mapping[str, OpenSearch]) -> None:
    """Health, search, several searches at once, a point in time from first to last."""
    client = readers["sidecar"]
    lines = f'{{"index": {json.dumps(list(LENS_PATTERNS))}}}\n{{"size": 0}}\n'
    assert tried(client, "GET", "/").ok
    assert tried(client, "GET", "/_cluster/health").ok
    assert tried(client, "POST", f"/{LENSES}/_search", {"size": 0}).ok
    refused = tried(client, "POST", f"/{REJECTED_STREAM}/_search", {"size": 0})
    assert refused.status == 403
    assert tried(client, "POST", f"/{LENSES}/_count").ok
    (answer,) = tried(client, "POST", "/_msearch", lines).body["responses"]
    assert answer["status"] == 200
    params = {"keep_alive": "1m", "allow_partial_pit_creation": "false"}
    pit = tried(client, "POST", f"/{LENSES}/_search/point_in_time", **params).body["pit_id"]
    assert tried(client, "POST", "/_search", {"size": 0, "pit": {"id": pit}}).ok
    deleted = tried(client, "DELETE", "/_search/point_in_time", {"pit_id": [pit]})
    assert deleted.body["pits"][0]["successful"]


REFUSED = [
    ("POST", f"/{SHARED}/_doc", {"@timestamp": "2026-01-01T00:00:00Z"}),
    ("POST", f"/{SHARED}/_delete_by_query", {"query": {"match_none": {}}}),
    ("POST", f"/{SHARED}/_update_by_query", {"query": {"match_none": {}}}),
    ("DELETE", f"/_data_stream/{OWN}", None),
    ("POST", f"/{SHARED}/_rollover", None),
    ("POST", f"/{SHARED}/_validate/query", {"query": {"match_all": {}}}),
    ("GET", f"/{SHARED}/_stats", None),
    ("GET", "/activity-center-state/_search", None),
    ("POST", "/_search", {"size": 0}),
    ("POST", "/*/_search", {"size": 0}),
    ("PUT", "/_index_template/activity-audit", {"index_patterns": ["x"]}),
    ("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "true"}}),
    ("GET", f"{SECURITY}/roles", None),
    ("DELETE", "/_search/point_in_time/_all", None),
]


@pytest.mark.parametrize("kind", ["sidecar", "auditor", "member", "own"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    REFUSED,
    # The organization's name is drawn: workers of xdist must see the same tests all the same.
    ids=[f"{method}-{path.replace(ORGANIZATION, 'own')}" for method, path, _ in REFUSED],
)
def test_readers_may_nothing_else(
    readers: Mapping[str, OpenSearch], kind: str, method: str, path: str, body: Any
) -> None:
    """Nobody who reads can write, remove, change, or look beyond the activities."""
    assert tried(readers[kind], method, path, body).status == 403


@pytest.mark.parametrize("stream", [REJECTED_STREAM, ALERTS_STREAM])
@pytest.mark.parametrize("kind", ["member", "own"])
def test_rejected_records_and_alerts_are_for_the_platform(
    readers: Mapping[str, OpenSearch], kind: str, stream: str
) -> None:
    """What was rejected, and what rules found, may be of any organization: auditors see it."""
    assert tried(readers[kind], "POST", f"/{stream}/_search", {"size": 0}).status == 403
    assert tried(readers["auditor"], "POST", f"/{stream}/_search", {"size": 0}).ok


def test_own_streams_and_no_shared_one(readers: Mapping[str, OpenSearch]) -> None:
    """The role on an organization's own streams opens no shared one, nor another's."""
    for path in (SHARED, LENSES, f"{OWN}_2", ".ds-activity-audit-permanent-000001"):
        answer = tried(readers["own"], "POST", f"/{path}/_search", {"size": 1})
        assert answer.status in (403, 404) or answer.body["hits"]["total"]["value"] == 0, path
    assert tried(readers["own"], "GET", f"/{OWN}/_mapping").ok


def test_what_came_back_from_the_archive(
    secure_opensearch: Any, readers: Mapping[str, OpenSearch]
) -> None:
    """A restored copy is read by those who could read its stream, and each finds the same."""
    number = int(ORGANIZATION.encode().hex(), 16) % 10**6
    shared = f"restored-{SHARED}-{number:06}"
    own = f"restored-{OWN}-{number:06}"
    made = {}
    try:
        for index, organization in (
            (own, ORGANIZATION),
            (shared, ORGANIZATION),
            (shared, f"{ORGANIZATION}_2"),
        ):
            mapping = {"properties": {"organization.id": {"type": "keyword"}}}
            admin = secure_opensearch.client
            ask(admin, "PUT", f"/{index}", body={"mappings": mapping}, allow=ERRORS)
            id_ = secrets.token_hex(8)
            body = {"organization": {"id": organization}}
            ask(admin, "PUT", f"/{index}/_doc/{id_}", body=body, params={"refresh": "true"})
            made[f"{index} {organization}"] = id_

        def seen(kind: str, index: str) -> set[str]:
            answer = tried(readers[kind], "POST", f"/{index}/_search", {"size": 10})
            return {hit["_id"] for hit in answer.body["hits"]["hits"]} if answer.ok else set()

        mine, theirs, others = made.values()
        assert seen("auditor", shared) == {theirs, others}
        assert seen("auditor", own) == {mine}
        assert seen("member", shared) == {theirs}
        assert seen("own", own) == {mine}
        assert seen("own", shared) == set()
        assert seen("nobody", shared) == set()
    finally:
        for index in (own, shared):
            ask(secure_opensearch.client, "DELETE", f"/{index}", allow=ERRORS)


def test_a_changed_reading_role_is_drift(
    secure_opensearch: Any, readers: Mapping[str, OpenSearch], tmp_path: Path
) -> None:
    """A document filter that somebody removed is found, and put back."""
    name = "activity-center-reader-organization"
    role = json.loads(json.dumps(dict(desired_state().roles[name])))
    del role["index_permissions"][0]["dls"]
    ask(secure_opensearch.client, "PUT", f"{SECURITY}/roles/{name}", body=role)
    plan = look(secure_opensearch.client, desired_state())
    assert [step.name for step in plan.of(Action.CHANGE)] == [name]
    assert [one.path for one in plan.of(Action.CHANGE)[0].differences] != []
    install(secure_opensearch.client, desired_state())
    assert not look(secure_opensearch.client, desired_state()).drift
