"""Reading a vocabulary file with the line of every node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from activity_center.errors import ENCODING, SYNTAX, VocabularyError

FILES: Final = (
    "fields.yml",
    "rejected.yml",
    "alerts.yml",
    "actions.yml",
    "retention.yml",
    "permissions.yml",
    "ocsf.yml",
)
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class VocabularyFile:
    """A data file as read.

    Attributes:
        document: the parsed YAML; not to be changed.
    """

    path: Path
    document: Any


@cache
def read(path: Path) -> VocabularyFile:
    """Parse a vocabulary file.

    Raises:
        VocabularyError: it cannot be read or is not YAML.
    """
    return VocabularyFile(path, _parse(path, _text(path)))


def lines(path: Path) -> tuple[dict[Place, int], list[tuple[int, str]]]:
    """Return the line of every node, and the keys that stand twice as (line, words).

    YAML itself keeps the last of two equal keys without a word.
    """
    found: dict[Place, int] = {}
    twice: list[tuple[int, str]] = []

    def walk(node: yaml.Node, place: Place) -> None:
        found.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.value in seen:
                    twice.append((line, f"the key {key.value!r} stands twice"))
                seen.add(key.value)
                found[(*place, key.value)] = line
                walk(value, (*place, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                walk(value, (*place, index))

    root = yaml.compose(_text(path), Loader=_Loader)
    if root is not None:
        walk(root, ())
    return found, twice


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as wrong:
        raise VocabularyError(f"cannot read it: {wrong.strerror}", where=str(path)) from wrong
    except UnicodeDecodeError as wrong:
        raise VocabularyError(
            f"not UTF-8: {wrong.reason}", where=str(path), hint=ENCODING
        ) from wrong


def _parse(path: Path, text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(wrong, "problem", None) or str(wrong)
        raise VocabularyError(f"not YAML: {problem}", where=where, hint=SYNTAX) from wrong
