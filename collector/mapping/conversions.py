"""The conversions a rule may name: one function each, which gives ``None`` if it cannot.

A value leaves ``metadata`` only when the field holds all of it, so each conversion says
whether it is *whole*: always, or by looking at what went in and what came out.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

import msgspec

from collector.mapping.runtime import text

MAX_JSON_CHARACTERS: Final = 1 << 18
MAX_JSON_DEPTH: Final = 50
MAX_INTEGER: Final = 2**63 - 1
Convert = Callable[[Any], Any]
Whole = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Conversion:
    """One conversion with its arguments bound.

    Attributes:
        name: as in the mapping.
        apply: value -> converted value, or ``None``; never raises.
        whole: function of input and output, or an expression over ``{i}`` and ``{o}``;
            ``""``: nothing is ever lost.
        opens: a text or list becomes an object that paths can go into.
        aliases: the result may share parts with the input.
        inline: expression over ``{i}`` and ``{apply}`` that does the same as ``apply`` faster.
    """

    name: str
    apply: Convert
    whole: Whole | str = ""
    opens: bool = False
    aliases: bool = False
    inline: str = "{apply}({i})"


@dataclass(frozen=True, slots=True)
class Kind:
    """A conversion that mappings can name.

    Attributes:
        make: arguments -> conversion; raises :class:`ArgumentError`.
        argument: ``None`` takes none; else what the argument is, for the reference.
        description: one line for the reference.
    """

    make: Callable[[Any], Conversion]
    argument: str | None
    description: str


class ArgumentError(Exception):
    """A conversion's argument is wrong; the parser turns it into a finding."""


def _lower(value: Any) -> Any:
    return value.lower() if type(value) is str else None


def _upper(value: Any) -> Any:
    return value.upper() if type(value) is str else None


def _strip(value: Any) -> Any:
    return (value.strip() or None) if type(value) is str else None


def _integer(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return value
    if kind is float:
        return int(value) if value.is_integer() and abs(value) <= 2.0**53 else None
    if kind is str and len(value) <= 24:
        digits = value.strip()
        unsigned = digits[1:] if digits[:1] in ("-", "+") else digits
        if unsigned.isascii() and unsigned.isdigit():
            return int(digits)
    return None


_NUMBER: Final = re.compile(r"\s{0,8}[-+]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][-+]?[0-9]{1,3})?\s{0,8}")


def _float(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return float(value) if abs(value) <= 2**53 else None
    if kind is str and _NUMBER.fullmatch(value):
        value = float(value)
        kind = float
    return value if kind is float and math.isfinite(value) else None


_TRUTH: Final = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


def _boolean(value: Any) -> Any:
    if type(value) is bool:
        return value
    if type(value) is int and value in (0, 1):
        return value == 1
    return _TRUTH.get(value.strip().lower()) if type(value) is str and len(value) < 16 else None


def _first(value: Any) -> Any:
    return value[0] if type(value) is list and value else None


def _last(value: Any) -> Any:
    return value[-1] if type(value) is list and value else None


def _list(value: Any) -> Any:
    return value if type(value) is list else [value]


def _basename(value: Any) -> Any:
    if type(value) is not str:
        return None
    return re.split(r"[/\\]", value.rstrip("/\\"))[-1] or None


def _address(value: Any) -> Any:
    return _parsed_address(value) if type(value) is str and len(value) <= 128 else None


@lru_cache(4096)
def _parsed_address(value: str) -> str | None:
    """``host/10.0.0.1:9200``, ``[2001:db8::1]:443``, ``fe80::1%eth0`` -> the address."""
    candidate = value.strip().rpartition("/")[2]
    if candidate.startswith("["):
        candidate = candidate[1:].partition("]")[0]
    elif candidate.count(":") == 1:
        candidate = candidate.partition(":")[0]
    try:
        return str(ipaddress.ip_address(candidate.partition("%")[0]))
    except ValueError:
        return None


def _duration(factor: int, value: Any) -> Any:
    number = value if type(value) in (int, float) else _float(value)
    if number is None or not 0 <= number <= MAX_INTEGER / factor:
        return None
    return number * factor if type(number) is int else round(number * factor)


def _json(value: Any) -> Any:
    if type(value) is not str or len(value) > MAX_JSON_CHARACTERS:
        return None
    try:
        decoded = msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
    return decoded if _is_plain(decoded) else None


def _is_plain(value: Any) -> bool:
    """Whether a decoded value has only numbers that others can read, and a sane depth."""
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        inner: list[Any] = []
        for one in level:
            kind = type(one)
            if kind is dict:
                inner.extend(one.values())
            elif kind is list:
                inner.extend(one)
            elif (kind is int and not -(2**63) <= one < 2**64) or (
                kind is float and not math.isfinite(one)
            ):
                return False
        if not inner:
            return True
        level = inner
    return False


def _split(separator: str, value: Any) -> Any:
    return value.split(separator) if type(value) is str and value else None


def _join(separator: str, value: Any) -> Any:
    if type(value) is not list or not value:
        return None
    parts = [text(one) for one in value]
    return None if None in parts else separator.join(parts)  # type: ignore[arg-type]


def _pairs(key: str, values: tuple[tuple[str, ...], ...], items: Any) -> Any:
    """``[{"name": "a", "value": 1}]`` -> ``{"a": 1}``; names that repeat make a list."""
    if type(items) is not list or not items:
        return None
    result: dict[str, Any] = {}
    repeated: set[str] = set()
    for item in items:
        if type(item) is not dict or type(item.get(key)) is not str:
            return None
        name = item[key]
        value = next((one for path in values if (one := _inner(item, path)) is not None), None)
        if name not in result:
            result[name] = value
        elif name in repeated:
            result[name].append(value)
        else:
            repeated.add(name)
            result[name] = [result[name], value]
    return result


def _inner(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if type(value) is dict else None
    return value


def _pairs_whole(values: tuple[tuple[str, ...], ...], items: Any, _made: Any) -> bool:
    """Whether each element held its name and one value, and nothing besides."""
    for item in items:
        if len(item) != 2:
            return False
        found = 0
        for path in values:
            inner = item
            for key in path[:-1]:
                inner = inner.get(key) if type(inner) is dict else None
                if type(inner) is dict and len(inner) != 1:
                    return False
            found += type(inner) is dict and inner.get(path[-1]) is not None
        if found != 1:
            return False
    return True


SAME: Final = "{i} == {o}"
SINGLE: Final = "len({i}) == 1"


def _kind(
    name: str,
    description: str,
    apply: Convert,
    whole: str = "",
    *,
    opens: bool = False,
    aliases: bool = False,
    inline: str = "{apply}({i})",
) -> Kind:
    """A conversion that takes no argument."""
    made = Conversion(name, apply, whole, opens, aliases, inline)
    return Kind(lambda _: made, None, description)


def _with_separator(name: str, apply: Callable[[str, Any], Any]) -> Callable[[Any], Conversion]:
    def make(argument: Any) -> Conversion:
        if not isinstance(argument, str) or not argument:
            raise ArgumentError(f"{name} needs the separator, as in {{{name}: ','}}")
        return Conversion(name, partial(apply, argument))

    return make


def _make_pairs(argument: Any) -> Conversion:
    wrong = ArgumentError("pairs needs {pairs: {key: NAME, value: PATH or list of paths}}")
    if not isinstance(argument, dict) or set(argument) != {"key", "value"}:
        raise wrong
    key, values = argument["key"], argument["value"]
    values = values if isinstance(values, list) else [values]
    texts = [key, *values]
    if not values or not all(isinstance(one, str) and one for one in texts):
        raise wrong
    paths = tuple(tuple(one.split(".")) for one in values)
    return Conversion(
        "pairs", partial(_pairs, key, paths), partial(_pairs_whole, paths), True, True
    )


_KINDS: Final = (
    _kind("lower", "text in lower case", _lower, SAME),
    _kind("upper", "text in upper case", _upper, SAME),
    _kind("strip", "text without space at its ends", _strip),
    _kind(
        "string",
        "number or truth value as text",
        text,
        inline="{i} if type({i}) is str else {apply}({i})",
    ),
    _kind(
        "integer",
        "text or whole float as integer",
        _integer,
        inline="{i} if type({i}) is int else {apply}({i})",
    ),
    _kind("float", "text or integer as float", _float),
    _kind("boolean", "true/false, yes/no, 1/0 in any case, as truth value", _boolean),
    _kind("seconds", "a duration in seconds, to nanoseconds", partial(_duration, 10**9)),
    _kind("milliseconds", "a duration in ms, to nanoseconds", partial(_duration, 10**6)),
    _kind("microseconds", "a duration in µs, to nanoseconds", partial(_duration, 10**3)),
    _kind("nanoseconds", "a duration in ns, checked", partial(_duration, 1)),
    _kind("ip", "address in host:port, [v6]:port, name/address, address%zone", _address, SAME),
    _kind("basename", "the last part of a file path", _basename, SAME),
    _kind(
        "first",
        "first element of a list",
        _first,
        SINGLE,
        aliases=True,
        inline="{i}[0] if type({i}) is list and {i} else None",
    ),
    _kind("last", "last element of a list", _last, SINGLE, aliases=True),
    _kind(
        "list",
        "what is no list, as a list of one",
        _list,
        aliases=True,
        inline="{i} if type({i}) is list else [{i}]",
    ),
    _kind(
        "json",
        f"JSON in a text, to {MAX_JSON_CHARACTERS // 1024} Ki characters, {MAX_JSON_DEPTH} levels",
        _json,
        opens=True,
    ),
)
CONVERSIONS: Final[dict[str, Kind]] = {
    **{kind.make(None).name: kind for kind in _KINDS},
    "split": Kind(_with_separator("split", _split), "separator", "text as list of its parts"),
    "join": Kind(_with_separator("join", _join), "separator", "list of scalars as one text"),
    "pairs": Kind(_make_pairs, "{key: NAME, value: PATHS}", "list of {name, value} as one object"),
}
"""Every conversion by name; docs/sources.md lists them (checked by a test)."""

OPENING: Final = frozenset({"json", "pairs"})
"""Conversions that make an object which paths can go into."""
