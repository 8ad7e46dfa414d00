"""Reading YAML of others: no aliases, which a few lines make into gigabytes."""

from __future__ import annotations

from typing import Any, Final

import yaml

from activity_center.errors import VocabularyError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_of(data: bytes, where: str) -> Any:
    """Return what a YAML file of one document holds.

    Raises:
        VocabularyError: it is no YAML, or has an alias.
    """
    try:
        text = data.decode("utf-8")
        refuse_aliases(text, where)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise VocabularyError(
            f"not YAML: {getattr(wrong, 'problem', wrong)}", where=place
        ) from wrong


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
        mark = getattr(wrong, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise VocabularyError(
            f"not YAML: {getattr(wrong, 'problem', wrong)}", where=place
        ) from wrong
