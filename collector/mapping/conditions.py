"""Names, paths and conditions, from checked YAML; every problem becomes a finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import re2

from collector.mapping.document import Findings, Place, suggestion
from collector.mapping.model import Condition, Logic, Node, Scope, Test
from collector.mapping.paths import PathError, parse_path

MAX_NESTING: Final = 8
_TESTS: Final = (
    "equals", "in", "prefix", "suffix", "contains", "exists", "is",
    "gt", "gte", "lt", "lte", "matches", "same",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """What paths can start from at one place of the mapping."""

    current: Scope
    known: dict[str, Scope]

    def within(self, current: Scope, more: Iterable[Scope]) -> Names:
        """Return the names inside a loop whose element is ``current``."""
        return Names(current, {**self.known, **{one.name: one for one in more}})


class ConditionParser:
    """Parses paths and conditions of one file; problems go to ``findings``."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def node(self, text: str, place: Place, names: Names) -> Node | None:
        """Return the node of a path, or note why there is none."""
        try:
            root, steps = parse_path(text)
        except PathError as wrong:
            self._findings.add(place, str(wrong))
            return None
        scope = names.current if root is None else names.known.get(root)
        if scope is None:
            known = [f"${name}" for name in names.known]
            self._findings.add(place, f"nothing is named ${root}{suggestion(f'${root}', known)}")
            return None
        if steps and scope.kind in ("tag", "index"):
            self._findings.add(place, f"${scope.name} has nothing inside it")
            return None
        return scope.root.at(tuple(step for step in steps if isinstance(step, (str, int))))

    def condition(self, value: Any, place: Place, names: Names, depth: int = 0) -> Condition:
        """Return the condition; on a problem a finding and one that is never true."""
        parts: list[Condition] = []
        tests = [key for key in _TESTS if key in value]
        if depth > MAX_NESTING:
            self._findings.add(place, f"conditions are nested deeper than {MAX_NESTING}")
            return Logic("any", ())
        if tests and "path" not in value:
            self._findings.add(place, f"{tests[0]} needs a path to test")
        elif "path" in value and not tests:
            self._findings.add(place, f"the path needs a test: {', '.join(_TESTS)}")
        elif tests:
            node = self.node(value["path"], (*place, "path"), names)
            if node is not None:
                node.read = True
                for op in tests:
                    argument = self._argument(op, value[op], (*place, op), names)
                    parts.append(Test(node, op, argument))
        for op in ("all", "any"):
            if op in value:
                inner = tuple(
                    self.condition(one, (*place, op, index), names, depth + 1)
                    for index, one in enumerate(value[op])
                )
                parts.append(Logic("all" if op == "all" else "any", inner))
        if "not" in value:
            inner = (self.condition(value["not"], (*place, "not"), names, depth + 1),)
            parts.append(Logic("not", inner))
        return parts[0] if len(parts) == 1 else Logic("all", tuple(parts))

    def _argument(self, op: str, argument: Any, place: Place, names: Names) -> Any:
        if op == "same":
            other = self.node(argument, place, names)
            if other is not None:
                other.read = True
            return other
        if op == "matches":
            return self.patterns(argument, place)
        if op in ("prefix", "suffix") and isinstance(argument, list):
            return tuple(argument)
        return argument

    def patterns(self, value: Any, place: Place) -> tuple[Any, ...]:
        """Return the compiled RE2 patterns (a text or a list of them) that are right."""
        options = re2.Options()
        options.log_errors = False
        options.max_mem = 1 << 20
        compiled = []
        for pattern in value if isinstance(value, list) else [value]:
            try:
                compiled.append(re2.compile(pattern, options))
            except re2.error as wrong:
                words = wrong.args[0] if wrong.args else wrong
                words = words.decode() if isinstance(words, bytes) else words
                self._findings.add(
                    place, f"no RE2 pattern: {words} (RE2 has no look-around and no \\1)"
                )
        return tuple(compiled)
