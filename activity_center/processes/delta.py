"""What one entry changed of a process, and the one rule by which a client takes it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Row = dict[str, Any]

STEPS: Final = ("steps", "index")
REQUESTS: Final = ("requests", "id")
"""The lists of a process, and the member that tells their rows apart."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed of one process.

    Attributes:
        id: of the process.
        organization: its id, or empty; a process is told by both.
        process: changed members of its top level, whole; neither lists of rows nor output.
        steps, requests: changed rows, whole.
        lines: lines of output to append.
        output: ``bytes`` and ``total`` as they now are, and ``kept``: lines that remain.
        renewed: of ``steps``, ``lines``, ``requests``: what replaces the list before.
    """

    id: str
    organization: str
    process: Row = field(default_factory=dict)
    steps: Sequence[Row] = ()
    lines: Sequence[Row] = ()
    output: Mapping[str, int] | None = None
    requests: Sequence[Row] = ()
    renewed: Sequence[str] = ()

    def as_dict(self) -> Row:
        """Return it as the protocol has it; members without content are left out."""
        made: Row = {"id": self.id, "organization": self.organization}
        for name in ("process", "steps", "lines", "output", "requests", "renewed"):
            value = getattr(self, name)
            if value:
                made[name] = value if isinstance(value, Mapping) else list(value)
        return made


def rows_delta(before: Sequence[Row], now: Sequence[Row], key: str) -> tuple[list[Row], bool]:
    """Return the rows to send, and whether they replace the list.

    Rows that were there stay in place as long as no row vanished or moved; then only the
    changed and further ones are sent.
    """
    if now is before:
        return [], False
    if [row[key] for row in before] != [row[key] for row in now[: len(before)]]:
        return list(now), True
    # Which is the same object is equal; a comparison of its members would cost far more.
    changed = (
        row
        for at, row in enumerate(now)
        if at >= len(before) or (row is not before[at] and row != before[at])
    )
    return list(changed), False


def merge(process: Mapping[str, Any] | None, delta: Mapping[str, Any]) -> Row:
    """Return the process after a delta. Neither argument is changed.

    1. Members of ``delta.process`` replace those of the process.
    2. ``steps`` (by ``index``) and ``requests`` (by ``id``): a row replaces the one of the same
       key in its place, else it is appended. A list named in ``renewed`` is emptied before.
    3. ``lines`` are appended (``renewed``: after emptying), and the last ``output.kept`` stay;
       ``output.bytes`` and ``output.total`` are taken over.

    Args:
        process: as :meth:`~activity_center.processes.fold.Process.as_dict` or an earlier merge
            returned it; ``None``: the delta is the first of its process, and whole.
        delta: as :meth:`Delta.as_dict` returns it.
    """
    before: Mapping[str, Any] = process or {}
    renewed = delta.get("renewed", ())
    made = {**before, **delta.get("process", {})}
    for name, key in (STEPS, REQUESTS):
        rows = [] if name in renewed else list(before.get(name, ()))
        places = {row[key]: at for at, row in enumerate(rows)}
        for row in delta.get(name, ()):
            if row[key] in places:
                rows[places[row[key]]] = row
            else:
                places[row[key]] = len(rows)
                rows.append(row)
        made[name] = rows
    output = before.get("output", {"lines": [], "bytes": 0, "total": 0})
    counts = delta.get("output")
    if counts is not None:
        lines = [] if "lines" in renewed else list(output["lines"])
        lines += delta.get("lines", ())
        output = {
            "lines": lines[len(lines) - min(counts["kept"], len(lines)) :],
            "bytes": counts["bytes"],
            "total": counts["total"],
        }
    made["output"] = output
    return made
