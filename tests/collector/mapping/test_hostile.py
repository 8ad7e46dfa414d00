"""Arbitrary records into real mappings: nothing raises, nothing is lost, nothing is shared."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.mapping import Source, load, load_all

EVERYTHING = load(Path(__file__).with_name("everything"))
SOURCES = {**load_all(), "everything": EVERYTHING}
CHOOSY = {"claude-code", "otel-genai"}
"""Sources that take what is theirs of all that OpenTelemetry carries, and refuse the rest."""
_TOKEN = re.compile(r"leaf\d+x")


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value that is no container."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
        else:
            yield one


def containers(value: Any) -> Iterator[int]:
    """Yield the identity of every dict and list inside ``value``."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, (dict, list)):
            yield id(one)
            stack.extend(one.values() if isinstance(one, dict) else one)


def _words(value: Any) -> set[str]:
    """Keys and constants that the mapping's file names, to hit its branches."""
    found: set[str] = set()
    for leaf in leaves(value):
        if isinstance(leaf, str):
            found.update(re.findall(r"[A-Za-z@_][\w@/-]*(?:\.[\w/]+)*", leaf))
            found.update(part for word in list(found) for part in word.split("."))
    return {word for word in found if word}


def _records(source: Source) -> st.SearchStrategy[dict[Any, Any]]:
    words = sorted(_words(source.document))
    if source.takes_vocabulary:
        words += ["event", "action", "user", "name", "id", "activity", "new_value", "resource"]
        words += ["event.action", "user.name", "activity.new_value.x", "event.module", "metadata"]
    keys = st.sampled_from(words) | st.sampled_from(["", ".", ".a", "a..b", "x.y", "event.", "é"])
    leaf = (
        st.just("LEAF")
        | st.just("LEAF")
        | st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from([*words, "10.0.0.1:80", '{"path": "LEAF"}', "[1", "\ud800", "5"])
    )
    value = st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=30,
    )
    return st.dictionaries(keys, value, max_size=9)


def _numbered(value: Any) -> Any:
    """Give every leaf marked LEAF a text of its own."""
    count = 0

    def walk(one: Any) -> Any:
        nonlocal count
        if isinstance(one, dict):
            return {key: walk(child) for key, child in one.items()}
        if isinstance(one, list):
            return [walk(child) for child in one]
        if isinstance(one, str) and "LEAF" in one:
            count += 1
            return one.replace("LEAF", f"leaf{count}x")
        return one

    return walk(value)


def _tokens(value: Any) -> set[str]:
    return {
        token
        for leaf in leaves(value)
        if isinstance(leaf, str)
        for token in _TOKEN.findall(leaf.lower())
    }


@pytest.mark.parametrize("name", sorted(SOURCES))
@given(data=st.data())
@settings(max_examples=250, suppress_health_check=list(HealthCheck), deadline=None)
def test_nothing_is_lost(name: str, data: st.DataObject) -> None:
    """Each leaf of a record is in its activities, unless drop or redact took it."""
    source = SOURCES[name]
    record = _numbered(data.draw(_records(source)))
    before = copy.deepcopy(record)
    mapped = source.map(record, "some.tag", 1)
    assert record == before, "the record was changed"
    if isinstance(mapped, str):
        assert mapped in source.reasons
        return
    assert mapped
    ignored = getattr(mapped, "ignored", ())
    if not ignored:
        declared = _tokens(_without_discarded(source, source.scrub(record)))
        assert declared <= _tokens(list(mapped))
    seen: set[int] = set()
    for activity in mapped:
        own = list(containers(activity))
        assert len(own) == len(set(own)), "two places of an activity share a part"
        assert not seen & set(own), "two activities share a part"
        seen.update(own)


def _without_discarded(source: Source, record: dict[Any, Any]) -> dict[Any, Any]:
    """The mapping ``everything`` has one rule with ``keep: false`` that may lose text."""
    if source is not EVERYTHING:
        return record

    def walk(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: walk(child) for key, child in one.items() if key != "peer"}
        return [walk(child) for child in one] if isinstance(one, list) else one

    result: dict[Any, Any] = walk(record)
    return result


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize(
    "record",
    [
        {},
        {1: 2, None: 3, b"k": 4, ("a",): 5, False: 6},
        {"": "", ".": 1, "a..b": 2, "event": {"": 1, 5: 6}},
        {"event": "text", "user": ["list"], "activity": 5, "metadata": "text"},
        {"items": [1, "a", None, []], "objectRef": [], "annotations": "x", "user": {"extra": 4}},
        {"items": {"a": 1}, "audit_rest_request_headers": "x", "audit_trace_indices": {"a": 1}},
        {"a" + ".b" * 5000: 1, "metadata" + ".x" * 12: {"y": 1}},
    ],
)
def test_odd_shapes(name: str, record: dict[Any, Any]) -> None:
    """Odd keys and values of the wrong kind raise nothing and stay; a source that is one kind of
    record in a stream of many says that this is none of its."""
    mapped = SOURCES[name].map(record)
    if name in CHOOSY:
        assert mapped in SOURCES[name].reasons
        return
    assert isinstance(mapped, list)
    kept = list(leaves(mapped))
    for leaf in leaves(record):
        assert leaf in kept


def test_deep_records_do_not_recurse() -> None:
    """A record nested deeper than Python's stack is mapped like any other."""
    deep: Any = "leaf"
    for _ in range(20_000):
        deep = {"a": [deep]}
    for name, source in SOURCES.items():
        for key in ("requestObject", "metadata", "audit_request_body", "targets", "x"):
            mapped = source.map({"verb": "create", "format": "everything", key: deep})
            assert mapped in source.reasons if name in CHOOSY else isinstance(mapped, list), name


@pytest.mark.parametrize("record", ["text", None, 5, [1], b"x"])
def test_no_record_at_all(record: Any) -> None:
    """What is no object is kept whole under metadata."""
    for source in SOURCES.values():
        assert source.map(record) == [{"metadata": {"record": record}}]
