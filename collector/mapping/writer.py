"""Writing the generated function: lines, names, constants. Text of a mapping never enters it.

Every key, pattern, table and constant of a mapping is a name bound in the function's
namespace; the source text consists of names that are counted here and of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from collector.mapping import runtime
from collector.mapping.model import Condition, Logic, Node, Scope, Test

_HELPERS: Final[dict[str, Any]] = {
    "__builtins__": {},
    "type": type,
    "dict": dict,
    "list": list,
    "str": str,
    "bool": bool,
    "int": int,
    "len": len,
    "enumerate": enumerate,
    "bytearray": bytearray,
    "NUMBERS": runtime.NUMBERS,
    "CONTAINERS": runtime.CONTAINERS,
    "JOIN": "".join,
    "text": runtime.text,
    "fresh": runtime.fresh,
    "among": runtime.among,
    "contains": runtime.contains,
    "found": runtime.found,
    "same": runtime.same,
    "groups": runtime.groups,
    "looked_up": runtime.looked_up,
    "element": runtime.element,
    "untaken": runtime.untaken,
    "place": runtime.place,
    "put": runtime.put,
    "spread": runtime.spread,
    "finish": runtime.finish,
    "pruned": runtime.pruned,
}


class Code:
    """Lines of a function and the namespace that it runs in."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = dict(_HELPERS)
        self.flag = ""
        self._indent = 0
        self._count = 0
        self._constants: dict[tuple[type, Any], str] = {}

    def add(self, line: str) -> None:
        """Add one line at the current depth."""
        self.lines.append("    " * self._indent + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Lines inside ``head:``."""
        self.add(head + ":")
        self._indent += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.add("pass")
        self._indent -= 1

    @contextmanager
    def block_if_any(self, head: str) -> Iterator[None]:
        """Lines inside ``head:``; without any, no block."""
        self.add(head + ":")
        self._indent += 1
        before = len(self.lines)
        yield
        self._indent -= 1
        if len(self.lines) == before:
            self.lines.pop()

    def name(self, prefix: str) -> str:
        """Return a new variable name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def constant(self, value: Any) -> str:
        """Return the name that ``value`` is bound to."""
        key = (type(value), value)
        shareable = not isinstance(value, (list, dict, float))
        known = self._constants.get(key) if shareable else None
        if known is None:
            known = self.name("K")
            self.namespace[known] = value
            if shareable:
                self._constants[key] = known
        return known

    # -- reading a scope -------------------------------------------------------------------

    def read(self, scope: Scope, value: str, rest: str = "", *, known: bool = False) -> list[str]:
        """Read every place of ``scope`` that a rule or condition needs.

        Args:
            value: the variable that holds the scope's value.
            rest: the variable that holds a copy of it to take from, or ``""``.
            known: it is certainly an object.

        Returns:
            lines to run when all rules have run: they remove emptied objects from the rest.
        """
        root = scope.root
        root.var, root.rest = value, rest
        tidy: list[str] = []
        self._children(root, rest or value, bool(rest), known, tidy)
        return tidy

    def _children(self, node: Node, value: str, takes: bool, known: bool, tidy: list[str]) -> None:
        named = [one for key, one in node.children.items() if type(key) is str]
        placed = [one for key, one in node.children.items() if type(key) is int]
        if named and known:
            self._keys(named, value, takes, tidy)
        elif named:
            with self.block(f"if type({value}) is dict"):
                if node.rest and node.parent is not None:
                    self.add(f"{node.rest} = {value}.copy()")
                self._keys(named, node.rest or value, takes, tidy)
                if node.rest and node.parent is not None:
                    self._put_back(node, tidy)
            with self.block("else"):
                for one in named:
                    self._absent(one)
                if node.rest and node.parent is not None:
                    self.add(f"{node.rest} = None")
        for one in placed:
            one.var = self.name("v")
            self.add(f"{one.var} = element({value}, {self.constant(one.key)})")
            self._children(one, one.var, False, False, tidy)

    def _keys(self, nodes: list[Node], value: str, takes: bool, tidy: list[str]) -> None:
        for one in nodes:
            one.var = self.name("v")
            key = self.constant(one.key)
            if takes and one.pop:
                self.add(f"{one.var} = {value}.pop({key}, None)")
            else:
                self.add(f"{one.var} = {value}.get({key})")
            inner = takes and not one.whole and _takes_below(one)
            one.rest = self.name("r") if inner else ""
            if one.children:
                self._children(one, one.var, inner, False, tidy)

    def _absent(self, node: Node) -> None:
        node.var = node.var or self.name("v")
        names = [one.var for one in (node, *node.below()) if one.var]
        names += [one.rest for one in (node, *node.below()) if one.rest]
        self.add(" = ".join(names) + " = None")

    def _put_back(self, node: Node, tidy: list[str]) -> None:
        """The copy replaces the original in the parent's rest, unless nothing is left of it."""
        parent = node.parent.rest if node.parent is not None else ""
        key = self.constant(node.key)
        if any(one.take and not one.pop for one in node.below()):
            self.add(f"{parent}[{key}] = {node.rest}")
            tidy.append(f"if {node.rest} is not None and not {node.rest}: del {parent}[{key}]")
            return
        with self.block(f"if {node.rest}"):
            self.add(f"{parent}[{key}] = {node.rest}")
        with self.block("else"):
            self.add(f"del {parent}[{key}]")

    def consume(self, node: Node) -> None:
        """Remove a value that a rule has used from the rest."""
        parent = node.parent
        if parent is not None and parent.rest and not node.pop:
            self.add(f"{parent.rest}.pop({self.constant(node.key)}, None)")
            if self.flag:
                self.add(f"{self.flag} = type")

    # -- conditions ------------------------------------------------------------------------

    def condition(self, condition: Condition) -> str:
        """Return an expression for a condition; everything it needs has been read."""
        if isinstance(condition, Logic):
            parts = [self.condition(one) for one in condition.parts]
            if condition.op == "not":
                return f"(not {parts[0]})"
            if not parts:
                return "None"
            return "(" + (" and " if condition.op == "all" else " or ").join(parts) + ")"
        return self._test(condition)

    def _test(self, test: Test) -> str:
        value, argument = test.node.var, test.argument
        if test.op == "exists":
            return f"({value} is not None)" if argument else f"({value} is None)"
        if test.op == "same":
            return f"same({value}, {argument.var})"
        if test.op == "is":
            return self._is(value, argument)
        if test.op == "equals" and type(argument) is str:
            return f"({value} == {self.constant(argument)})"
        if test.op in ("equals", "in"):
            wanted = argument if test.op == "in" else [argument]
            if all(type(one) is str for one in wanted):
                name = self.constant(frozenset(wanted))
                return f"(type({value}) is str and {value} in {name})"
            pairs = frozenset((type(one) is bool, one) for one in wanted)
            return f"among({value}, {self.constant(pairs)})"
        if test.op in ("prefix", "suffix"):
            method = "startswith" if test.op == "prefix" else "endswith"
            return f"(type({value}) is str and {value}.{method}({self.constant(argument)}))"
        if test.op == "contains":
            return f"contains({value}, {self.constant(argument)})"
        if test.op == "matches":
            return f"found({self.constant(argument)}, {value})"
        sign = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[test.op]
        return f"(type({value}) in NUMBERS and {value} {sign} {self.constant(argument)})"

    @staticmethod
    def _is(value: str, kind: str) -> str:
        if kind == "number":
            return f"(type({value}) in NUMBERS)"
        name = {"object": "dict", "list": "list", "text": "str", "boolean": "bool"}[kind]
        return f"(type({value}) is {name})"


def _takes_below(node: Node) -> bool:
    """Whether a rule removes something inside this object (not through a list's index)."""
    return any(
        one.pop or one.take or _takes_below(one)
        for key, one in node.children.items()
        if type(key) is str
    )
