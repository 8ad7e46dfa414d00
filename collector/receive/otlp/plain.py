"""Messages of OTLP as plain values, with the names of OTLP's JSON.

Differences to that JSON: lists of key and value are objects, a value stands without its kind,
and 64-bit integers are numbers. Members that are not set are left out, so a record is the same
whether it came in protobuf or in JSON.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

_KEY_VALUE: Final = KeyValue.DESCRIPTOR.full_name
_ANY: Final = AnyValue.DESCRIPTOR.full_name
_TEXT, _NUMBER, _TRUTH, _BYTES, _ID, _PAIRS, _VALUE, _MESSAGE = range(8)
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_LEAST, _MOST = -(2**63), 2**64
_LONGEST: Final = len(str(_LEAST))
_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


class _Field(NamedTuple):
    name: str
    json_name: str
    kind: int
    many: bool
    inner: Any


@cache
def _fields(descriptor: Any) -> tuple[dict[str, _Field], dict[str, _Field]]:
    """The fields of a message, by name and by name in JSON."""
    found = []
    for one in descriptor.fields:
        inner = one.message_type.full_name if one.message_type is not None else ""
        kind = _NUMBER
        if inner:
            kind = {_KEY_VALUE: _PAIRS, _ANY: _VALUE}.get(inner, _MESSAGE)
        elif one.type == one.TYPE_STRING:
            kind = _TEXT
        elif one.type == one.TYPE_BOOL:
            kind = _TRUTH
        elif one.type == one.TYPE_BYTES:
            kind = _ID if one.name in _IDS else _BYTES
        many = one.default_value == []
        found.append(_Field(one.name, one.json_name, kind, many, one.message_type))
    return {one.name: one for one in found}, {one.json_name: one for one in found}


class Plain:
    """Turns messages into values and counts these.

    Attributes:
        values: number of values so far, containers among them.
    """

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values = 0

    # -- protobuf --------------------------------------------------------------------

    def message(self, message: Any) -> dict[str, Any]:
        """Return a message of protobuf as an object."""
        fields = _fields(message.DESCRIPTOR)[0]
        result: dict[str, Any] = {}
        self.values += 1
        for field, value in message.ListFields():
            _, name, kind, many, _ = fields[field.name]
            self.values += 1
            if kind == _PAIRS:
                result[name] = self._pairs([(one.key, self._value(one.value)) for one in value])
            elif kind == _VALUE:
                result[name] = self._value(value)
            elif kind == _MESSAGE:
                result[name] = [self.message(one) for one in value] if many else self.message(value)
            elif kind == _ID:
                result[name] = value.hex()
            elif kind == _BYTES:
                result[name] = b64encode(value).decode()
            else:
                result[name] = list(value) if many else value
        return result

    def _value(self, value: Any) -> Any:
        """An ``AnyValue``; one that is empty is ``None``.

        A number that is not finite, which JSON cannot say, is the text that OTLP's JSON has
        for it.
        """
        self.values += 1
        kind = value.WhichOneof("value")
        if kind is None:
            return None
        inner = getattr(value, kind)
        if kind == "double_value":
            return inner if math.isfinite(inner) else _NOT_FINITE[str(inner)]
        if kind == "kvlist_value":
            return self._pairs([(one.key, self._value(one.value)) for one in inner.values])
        if kind == "bytes_value":
            return b64encode(inner).decode()
        if type(inner) is ArrayValue:
            return [self._value(one) for one in inner.values]
        return inner

    # -- JSON ------------------------------------------------------------------------

    def json_message(self, value: Any, descriptor: Any) -> dict[str, Any]:
        """Return a message of OTLP's JSON as such an object; unknown members are ignored.

        Raises:
            ValueError: it is none.
        """
        fields = _fields(descriptor)[1]
        result: dict[str, Any] = {}
        self.values += 1
        for name, one in _object(value).items():
            field = fields.get(name)
            if field is None or one is None:
                continue
            self.values += 1
            if field.kind == _PAIRS:
                if pairs := _list(one):
                    result[name] = self._pairs([self._json_pair(pair) for pair in pairs])
            elif field.kind == _VALUE:
                result[name] = self._json_value(one)
            elif field.kind == _MESSAGE and field.many:
                if items := _list(one):
                    result[name] = [self.json_message(item, field.inner) for item in items]
            elif field.kind == _MESSAGE:
                result[name] = self.json_message(one, field.inner)
            elif field.many:
                if items := _list(one):
                    result[name] = [_SCALARS[field.kind](item) for item in items]
            elif plain := _SCALARS[field.kind](one):
                result[name] = plain
        return result

    def _json_pair(self, pair: Any) -> tuple[str, Any]:
        pair = _object(pair)
        return _text(pair.get("key") or ""), self._json_value(pair.get("value"))

    def _json_value(self, value: Any) -> Any:
        self.values += 1
        for kind, inner in ({} if value is None else _object(value)).items():
            if kind in _JSON_VALUES:
                return _JSON_VALUES[kind](inner)
            if kind == "arrayValue":
                return [self._json_value(one) for one in _values(inner)]
            if kind == "kvlistValue":
                return self._pairs([self._json_pair(one) for one in _values(inner)])
        return None

    # -- both ------------------------------------------------------------------------

    @staticmethod
    def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Attributes as an object; keys that repeat, which they must not, make a list."""
        result = dict(pairs)
        if len(result) < len(pairs):
            lists: dict[str, list[Any]] = {}
            for key, value in pairs:
                lists.setdefault(key, []).append(value)
            result = {key: one if len(one) > 1 else one[0] for key, one in lists.items()}
        return result


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("not an object")
    return value


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError("not a list")
    return value


def _values(value: Any) -> list[Any]:
    """The list in an ``arrayValue`` or ``kvlistValue``."""
    return _list(_object(value).get("values") or [])


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("not a text")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("not true or false")
    return value


def _number(value: Any) -> int:
    """An integer: 64-bit ones are texts, others numbers; both are taken for both."""
    if type(value) is str and len(value) <= _LONGEST:
        value = int(value)
    if type(value) is not int or not _LEAST <= value < _MOST:
        raise ValueError("not an integer")
    return value


def _double(value: Any) -> float | str:
    if type(value) is str and value in _NOT_FINITE.values():
        return value
    if type(value) not in (int, float, str):
        raise ValueError("not a number")
    try:
        number = float(value)
    except OverflowError as wrong:
        raise ValueError("beyond the range of numbers") from wrong
    return number if math.isfinite(number) else _NOT_FINITE[str(number)]


def _base64(value: Any) -> str:
    return b64encode(b64decode(_text(value), validate=True)).decode()


def _id(value: Any) -> str:
    """An id: in hex, and not, as bytes of protobuf are elsewhere in JSON, in base64."""
    return bytes.fromhex(_text(value)).hex()


_SCALARS: Final[dict[int, Callable[[Any], Any]]] = {
    _TEXT: _text,
    _NUMBER: _number,
    _TRUTH: _truth,
    _BYTES: _base64,
    _ID: _id,
}
_JSON_VALUES: Final[dict[str, Callable[[Any], Any]]] = {
    "stringValue": _text,
    "boolValue": _truth,
    "intValue": _number,
    "doubleValue": _double,
    "bytesValue": _base64,
}
