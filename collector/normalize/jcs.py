"""JSON in the one form of RFC 8785 (JSON Canonicalization Scheme), for digests.

orjson's sorted output is another: it writes ``1.0`` and ``1e16``, and sorts names by code
point. Beyond the RFC, integers from 2^53 on are written as text: a reader in JavaScript could
not tell two of them apart.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import orjson

EXACT: Final = 2**53
"""From here on not every integer has a number of its own in IEEE 754."""
_MOST_DIGITS: Final = 21
_MOST_ZEROS: Final = 6


def canonical_json(value: Any) -> bytes:
    """Return a decoded JSON value in the form of RFC 8785.

    Works without recursion, so depth cannot hurt it. What JSON cannot say (a number that is
    not finite, a lone surrogate) is written somehow: the event is refused for it elsewhere.
    """
    parts: list[bytes] = []
    left: list[Any] = [value]  # what is still to be written, last first; bytes as they are
    while left:
        item = left.pop()
        kind = type(item)
        if kind is bytes:
            parts.append(item)
        elif kind is str:
            parts.append(_text(item))
        elif kind is dict:
            between = b"}" if item else b"{}"
            for name in reversed(_names(item)):
                left += (between, item[name], _text(str(name)) + b":")
                between = b","
            left.append(b"{" if item else between)
        elif kind is list:
            between = b"]" if item else b"[]"
            for child in reversed(item):
                left += (between, child)
                between = b","
            left.append(b"[" if item else between)
        else:
            parts.append(_scalar(item))
    return b"".join(parts)


def _names(group: dict[Any, Any]) -> list[Any]:
    """Names are sorted by UTF-16 code units (section 3.2.3)."""
    try:
        if all(map(str.isascii, group)):
            return sorted(group)
    except TypeError:  # a name that is no text, as MessagePack may have it
        pass
    return sorted(group, key=lambda name: str(name).encode("utf-16-be", "surrogatepass"))


def _text(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # a lone surrogate
        return json.dumps(text).encode()


def _scalar(value: Any) -> bytes:
    if value is None or value is True or value is False:
        return orjson.dumps(value)
    if type(value) is int:
        return b"%d" % value if -EXACT < value < EXACT else b'"%d"' % value
    if type(value) is float and math.isfinite(value):
        return _number(value).encode()
    return _text(repr(value))


def _number(value: float) -> str:
    """A number as ECMAScript writes it (ECMA-262, Number::toString), which section 3.2.2.3 asks.

    Python finds the same shortest digits; what differs is where the exponent begins.
    """
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of ``point``.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= _MOST_DIGITS:
        return sign + digits.ljust(point, "0")
    if 0 < point <= _MOST_DIGITS:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -_MOST_ZEROS < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
