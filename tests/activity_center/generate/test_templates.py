"""Templates as data: what must hold before OpenSearch sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import pytest

from activity_center.assets import data_folder
from activity_center.errors import VocabularyError
from activity_center.generate.templates import DEFAULT_FIELDS, REJECTED_DEFAULT_FIELDS
from activity_center.generate.tree import tree
from activity_center.streams import (
    ALERTS_STREAM,
    LENSES,
    REJECTED_STREAM,
    STATE_INDEX,
    stream_name,
)
from activity_center.vocabulary import (
    TEMPLATE_VERSION,
    Field,
    fields,
    rejected_fields,
    retention_classes,
)

FOLDER = data_folder("opensearch/templates")
COMPONENTS = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("component/*.json")}
INDEX = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("index/*.json")}
META = {"owner": "activity-center", "version": TEMPLATE_VERSION}


def keys(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from keys(child)


def test_one_template_per_lens_for_rejected_and_for_alerts() -> None:
    """There is a template for each lens, rejected records and alerts, each for data streams."""
    others = {REJECTED_STREAM, ALERTS_STREAM}
    assert set(INDEX) == {*(f"activity-{lens}" for lens in LENSES), *others}
    for template in INDEX.values():
        assert template["data_stream"] == {}
        assert template["priority"] == 500
        assert set(template["composed_of"]) <= set(COMPONENTS)


@pytest.mark.parametrize("template", [*COMPONENTS.values(), *INDEX.values()])
def test_owner_and_version(template: dict[str, Any]) -> None:
    """Everything that we own says so, with its version."""
    assert template["_meta"] == META
    assert template["version"] == TEMPLATE_VERSION


def test_backing_indices_carry_the_version() -> None:
    """The mapping carries owner and version, so a backing index tells what it was made by."""
    for name in ("activity-mappings", "activity-rejected-mappings", "activity-alerts-mappings"):
        assert COMPONENTS[name]["template"]["mappings"]["_meta"] == META


def test_each_stream_has_exactly_one_template() -> None:
    """Each stream that can be is matched by one pattern; the state index by none."""
    patterns = [pattern for template in INDEX.values() for pattern in template["index_patterns"]]
    for lens in LENSES:
        for name in retention_classes():
            for organization in (None, "northwind", "permanent"):
                stream = stream_name(lens, name, organization)
                assert [one for one in patterns if fnmatch(stream, one)] == [f"activity-{lens}-*"]
    for stream in (REJECTED_STREAM, ALERTS_STREAM):
        assert [one for one in patterns if fnmatch(stream, one)] == [stream]
    for other in (STATE_INDEX, "activity-center-x"):
        assert not any(fnmatch(other, one) for one in patterns)


def test_no_sorted_index() -> None:
    """No ``index.sort``: such an index cannot be restored from a snapshot on 3.3 and 3.4."""
    for template in [*COMPONENTS.values(), *INDEX.values()]:
        assert not [key for key in keys(template) if key == "sort" or key.startswith("index.sort")]


def test_no_mapping_grows() -> None:
    """Dynamic mapping is off at the root and switched on again nowhere."""
    for name in ("activity-mappings", "activity-rejected-mappings", "activity-alerts-mappings"):
        mappings = COMPONENTS[name]["template"]["mappings"]
        assert mappings["dynamic"] is False
        assert list(keys(mappings)).count("dynamic") == 1


def test_shards_and_replicas_are_set_once() -> None:
    """Shards and replicas stand in the settings component alone, so that they change in one."""
    for name, template in {**COMPONENTS, **INDEX}.items():
        found = {"number_of_shards", "auto_expand_replicas", "codec"} & set(keys(template))
        assert bool(found) == (name == "activity-settings")


def test_a_query_without_a_field_looks_at_fields_that_exist() -> None:
    """The default fields of a query exist, and none is of type wildcard.

    ``query_string`` finds nothing in a ``wildcard`` field for four characters or more.
    """
    for names, known in (
        (DEFAULT_FIELDS, fields()),
        (REJECTED_DEFAULT_FIELDS, rejected_fields()),
    ):
        assert set(names) <= set(known)
        assert {known[name].type for name in names} <= {"keyword", "match_only_text"}


def test_a_field_below_a_value_is_refused() -> None:
    """A field below one that is a value cannot be mapped: our error, with both names."""
    above = Field("a.b", "keyword", "x", "one", "v")
    below = Field("a.b.c", "keyword", "x", "two", "v")
    with pytest.raises(VocabularyError, match=r"a\.b\.c stands below a\.b"):
        tree([above, below])
