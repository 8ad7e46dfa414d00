"""Generated functions: no text of a mapping is in them, and none of it is executed."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest

from activity_center.errors import SourceError
from collector.mapping import Source, load, load_all
from collector.mapping.writer import Code

Mapping = Callable[[str], Source]
EVERYTHING = load(Path(__file__).with_name("everything"))
HOSTILE = [
    "__import__('os').system('touch {marker}')",
    "'); __import__('os').system('touch {marker}') #",
    '"""\\n__import__("os").system("touch {marker}")\\n"""',
    "{{__import__('os').system('touch {marker}')}}",
    "x\\n    open('{marker}', 'w')",
    "K1",
    "record",
]


def _names(source: Source) -> set[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source.code).readline)
    kinds = {tokenize.STRING}
    found = set()
    for token in tokens:
        assert token.type not in kinds, f"text in generated code: {token.string}"
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            found.add(token.string)
    return found


@pytest.mark.parametrize("source", [*load_all().values(), EVERYTHING], ids=lambda one: one.name)
def test_only_counted_names(source: Source) -> None:
    """Generated code holds no text, and no name but ours, counted names and methods."""
    ours = set(Code().namespace) | {"run", "scrub", "test", "record", "take", "stamp", "split"}
    ours |= {"metadata_of", "None"}
    methods = {"get", "pop", "copy", "append", "startswith", "endswith"}
    counted = {name for name in _names(source) if name[1:].isdigit() and name[0].isalpha()}
    assert _names(source) - ours - methods - counted == set()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_texts(mapping: Mapping, tmp_path: Path, text: str) -> None:
    """Python in keys, constants, tables, templates and reasons is never run."""
    marker = tmp_path / "ran"
    bad = text.replace("{marker}", str(marker)).replace("{{", "").replace("}}", "")
    quoted = "'" + bad.replace("'", "''") + "'"
    key = bad.replace('"', "").replace("\\", "")
    path = "'\"" + key.replace("'", "''") + "\"'"
    source = mapping(
        f"""
ignore: [{{when: {{path: {path}, equals: {quoted}}}, reason: {quoted}}}]
drop: [{path}]
lookups: {{t: {{{quoted}: {quoted}}}}}
fields:
  message: {{path: {path}, convert: {{split: {quoted}}}, default: {quoted}}}
  event.reason: {{path: a, lookup: t}}
  event.code: {{value: {quoted}}}
  metadata.x: {{path: b, when: {{path: c, prefix: {quoted}}}}}
"""
    )
    (activity,) = source.map({"a": bad, "b": 1, "c": bad, key: "z"})
    assert activity["event"]["code"] == bad  # type: ignore[index]
    assert source.map({key: bad}) == bad
    assert not marker.exists()
    assert bad not in source.code or bad in ("K1", "record")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "!custom x",
        "!!binary aGk=",
    ],
)
def test_yaml_tags_make_nothing(mapping: Mapping, text: str) -> None:
    """YAML tags construct no objects: they are refused."""
    with pytest.raises(SourceError, match="are not used here"):
        mapping(f"fields:\n  message:\n    value: {text}\n")


def test_patterns_are_linear(mapping: Mapping) -> None:
    """A pattern that takes a backtracking engine forever is done at once."""
    source = mapping("fields:\n  message: {path: a, match: '^(?P<x>(?:a+)+)$'}\n")
    text = "a" * 16_000 + "b"
    (activity,) = source.map({"a": text})  # a backtracking engine never comes back
    assert "message" not in activity  # type: ignore[operator]


def test_yaml_plain_scalars_follow_yaml_1_2(mapping: Mapping) -> None:
    """``no``, ``010`` and dates are texts and numbers as they look, not YAML 1.1's surprises."""
    source = mapping(
        """
lookups: {t: {no: nope, on: lit, 010: ten, 2024-01-01: day}}
fields:
  message: {path: a, lookup: t}
  event.code: {value: no}
  event.reason: {value: 2024-01-01}
  labels.number: {value: 010}
"""
    )
    for key, wanted in {"no": "nope", "on": "lit", "010": "ten", "2024-01-01": "day"}.items():
        (activity,) = source.map({"a": key})
        assert activity["message"] == wanted  # type: ignore[index]
        assert activity["event"] == {"code": "no", "reason": "2024-01-01", "module": "mine"}  # type: ignore[index]
        assert activity["labels"] == {"number": 10}  # type: ignore[index]
