"""A loaded source mapping and what it does with a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from collector.mapping.generate import Generated
from collector.mapping.model import Mapping as Model
from collector.mapping.model import Removal
from collector.mapping.runtime import ANY, GONE, REDACTED, fresh, place, pruned

Held = tuple[Any, ...]
"""What holds a record and its position there, level by level from outside in."""


class Activities(list[dict[str, Any]]):
    """The activities of a record that held several records.

    Attributes:
        ignored: reasons of those inside that the mapping ignores.
    """

    ignored: tuple[str, ...] = ()


class Source:
    """One source mapping, compiled.

    Attributes:
        name: as in ``event.module`` and in sender rights.
        tags: Fluent tag patterns.
        priority: higher is asked first.
        folder: where it was read from.
        document: the checked content of ``source.yml``.
        fields: names of the fields that its rules can set (without those of ``take``).
        reasons: reasons for which it ignores records.
        code: text of the generated functions, for the curious and for tests.
        test: the cheap test on a record (``match.when``), or ``None``.
        stamp: where all that it does is to take fields of the vocabulary: what comes before
            and after a record's own values in the group ``event``; else ``None``.
        map: see :meth:`map`.
    """

    map: Callable[..., list[dict[str, Any]] | str]
    """``map(record, tag="", time_ns=None)`` -> fresh nested activities, or the reason (text)
    for which the mapping ignores the record. It never raises, whatever ``record`` holds.

    Activities never share a mutable part with each other; they may share parts with
    ``record``, which is not changed. ``time_ns`` is the transport's time, which is for the
    normalizer to use; mappings read times from the record alone."""

    def __init__(
        self, document: Mapping[str, Any], folder: Path, model: Model, made: Generated
    ) -> None:
        match = document.get("match", {})
        self.document = document
        self.folder = folder
        self.name: str = document["name"]
        self.version: int = document["version"]
        self.title: str = document["title"]
        self.description: str = document["description"].strip()
        self.reference: str = document.get("reference", "")
        self.tags: tuple[str, ...] = tuple(match.get("tags", ()))
        self.priority: int = match.get("priority", 0)
        self.takes_vocabulary = model.take
        self.reasons = tuple(reason for _, reason in model.ignore)
        rules = [model.fields, *(one.fields for one in model.outputs)]
        self.fields = tuple(dict.fromkeys(name for part in rules for name, _ in part))
        self.test = made.test
        self.code = made.text
        self.stamp = made.stamp
        self._run = made.run
        self._scrub = made.scrub
        self._records = model.records
        self._removals = [one for one in model.removals if one.level]
        self._levels = [scope.name for scope in model.envelopes if scope.kind == "envelope"]
        self.map = self._unpacked if model.records else self._single

    def __repr__(self) -> str:
        return f"<Source {self.name} {self.version}>"

    def scrub(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return ``record`` without what the mapping drops and redacts; copies what it changes.

        For what is kept of a record that was refused after mapping.
        """
        if type(record) is not dict:
            return record
        if not self._records or not self._find(record, 0, (), {}, []):
            return self._scrub(record)
        return self._scrubbed(record, 0)

    def _single(
        self, record: dict[str, Any], tag: str = "", time_ns: int | None = None
    ) -> list[dict[str, Any]] | str:
        if type(record) is not dict:
            return [{"metadata": {"record": record}}]
        return self._run(record, tag)

    # -- records inside records ------------------------------------------------------------

    def _unpacked(
        self, record: dict[str, Any], tag: str = "", time_ns: int | None = None
    ) -> list[dict[str, Any]] | str:
        if type(record) is not dict:
            return [{"metadata": {"record": record}}]
        found: list[tuple[dict[str, Any], Held, dict[str, Any]]] = []
        if not self._find(record, 0, (), {}, found):
            return self._run(record, tag)
        result = Activities()
        ignored: list[str] = []
        for inner, held, around in found:
            made = self._run(inner, tag, *held)
            if isinstance(made, str):
                ignored.append(made)
                continue
            if around:
                for activity in made:
                    place(activity.setdefault("metadata", {}), "envelope", fresh(around))
            result += made
        if not result:
            odd = next((around for *_, around in found if self._left_over(around)), None)
            return ignored[0] if odd is None else [{"metadata": {"envelope": fresh(odd)}}]
        result.ignored = tuple(ignored)
        return result

    def _find(
        self,
        holder: dict[str, Any],
        level: int,
        held: Held,
        around: dict[str, Any],
        found: list[tuple[dict[str, Any], Held, dict[str, Any]]],
    ) -> bool:
        """Collect the records inside ``holder``; false if it holds none."""
        steps = self._records[level][1]
        items: Any = holder
        for step in steps:
            items = items.get(step) if type(items) is dict else None
        if type(items) is not list or not any(type(one) is dict for one in items):
            return False
        left: list[Any] = []
        here: list[tuple[dict[str, Any], Held, dict[str, Any]]] = []
        shell = self._removed(holder, self._levels[level])
        rest = dict(around)
        for position, one in enumerate(items):
            inside = (*held, holder, position)
            if type(one) is not dict:
                left.append(one)
            elif level + 1 == len(self._records):
                here.append((one, inside, rest))
            elif not self._find(one, level + 1, inside, rest, here):
                left.append(one)
        if not here:
            return False
        shell = _without(shell, steps, left)
        if level == 0:
            rest.update(shell)
        elif shell:
            rest[self._levels[level]] = shell
        if level + 1 < len(self._records):  # the levels below copied ``rest`` before it was full
            here = [(one, outer, _merged(rest, inner)) for one, outer, inner in here]
        found += here
        return True

    def _left_over(self, around: dict[str, Any]) -> bool:
        """Whether elements that are no records are among what is left of the envelope."""
        for level, (_, steps) in enumerate(self._records):
            shell: Any = around if level == 0 else around.get(self._levels[level])
            for step in steps:
                shell = shell.get(step) if type(shell) is dict else None
            if shell is not None:
                return True
        return False

    def _removed(self, holder: dict[str, Any], level: str) -> dict[str, Any]:
        for removal in self._removals:
            if removal.level == level:
                holder = pruned(holder, _steps(removal), REDACTED if removal.redact else GONE)
        return holder

    def _scrubbed(self, holder: dict[str, Any], level: int) -> dict[str, Any]:
        if level == len(self._records):
            return self._scrub(holder)
        items: Any = holder
        steps = self._records[level][1]
        for step in steps:
            items = items.get(step) if type(items) is dict else None
        holder = self._removed(holder, self._levels[level])
        if type(items) is not list:
            return holder
        cleaned = [self._scrubbed(one, level + 1) if type(one) is dict else one for one in items]
        return _with(holder, steps, cleaned)


def _merged(rest: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    result = dict(rest)
    for key, value in inner.items():
        place(result, key, value)
    return result


def _steps(removal: Removal) -> tuple[Any, ...]:
    return tuple(step if isinstance(step, (str, int)) else ANY for step in removal.steps)


def _without(holder: dict[str, Any], steps: tuple[str, ...], left: list[Any]) -> dict[str, Any]:
    """Copy ``holder`` with ``left`` in place of the list; objects emptied by it go too."""
    result = dict(holder)
    key = steps[0]
    if len(steps) == 1:
        if left:
            result[key] = left
        else:
            result.pop(key, None)
        return result
    inner = _without(holder[key], steps[1:], left) if type(holder.get(key)) is dict else {}
    if inner:
        result[key] = inner
    else:
        result.pop(key, None)
    return result


def _with(holder: dict[str, Any], steps: tuple[str, ...], items: list[Any]) -> dict[str, Any]:
    key = steps[0]
    if key not in holder:
        return holder
    new = items if len(steps) == 1 else _with(holder[key], steps[1:], items)
    return {**holder, key: new}
