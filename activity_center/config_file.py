"""Reading a YAML file with the line of every node, environment and schema check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from activity_center import config_words
from activity_center.config_words import SECRETS, Place
from activity_center.errors import ENCODING, SYNTAX, ActivityCenterError, ConfigError

SCHEMA_FILE: Final = Path(__file__).with_name("config.schema.json")
MAX_NODES: Final = 200_000
"""Of a document with its anchors expanded; a few lines of YAML can expand to billions."""
_NEEDED: Final = frozenset(
    {"bind", "name", "certificate", "key", "id", "person", "role", "permissions"}
    | {"issuer", "audience", "algorithms", "client_id", "peers"}
)
"""Required keys: a wrong text stays in the document so that the later checks see the rest."""
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
Lines = dict[Place, int]
ValueT = TypeVar("ValueT")
DocumentT = TypeVar("DocumentT", dict[str, Any], list[Any])


class Findings:
    """What is wrong with a file, from all stages of checking, each with its line.

    Args:
        path: the file.

    Attributes:
        lines: the line of every node, from 1.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self.lines: Lines = {}
        self._found: list[tuple[str, int, str]] = []
        self._places: list[Place] = []

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._found)

    def add(self, place: Place, words: str) -> None:
        """Note something that is wrong at a place of the document."""
        shown = ".".join(str(part) for part in place) or "(top)"
        line = _line(self.lines, place)
        self._found.append((self.path, line, f"{self.stands(place)}: {shown}: {words}"))
        self.mark(place)

    def stands(self, place: Place) -> str:
        """``file:line`` of a place."""
        return f"{self.path}:{_line(self.lines, place)}"

    def mark(self, place: Place) -> None:
        """Treat ``place`` as wrong without a finding of its own."""
        self._places.append(place)

    def beside(self, path: str) -> Findings:
        """Return findings of a further file; they are reported together with these."""
        other = Findings(path)
        other._found = self._found
        return other

    def within(self, place: Place) -> bool:
        """Whether something at ``place`` or below it is wrong."""
        return any(one[: len(place)] == place for one in self._places)

    def follow(self, place: Place, words: str | ActivityCenterError) -> None:
        """Note a contradiction, unless something within ``place`` is wrong already.

        Then it may only follow from that: a listener whose ``sender`` is spelled wrong has none.
        """
        if self.within(place):
            return
        if isinstance(words, ActivityCenterError):
            words = str(words).replace("\n", "\n  ")
        self.add(place, words)

    def check(self, value: ValueT | None) -> ValueT:
        """Return what was made of the file, or raise what was found.

        Raises:
            ConfigError: every finding in the order of lines, each with ``file:line: place``.
        """
        if value is not None and not self._found:
            return value
        raise ConfigError(
            self.text(), where=self.path, hint="docs/configuration.md names every key"
        )

    def text(self) -> str:
        """Every finding in the order of lines, each with ``file:line: place``; first how many."""
        head = f"{len(self._found)} finding{'s' if len(self._found) > 1 else ''}"
        ordered = sorted(self._found, key=lambda one: (one[0] != self.path, *one[:2]))
        return "\n  ".join([head, *(text for _, _, text in ordered)])


def read(path: Path, environment: Mapping[str, str]) -> tuple[dict[str, Any] | None, Findings]:
    """Return the document with ``${NAME}`` and ``${NAME:-default}`` filled in, and the findings.

    What the schema refuses is left out of the document, so that further checks can look at
    the rest; ``None`` where too little is left.

    Raises:
        ConfigError: the file cannot be read, or is no YAML that we take.
    """
    findings = Findings(path)
    return _read(path, environment, findings, _validator(), {}), findings


def read_list(
    path: Path, environment: Mapping[str, str], findings: Findings, name: str
) -> list[Any]:
    """Return the list of a further file, as ``$defs/NAME`` of the schema describes it.

    Args:
        path: the YAML file.
        environment: for ``${ENV}``.
        findings: gets what is wrong with it.
        name: of the definition.

    Raises:
        ConfigError: see :func:`read`.
    """
    return _read(path, environment, findings, _validator(name), []) or []


def _read(
    path: Path,
    environment: Mapping[str, str],
    findings: Findings,
    validator: Draft202012Validator,
    empty: DocumentT,
) -> DocumentT | None:
    try:
        return _checked(path, environment, findings, validator, empty)
    except RecursionError:
        raise ConfigError("nested too deep", where=str(path)) from None


def _checked(
    path: Path,
    environment: Mapping[str, str],
    findings: Findings,
    validator: Draft202012Validator,
    empty: DocumentT,
) -> DocumentT | None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as wrong:
        raise ConfigError(
            f"cannot read it: {wrong.strerror}",
            where=str(path),
            hint="docs/configuration.md has a complete example",
        ) from wrong
    except UnicodeDecodeError as wrong:
        raise ConfigError(f"not UTF-8: {wrong.reason}", where=str(path), hint=ENCODING) from wrong
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        twice = [] if node is None else note_lines(node, findings)
        document = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(wrong, "problem", wrong)
        raise ConfigError(f"not YAML: {problem}", where=where, hint=SYNTAX) from wrong
    for place in twice:
        findings.add(place, f"the key {place[-1]!r} stands twice")
    document = _fill(empty if document is None else document, (), environment, findings)
    usable = True
    for error in validator.iter_errors(document):
        for place, words in config_words.findings(_deepest(error)):
            findings.add(place, words)
            usable = usable and error.validator != "required" and bool(place)
    if usable and findings:
        usable = _without(document, validator)
    return document if usable else None


def _validator(name: str = "") -> Draft202012Validator:
    """Of the whole file, or of one of the schema's ``$defs``."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    if name:
        schema = {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}
    return Draft202012Validator(schema)


def _deepest(error: ValidationError) -> ValidationError:
    """Of an ``oneOf`` take the branch that tells most."""
    return (best_match(error.context) or error) if error.context else error


def _without(document: Any, validator: Draft202012Validator) -> bool:
    """Take out what the schema refuses; return whether the rest can be looked at."""
    for error in [*validator.iter_errors(document)]:
        for place, _ in [*config_words.findings(_deepest(error))]:
            while place and isinstance(place[-1], int):
                place = place[:-1]
            if not place:
                return False
            if place[-1] in _NEEDED and error.validator != "additionalProperties":
                if error.validator == "type":
                    return False
                continue
            parent: Any = document
            for part in place[:-1]:
                parent = parent[part] if _has(parent, part) else None
            if isinstance(parent, dict):
                parent.pop(place[-1], None)
    return True


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _line(lines: Lines, place: Place) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def note_lines(node: yaml.Node, findings: Findings) -> list[Place]:
    """Note the line of every node of a document; return the keys that stand twice.

    Raises:
        ConfigError: an anchor contains itself, or anchors expand beyond measure.
    """
    return list(_mark(node, (), findings, []))


def _mark(
    node: yaml.Node, place: Place, findings: Findings, above: list[yaml.Node]
) -> Iterator[Place]:
    """Note the line of every node; yield keys that stand twice (YAML keeps the last).

    Raises:
        ConfigError: an anchor contains itself, or anchors expand beyond measure.
    """
    line = node.start_mark.line + 1
    if any(node is one for one in above):
        raise ConfigError("an anchor contains itself", where=f"{findings.path}:{line}")
    findings.lines.setdefault(place, line)
    if len(findings.lines) > MAX_NODES:
        raise ConfigError("its anchors expand beyond measure", where=findings.path)
    above.append(node)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            below = (*place, str(key.value))
            if below in seen:
                yield below
            seen.add(below)
            findings.lines[below] = key.start_mark.line + 1
            yield from _mark(value, below, findings, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _mark(value, (*place, index), findings, above)
    above.pop()


def _fill(value: Any, place: Place, environment: Mapping[str, str], findings: Findings) -> Any:
    """Replace variables in strings; a secret must be one, never plain text."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                findings.add((*place, str(key)), "a key must be text: write it in quotes")
        filled = {
            str(key): _fill(child, (*place, str(key)), environment, findings)
            for key, child in value.items()
        }
        return {key: child for key, child in filled.items() if _opens(key, child, place, findings)}
    if isinstance(value, list):
        return [
            _fill(child, (*place, index), environment, findings)
            for index, child in enumerate(value)
        ]
    if not isinstance(value, str):
        return value
    if place and place[-1] in SECRETS and not _VARIABLE.fullmatch(value):
        findings.add(place, f"a secret stands here as plain text; use ${{ENV}} or {place[-1]}_file")
        return "hidden"

    def variable(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name in environment:
            return environment[name]
        if default is None:
            findings.add(place, f"the environment variable {name} is not set")
            return match.group(0)
        return str(default)

    return _VARIABLE.sub(variable, value)


def _opens(key: str, value: Any, place: Place, findings: Findings) -> bool:
    """Whether a secret's file can be read; anything else is left as it is."""
    if not (isinstance(value, str) and value and key.removesuffix("_file") in SECRETS):
        return True
    if not key.endswith("_file"):
        return True
    try:
        Path(value).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        reason = getattr(wrong, "strerror", None) or "not UTF-8"
        findings.add((*place, key), f"cannot read {value}: {reason}")
        return False
    return True
