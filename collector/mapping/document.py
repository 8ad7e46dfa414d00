"""Reading ``source.yml``: YAML 1.2's plain scalars, a mark for every node, a schema check.

PyYAML reads YAML 1.1, where ``no`` is false, ``010`` is eight and ``2024-01-01`` a date.
A mapping is about the texts of other programs, so only ``true``, ``false``, ``null`` and
decimal numbers are special here (the core schema of YAML 1.2.2, section 10.3).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from activity_center.errors import SourceError

SCHEMA_FILE: Final = Path(__file__).with_name("source.schema.json")
MAX_BYTES: Final = 1 << 18
MAX_DEPTH: Final = 32
HINT: Final = "docs/sources.md explains every key"
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)
"""What PyYAML resolves plain nodes to; any other tag was written out."""

Place = tuple[str | int, ...]
"""Where in the document: keys and indexes from the top."""


class Mark(NamedTuple):
    """Line and column, both from 1."""

    line: int
    column: int


class Finding(NamedTuple):
    """One thing that is wrong with a mapping."""

    mark: Mark
    rule: str
    message: str


class Findings:
    """Collects what is wrong with one file, so that a writer sees all of it at once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.marks: dict[Place, Mark] = {}
        self._found: list[Finding] = []

    def add(self, place: Place, message: str) -> None:
        """Note that the rule at ``place`` is wrong."""
        self._found.append(Finding(self.mark(place), rule_name(place), message))

    def mark(self, place: Place) -> Mark:
        """Return the mark of ``place``, or of what holds it."""
        while place and place not in self.marks:
            place = place[:-1]
        return self.marks.get(place, Mark(1, 1))

    def check(self) -> None:
        """Raise if anything was found.

        Raises:
            SourceError: every finding with file, line, column and rule.
        """
        found = sorted(set(self._found))
        if not found:
            return
        lines = [
            f"{self.file}:{one.mark.line}:{one.mark.column}: {one.rule}: {one.message}"
            for one in found
        ]
        if len(lines) == 1:
            one = found[0]
            where = f"{self.file}:{one.mark.line}:{one.mark.column}: {one.rule}"
            raise SourceError(one.message, where=where, hint=HINT)
        text = f"{len(lines)} findings\n  " + "\n  ".join(lines)
        raise SourceError(text, where=str(self.file), hint=HINT)


def rule_name(place: Place) -> str:
    """Return how messages name a place: ``fields/event.action/convert/0``."""
    return "/".join(str(part) for part in place) or "(top)"


def read(file: Path) -> tuple[dict[str, Any], Findings]:
    """Return the document, checked against the schema, and its marks.

    Raises:
        SourceError: it cannot be read, is no YAML, or breaks the schema.
    """
    findings = Findings(file)
    node = _compose(file)
    if node is None:
        raise SourceError("the file is empty", where=f"{file}:1:1: (top)", hint=HINT)
    document = _build(node, (), findings, set())
    findings.check()
    for error in _validator().iter_errors(document):
        _explain(error, findings)
    findings.check()
    result: dict[str, Any] = document
    return result, findings


def _compose(file: Path) -> yaml.Node | None:
    where = str(file)
    try:
        data = file.read_bytes()
    except OSError as wrong:
        raise SourceError(f"cannot read it: {wrong.strerror}", where=where) from wrong
    if len(data) > MAX_BYTES:
        raise SourceError(f"larger than {MAX_BYTES} bytes", where=where)
    try:
        return yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as wrong:
        raise SourceError(f"not UTF-8: {wrong.reason}", where=where) from wrong
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        if mark is not None:
            where = f"{file}:{mark.line + 1}:{mark.column + 1}"
        problem = getattr(wrong, "problem", None) or getattr(wrong, "reason", None) or "unreadable"
        raise SourceError(f"not YAML: {problem}", where=where) from wrong
    except RecursionError as wrong:
        raise SourceError("nested too deep", where=where) from wrong


def _build(node: yaml.Node, place: Place, findings: Findings, seen: set[int]) -> Any:
    """Turn a node into plain values; note the mark of each."""
    findings.marks[place] = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in seen:
        findings.add(place, "aliases (*name) are not used here; see let and lookups")
        return None
    seen.add(id(node))
    if len(place) > MAX_DEPTH:
        findings.add(place, f"nested deeper than {MAX_DEPTH} levels")
        return None
    if node.tag not in _TAGS:
        findings.add(place, f"tags ({node.tag}) are not used here")
        return None
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                findings.add(place, "a key must be a text")
                continue
            inner = (*place, key.value)
            if key.value in result:
                findings.marks[inner] = _mark(key)
                findings.add(inner, f"the key {key.value!r} stands twice")
                continue
            result[key.value] = _build(child, inner, findings, seen)
            findings.marks[inner] = _mark(key)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(child, (*place, index), findings, seen) for index, child in enumerate(node.value)
        ]
    return _scalar(node)


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if getattr(node, "style", None) is not None:  # quoted, or a block
        return text
    if text in ("null", "~", ""):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) < 40:
        return float(text)
    return text


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _explain(error: ValidationError, findings: Findings) -> None:
    """Add a schema error in words that help the writer of a mapping."""
    place = tuple(error.absolute_path)
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "additionalProperties" and isinstance(value, Mapping):
        known = schema.get("properties", {})
        for key in value:
            if key not in known:
                findings.add((*place, key), _unknown(key, known))
    elif error.validator == "required":
        for key in wanted:
            if key not in value:
                findings.add(place, f"the key {key!r} is missing")
    elif error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        findings.add(place, f"must be {' or '.join(_KINDS[kind] for kind in kinds)}")
    elif error.validator == "enum":
        findings.add(place, f"{value!r} is none of {', '.join(map(str, wanted))}")
    elif error.validator in ("minProperties", "minItems", "minLength"):
        findings.add(place, "must not be empty" if wanted == 1 else f"needs at least {wanted}")
    elif error.validator == "propertyNames":
        bad = error.message if error.context is None else str(value)
        findings.add(place, f"a name here is lower case letters, digits and _: {bad}")
    else:
        findings.add(place, _described(error))


def _described(error: ValidationError) -> str:
    words = error.schema.get("description") if isinstance(error.schema, Mapping) else None
    return f"{error.message} ({words})" if words else error.message


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    return f"unknown key {key!r}" + suggestion(key, known)


def suggestion(name: str, known: Mapping[str, Any] | Iterator[str] | list[str]) -> str:
    """Return `` (did you mean ...)`` for the nearest known name, or the few that there are."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f" (did you mean {near[0]!r}?)"
    return f" (known: {', '.join(sorted(names))})" if len(names) <= 24 else ""


_KINDS: Final = {
    "string": "a text",
    "object": "a mapping",
    "array": "a list",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
