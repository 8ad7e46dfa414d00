"""Chosen fields become a keyed hash: searchable by who has the key, not readable.

``hmac:<hex>`` of the value under HMAC-SHA-256 (RFC 2104). The key is a file of the
collector's; an unkeyed hash of a guessable value would reveal it.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from activity_center.config import Redaction
from activity_center.errors import ConfigError
from activity_center.vocabulary import fields
from collector.normalize.key_file import read_or_make

MAX_DEPTH: Final = 120
_KINDS: Final = frozenset({"keyword", "wildcard"})


class Pseudonyms:
    """Replaces the values of chosen fields.

    Args:
        names: vocabulary fields.
        key: the HMAC key.

    Attributes:
        key: the same; also for the ids of records that held a secret.

    Raises:
        ConfigError: a field is unknown, holds no text, or carries the access wall.
    """

    def __init__(self, names: tuple[str, ...], key: bytes) -> None:
        for name in names:
            one = fields().get(name)
            if one is None or one.type not in _KINDS or one.values is not None:
                raise ConfigError(
                    f"{name} is no text field of the vocabulary",
                    where="collector.redaction.hash",
                    hint="docs/reference/fields.md lists them",
                )
            if name in {"organization.id", "user.id", "event.action", "event.id"}:
                raise ConfigError(
                    f"{name} decides who may see an entry, or what it is, and cannot be hashed",
                    where="collector.redaction.hash",
                )
        self.key = key
        self._paths = [name.split(".") for name in names]

        @lru_cache(maxsize=8192)
        def pseudonym(value: str) -> str:
            digest = hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256)
            return f"hmac:{digest.hexdigest()}"

        self.pseudonym = pseudonym

    def __bool__(self) -> bool:
        """Whether any field is chosen."""
        return bool(self._paths)

    def apply(self, activity: dict[str, Any]) -> None:
        """Replace the values; groups that hold one are replaced too, since they may be shared."""
        for path in self._paths:
            value = _at(activity, path)
            if type(value) is str:
                hidden: Any = self.pseudonym(value)
            elif type(value) is list:
                hidden = [self.pseudonym(v) if type(v) is str else v for v in value]
            else:
                continue
            group, last = activity, path[-1]
            for parent in path[:-1]:
                inner = group[parent] = group[parent].copy()
                group = inner
            group[last] = hidden

    def hide(self, record: dict[str, Any], activities: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a record that is rejected without the texts that the chosen fields would get.

        Args:
            activities: what the mapping makes of the record; they are changed.
        """
        hidden: dict[str, str] = {}
        for activity in activities:
            for path in self._paths:
                value = _at(activity, path)
                for text in value if type(value) is list else [value]:
                    if type(text) is str:
                        hidden[text] = self.pseudonym(text)
        return _replaced(record, hidden, 0) if hidden else record


def _at(activity: dict[str, Any], path: list[str]) -> Any:
    value: Any = activity
    for part in path:
        value = value.get(part) if type(value) is dict else None
    return value


def _replaced(value: Any, hidden: dict[str, str], depth: int) -> Any:
    if depth > MAX_DEPTH:
        return "[too deep]"
    if type(value) is str:
        return hidden.get(value, value)
    if type(value) is dict:
        return {key: _replaced(child, hidden, depth + 1) for key, child in value.items()}
    if type(value) is list:
        return [_replaced(child, hidden, depth + 1) for child in value]
    return value


def load(rules: Redaction, data_dir: Path) -> Pseudonyms:
    """Return the pseudonyms of a configuration; the key file is made when it is missing.

    Raises:
        ConfigError: the key cannot be read or is too short.
    """
    file = Path(rules.hash_key_file) if rules.hash_key_file else data_dir / "keys" / "redaction.key"
    return Pseudonyms(rules.hash, read_or_make(file))
