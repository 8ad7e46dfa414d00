"""What a mapping consists of, after parsing: scopes, paths, rules, conditions.

A :class:`Scope` is something that paths start from (the record, an element of a list, a
named value). The paths into it form a tree of :class:`Node`, so that a key that several
rules read is read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from collector.mapping.conversions import Conversion

Kind = Literal["record", "envelope", "element", "index", "let", "tag"]


class Star:
    """The step ``*`` of a ``drop`` or ``redact``: every key of an object, every element."""

    def __repr__(self) -> str:
        return "*"


STAR: Final = Star()
Step = str | int | Star


@dataclass(eq=False, slots=True)
class Node:
    """A place below a scope.

    Attributes:
        scope: what the path starts from.
        parent: ``None`` for the scope itself.
        key: key of an object or index of a list.
        read: a rule or condition needs the value.
        uses: number of rules that put the value into an activity.
        pop: its value leaves the rest at once: the rule takes it whatever it is.
        take: a rule may remove it from the rest, when it has used it.
        var: name of the generated variable that holds the value.
        rest: name of the generated variable with what is left of an object, or ``""``.
    """

    scope: Scope
    parent: Node | None
    key: str | int | None
    children: dict[str | int, Node] = field(default_factory=dict)
    read: bool = False
    uses: int = 0
    pop: bool = False
    take: bool = False
    var: str = ""
    rest: str = ""

    def at(self, steps: tuple[str | int, ...]) -> Node:
        """Return the node ``steps`` below, made if it is not there yet."""
        node = self
        for step in steps:
            child = node.children.get(step)
            if child is None:
                child = node.children[step] = Node(self.scope, node, step)
            node = child
        return node

    def below(self) -> Iterator[Node]:
        """Yield every node under this one."""
        for child in self.children.values():
            yield child
            yield from child.below()

    @property
    def whole(self) -> bool:
        """Whether a rule takes the value with everything in it."""
        return self.pop or self.take

    @property
    def shared(self) -> bool:
        """Whether another place of an activity may hold this value already.

        A value inside one that is taken whole is copied where it is used, not the whole.
        """
        above = self.parent
        while above is not None:
            if above.uses:
                return True
            above = above.parent
        return self.uses > 1


@dataclass(eq=False, slots=True)
class Scope:
    """What paths start from.

    Attributes:
        name: as in ``$name``; ``""`` for the record as received.
        consumable: what no rule takes goes to ``metadata``.
    """

    name: str
    kind: Kind
    consumable: bool
    root: Node = field(init=False)

    def __post_init__(self) -> None:
        self.root = Node(self, None, None)


@dataclass(frozen=True, slots=True)
class Test:
    """One test of one value: ``op`` is the key in the condition."""

    node: Node
    op: str
    argument: Any


@dataclass(frozen=True, slots=True)
class Logic:
    """``all``, ``any`` or ``not`` of conditions."""

    op: Literal["all", "any", "not"]
    parts: tuple[Condition, ...]


Condition = Test | Logic


@dataclass(frozen=True, slots=True)
class Match:
    """Patterns with named groups, of which the first that matches counts.

    Attributes:
        single: all of them have one and the same group: the result is its text.
    """

    patterns: tuple[Any, ...]
    single: bool


@dataclass(frozen=True, slots=True)
class Lookup:
    """A table."""

    table: dict[str, Any]


Change = Match | Lookup | Conversion


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the mapping."""

    value: Any


@dataclass(frozen=True, slots=True)
class Read:
    """A value of a scope."""

    node: Node


@dataclass(frozen=True, slots=True)
class Template:
    """Text with values in it."""

    parts: tuple[str | Node, ...]


@dataclass(frozen=True, slots=True)
class First:
    """The first rule that gives a value."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """One level of ``each``: the list and the scopes of an element and its position."""

    items: Node
    element: Scope
    index: Scope


@dataclass(frozen=True, slots=True)
class Each:
    """A list: one rule per element."""

    loops: tuple[Loop, ...]
    where: Condition | None
    give: Rule


@dataclass(frozen=True, slots=True)
class Make:
    """An object of named rules."""

    items: tuple[tuple[str, Rule], ...]


Origin = Constant | Read | Template | First | Each | Make


@dataclass(frozen=True, slots=True)
class Rule:
    """How one value comes about: origin, then changes in order, then default."""

    origin: Origin
    when: Condition | None = None
    changes: tuple[Change, ...] = ()
    default: Any = None
    keep: bool | None = None


@dataclass(frozen=True, slots=True)
class Let:
    """A named value.

    Attributes:
        opens: its text or list became an object: what no rule takes of it goes to
            ``metadata`` under the name, in place of the original.
    """

    scope: Scope
    rule: Rule
    opens: bool


@dataclass(frozen=True, slots=True)
class Output:
    """One entry of ``activities``."""

    when: Condition | None
    loops: tuple[Loop, ...]
    where: Condition | None
    fields: tuple[tuple[str, Rule], ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """One entry of ``drop`` or ``redact``; ``level`` is an envelope's name or ``""``."""

    level: str
    steps: tuple[Step, ...]
    redact: bool
    when: Condition | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping, ready for :mod:`collector.mapping.generate`.

    Attributes:
        received: scope of what is tested of the record as it came: ``ignore``, then
            ``drop`` and ``redact``.
        record: scope of the rules.
        records: envelope levels, outermost first: (name of the element, steps of the list).
        envelopes: per level, outermost first: the scope of what holds the record, and of
            the position in it.
    """

    defaults: tuple[tuple[str, Any], ...]
    received: tuple[Scope, Scope]
    record: Scope
    records: tuple[tuple[str, tuple[str, ...]], ...]
    envelopes: tuple[Scope, ...]
    tag: Scope
    test: tuple[Scope, Condition] | None
    ignore: tuple[tuple[Condition, str], ...]
    removals: tuple[Removal, ...]
    lets: tuple[Let, ...]
    take: bool
    fields: tuple[tuple[str, Rule], ...]
    outputs: tuple[Output, ...]
