"""Figures to one table or one JSON object."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Way = Literal["<=", ">="]


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach."""

    way: Way
    value: float

    def reached(self, figure: float) -> bool:
        """Whether ``figure`` is good enough."""
        return figure <= self.value if self.way == "<=" else figure >= self.value


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: a value a round.

    Attributes:
        name: what was measured, with its unit.
        values: one a round, in the order of the rounds.
        target: judged by the median.
        digits: decimals to show.
    """

    name: str
    values: Sequence[float]
    target: Target | None = None
    digits: int = 1

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; ``None`` without one."""
        return None if self.target is None else self.target.reached(self.median)

    def as_json(self) -> dict[str, Any]:
        """The row as an object."""
        one: dict[str, Any] = {"name": self.name.strip(), "median": round(self.median, 3)}
        one["values"] = [round(value, 3) for value in self.values]
        if self.target is not None:
            one["target"] = f"{self.target.way} {self.target.value:g}"
            one["reached"] = self.reached
        return one


def table(rows: Sequence[Row]) -> str:
    """Return all rows as text: median, least and most of the rounds, target."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  {'median':>8} {'least':>8} {'most':>8}  target"]
    for row in rows:
        figures = " ".join(
            f"{value:8.{row.digits}f}" for value in (row.median, min(row.values), max(row.values))
        )
        end = ""
        if row.target is not None:
            sign = "≤" if row.target.way == "<=" else "≥"
            end = f"  {sign} {row.target.value:g}: {'reached' if row.reached else 'not reached'}"
        lines.append(f"{row.name:{width}}  {figures}{end}")
    return "\n".join(lines)
