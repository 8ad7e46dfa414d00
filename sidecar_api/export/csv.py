"""CSV as RFC 4180 has it, safe to open in a spreadsheet.

A spreadsheet runs a cell as a formula when it begins with ``=``, ``+``, ``-``, ``@``, TAB, CR or
LF, quoted or not (OWASP, "CSV Injection", with the full-width forms). Such a cell gets an
apostrophe in front, and so does one that begins with an apostrophe. In much of the world a
spreadsheet parts cells at ``;`` instead, so what follows a ``;``, a TAB or a line end inside a
cell is treated like a beginning. Reading is to drop one apostrophe at each of these places,
always (:func:`read`). Text is always quoted; numbers are bare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from sidecar_api.export.columns import COLUMNS, row

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"
GUARDED: Final = frozenset("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
"""First characters that get the apostrophe."""
_PARTS: Final = re.compile(r"[;\t\r\n]")
_INNER: Final = re.compile(rf"([;\t\r\n])(?=[ \"]*[{re.escape(''.join(sorted(GUARDED)))}])")
_READ: Final = re.compile(r"(^|[;\t\r\n])'")
END: Final = b"\r\n"
HEADER: Final = ",".join(f'"{name}"' for name in ("'@timestamp", *COLUMNS[1:])).encode() + END
"""The first line; ``@timestamp`` begins with a guarded character itself."""


def line(activity: Mapping[str, Any]) -> bytes:
    """Return the row of an activity, with its line end."""
    return ",".join(row(activity, cell, "")).encode("utf-8") + END


def cell(value: Any) -> str:
    """Return one cell as it stands in the file.

    Args:
        value: text, number, truth value, ``None`` (an empty cell), or a list or an object,
            which become JSON.
    """
    if type(value) is not str:
        if value is None:
            return ""
        text = orjson.dumps(value).decode()
        if isinstance(value, int | float) and text[0] != "-":
            return text
        value = text
    if _PARTS.search(value) is not None:
        value = _INNER.sub(r"\1'", value)
    if value[:1] in GUARDED:
        value = f"'{value}"
    if '"' in value:
        value = value.replace('"', '""')
    return f'"{value}"'


def read(text: str) -> str:
    """Return a cell's text, as a CSV reader gives it, without the guarding apostrophes."""
    return _READ.sub(r"\1", text)
