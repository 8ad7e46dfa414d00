"""The index templates on a real OpenSearch: types, searches, and what no sender can break."""

from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
from opensearchpy import OpenSearch

from activity_center import node
from activity_center.assets import data_folder
from activity_center.connection import connect
from activity_center.streams import REJECTED_STREAM
from activity_center.vocabulary import Field, event_schema, fields, rejected_fields

VALID = jsonschema_rs.Draft202012Validator(event_schema(), validate_formats=True).is_valid


@dataclass(frozen=True, slots=True)
class Stream:
    """A data stream of this module alone."""

    client: OpenSearch
    name: str

    def bulk(self, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create the documents; return the answer of each."""
        body = "".join(f'{{"create":{{}}}}\n{json.dumps(one)}\n' for one in documents)
        answer = self.client.bulk(index=self.name, body=body, params={"refresh": "true"})
        return [item["create"] for item in answer["items"]]

    def add(self, document: dict[str, Any]) -> str:
        """Create a document, return its id."""
        (item,) = self.bulk([document])
        assert item["status"] == 201, item
        return str(item["_id"])

    def search(self, **body: Any) -> dict[str, Any]:
        """Search; fail when the answer is not whole."""
        answer: dict[str, Any] = self.client.search(index=self.name, body=body)
        assert answer["_shards"]["successful"] == answer["_shards"]["total"]
        return answer

    def found(self, query: dict[str, Any]) -> set[str]:
        """Ids of what a query finds."""
        hits = self.search(query=query, size=1000, _source=False)["hits"]["hits"]
        return {hit["_id"] for hit in hits}

    def mapping(self) -> dict[str, Any]:
        """The mapping of the only backing index."""
        (index,) = self.client.indices.get_mapping(index=self.name).values()
        return dict(index["mappings"])


def put_templates(client: OpenSearch) -> None:
    """Put the templates as they stand in the repository."""
    folder = data_folder("opensearch/templates")
    for file in sorted(folder.glob("component/*.json")):
        client.cluster.put_component_template(name=file.stem, body=json.loads(file.read_text()))
    for file in sorted(folder.glob("index/*.json")):
        client.indices.put_index_template(name=file.stem, body=json.loads(file.read_text()))


@pytest.fixture(scope="module")
def client() -> Iterator[OpenSearch]:
    """A client of a node of this module alone, with our templates in it.

    Not the shared one: streams that come and go would spoil other tests' searches.
    """
    name = f"templates-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with connect(node.start(name, fast=True).cluster) as made:
        put_templates(made)
        yield made
    node.wipe(name)


@pytest.fixture
def stream(client: OpenSearch) -> Iterator[Stream]:
    """An empty data stream, as an organization with streams of its own has them."""
    name = f"activity-audit-permanent-t{uuid.uuid4().hex}"
    client.indices.create_data_stream(name=name)
    yield Stream(client, name)
    client.indices.delete_data_stream(name=name)


def put(document: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Set a dotted field."""
    inner = document
    *parents, last = name.split(".")
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return document


def examples(known: Iterable[Field]) -> dict[str, Any]:
    """A document made of the examples of fields."""
    document: dict[str, Any] = {}
    for field in known:
        if not field.name.startswith("activity.changes."):
            put(document, field.name, copy.deepcopy(field.example))
    return document


def smallest() -> dict[str, Any]:
    """A document with the required fields alone."""
    return examples(field for field in fields().values() if field.required)


def mapped(mapping: dict[str, Any], name: str) -> dict[str, Any]:
    """The mapping of one dotted field."""
    for part in name.split("."):
        mapping = mapping["properties"][part]
    return mapping


def test_mapped_types(stream: Stream) -> None:
    """Each field has the type that the vocabulary declares; nothing else is mapped."""
    mapping = stream.mapping()
    for field in fields().values():
        found = mapped(mapping, field.name)
        if field.type == "object_disabled":
            assert (found["type"], found["enabled"]) == ("object", False)
        elif field.type == "object_array":
            assert set(found["properties"]) == {"field", "old", "new"}
        else:
            assert found["type"] == field.type, field.name
        subs = set(found.get("fields", {}))
        assert subs == {one for one in field.search if one != "caseless"}, field.name
        assert ("normalizer" in found) == ("caseless" in field.search)
    assert set(leaves(mapping)) == {
        one.name for one in fields().values() if one.type != "object_array"
    }
    assert mapping["dynamic"] == "false"


def leaves(mapping: dict[str, Any], path: str = "") -> Iterator[str]:
    """Dotted names of all fields in a mapping."""
    for name, child in mapping["properties"].items():
        if "properties" in child:
            yield from leaves(child, f"{path}{name}.")
        else:
            yield path + name


def query_for(field: Field) -> dict[str, Any] | None:
    """A query that finds the field's example, as its type promises; None: not searchable."""
    example = field.example[0] if field.many else field.example
    if field.type == "object_disabled" or not field.indexed:
        return None
    if field.type == "match_only_text":
        return {"match_phrase": {field.name: example}}
    if field.type == "flat_object":
        (leaf, value), *_ = example.items()
        return {"term": {f"{field.name}.{leaf}": value}}
    if field.type == "geo_point":
        return {"geo_distance": {"distance": "1m", field.name: example}}
    if field.type == "object_array":
        return {"term": {f"{field.name}.field": example["field"]}}
    return {"term": {field.name: example}}


def test_each_field_is_searchable_as_declared(stream: Stream) -> None:
    """Each field of a document is found by a query of its type; overflow is stored, not found."""
    document = examples(fields().values())
    assert VALID(document)
    id_ = stream.add(document)
    stream.add(smallest())
    for field in fields().values():
        query = query_for(field)
        if query is not None:
            assert id_ in stream.found(query), field.name
            if not field.required and field.name != "activity.lens":
                assert len(stream.found(query)) == 1, field.name
        else:
            assert stream.found({"exists": {"field": field.name}}) == set()
    hits = stream.search(query={"ids": {"values": [id_]}})["hits"]["hits"]
    assert hits[0]["_source"] == document


def test_each_field_is_aggregatable_as_declared(stream: Stream) -> None:
    """Facets, counts and sorting work on all but free text and free objects."""
    stream.add(examples(fields().values()))
    exact = [
        one
        for one in fields().values()
        if one.type in ("keyword", "date", "ip", "long", "double", "boolean")
    ]
    for start in range(0, len(exact), 50):
        part = exact[start : start + 50]
        aggs = {one.name.replace(".", "_"): {"terms": {"field": one.name}} for one in part}
        answer = stream.search(size=0, aggs=aggs)["aggregations"]
        for one in part:
            buckets = answer[one.name.replace(".", "_")]["buckets"]
            assert sum(bucket["doc_count"] for bucket in buckets) >= 1, one.name
    for one in exact:
        stream.search(size=1, sort=[{one.name: "desc"}])


def test_facets_in_the_original_spelling(stream: Stream) -> None:
    """A field that ignores case has its facets as people wrote them."""
    stream.add(put(put(smallest(), "user.name", "MiraK"), "user.full_name", "Mira Kovač"))
    aggs = {name: {"terms": {"field": f"user.{name}.original"}} for name in ("name", "full_name")}
    answer = stream.search(size=0, aggs=aggs)["aggregations"]
    assert [bucket["key"] for bucket in answer["name"]["buckets"]] == ["MiraK"]
    assert [bucket["key"] for bucket in answer["full_name"]["buckets"]] == ["Mira Kovač"]


@pytest.mark.parametrize(
    ("name", "stored", "asked"),
    [
        ("user.email", "Mira.Kovač@Northwind.example", "mira.KOVAČ@northwind.EXAMPLE"),
        ("user.name", "ŽIGA", "žiga"),
        ("user.full_name", "Ωmega Straße", "ωMEGA straße"),
        ("activity.resource.name", "Api-Prod-2", "API-PROD-2"),
        ("activity.approver.email", "Lena@Northwind.example", "LENA@NORTHWIND.EXAMPLE"),
        ("related.user", ["Mira", "usr_MK"], "USR_mk"),
    ],
)
def test_names_and_addresses_in_any_case(
    stream: Stream, name: str, stored: str | list[str], asked: str
) -> None:
    """Names and e-mail addresses are found in any case, beyond ASCII too."""
    id_ = stream.add(put(smallest(), name, stored))
    stream.add(put(smallest(), name, ["other"] if isinstance(stored, list) else "other"))
    assert stream.found({"term": {name: asked}}) == {id_}
    assert stream.found({"prefix": {name: asked[:3]}}) == {id_}


SUBSTRING = [one.name for one in fields().values() if "substring" in one.search]


@pytest.mark.parametrize("name", SUBSTRING)
def test_search_inside_values(stream: Stream, name: str) -> None:
    """Every part of a value, of any length and in any case, finds it, and only it."""
    value = "agent.RestartŽservice-9"
    id_ = stream.add(put(smallest(), name, value))
    stream.add(put(smallest(), name, "quite.other_Thing"))
    for length in (1, 2, 3, 4, 7, 12, len(value)):
        for start in range(0, len(value) - length + 1, 3):
            part = value[start : start + length]
            for asked in (part, part.lower(), part.upper()):
                found = stream.found({"wildcard": {f"{name}.substring": f"*{asked}*"}})
                assert id_ in found, asked
                assert length < 3 or found == {id_}, asked
    assert stream.found({"wildcard": {f"{name}.substring": "*restartserv*"}}) == set()


def test_substring_search_of_actions_scans_no_terms(stream: Stream) -> None:
    """A search inside ``event.action`` goes by its n-grams, not over all terms of the field."""
    for number in range(20):
        stream.add(put(smallest(), "event.action", f"thing{number}.restart_service"))
    answer = stream.search(
        query={"wildcard": {"event.action.substring": "*g7.rest*"}}, profile=True
    )
    assert answer["hits"]["total"]["value"] == 1
    (query,) = answer["profile"]["shards"][0]["searches"][0]["query"]
    assert query["type"] == "WildcardMatchingQuery"
    assert {child["type"] for child in query["children"]} == {"TermQuery"}


def test_an_action_keeps_its_spelling(stream: Stream) -> None:
    """An action is an exact name: filtered and counted as it is spelled."""
    id_ = stream.add(put(smallest(), "event.action", "agent.restartService"))
    assert stream.found({"term": {"event.action": "agent.restartService"}}) == {id_}
    assert stream.found({"term": {"event.action": "agent.restartservice"}}) == set()
    answer = stream.search(size=0, aggs={"all": {"terms": {"field": "event.action"}}})
    buckets = answer["aggregations"]["all"]["buckets"]
    assert [bucket["key"] for bucket in buckets] == ["agent.restartService"]


def edges(field: Field) -> list[Any]:
    """Values at the edge of what a field takes."""
    if field.values is not None:
        return list(field.values)
    if field.pattern is not None:
        return [field.example]
    length = field.max_length or 0
    long = ["\U0001f600" * length, "a" * length, "a " * (length // 2)]
    keys = {"": 1, ".a": 2, "a.": 3, "a..b": 4, "\u0000": None, "l": [1, {"x": []}]}
    early, late = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"
    return {
        "keyword": ["", " ", "\u0000", "\u202e", *long],
        "match_only_text": ["", "\u0000", *long],
        "date": [early, late, "2026-02-28T00:00:00-17:59"],
        "ip": ["::", "::ffff:1.2.3.4", "255.255.255.255", "2001:db8::1"],
        "long": [field.minimum or 0, 2**63 - 1],
        "double": [0, 0.1, 1.7976931348623157e308, 5e-324],
        "boolean": [True, False],
        "geo_point": [{"lat": -90, "lon": -180}, {"lat": 90.0, "lon": 180.0}],
        "flat_object": [{}, keys],
        "object_disabled": [{}, {"deep": [[[keys]]]}],
        "object_array": [{}, {"field": "", "old": "\U0001f600" * 100_000}],
    }[field.type]


def test_what_the_schema_takes_opensearch_takes(stream: Stream) -> None:
    """No document that the event's schema takes is refused by the mapping."""
    refused = []
    for field in fields().values():
        if field.name.startswith("activity.changes."):
            continue
        documents = []
        for value in edges(field):
            document = put(smallest(), field.name, [value, value] if field.many else value)
            assert VALID(document), (field.name, value)
            documents.append(document)
        answers = stream.bulk(documents)
        refused += [(field.name, one["error"]) for one in answers if one["status"] != 201]
    assert refused == []


def test_ten_thousand_keys_leave_the_mapping_alone(stream: Stream) -> None:
    """No number of unknown keys, at the top, in a group or in metadata, changes the mapping."""
    before = stream.mapping()
    many = {f"key{number}": number for number in range(10_000)}
    for place in ("", "user", "event", "activity", "activity.resource", "metadata", "labels"):
        document = inner = smallest()
        for part in place.split(".") if place else ():
            inner = inner.setdefault(part, {})
        inner.update(many)
        stream.add(document)
    assert stream.mapping() == before
    assert len(stream.found({"term": {"metadata.key9999": 9999}})) == 1
    assert stream.found({"term": {"user.key9999": 9999}}) == set()


@pytest.mark.parametrize(
    "bad",
    [
        {"user": "mira"},
        {"@timestamp": "yesterday"},
        {"source": {"ip": "host"}},
        {"metadata": "text"},
        {"event": {"sequence": "many"}},
        {"activity": {"catalogued": "perhaps"}},
        {"user": {"": 1}},
        {"metadata": {"long": "x" * 32_767}},
    ],
    ids=lambda bad: json.dumps(bad)[:30],
)
def test_a_bad_document_harms_no_other(stream: Stream, bad: dict[str, Any]) -> None:
    """What the mapping refuses is refused alone, by 400, and the mapping stays."""
    before = stream.mapping()
    answers = stream.bulk([smallest(), {**smallest(), **bad}, smallest()])
    assert [one["status"] for one in answers] == [201, 400, 201]
    assert stream.mapping() == before


def test_the_hash_can_be_asked_for_at_once(stream: Stream) -> None:
    """``_mget`` with ``_source_includes`` gives the stored hash before any refresh."""
    (backing,) = stream.client.indices.get(index=stream.name)
    digest = "ab" * 32
    document = put(smallest(), "event.hash", digest)
    stream.client.create(index=stream.name, id="one", body=document)
    answer = stream.client.mget(
        index=backing,
        body={"ids": ["one", "two"]},
        params={
            "_source_includes": "event.hash",
            "filter_path": "docs._id,docs.found,docs._source",
        },
    )
    assert answer["docs"] == [
        {"_id": "one", "found": True, "_source": {"event": {"hash": digest}}},
        {"_id": "two", "found": False},
    ]


def test_settings(stream: Stream) -> None:
    """One shard, a replica where a second node is, no sorted index, visible within seconds."""
    (index,) = stream.client.indices.get_settings(index=stream.name).values()
    found = index["settings"]["index"]
    wanted = {"number_of_shards": "1", "auto_expand_replicas": "0-1", "refresh_interval": "2s"}
    assert {name: found[name] for name in wanted} == wanted
    assert "sort" not in found


def test_rejected_records(client: OpenSearch) -> None:
    """A rejected record is found by reason, sender and any word of the record itself."""
    client.indices.create_data_stream(name=REJECTED_STREAM)
    document = examples(rejected_fields().values())
    word = f"word{uuid.uuid4().hex}"
    document["rejected"]["record"] = json.dumps({"event": {"action": word}, "x": "y" * 200_000})
    client.create(index=REJECTED_STREAM, id="one", body=document, params={"refresh": "true"})
    for query in (
        {"match": {"rejected.record": word}},
        {"query_string": {"query": word}},
        {"term": {"rejected.reason": "invalid"}},
        {"term": {"rejected.sender": "FLUENT-BIT-EU"}},
    ):
        hits = client.search(index=REJECTED_STREAM, body={"query": query})["hits"]["hits"]
        assert [hit["_id"] for hit in hits] == ["one"], query
