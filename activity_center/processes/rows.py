"""The rows of one attempt's steps: an entry makes anew those that it touches, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from activity_center.processes.attempt import Step

Row = dict[str, Any]
_LAST: Final = float("inf")
"""Order of a step that no index and no announced name puts anywhere."""


class Make(Protocol):
    """Makes the row of a step, without its index."""

    def __call__(self, id_: str, name: str | None = None) -> Row:
        """Return the row of a step that is known by its id, or of one announced by name."""


@dataclass(slots=True)
class Rows:
    """Rows as they were last asked for, and what has changed since.

    Attributes:
        progress: of all rows on average, 0 to 1.
    """

    progress: float = 0.0
    _rows: list[Row] = field(default_factory=list)
    _declared: Sequence[str] = ()
    _by_name: dict[str, int] = field(default_factory=dict)
    _coming: dict[int, Row] = field(default_factory=dict)
    _stands: dict[str, tuple[float, int]] = field(default_factory=dict)
    _touched: set[str] = field(default_factory=set)

    def touch(self, id_: str) -> None:
        """Note that a step has come, gone, or says something else."""
        self._touched.add(id_)

    def of(self, steps: Mapping[str, Step], declared: Sequence[str], make: Make) -> list[Row]:
        """Return the rows in their order, also of the steps still to come.

        Neither the list nor a row in it is changed later: what is the same object says the same.

        Args:
            declared: names of the steps in order, as the producer announced them.
        """
        same = declared == self._declared
        if same and not self._touched:
            return self._rows
        if not same:
            self._declared = declared
            self._by_name = {name: at for at, name in reversed(list(enumerate(declared)))}
            self._coming = {}
        if same and all(self._stays(id_, steps) for id_ in self._touched):
            self._rows = list(self._rows)
            for id_ in self._touched:
                index = self._stands[id_][1]
                self._rows[index] = {**make(id_), "index": index}
        else:
            self._build(steps, make)
        self._touched.clear()
        total = sum(row["progress"] for row in self._rows)
        self.progress = round(total / len(self._rows), 4) if self._rows else 0.0
        return self._rows

    def _stays(self, id_: str, steps: Mapping[str, Step]) -> bool:
        """Whether a step still stands where it stood."""
        stood = self._stands.get(id_)
        return stood is not None and id_ in steps and stood[0] == self._order(steps[id_])

    def _order(self, step: Step) -> float:
        at: int | None = step.index.value
        return self._by_name.get(step.name.value, _LAST) if at is None else at

    def _build(self, steps: Mapping[str, Step], make: Make) -> None:
        placed: list[tuple[float, str]] = [(self._order(one), id_) for id_, one in steps.items()]
        taken = {at for at, _ in placed}
        placed += ((at, "") for at in range(len(self._declared)) if at not in taken)
        placed.sort()
        before, stood = self._rows, self._stands
        self._rows, self._stands = [], {}
        for index, (at, id_) in enumerate(placed):
            if not id_:
                row = self._coming.get(int(at)) or make(f"step-{at + 1}", self._declared[int(at)])
            elif id_ in stood and id_ not in self._touched:
                row = before[stood[id_][1]]
            else:
                row = make(id_)
            if row.get("index") != index:
                row = {**row, "index": index}
            if id_:
                self._stands[id_] = (at, index)
            else:
                self._coming[int(at)] = row
            self._rows.append(row)
