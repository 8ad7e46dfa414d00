"""Retention policies: right by the plugin's schema, by their class, and for data streams."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from activity_center.assets import data_folder
from activity_center.errors import VocabularyError
from activity_center.policies import duration, parse, patterns, policies, size
from activity_center.vocabulary import retention_classes

FOLDER = data_folder("opensearch")
SCHEMA = Draft202012Validator(json.loads((FOLDER / "policy.schema.json").read_text()))
CLASSES = list(retention_classes())


def body(name: str = "standard-90d") -> dict[str, Any]:
    """The content of a policy's file."""
    content: dict[str, Any] = json.loads((FOLDER / "policies" / f"{name}.json").read_text())
    return content


@pytest.mark.parametrize("name", CLASSES)
def test_every_policy_fits_the_schema(name: str) -> None:
    """What is sent to ISM is what its documentation describes."""
    Draft202012Validator.check_schema(SCHEMA.schema)
    assert [one.message for one in SCHEMA.iter_errors(body(name))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("states", 0, "actions", 0), {"shrink": {"num_new_shards": 1}}),
        (("states", 0, "actions", 0), {"rollover": {"min_index_age": "ten days"}}),
        (("states", 0, "actions", 0), {"rollover": {"copy_alias": True}}),
        (("states", 0, "actions", 0), {"rollover": {"min_doc_count": 5}, "delete": {}}),
        (("states", 1, "actions", 1), {"force_merge": {}}),
        (("states", 2, "actions", 0), {"snapshot": {"repository": "r"}}),
        (("states", 2, "actions", 0), {"snapshot": {"repository": "r", "snapshot": "A b"}}),
        (("states", 1, "transitions", 0), {"conditions": {"min_rollover_age": "60d"}}),
        (
            ("states", 1, "transitions", 0, "conditions"),
            {"min_rollover_age": "60d", "min_index_age": "1d"},
        ),
        (("ism_template", 0, "index_patterns"), ["*"]),
        (("default_state",), None),
        (("error",), "x"),
    ],
)
def test_the_schema_refuses(path: tuple[Any, ...], value: Any) -> None:
    """What ISM would refuse, or what a data stream cannot stand, does not pass."""
    changed = body()
    place: Any = changed["policy"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert list(SCHEMA.iter_errors(changed))


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_keeps_its_promise(name: str) -> None:
    """Deletion comes after the class's days, counted from rollover; or never."""
    policy, days = policies()[name], retention_classes()[name].days
    assert policy.keeps == (None if days is None else timedelta(days=days))
    hot = policy.states[policy.first]
    assert [one.kind for one in hot.actions] == ["rollover"]
    assert set(hot.actions[0].parameters) == {"min_index_age", "min_size", "min_doc_count"}


def test_what_is_long_searchable_is_archived_first() -> None:
    """The 30 days' class and the permanent one have no archive; the others do."""
    assert {name for name, one in policies().items() if one.repository is None} == {
        "standard-30d",
        "permanent",
    }


def test_patterns_take_no_stream_of_another_class() -> None:
    """No pattern of a class matches a stream of another one, not even of an organization's own.

    An organization may be called like a class.
    """
    from fnmatch import fnmatchcase

    from activity_center.streams import LENSES, stream_name

    names = {
        stream_name(lens, name, organization): name
        for lens in LENSES
        for name in CLASSES
        for organization in (None, "northwind", "permanent", "30d", "standard")
    }
    for stream, owner in names.items():
        takers = {name for name in CLASSES for one in patterns(name) if fnmatchcase(stream, one)}
        assert takers == {owner}


def shorter(policy: dict[str, Any]) -> None:
    """Delete too early."""
    policy["states"][2]["transitions"][0]["conditions"] = {"min_rollover_age": "89d"}


def by_creation(policy: dict[str, Any]) -> None:
    """Delete by the age of the index, so its youngest entries go early."""
    policy["states"][2]["transitions"][0]["conditions"] = {"min_index_age": "90d"}


def catching_all(policy: dict[str, Any]) -> None:
    """A pattern that takes streams of other classes."""
    policy["ism_template"][0]["index_patterns"] = ["activity-*-standard-90d*"]


def without_rollover(policy: dict[str, Any]) -> None:
    """A delete policy that fails on the write index."""
    policy["states"][0]["actions"] = []


def nowhere(policy: dict[str, Any]) -> None:
    """A transition to a state that is not there."""
    policy["states"][1]["transitions"][0]["state_name"] = "cold"


def unmarked(policy: dict[str, Any]) -> None:
    """Nothing says whose it is."""
    policy["description"] = "my policy"


def beyond_us(policy: dict[str, Any]) -> None:
    """An action that only ISM can do."""
    policy["states"][1]["actions"].append({"notification": {"destination": {}}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shorter, "retention.yml says 90 days"),
        (by_creation, "min_rollover_age"),
        (catching_all, "ism_template must name"),
        (without_rollover, "first action must be rollover"),
        (nowhere, "leads to cold"),
        (unmarked, "description"),
        (beyond_us, "cannot be carried out"),
    ],
)
def test_a_policy_that_breaks_its_promise_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    """Each way to break it is named when the files are read."""
    for name in CLASSES:
        content = body(name)
        if name == "standard-90d":
            change(content["policy"])
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(VocabularyError, match=words):
        policies(tmp_path)


def test_classes_and_files_are_the_same(tmp_path: Path) -> None:
    """A class without a policy would keep nothing of its promise."""
    for name in CLASSES[1:]:
        (tmp_path / f"{name}.json").write_text(json.dumps(body(name)))
    with pytest.raises(VocabularyError, match=CLASSES[0]):
        policies(tmp_path)
    (tmp_path / f"{CLASSES[0]}.json").write_text("[]")
    with pytest.raises(VocabularyError, match="not readable"):
        policies(tmp_path)


def test_quantities() -> None:
    """Units are those of OpenSearch; anything else is our own error."""
    assert duration("36h") == timedelta(days=1.5)
    assert size("30gb") == 30 * 2**30
    for wrong in ("30", "d", "-1d", "1.5d", "30 d", "9" * 20 + "d"):
        with pytest.raises(VocabularyError):
            duration(wrong)
    assert parse("permanent", body("permanent")).keeps is None
