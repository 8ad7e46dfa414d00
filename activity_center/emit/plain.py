"""Turn any Python value into plain data that JSON and MessagePack both carry.

The copy is taken in the caller's thread, so that what the caller changes afterwards
does not change the record. A value that cannot be carried becomes a text that says
so, ``"<unserializable module.Class> repr"``, and its path is listed.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

MAX_DEPTH: Final = 64
"""Levels kept; the collector refuses more than 100."""
MAX_NODES: Final = 50_000
"""Values copied for one event: a self-referring structure must end."""
REPR_LENGTH: Final = 1000
"""Characters of a ``repr`` that are kept."""
MARK: Final = "<unserializable"
_INT64_MIN: Final = -(2**63)
_UINT64_MAX: Final = 2**64 - 1


class Plain:
    """One copying run.

    Attributes:
        replaced: dotted paths of values that a marked text stands for.
        size: rough size of the copy in bytes, for the byte bound of the queue.
    """

    __slots__ = ("_nodes", "_open", "replaced", "size")

    def __init__(self) -> None:
        self.replaced: list[str] = []
        self.size = 0
        self._nodes = 0
        self._open: set[int] = set()

    def copy(self, value: Any, path: str = "", depth: int = 0) -> Any:
        """Return ``value`` as dict, list, str, int, float, bool or None; never raises."""
        try:
            return self._copy(value, path, depth)
        except Exception as wrong:
            # A property, __iter__ or __len__ of the caller's object raised.
            return self._mark(value, path, wrong)

    def _copy(self, value: Any, path: str, depth: int) -> Any:
        self._nodes += 1
        kind = type(value)
        if kind is str:
            return self._text(value, path)
        if value is None or kind is bool:
            self.size += 5
            return value
        if kind is int:
            self.size += 9
            if _INT64_MIN <= value <= _UINT64_MAX:
                return value
            return self._mark(value, path)
        if kind is float:
            self.size += 9
            return value if math.isfinite(value) else self._mark(value, path)
        if depth >= MAX_DEPTH or self._nodes > MAX_NODES or id(value) in self._open:
            return self._mark(value, path)
        if isinstance(value, Mapping):
            return self._inside(value, self._mapping, path, depth)
        if isinstance(value, list | tuple):
            return self._inside(value, self._items, path, depth)
        return self._other(value, path, depth)

    def _inside(self, value: Any, how: Any, path: str, depth: int) -> Any:
        self._open.add(id(value))
        try:
            return how(value, path, depth + 1)
        finally:
            self._open.discard(id(value))

    def _mapping(self, value: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, child in list(value.items()):
            name = self._text(key, path) if type(key) is str else self._key(key, path)
            while name in result:  # {1: a, "1": b}
                name += "#"
            result[name] = self.copy(child, f"{path}.{name}" if path else name, depth)
        return result

    def _items(self, value: Any, path: str, depth: int) -> list[Any]:
        return [self.copy(child, f"{path}[{at}]", depth) for at, child in enumerate(list(value))]

    def _key(self, key: Any, path: str) -> str:
        if isinstance(key, enum.Enum):
            key = key.value
        if isinstance(key, str):
            return self._text(str.__str__(key), path)
        if isinstance(key, int | float | bool | UUID | date | datetime | None):
            self.size += 10
            return str(key)
        marked: str = self._mark(key, path)
        return marked

    def _text(self, value: str, path: str) -> str:
        self.size += len(value) + 3
        if value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:  # a lone surrogate
            self.replaced.append(path)
            return value.encode("utf-8", "backslashreplace").decode()
        return value

    def _other(self, value: Any, path: str, depth: int) -> Any:
        if isinstance(value, enum.Enum):
            return self._copy(value.value, path, depth + 1)
        if isinstance(value, str):
            return self._text(str.__str__(value), path)
        if isinstance(value, bool | int):
            return self._copy(int(value), path, depth)
        if isinstance(value, float):
            return self._copy(float(value), path, depth)
        if isinstance(value, datetime | date | time):
            return self._text(value.isoformat(), path)
        if isinstance(value, timedelta):
            return self._copy(value.total_seconds(), path, depth)
        if isinstance(value, UUID | PurePath | Decimal):
            return self._text(str(value), path)
        if isinstance(value, AbstractSet):
            return self._inside(sorted(value, key=repr), self._items, path, depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [one.name for one in dataclasses.fields(value)]
            return self._inside(
                {name: getattr(value, name) for name in names}, self._mapping, path, depth
            )
        return self._mark(value, path)

    def _mark(self, value: Any, path: str, wrong: Exception | None = None) -> str:
        """Return the text that stands for ``value``, and note the path."""
        self.replaced.append(path)
        kind = type(value)
        try:
            shown = _bounded_repr(value)
        except Exception as also:
            shown = f"(its repr raised {type(wrong or also).__name__})"
        text = f"{MARK} {kind.__module__}.{kind.__qualname__}> {shown[:REPR_LENGTH]}"
        self.size += len(text)
        return text.encode("utf-8", "backslashreplace").decode()


def _bounded_repr(value: Any) -> str:
    """``repr`` that does not walk a huge container or write out a huge integer."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 3000:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{bytes(value[:200])!r} ({len(value)} bytes)"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return f"{len(value)} entries"
    return repr(value)
