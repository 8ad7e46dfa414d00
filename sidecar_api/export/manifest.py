"""The last line of an export: what it holds, and the hash of every byte before it.

A file without it was cut off. It stands alone for the bytes before it and closes over itself
by ``check``, the hash of its own members; that tells damage and carelessness, not forgery by
somebody who computes it anew.

======  ==========================================================================
format  last line
======  ==========================================================================
csv     a row: ``#manifest``, the manifest as JSON, empty cells up to the width
ndjson  ``{"manifest": {...}}``; every other line has ``id``
ocsf    the same; every other line has ``class_uid``
======  ==========================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from sidecar_api.export import csv
from sidecar_api.export.columns import COLUMNS
from sidecar_api.moments import written

MOST_COLUMNS: Final = 1000
MARK: Final = b'"#manifest",'
"""How the manifest's row of a CSV begins; the first cell of every other row is a time."""


class Tally:
    """Counts and hashes an export as it is written.

    Args:
        form: ``csv``, ``ndjson`` or ``ocsf``.
        filters: what was asked for, as (name, value).
        as_of: entries received later are not in it.
        columns: of a CSV of something else than activities.
        what: is counted, where it is something else than activities.

    Attributes:
        count: entries so far.
        bytes: bytes so far, the manifest's not among them.
        closed: whether the manifest was made.
    """

    def __init__(
        self,
        form: str,
        filters: Sequence[tuple[str, str]],
        as_of: datetime,
        *,
        columns: int | None = None,
        what: str = "",
    ) -> None:
        self.form = form
        self._what = what
        self._columns = columns
        self.count = 0
        self.bytes = 0
        self.closed = False
        self._filters = [list(one) for one in filters]
        self._as_of = as_of
        self._hash = hashlib.sha256()
        self._first: str | None = None
        self._last: str | None = None

    def add(self, written: bytes) -> None:
        """Count bytes of the file."""
        self._hash.update(written)
        self.bytes += len(written)

    def see(self, newest: str | None, oldest: str | None, count: int) -> None:
        """Count entries; exports go from the newest to the oldest.

        Args:
            newest, oldest: as the log has times, so that they compare as text.
        """
        self._last = max(self._last or "", newest or "") or None
        self._first = oldest or self._first
        self.count += count

    def close(self) -> bytes:
        """Return the manifest's line."""
        self.closed = True
        members = {
            "format": self.form,
            **({"columns": self._columns} if self._columns else {}),
            **({"what": self._what} if self._what else {}),
            "filter": self._filters,
            "as_of": written(self._as_of),
            "count": self.count,
            "first": self._first,
            "last": self._last,
            "bytes": self.bytes,
            "sha256": self._hash.hexdigest(),
            "complete": True,
        }
        return line({**members, "check": check(members)})


def line(manifest: Mapping[str, Any]) -> bytes:
    """Return the line of a manifest, as it stands in a file of its format."""
    if manifest.get("format") != "csv":
        return orjson.dumps({"manifest": manifest}, option=orjson.OPT_APPEND_NEWLINE)
    text = csv.cell(orjson.dumps(manifest).decode()).encode()
    columns = manifest.get("columns", len(COLUMNS))
    if not isinstance(columns, int) or not 2 <= columns <= MOST_COLUMNS:
        columns = len(COLUMNS)  # altered: then the line is another one
    return MARK + text + b"," * (columns - 2) + csv.END


def read(last: bytes) -> dict[str, Any] | None:
    """Return the manifest that a line holds, or ``None`` when it is none."""
    try:
        if last.startswith(MARK):
            cell = last[len(MARK) :].rstrip(b",\r\n")
            found = orjson.loads(cell[1:-1].replace(b'""', b'"'))
        else:
            found = orjson.loads(last)["manifest"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return None
    return found if isinstance(found, dict) else None


def check(members: Mapping[str, Any]) -> str:
    """Return the hash of a manifest's members but ``check``, in their order."""
    own = {name: value for name, value in members.items() if name != "check"}
    return hashlib.sha256(orjson.dumps(own)).hexdigest()
