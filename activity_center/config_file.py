"""Reading a YAML file with the line of every node, environment and schema check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from activity_center.errors import ConfigError

SCHEMA_FILE: Final = Path(__file__).with_name("config.schema.json")
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRETS: Final = frozenset({"password", "api_token", "shared_key", "token"})
Lines = dict[tuple[str | int, ...], int]


def read(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the checked document with ``${NAME}`` and ``${NAME:-default}`` filled in.

    Raises:
        ConfigError: every finding, each with ``file:line: path``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as wrong:
        raise ConfigError(
            f"cannot read it: {wrong.strerror}",
            where=str(path),
            hint="docs/configuration.md has a complete example",
        ) from wrong
    except UnicodeDecodeError as wrong:
        raise ConfigError(f"not UTF-8: {wrong.reason}", where=str(path)) from wrong
    lines: Lines = {}
    findings: list[str] = []
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"not YAML: {getattr(wrong, 'problem', wrong)}", where=where) from wrong
    except RecursionError as wrong:
        raise ConfigError("nested too deep", where=str(path)) from wrong
    document = {} if document is None else document
    if node is not None:
        findings += [f"{path}:{line}: {text_}" for line, text_ in _mark(node, (), lines)]
    document = _fill(document, (), environment, lines, path, findings)
    for error in sorted(_validator().iter_errors(document), key=lambda one: list(one.path)):
        found = _deepest(error)
        place = tuple(found.absolute_path)
        shown = ".".join(str(part) for part in place) or "(top)"
        findings.append(f"{path}:{_line(lines, place)}: {shown}: {_words(found, place)}")
    if findings:
        head = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
        raise ConfigError(
            head + "\n  " + "\n  ".join(findings),
            where=str(path),
            hint="docs/configuration.md names every key",
        )
    return document if isinstance(document, dict) else {}


def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _deepest(error: ValidationError) -> ValidationError:
    """Of an ``oneOf`` take the branch that tells most."""
    return (best_match(error.context) or error) if error.context else error


def _words(error: ValidationError, place: tuple[str | int, ...]) -> str:
    """The finding, without repeating a secret."""
    if place and place[-1] in _SECRETS:
        return f"does not satisfy {error.validator}: {error.validator_value!r}"
    return error.message


def _line(lines: Lines, place: tuple[str | int, ...]) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _mark(node: yaml.Node, place: tuple[str | int, ...], lines: Lines) -> Iterator[tuple[int, str]]:
    """Note the line of every node; yield keys that stand twice (YAML keeps the last)."""
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, f"the key {key.value!r} stands twice"
            seen.add(key.value)
            yield from _mark(value, (*place, key.value), lines)
            lines[(*place, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _mark(value, (*place, index), lines)


def _fill(
    value: Any,
    place: tuple[str | int, ...],
    environment: Mapping[str, str],
    lines: Lines,
    path: Path,
    findings: list[str],
) -> Any:
    """Replace variables in strings; a secret must be one, never plain text."""
    if isinstance(value, dict):
        return {
            key: _fill(child, (*place, key), environment, lines, path, findings)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [
            _fill(child, (*place, index), environment, lines, path, findings)
            for index, child in enumerate(value)
        ]
    if not isinstance(value, str):
        return value
    shown = f"{path}:{_line(lines, place)}: {'.'.join(str(part) for part in place)}"
    if place and place[-1] in _SECRETS and not _VARIABLE.fullmatch(value):
        findings.append(
            f"{shown}: a secret stands here as plain text; use ${{ENV}} or {place[-1]}_file"
        )
        return "hidden"

    def variable(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name in environment:
            return environment[name]
        if default is None:
            findings.append(f"{shown}: the environment variable {name} is not set")
            return match.group(0)
        return str(default)

    return _VARIABLE.sub(variable, value)
