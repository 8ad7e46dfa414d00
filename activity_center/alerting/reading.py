"""Reading YAML of others: no aliases, which a few lines make into gigabytes."""

from __future__ import annotations

from typing import Any, Final

import yaml

from activity_center.config_file import Findings, note_lines
from activity_center.errors import ENCODING, SYNTAX, ConfigError, VocabularyError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_of(data: bytes, findings: Findings) -> Any:
    """Return what a YAML file of one document holds.

    Args:
        findings: of the file; gets the lines, and the keys that stand twice.

    Raises:
        VocabularyError: it is no YAML, or has an alias.
    """
    where = findings.path
    text = text_of(data, where)
    refuse_aliases(text, where)
    try:
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
        node = yaml.compose(text, Loader=_LOADER)
        if node is not None:
            for place in note_lines(node, findings):
                findings.add(place, f"the key {place[-1]!r} stands twice")
    except (yaml.YAMLError, RecursionError, ValueError, ConfigError) as wrong:
        raise no_yaml(wrong, where) from wrong
    return document


def documents_of(text: str, where: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the documents of a YAML file, each a mapping, with the lines where they begin.

    Raises:
        VocabularyError: it is no YAML, has an alias, or a document is something else.
    """
    refuse_aliases(text, where)
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        nodes = [*yaml.compose_all(text, Loader=_LOADER)]
        documents = [*yaml.load_all(text, Loader=_LOADER)]
    except (yaml.YAMLError, RecursionError, ValueError) as wrong:
        raise no_yaml(wrong, where) from wrong
    for node, document in zip(nodes, documents, strict=True):
        if document is None:
            continue
        line = node.start_mark.line + 1
        if not isinstance(document, dict):
            raise VocabularyError(
                "a rule is a mapping of keys to values (title, logsource, detection)",
                where=f"{where}:{line}",
                hint="is it the right file?",
            )
        found.append((line, document))
    return found


def text_of(data: bytes, where: str) -> str:
    """Return the text of a file.

    Raises:
        VocabularyError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise VocabularyError(f"not UTF-8: {wrong.reason}", where=where, hint=ENCODING) from wrong


def refuse_aliases(text: str, where: str) -> None:
    """Refuse a text with an alias (YAML 1.2.2, 7.1), before anything is made of it.

    Raises:
        VocabularyError: it has one, or is no YAML at all.
    """
    try:
        for token in yaml.scan(text, Loader=_LOADER):
            if isinstance(token, yaml.AliasToken):
                raise VocabularyError(
                    "aliases (*name) are not read",
                    where=f"{where}:{token.start_mark.line + 1}",
                    hint="write out what they stand for",
                )
    except yaml.YAMLError as wrong:
        raise no_yaml(wrong, where) from wrong


def no_yaml(wrong: Exception, where: str) -> VocabularyError:
    """Say in words, with the line where it is known, why something is no YAML."""
    if isinstance(wrong, RecursionError):
        return VocabularyError("nested too deep", where=where)
    mark = getattr(wrong, "problem_mark", None)
    problem = getattr(wrong, "problem", None) or getattr(wrong, "reason", None) or str(wrong)
    place = f"{where}:{mark.line + 1}" if mark else where
    return VocabularyError(f"not YAML: {problem}", where=place, hint=SYNTAX)
