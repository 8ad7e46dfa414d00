"""The shipped sources: samples, catalogue, identity, and what must never be stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activity_center.vocabulary import actions, fields
from collector.mapping import SHIPPED, Source, check_samples, load_all, unreached
from collector.mapping.samples import read_records
from collector.preview import Preview

SOURCES = load_all()
NAMES = sorted(SOURCES)
PREVIEW = Preview(SOURCES.values())
RECEIVED = 1_798_761_600_000_000_000


def _finish(source: Source, record: dict[str, Any]) -> dict[str, Any]:
    """All stages, received on 2027-01-01: after every sample, whatever the machine's clock."""
    return PREVIEW.documents(record, source=source.name, received=RECEIVED)


def _samples(name: str) -> Iterator[dict[str, Any]]:
    for path in sorted((SOURCES[name].folder / "samples").glob("*json")):
        yield from read_records(path)


def _mapped(name: str) -> Iterator[dict[str, Any]]:
    for record in _samples(name):
        result = SOURCES[name].map(record)
        if not isinstance(result, str):
            yield from result


def test_the_three() -> None:
    """Every folder with a mapping is loaded, and these three ship."""
    assert set(NAMES) >= {"native", "kubernetes-audit", "opensearch-security"}
    assert set(NAMES) == {path.parent.name for path in SHIPPED.glob("*/source.yml")}


@pytest.mark.parametrize("name", NAMES)
def test_samples_give_what_is_expected(name: str) -> None:
    """Each sample maps to its expected output; ``sources test --update`` writes it anew."""
    for result in check_samples(SOURCES[name], finish=_finish):
        assert result.passed, result.difference
        assert all("rejected" not in outcome for outcome in result.actual)


@pytest.mark.parametrize("name", NAMES)
def test_samples_reach_every_rule(name: str) -> None:
    """Every field and every reason of a mapping stands in some expected output."""
    assert unreached(SOURCES[name], check_samples(SOURCES[name])) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_expected_output_is_left_over(name: str) -> None:
    """Each file under expected/ belongs to a sample."""
    folder = SOURCES[name].folder
    samples = {path.stem for path in (folder / "samples").iterdir()}
    assert {path.stem for path in (folder / "expected").iterdir()} == samples


def _constants(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "value":
                yield child
            elif key != "when":
                yield from _constants(child)
    elif isinstance(value, list):
        for child in value:
            yield from _constants(child)


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_catalogued(name: str) -> None:
    """Every action that a mapping spells out is in the catalogue."""
    document = SOURCES[name].document
    spelled = set(_constants(document.get("fields", {}).get("event.action", {})))
    for table, entries in document.get("lookups", {}).items():
        if "action" in table:
            spelled.update(entries.values())
    assert spelled <= set(actions())


@pytest.mark.parametrize("name", ["kubernetes-audit", "opensearch-security"])
def test_samples_have_catalogued_actions(name: str) -> None:
    """What samples give is in the catalogue, but for what a later version brings."""
    given = {activity["event"]["action"] for activity in _mapped(name)}
    assert given - set(actions()) <= {"opensearch.logout"}
    assert len(given) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_values_are_of_the_vocabulary(name: str) -> None:
    """Closed lists of values hold, and no reserved field but the module is set."""
    for activity in _mapped(name):
        for field in fields().values():
            value: Any = activity
            for key in field.name.split("."):
                value = value.get(key) if isinstance(value, dict) else None
            if value is None:
                continue
            assert not field.reserved or field.name == "event.module", field.name
            if field.values is not None:
                given = value if isinstance(value, list) else [value]
                assert set(given) <= set(field.values), field.name


@pytest.mark.parametrize("name", ["kubernetes-audit", "opensearch-security"])
def test_foreign_users_have_no_id(name: str) -> None:
    """Another system's user never becomes the platform's of the same name."""
    for activity in _mapped(name):
        for user in (activity.get("user", {}), activity.get("user", {}).get("effective", {})):
            assert "id" not in user


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("kubernetes-audit", ["cG9zdGdyZXM6Ly9", "opaque-", "everything again", '"beta"']),
        ("opensearch-security", ["$2y$12$", "__HASH__", "bWlyYTpodW50ZXIy", "opaque"]),
    ],
)
def test_secrets_of_the_samples_are_gone(name: str, secrets: list[str]) -> None:
    """Bodies of secrets and tokens, copies of manifests and credentials are never stored."""
    raw = json.dumps(list(_samples(name)))
    stored = json.dumps(list(_mapped(name)))
    scrubbed = json.dumps([SOURCES[name].scrub(record) for record in _samples(name)])
    for secret in secrets:
        assert secret in raw, f"no sample holds {secret}"
        assert secret not in stored
        assert secret not in scrubbed


def _event(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Event",
        "auditID": "a-1",
        "stage": "ResponseComplete",
        "verb": "create",
        "objectRef": {"resource": "pods", "namespace": "n", "name": "p"},
        **more,
    }


def _kubernetes(**more: Any) -> dict[str, Any]:
    result = SOURCES["kubernetes-audit"].map(_event(**more))
    assert isinstance(result, list)
    return result[0]


@pytest.mark.parametrize("key", ["requestObject", "responseObject"])
@pytest.mark.parametrize(
    "reference",
    [
        {"resource": "secrets", "name": "s"},
        {"resource": "configmaps", "name": "s"},
        {"resource": "tokenreviews"},
        {"resource": "serviceaccounts", "name": "s", "subresource": "token"},
        None,
    ],
)
@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete", "get", "list"])
def test_bodies_of_secrets_are_never_stored(key: str, reference: Any, verb: str) -> None:
    """Neither by what the request names nor by what the body says it is."""
    body = {"kind": "Secret", "data": {"k": "c2VjcmV0"}, "items": [{"data": {"k": "c2VjcmV0"}}]}
    event = {"verb": verb, key: body, "objectRef": reference}
    assert "c2VjcmV0" not in json.dumps(_kubernetes(**event))
    if reference is not None:
        patch = [{"op": "add", "path": "/data/k", "value": "c2VjcmV0"}]
        assert "c2VjcmV0" not in json.dumps(_kubernetes(**{**event, key: patch}))


def test_kubernetes_identity() -> None:
    """The audit id names the event; a panic after the answer is an event of its own."""
    assert _kubernetes()["event"]["id"] == "a-1"
    assert _kubernetes(stage="Panic")["event"]["id"] == "a-1-panic"


@pytest.mark.parametrize(
    ("code", "outcome", "result"),
    [
        (200, "success", "completed"),
        (101, "success", "completed"),
        (404, "failure", "failed"),
        (401, "failure", "failed"),
        (403, "failure", "denied"),
        (500, "failure", "failed"),
        (None, "unknown", None),
        ("403", "unknown", None),
    ],
)
def test_kubernetes_outcome(code: Any, outcome: str, result: str | None) -> None:
    """The status code decides; without one the outcome is unknown."""
    activity = _kubernetes(responseStatus={"code": code})
    assert activity["event"]["outcome"] == outcome
    assert activity.get("activity", {}).get("result") == result


def test_kubernetes_batch_is_its_events() -> None:
    """An event that comes in an EventList is the same as one that comes alone."""
    one, other = _event(auditID="x"), _event(auditID="y", stage="RequestReceived")
    items = [{k: v for k, v in e.items() if k not in ("kind", "apiVersion")} for e in (one, other)]
    source = SOURCES["kubernetes-audit"]
    batch = source.map(
        {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}
    )
    assert batch == source.map(one)
    assert len(batch.ignored) == 1  # type: ignore[union-attr]


def test_opensearch_bodies_are_stored_only_for_watched_writes() -> None:
    """Request bodies stay out, except the new document of a watched write."""
    source = SOURCES["opensearch-security"]
    categories = [*source.document["lookups"]["actions"], "A_LATER_ONE"]
    for category in categories:
        record = {"audit_category": category, "audit_request_body": '{"a": "body text"}'}
        (activity,) = source.map(record)
        kept = "body text" in json.dumps(activity)
        assert kept is (category == "COMPLIANCE_DOC_WRITE")


def test_a_source_of_the_users_own_replaces_a_shipped_one(tmp_path: Path) -> None:
    """A folder of one's own adds sources and replaces those of the same name."""
    for name in ("native", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "source.yml").write_text(
            f"name: {name}\nversion: 9\ntitle: T\ndescription: D\nfields: {{message: m}}\n"
        )
    loaded = load_all(tmp_path)
    assert set(loaded) == {*NAMES, "mine"}
    assert isinstance(loaded["native"], Source)
    assert loaded["native"].version == 9
