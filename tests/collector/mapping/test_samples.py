"""The tester of mappings: what passes, what fails, what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activity_center.errors import SourceError
from collector.mapping import Source, check_samples, unreached

Mapping = Callable[[str], Source]
BODY = """
ignore: [{when: {path: k, equals: noise}, reason: noise}]
fields: {message: m, event.reason: r}
"""


def _sample(source: Source, name: str, text: str) -> Path:
    folder = source.folder / "samples"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_update_then_pass_then_fail(mapping: Mapping) -> None:
    """Without expected output it fails; update writes it; a changed mapping shows the lines."""
    source = mapping(BODY)
    _sample(source, "a.ndjson", '{"m": 1}\n\n{"k": "noise"}\n')
    _sample(source, "b.json", '[{"m": 2}]')
    first, _ = check_samples(source)
    assert not first.passed
    assert '+        "message": 1,' in first.difference or '"message": 1' in first.difference
    assert all(one.passed for one in check_samples(source, update=True))
    results = check_samples(source)
    assert [one.passed for one in results] == [True, True]
    assert [one.records for one in results] == [2, 1]
    assert json.loads(results[0].expected.read_text())[1] == {"ignored": "noise"}
    changed = mapping(BODY.replace("message: m", "message: {value: other}"))
    assert any('+        "message": "other"' in one.difference for one in check_samples(changed))


def test_unreached_names_what_no_sample_shows(mapping: Mapping) -> None:
    """Fields that are never set and reasons that are never given are named."""
    source = mapping(BODY)
    _sample(source, "a.json", '{"m": 1}')
    results = check_samples(source, update=True)
    assert unreached(source, results) == ["field event.reason", "reason 'noise'"]


def test_later_stages_and_volatile_fields(mapping: Mapping) -> None:
    """What is compared can be the result of later stages, less fields that always differ."""
    source = mapping(BODY)
    _sample(source, "a.json", '{"m": 1}')
    calls: list[str] = []

    def finish(one: Source, record: dict[str, Any]) -> dict[str, Any]:
        calls.append(one.name)
        assert record == {"m": 1}
        return {"documents": [{"event": {"hash": len(calls), "ingested": 1, "id": "x"}}]}

    check_samples(source, finish=finish, update=True)
    (result,) = check_samples(source, finish=finish)
    assert result.passed
    assert result.actual == [{"documents": [{"event": {"id": "x"}}]}]
    assert calls == ["mine", "mine"]


@pytest.mark.parametrize("text", ['{"m": 1}\n{"m"', "[1,"])
def test_broken_sample(mapping: Mapping, text: str) -> None:
    """A sample that is no JSON is an error that names file and line."""
    source = mapping(BODY)
    path = _sample(source, "a.ndjson", text)
    with pytest.raises(SourceError) as caught:
        check_samples(source)
    assert f"{path}:{text.count(chr(10)) + 1}: not JSON" in str(caught.value)


def test_no_samples(mapping: Mapping) -> None:
    """A mapping without samples fails, and is told where they go."""
    with pytest.raises(SourceError, match="no samples"):
        check_samples(mapping(BODY))
