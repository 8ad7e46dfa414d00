"""The part of Dashboards Query Language that our objects use, as a tree.

Values side by side without an operator, and whole-text queries, are refused: what they find
depends on settings of the reader's Dashboards. The grammar is OpenSearch Dashboards'
``src/plugins/data/common/opensearch_query/kuery/ast/kuery.peg``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from activity_center.errors import VocabularyError

_TOKEN: Final = re.compile(r'\s*(?:(<=|>=|[():<>])|"((?:[^"\\]|\\.)*)"|([^\s():<>"]+))')


@dataclass(frozen=True, slots=True)
class Is:
    """``field: value``.

    Attributes:
        phrase: the value stood in quotes.
    """

    field: str
    value: str
    phrase: bool = False

    @property
    def exists(self) -> bool:
        """Whether it only asks for any value."""
        return self.value == "*" and not self.phrase

    @property
    def wildcard(self) -> bool:
        """Whether the value is a pattern."""
        return "*" in self.value and not self.phrase and not self.exists


@dataclass(frozen=True, slots=True)
class Range:
    """``field >= value``."""

    field: str
    operator: Literal["<", "<=", ">", ">="]
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """``not …``."""

    node: Node


@dataclass(frozen=True, slots=True)
class Join:
    """``… and …``, ``… or …``."""

    operator: Literal["and", "or"]
    nodes: tuple[Node, ...]


Node: TypeAlias = Is | Range | Not | Join


def parse(text: str) -> Node:
    """Return the tree of a query.

    Raises:
        VocabularyError: it is empty, or not of the part of the language that is used here.
    """
    parser = _Parser(text)
    node = parser.either()
    if parser.kind != "end":
        raise parser.wrong()
    return node


def terms(node: Node) -> Iterator[Is | Range]:
    """Yield every comparison in a tree."""
    if isinstance(node, Not):
        yield from terms(node.node)
    elif isinstance(node, Join):
        for one in node.nodes:
            yield from terms(one)
    else:
        yield node


class _Parser:
    """Recursive descent; ``kind`` and ``word`` are the token at hand."""

    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0
        self.kind: str = "end"
        self.word = ""
        self.step()

    def step(self) -> None:
        rest = self.text[self.place :]
        if not rest.strip():
            self.kind = "end"
            return
        found = _TOKEN.match(rest)
        if found is None:
            raise self.wrong()
        self.place += found.end()
        sign, quoted, word = found.groups()
        if sign is not None:
            self.kind, self.word = "sign", sign
        elif quoted is not None:
            self.kind, self.word = "quoted", re.sub(r"\\(.)", r"\1", quoted)
        else:
            lower = word.lower()
            self.kind = "operator" if lower in ("and", "or", "not") else "word"
            self.word = lower if self.kind == "operator" else word

    def take(self, kind: str, *words: str) -> str | None:
        if self.kind != kind or (words and self.word not in words):
            return None
        word = self.word
        self.step()
        return word

    def wrong(self) -> VocabularyError:
        return VocabularyError(
            f"the query {self.text!r} cannot be read at character {self.place}",
            hint="write field: value, field: (a or b), and, or, not, parentheses, <, <=, >, >=",
        )

    def either(self) -> Node:
        return self.joined("or", lambda: self.joined("and", self.plain))

    def joined(self, operator: Literal["and", "or"], inner: Callable[[], Node]) -> Node:
        nodes = [inner()]
        while self.take("operator", operator):
            nodes.append(inner())
        return nodes[0] if len(nodes) == 1 else Join(operator, tuple(nodes))

    def plain(self) -> Node:
        if self.take("operator", "not"):
            return Not(self.plain())
        if self.take("sign", "("):
            node = self.either()
            if not self.take("sign", ")"):
                raise self.wrong()
            return node
        field = self.take("word")
        if field is None:
            raise self.wrong()
        sign = self.take("sign", ":", "<", "<=", ">", ">=")
        if sign in ("<", "<=", ">", ">="):
            value = self.take("word") or self.take("quoted")
            if value is None:
                raise self.wrong()
            return Range(field, sign, value)  # type: ignore[arg-type]
        if sign != ":":
            raise self.wrong()
        return self.value(field)

    def value(self, field: str) -> Node:
        if not self.take("sign", "("):
            return self.literal(field)
        node = self.joined("or", lambda: self.joined("and", lambda: self.negated(field)))
        if not self.take("sign", ")"):
            raise self.wrong()
        return node

    def negated(self, field: str) -> Node:
        return Not(self.negated(field)) if self.take("operator", "not") else self.value(field)

    def literal(self, field: str) -> Node:
        phrase = self.kind == "quoted"
        value = self.take("word") if not phrase else self.take("quoted")
        if value is None:
            raise self.wrong()
        return Is(field, value, phrase)
