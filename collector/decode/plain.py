"""MessagePack values that JSON lacks, told in JSON's.

MessagePack has binary strings, extension types, timestamps and keys of any type
(https://github.com/msgpack/msgpack/blob/master/spec.md). The stages behind speak JSON.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_unpack: Final = struct.Struct(">II").unpack


def event_time(extension: msgspec.msgpack.Ext) -> int | None:
    """Return Unix time in ns of an EventTime, else ``None``.

    EventTime is extension type 0 with 8 bytes: seconds and nanoseconds, unsigned, big
    endian (Forward Protocol Specification v1, "EventTime Ext Format").
    """
    data = bytes(extension.data)
    if extension.code != 0 or len(data) != 8:
        return None
    seconds, nanoseconds = _unpack(data)
    return int(seconds * 1_000_000_000 + nanoseconds)


def unix_ns(value: Any) -> int | None:
    """Return a Forward entry's time as Unix time in ns; ``None`` if it is none.

    Takes EventTime, whole or fractional seconds, MessagePack's own timestamp, and the
    pair ``[time, metadata]`` of Forward protocol 1.5.
    """
    kind = value.__class__
    if kind is msgspec.msgpack.Ext:
        return event_time(value)
    if kind is int:
        return int(value * 1_000_000_000)
    if kind is list or kind is tuple:
        return unix_ns(value[0]) if value and value[0].__class__ is not list else None
    if kind is float and abs(value) < 1e12:  # also false for NaN
        seconds = int(value // 1)
        return seconds * 1_000_000_000 + int((value - seconds) * 1_000_000_000)
    if kind is datetime:
        return int((value - _EPOCH) // timedelta(microseconds=1)) * 1000
    return None


def _text(value: bytes | bytearray) -> str:
    return str(value, "utf-8")


def _key(key: Any) -> str:
    if isinstance(key, (bytes, bytearray)):
        return _text(key)
    value = plain(list(key) if isinstance(key, tuple) else key)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _extension(value: msgspec.msgpack.Ext) -> Any:
    nanoseconds = event_time(value)
    if nanoseconds is None:
        return {"type": value.code, "data": base64.b64encode(value.data).decode()}
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest:09d}Z"


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return _text(value)
    if isinstance(value, msgspec.msgpack.Ext):
        return _extension(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def plain(value: Any) -> Any:
    """Return ``value`` with only what JSON has; containers are changed in place.

    Binary strings become text, keys become text, timestamps become RFC 3339, other
    extensions ``{"type", "data"}`` with base64. Walks without recursion.

    Raises:
        UnicodeDecodeError: a binary string is not UTF-8.
    """
    root = [value]
    waiting: list[dict[Any, Any] | list[Any]] = [root]
    while waiting:
        container = waiting.pop()
        if isinstance(container, dict):
            if any(key.__class__ is not str for key in container):
                pairs = list(container.items())
                container.clear()
                for key, one in pairs:
                    name = key if key.__class__ is str else _key(key)
                    while name in container:  # 1 and "1" are two keys
                        name += "_"
                    container[name] = one
            places: Iterable[tuple[Any, Any]] = container.items()
        else:
            places = enumerate(container)
        for place, one in places:
            if isinstance(one, (dict, list)):
                waiting.append(one)
            else:
                container[place] = _scalar(one)
    return root[0]
