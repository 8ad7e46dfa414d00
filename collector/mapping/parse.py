"""From a checked ``source.yml`` to a :class:`~collector.mapping.model.Mapping`."""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any, Final

from activity_center.vocabulary import Field
from collector.mapping.conditions import Names
from collector.mapping.conversions import OPENING
from collector.mapping.document import Findings, Place, suggestion
from collector.mapping.model import (
    Condition,
    Constant,
    First,
    Lookup,
    Loop,
    Mapping,
    Output,
    Removal,
    Rule,
    Scope,
)
from collector.mapping.model import Let as LetRule
from collector.mapping.paths import PathError, parse_path
from collector.mapping.rules import Mode, RuleParser

METADATA: Final = "metadata"
_FREE: Final = frozenset({"flat_object", "object_disabled"})
_RESERVED_NAMES: Final = frozenset({"record", "envelope", "tag", "time"})


def parse(document: Map[str, Any], findings: Findings, vocabulary: Map[str, Field]) -> Mapping:
    """Return the mapping; problems go to ``findings``, which the caller checks."""
    return _Parser(document, findings, vocabulary).mapping()


class _Parser:
    def __init__(
        self, document: Map[str, Any], findings: Findings, vocabulary: Map[str, Field]
    ) -> None:
        self._document = document
        self._findings = findings
        self._vocabulary = vocabulary
        self._lookups = self._tables()
        self._rules = RuleParser(findings, self._lookups)
        self._where: dict[str, Place] = {}

    def mapping(self) -> Mapping:
        document = self._document
        records, levels = self._records()
        received = (Scope("record", "record", False), Scope("record", "record", False))
        record = Scope("record", "record", True)
        tag = Scope("tag", "tag", False)
        positions = [Scope(f"{name}_index", "index", False) for name, _ in records]
        held = tuple(one for pair in zip(levels, positions, strict=True) for one in pair)
        outside = {scope.name: scope for scope in (*held, tag)}
        early, later = (Names(one, {**outside, "record": one}) for one in received)
        names = Names(record, {**outside, "record": record})
        test_scope = Scope("record", "record", False)
        match = document.get("match", {})
        test = None
        if "when" in match:
            only = Names(test_scope, {"record": test_scope})
            condition = self._rules.condition(match["when"], ("match", "when"), only)
            test = (test_scope, condition)
        ignore = tuple(
            (self._rules.condition(one["when"], ("ignore", i, "when"), early), one["reason"])
            for i, one in enumerate(document.get("ignore", ()))
        )
        removals = (
            *self._removals("drop", later, levels),
            *self._removals("redact", later, levels),
        )
        lets, names = self._lets(names)
        fields = self._fields(document.get("fields", {}), ("fields",), names)
        outputs = self._outputs(names, fields)
        if not (fields or outputs or document.get("take")):
            self._findings.add((), "nothing is stored: it needs fields, activities or take")
        unused = sorted(set(self._lookups) - self._rules.used_lookups)
        for name in unused:
            self._findings.add(("lookups", name), "no rule uses this table")
        return Mapping(
            defaults=self._defaults({name for name, _ in fields}),
            received=received,
            record=record,
            records=records,
            envelopes=held,
            tag=tag,
            test=test,
            ignore=ignore,
            removals=tuple(removals),
            lets=lets,
            take="take" in document,
            fields=fields,
            outputs=outputs,
        )

    def _tables(self) -> dict[str, dict[str, Any]]:
        tables = self._document.get("lookups", {})
        for name, table in tables.items():
            for key, value in table.items():
                items = value if isinstance(value, list) else [value]
                if value is None or any(isinstance(one, (dict, list)) for one in items):
                    place = ("lookups", name, key)
                    self._findings.add(place, "must be a scalar or a list of scalars")
        return dict(tables)

    def _records(self) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], list[Scope]]:
        """Envelope levels, and the scopes of what holds the record, outermost first."""
        value = self._document.get("records")
        if value is None:
            return (), []
        levels = {"item": value} if isinstance(value, str) else value
        result = []
        scopes = [Scope("envelope", "envelope", False)]
        for name, text in levels.items():
            place: Place = ("records",) if isinstance(value, str) else ("records", name)
            try:
                root, steps = parse_path(text)
            except PathError as wrong:
                self._findings.add(place, str(wrong))
                continue
            if root is not None or not all(isinstance(step, str) for step in steps):
                self._findings.add(place, "names only: the list inside the element before it")
            if name in _RESERVED_NAMES:
                self._findings.add(place, f"the name {name!r} is taken")
            result.append((name, tuple(step for step in steps if isinstance(step, str))))
            scopes.append(Scope(name, "envelope", False))
        return tuple(result), scopes[: len(result)]

    def _removals(self, key: str, names: Names, levels: list[Scope]) -> list[Removal]:
        result = []
        envelopes = {scope.name for scope in levels}
        for index, one in enumerate(self._document.get(key, ())):
            place: Place = (key, index)
            entry = {"path": one} if isinstance(one, str) else one
            try:
                root, steps = parse_path(entry["path"], stars=True)
            except PathError as wrong:
                self._findings.add(place, str(wrong))
                continue
            level = "" if root in (None, "record") else str(root)
            if level and level not in envelopes:
                self._findings.add(place, f"${level} is no part of what holds the record")
                continue
            if not steps:
                self._findings.add(place, "not the whole record: use ignore")
                continue
            when = None
            if "when" in entry:
                if level:
                    self._findings.add(place, "what holds the record is removed without condition")
                when = self._rules.condition(entry["when"], (*place, "when"), names)
            result.append(Removal(level, steps, key == "redact", when))
        return result

    def _lets(self, names: Names) -> tuple[tuple[LetRule, ...], Names]:
        lets = []
        for name, value in self._document.get("let", {}).items():
            place = ("let", name)
            if name in names.known or name in _RESERVED_NAMES:
                self._findings.add(place, f"the name {name!r} is taken")
                continue
            opens = _opens(value)
            # A named value may end up in no activity, so naming alone takes nothing away.
            mode: Mode = "perhaps" if opens else "never"
            rule = self._rules.rule(value, place, names, mode, let=True)
            scope = Scope(name, "let", opens)
            lets.append(LetRule(scope, rule, opens))
            names = names.within(names.current, (scope,))
        return tuple(lets), names

    def _fields(
        self, fields: Map[str, Any], place: Place, names: Names, *, always: bool = True
    ) -> tuple[tuple[str, Rule], ...]:
        result = []
        for name, value in fields.items():
            inner = (*place, name)
            rule = self._rules.rule(value, inner, names, "always" if always else "perhaps")
            self._check_field(name, rule, inner)
            result.append((name, rule))
        self._check_overlap([name for name, _ in result], place)
        return tuple(result)

    def _check_field(self, name: str, rule: Rule, place: Place) -> None:
        field = self._vocabulary.get(name)
        if field is None:
            head = name
            while "." in head and field is None:
                head = head.rpartition(".")[0]
                field = self._vocabulary.get(head)
            if field is None or field.type not in _FREE or "" in name.split("."):
                near = suggestion(name, list(self._vocabulary))
                self._findings.add(place, f"{name!r} is no field of the vocabulary{near}")
            elif head == METADATA and name.count(".") > 1:
                self._findings.add(place, "one key below metadata, not more")
            return
        if name == METADATA:
            self._findings.add(place, "metadata is what no rule takes; a rule may set metadata.KEY")
        elif name == "event.module":
            self._findings.add(place, "event.module is the name of the mapping")
        elif field.reserved:
            self._findings.add(place, f"{name} is reserved: the collector sets it")
        if field.values is not None:
            for value in _constants(rule):
                if value not in field.values:
                    known = ", ".join(field.values)
                    self._findings.add(place, f"{value!r} is no value of {name} ({known})")

    def _check_overlap(self, names: list[str], place: Place) -> None:
        known = set(names)
        for name in names:
            head = name
            while "." in head:
                head = head.rpartition(".")[0]
                if head in known:
                    self._findings.add((*place, name), f"{head} holds it already")

    def _outputs(self, names: Names, base: tuple[tuple[str, Rule], ...]) -> tuple[Output, ...]:
        if "activities" in self._document and "take" in self._document:
            self._findings.add(("activities",), "take makes one activity; it goes without this")
        shared = [name for name, _ in base]
        result = []
        for index, one in enumerate(self._document.get("activities", ())):
            place: Place = ("activities", index)
            when = None
            if "when" in one:
                when = self._rules.condition(one["when"], (*place, "when"), names)
            loops: tuple[Loop, ...] = ()
            within = names
            if "each" in one:
                loops, within = self._rules.loops(
                    one["each"], (*place, "each"), names, consumable=True
                )
            where: Condition | None = None
            if "where" in one:
                if not loops:
                    self._findings.add((*place, "where"), "where goes with each; use when")
                where = self._rules.condition(one["where"], (*place, "where"), within)
            fields = self._fields(one["fields"], (*place, "fields"), within, always=False)
            own = [name for name, _ in fields]
            for name in own:
                if name in shared:
                    self._findings.add(
                        (*place, "fields", name), "stands in the fields that all activities share"
                    )
            self._check_overlap([*shared, *(n for n in own if n not in shared)], place)
            result.append(Output(when, loops, where, fields))
        return tuple(result)

    def _defaults(self, ruled: set[str]) -> tuple[tuple[str, Any], ...]:
        document = self._document
        given = {
            "event.module": document["name"],
            "event.provider": document.get("provider"),
            "event.dataset": document.get("dataset"),
            "activity.lens": document.get("lens"),
        }
        return tuple(
            (name, value)
            for name, value in given.items()
            if value is not None and name not in ruled
        )


def _opens(value: Any) -> bool:
    """Whether a ``let`` turns a text or list into an object that paths go into."""
    if not isinstance(value, dict) or not ("path" in value or "first" in value):
        return False
    wanted = value.get("convert", ())
    last = wanted[-1] if isinstance(wanted, list) and wanted else wanted
    name = next(iter(last), None) if isinstance(last, dict) else last
    return name in OPENING and "lookup" not in value


def _constants(rule: Rule) -> list[Any]:
    """Every constant that a rule can give."""
    found: list[Any] = []
    for value in [rule.default, *_tables(rule)]:
        found += value if isinstance(value, list) else [] if value is None else [value]
    origin = rule.origin
    if isinstance(origin, Constant) and origin.value is not None:
        found += origin.value if isinstance(origin.value, list) else [origin.value]
    elif isinstance(origin, First):
        for one in origin.rules:
            found += _constants(one)
    return found


def _tables(rule: Rule) -> list[Any]:
    if rule.changes and isinstance(rule.changes[-1], Lookup):
        return list(rule.changes[-1].table.values())
    return []
