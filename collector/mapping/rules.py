"""From checked YAML to rules and conditions; every problem becomes a finding."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final, Literal

from collector.mapping.conditions import MAX_NESTING, ConditionParser, Names
from collector.mapping.conversions import CONVERSIONS, ArgumentError, Conversion
from collector.mapping.document import Findings, Place, suggestion
from collector.mapping.model import (
    Change,
    Constant,
    Each,
    First,
    Lookup,
    Loop,
    Make,
    Match,
    Node,
    Origin,
    Read,
    Rule,
    Scope,
    Template,
)
from collector.mapping.paths import is_secret

Mode = Literal["always", "perhaps", "never"]
"""Whether a rule removes what it reads from the rest: whatever comes, if used, not at all."""
_ORIGINS: Final = ("path", "value", "template", "first", "each", "object")
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class RuleParser(ConditionParser):
    """Parses rules, conditions and loops of one file.

    Args:
        findings: where problems go.
        lookups: the tables of the mapping.
    """

    def __init__(self, findings: Findings, lookups: dict[str, dict[str, Any]]) -> None:
        super().__init__(findings)
        self._lookups = lookups
        self.used_lookups: set[str] = set()

    def value(self, text: str, place: Place, names: Names) -> Node | None:
        """Return the node of a path whose value is stored: not a secret's, not all of it."""
        node = self.node(text, place, names)
        if node is None:
            return None
        if node.parent is None and node.scope.kind in ("record", "envelope"):
            self._findings.add(place, "a rule cannot take the whole record; name a path in it")
            return None
        if is_secret(node.key):
            self._findings.add(
                place, f"{text!r} looks like a secret: no rule may store it (drop or redact it)"
            )
            return None
        node.read = True
        return node

    def loops(
        self, value: Any, place: Place, names: Names, consumable: bool
    ) -> tuple[tuple[Loop, ...], Names]:
        """Return the loops of an ``each`` and the names inside the innermost one."""
        levels = {"item": value} if isinstance(value, str) else value
        result = []
        for name, path in levels.items():
            inner = place if isinstance(value, str) else (*place, name)
            if name in names.known:
                self._findings.add(inner, f"the name {name!r} is taken")
            items = self.node(path, inner, names)
            element = Scope(name, "element", consumable)
            index = Scope(f"{name}_index", "index", False)
            names = names.within(element, (element, index))
            if items is None:
                continue
            if is_secret(items.key):
                self._findings.add(inner, f"{path!r} looks like a list of secrets")
            items.read = True
            items.take = items.take or (consumable and items.scope.consumable)
            result.append(Loop(items, element, index))
        return tuple(result), names

    def rule(
        self, value: Any, place: Place, names: Names, mode: Mode, let: bool = False, depth: int = 0
    ) -> Rule:
        """Return the rule; on a problem a finding and a rule that gives nothing.

        Args:
            let: the rule names a value, so a pattern may have several groups.
        """
        if isinstance(value, str):
            value = {"path": value}
        origins = [key for key in _ORIGINS if key in value]
        if len(origins) != 1 or depth > MAX_NESTING:
            problem = (
                f"a rule has exactly one of {', '.join(_ORIGINS)}"
                if len(origins) != 1
                else f"rules are nested deeper than {MAX_NESTING}"
            )
            self._findings.add(place, problem)
            return Rule(Constant(None))
        kind = origins[0]
        if kind != "each":
            for key in ("where", "give"):
                if key in value:
                    self._findings.add((*place, key), f"{key} goes with each")
        elif "give" not in value:
            self._findings.add(place, "each needs give: the value of one element")
            return Rule(Constant(None))
        when = None
        if "when" in value:
            when = self.condition(value["when"], (*place, "when"), names)
            mode = "perhaps" if mode == "always" else mode
        keep = value.get("keep")
        if keep is True:
            mode = "never"
        changes = self._changes(value, place, let)
        if kind == "value" and changes:
            self._findings.add(place, "a constant takes no match, convert or lookup")
        plain = kind == "first" and _plain_paths(value["first"])
        if changes and keep is not False:
            mode = _weaker(kind, plain, mode, changes)
        if kind == "first":
            # A list of plain paths: each is changed by itself, so each may go on its own.
            spread = changes if plain else ()
            changes = () if spread else changes
            origin: Origin = self._first(
                value["first"], (*place, "first"), names, mode, spread, keep, depth
            )
        else:
            origin = self._origin(kind, value, place, names, mode, keep, depth)
        if "default" in value and not _is_constant(value["default"]):
            self._findings.add((*place, "default"), "must be a scalar or a list of scalars")
        return Rule(origin, when, changes, value.get("default"), keep)

    def _origin(
        self,
        kind: str,
        value: Any,
        place: Place,
        names: Names,
        mode: Mode,
        keep: bool | None,
        depth: int,
    ) -> Origin:
        inner = (*place, kind)
        if kind == "path":
            node = self.value(value["path"], inner, names)
            if node is None:
                return Constant(None)
            node.uses += 1
            self._mark(node, mode)
            return Read(node)
        if kind == "value":
            if not _is_constant(value["value"]):
                self._findings.add(inner, "must be a scalar or a list of scalars")
                return Constant(None)
            return Constant(value["value"])
        if kind == "template":
            return self._template(value["template"], inner, names, mode)
        if kind == "object":
            items = tuple(
                (key, self.rule(one, (*inner, key), names, mode, depth=depth + 1))
                for key, one in value["object"].items()
            )
            return Make(items)
        loops, within = self.loops(value["each"], inner, names, consumable=False)
        where = None
        if "where" in value:
            where = self.condition(value["where"], (*place, "where"), within)
        if keep is False and loops:
            self._mark(loops[0].items, "perhaps")
        give = self.rule(value["give"], (*place, "give"), within, "never", depth=depth + 1)
        return Each(loops, where, give)

    def _first(
        self,
        rules: list[Any],
        place: Place,
        names: Names,
        mode: Mode,
        changes: tuple[Change, ...],
        keep: bool | None,
        depth: int,
    ) -> First:
        """``changes`` (of a list of plain paths) go to each of the rules."""
        made = []
        for index, one in enumerate(rules):
            own: Mode = "perhaps" if mode == "always" and index else mode
            if keep is False and not isinstance(one, str) and "keep" not in one:
                one = {**one, "keep": False}
            rule = self.rule(one, (*place, index), names, own, depth=depth + 1)
            made.append(replace(rule, changes=changes, keep=keep) if changes else rule)
        return First(tuple(made))

    def _template(self, text: str, place: Place, names: Names, mode: Mode) -> Template:
        parts: list[str | Node] = []
        at = 0
        for match in _PART.finditer(text):
            parts.append(text[at : match.start()])
            at = match.end()
            if match.group() in ("{{", "}}"):
                parts.append(match.group()[0])
            elif match.group(1) is None:
                self._findings.add(place, f"a single {match.group()} (write it twice for the sign)")
            else:
                node = self.value(match.group(1).strip(), place, names)
                if node is not None:
                    self._mark(node, "never" if mode == "never" else "perhaps")
                    parts.append(node)
        parts.append(text[at:])
        if not any(isinstance(part, Node) for part in parts):
            self._findings.add(place, "no {path} in it; use value for a constant")
        return Template(tuple(part for part in parts if part != ""))

    def _mark(self, node: Node, mode: Mode) -> None:
        if not node.scope.consumable or mode == "never":
            return
        if mode == "always":
            node.pop = True
        else:
            node.take = True

    def _changes(self, value: Any, place: Place, let: bool) -> tuple[Change, ...]:
        changes: list[Change] = []
        if "match" in value:
            changes.append(self._match(value["match"], (*place, "match"), let))
        if "convert" in value:
            wanted = value["convert"]
            listed = wanted if isinstance(wanted, list) else [wanted]
            for index, one in enumerate(listed):
                inner = (*place, "convert", index) if wanted is listed else (*place, "convert")
                conversion = self._conversion(one, inner)
                if conversion is not None:
                    changes.append(conversion)
        if "lookup" in value:
            name = value["lookup"]
            self.used_lookups.add(name)
            if name in self._lookups:
                changes.append(Lookup(self._lookups[name]))
            else:
                where = (*place, "lookup")
                self._findings.add(
                    where, f"no table is named {name!r}{suggestion(name, self._lookups)}"
                )
        return tuple(changes)

    def _match(self, value: Any, place: Place, let: bool) -> Match:
        patterns = self.patterns(value, place)
        named: set[str] = set()
        for pattern in patterns:
            named.update(pattern.groupindex)
            if not pattern.groupindex or pattern.groups != len(pattern.groupindex):
                self._findings.add(place, "every group needs a name, (?P<name>...) or (?:...)")
        if len(named) > 1 and not let:
            self._findings.add(place, "several groups make an object: put the pattern into a let")
        secret = sorted(filter(is_secret, named))
        if secret:
            self._findings.add(place, f"the group {secret[0]!r} looks like a secret")
        return Match(patterns, len(named) == 1)

    def _conversion(self, value: Any, place: Place) -> Conversion | None:
        name, argument = value, None
        if isinstance(value, dict):
            if len(value) != 1:
                self._findings.add(place, "a conversion is a name, or one name with its argument")
                return None
            name, argument = next(iter(value.items()))
        kind = CONVERSIONS.get(name)
        if kind is None:
            known = f"no conversion is named {name!r}{suggestion(name, CONVERSIONS)}"
            self._findings.add(place, known)
            return None
        if kind.argument is None and isinstance(value, dict):
            self._findings.add(place, f"{name} takes no argument")
            return None
        try:
            return kind.make(argument)
        except ArgumentError as wrong:
            self._findings.add(place, str(wrong))
            return None


def _plain_paths(rules: list[Any]) -> bool:
    return all(isinstance(one, str) or set(one) == {"path"} for one in rules)


def _weaker(kind: str, plain: bool, mode: Mode, changes: tuple[Change, ...]) -> Mode:
    """A change may fail or lose something: only what went through whole leaves the rest."""
    if all(isinstance(one, Conversion) and one.name == "list" for one in changes):
        return mode
    if any(isinstance(one, Lookup) for one in changes):
        return "never"
    own = kind in ("path", "template") or plain
    return "never" if not own else "perhaps" if mode == "always" else mode


def _is_constant(value: Any) -> bool:
    if isinstance(value, list):
        return all(not isinstance(one, (list, dict)) for one in value)
    return not isinstance(value, dict)
