"""Look for values that JSON writers change without a word.

orjson writes NaN and infinity as ``null``, and raises, without saying where, on
integers beyond 64 bit, lone surrogates and keys that are no strings.
"""

from __future__ import annotations

import math
from typing import Any, Final

from collector.normalize.refused import Refused

_UNSIGNED: Final = 2**64
_SIGNED: Final = -(2**63)


def inspect(document: dict[str, Any]) -> None:
    """Check every value of a document; keys that are no strings become strings, in place.

    Never recurses, so depth cannot hurt it.

    Raises:
        Refused: ``bad_number`` or ``bad_text``, with the path.
    """
    stack: list[tuple[Any, str]] = [(document, "")]
    while stack:
        value, path = stack.pop()
        if isinstance(value, dict):
            if any(type(key) is not str for key in value):
                items = [
                    (key if type(key) is str else _key(key), item) for key, item in value.items()
                ]
                value.clear()
                value.update(items)
            for key, item in value.items():
                _text(key, path)
                _push(stack, item, path, key)
        else:
            for index, item in enumerate(value):
                _push(stack, item, path, str(index))


def _push(stack: list[tuple[Any, str]], item: Any, path: str, key: str) -> None:
    kind = type(item)
    if kind is dict or kind is list:
        stack.append((item, f"{path}/{key}"[:2048]))
    elif kind is float:
        if not math.isfinite(item):
            raise Refused("bad_number", "a number is not finite", f"{path}/{key}")
    elif kind is int:
        if not _SIGNED <= item < _UNSIGNED:
            raise Refused("bad_number", "an integer is beyond 64 bit", f"{path}/{key}")
    elif kind is str:
        _text(item, f"{path}/{key}")


def _text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as wrong:
        raise Refused("bad_text", "a lone surrogate is no Unicode text", _shown(path)) from wrong


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _key(key: Any) -> str:
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
