"""Rules as code: each becomes a few lines that leave its value, or ``None``, in a variable."""

from __future__ import annotations

from typing import Any

from collector.mapping.conversions import Conversion
from collector.mapping.model import (
    Constant,
    Each,
    First,
    Let,
    Lookup,
    Loop,
    Make,
    Match,
    Node,
    Read,
    Rule,
    Template,
)
from collector.mapping.writer import Code


def value_of(code: Code, rule: Rule) -> str:
    """Return a variable or constant with the rule's value; shortest way for plain rules."""
    origin = rule.origin
    plain = rule.when is None and not rule.changes and rule.default is None
    if isinstance(origin, Constant) and rule.when is None:
        return constant(code, origin.value)
    if plain and isinstance(origin, Read) and origin.node.pop and not origin.node.shared:
        return origin.node.var
    target = code.name("t")
    into(code, rule, target)
    return target


def constant(code: Code, value: Any) -> str:
    """Return an expression for a constant; a list is copied each time."""
    name = code.constant(value)
    return f"fresh({name})" if isinstance(value, list) else name


def into(code: Code, rule: Rule, target: str) -> None:
    """Leave the rule's value in ``target``."""
    if rule.when is None:
        _given(code, rule, target)
        return
    code.add(f"{target} = None")
    with code.block(f"if {code.condition(rule.when)}"):
        _given(code, rule, target)


def _given(code: Code, rule: Rule, target: str) -> None:
    _origin(code, rule, target)
    if rule.default is not None:
        with code.block(f"if {target} is None"):
            code.add(f"{target} = {constant(code, rule.default)}")


def _origin(code: Code, rule: Rule, target: str) -> None:
    origin = rule.origin
    if isinstance(origin, Read):
        _read(code, rule, origin.node, target)
    elif isinstance(origin, Template):
        _template(code, rule, origin, target)
    elif isinstance(origin, Constant):
        code.add(f"{target} = {constant(code, origin.value)}")
    elif isinstance(origin, First):
        _first(code, origin, target)
        _changed(code, rule, target)
    elif isinstance(origin, Make):
        _make(code, origin, target)
        _changed(code, rule, target)
    else:
        _each(code, origin, target)
        if rule.keep is False and origin.loops:
            code.consume(origin.loops[0].items)
        _changed(code, rule, target)


def _read(code: Code, rule: Rule, node: Node, target: str) -> None:
    code.add(f"{target} = {node.var}")
    with code.block_if_any(f"if {target} is not None"):
        if rule.keep is False:
            code.consume(node)
        whole = _changes(code, rule, target)
        taken = rule.keep is not True and (node.take or node.pop) and _can_go(node)
        if rule.keep is None and taken and whole is not None:
            if whole:
                with code.block(f"if {target} is not None and {whole}"):
                    code.consume(node)
            elif rule.changes:
                with code.block(f"if {target} is not None"):
                    code.consume(node)
            else:
                code.consume(node)
        aliases = not rule.changes or any(
            isinstance(one, Conversion) and one.aliases for one in rule.changes
        )
        if aliases and (whole or not taken or node.shared):
            code.add(f"if type({target}) in CONTAINERS: {target} = fresh({target})")


def _can_go(node: Node) -> bool:
    return node.pop or (node.parent is not None and bool(node.parent.rest))


def _changed(code: Code, rule: Rule, target: str) -> None:
    if rule.changes:
        with code.block(f"if {target} is not None"):
            _changes(code, rule, target)


def _changes(code: Code, rule: Rule, target: str) -> str | None:
    """Apply the changes; return a test of whether the value went through whole.

    ``""`` stands for always, ``None`` for never.
    """
    whole: list[str] | None = []
    for position, change in enumerate(rule.changes):
        before = code.name("b")
        line = f"{before} = {target}; {target} = {_call(code, change, before)}"
        if position == 0:
            code.add(line)
        else:
            code.add(f"{before} = None")
            with code.block(f"if {target} is not None"):
                code.add(line)
        if isinstance(change, Conversion):
            if change.whole and whole is not None:
                if isinstance(change.whole, str):
                    whole.append(change.whole.format(i=before, o=target))
                else:
                    whole.append(f"{code.constant(change.whole)}({before}, {target})")
        elif isinstance(change, Match):
            if whole is not None:
                whole.append(f"{before} == {target}")
        else:
            whole = None
    return None if whole is None else " and ".join(whole)


def _call(code: Code, change: Match | Lookup | Conversion, value: str) -> str:
    if isinstance(change, Conversion):
        apply = code.constant(change.apply) if "{apply}" in change.inline else ""
        return change.inline.format(i=value, apply=apply)
    if isinstance(change, Match):
        single = code.constant(change.single)
        return f"groups({code.constant(change.patterns)}, {single}, {value})"
    name = code.constant(change.table)
    if any(isinstance(one, list) for one in change.table.values()):
        return f"fresh(looked_up({name}, {value}))"
    return f"({name}.get({value}) if type({value}) is str else looked_up({name}, {value}))"


def _template(code: Code, rule: Rule, origin: Template, target: str) -> None:
    pieces, parts, nodes = [], [], []
    for part in origin.parts:
        if isinstance(part, Node):
            piece = code.name("p")
            var = part.var
            code.add(f"{piece} = {var} if type({var}) is str or {var} is None else text({var})")
            pieces.append(piece)
            nodes.append(part)
            parts.append(piece)
        else:
            parts.append(code.constant(part))
    code.add(f"{target} = None")
    with code.block("if " + " and ".join(f"{piece} is not None" for piece in pieces)):
        code.add(f"{target} = JOIN(({', '.join(parts)},))")
        whole = _changes(code, rule, target)
        if rule.keep is False:
            for node in nodes:
                code.consume(node)
        elif rule.keep is None and whole is not None:
            goes = [node for node in nodes if _can_go(node) and not node.pop]
            if goes and rule.changes:
                test = f"if {target} is not None" + (f" and {whole}" if whole else "")
                with code.block(test):
                    for node in goes:
                        code.consume(node)
            else:
                for node in goes:
                    code.consume(node)


def _first(code: Code, origin: First, target: str) -> None:
    """Constants under conditions make one chain of tests; other rules stand by themselves."""
    rules = list(origin.rules)
    started = False
    while rules:
        chain = []
        while rules and isinstance(rules[0].origin, Constant) and not rules[0].changes:
            chain.append(rules.pop(0))
            if chain[-1].when is None:
                rules.clear()  # what comes after a constant is never asked
        if not chain:
            rule = rules.pop(0)
            if not started:
                into(code, rule, target)
            else:
                with code.block(f"if {target} is None"):
                    into(code, rule, target)
        elif started:
            with code.block(f"if {target} is None"):
                _chain(code, chain, target)
        else:
            _chain(code, chain, target)
        started = True


def _chain(code: Code, chain: list[Rule], target: str) -> None:
    word = "if"
    for rule in chain:
        value = constant(code, rule.origin.value) if isinstance(rule.origin, Constant) else "None"
        if rule.when is None:
            if word == "if":
                code.add(f"{target} = {value}")
            else:
                code.add(f"else: {target} = {value}")
            return
        code.add(f"{word} {code.condition(rule.when)}: {target} = {value}")
        word = "elif"
    code.add(f"else: {target} = None")


def _make(code: Code, origin: Make, target: str) -> None:
    code.add(f"{target} = {{}}")
    for key, rule in origin.items:
        inner = code.name("t")
        into(code, rule, inner)
        with code.block(f"if {inner} is not None"):
            code.add(f"{target}[{code.constant(key)}] = {inner}")
    with code.block(f"if not {target}"):
        code.add(f"{target} = None")


def _each(code: Code, origin: Each, target: str) -> None:
    code.add(f"{target} = []")
    _loop(code, origin, 0, target)
    with code.block(f"if not {target}"):
        code.add(f"{target} = None")


def _loop(code: Code, origin: Each, level: int, target: str) -> None:
    if level == len(origin.loops):
        inner = code.name("t")
        if origin.where is not None:
            with code.block(f"if {code.condition(origin.where)}"):
                _append(code, origin, inner, target)
        else:
            _append(code, origin, inner, target)
        return
    loop = origin.loops[level]
    with code.block(f"if type({loop.items.var}) is list"):
        element = head(code, loop)
        with code.block(element):
            code.read(loop.element, loop.element.root.var)
            _loop(code, origin, level + 1, target)


def _append(code: Code, origin: Each, inner: str, target: str) -> None:
    into(code, origin.give, inner)
    with code.block(f"if {inner} is not None"):
        code.add(f"{target}.append({inner})")


def head(code: Code, loop: Loop) -> str:
    """Name the variables of a loop; return its first line."""
    loop.index.root.var = code.name("i")
    loop.element.root.var = code.name("e")
    index, element = loop.index.root.var, loop.element.root.var
    return f"for {index}, {element} in enumerate({loop.items.var})"


def let(code: Code, one: Let, rest_of_record: str) -> list[str]:
    """Leave a named value in its scope's variable; return the lines that tidy it up."""
    value = code.name("l")
    if not one.opens or one.scope.root.pop:
        into(code, one.rule, value)
        code.read(one.scope, value)
        return []
    # The object that json or pairs made stands in for the original: what no rule takes of
    # it goes to metadata under the name, but only if the original has left the rest.
    code.flag = flag = code.name("f")
    code.add(f"{flag} = None")
    into(code, one.rule, value)
    code.flag = ""
    left = code.name("r")
    code.add(f"{left} = {value}.copy() if type({value}) is dict else {value}")
    tidy = code.read(one.scope, value, left)
    name = code.constant(one.scope.name)
    tidy.append(f"if {flag} and {left} != {{}}: place({rest_of_record}, {name}, {left})")
    return tidy


def assemble(code: Code, items: list[tuple[str, str, bool]]) -> str:
    """Build the nested activity; return its variable.

    Args:
        items: (dotted field, variable or constant, whether it is certainly there).
    """
    tree: dict[str, Any] = {}
    for name, value, certain in items:
        node = tree
        *parents, last = name.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = (value, certain)
    return _group(code, tree)


def _group(code: Code, tree: dict[str, Any]) -> str:
    group = code.name("g")
    later: list[tuple[str, str]] = []
    ready: list[str] = []
    for key, node in tree.items():
        name = code.constant(key)
        if isinstance(node, dict):
            inner = _group(code, node)
            if _certain(node):
                ready.append(f"{name}: {inner}")
            else:
                later.append((f"if {inner}", f"{group}[{name}] = {inner}"))
        elif node[1]:
            ready.append(f"{name}: {node[0]}")
        else:
            later.append((f"if {node[0]} is not None", f"{group}[{name}] = {node[0]}"))
    code.add(f"{group} = {{{', '.join(ready)}}}")
    for test, line in later:
        code.add(f"{test}: {line}")
    return group


def _certain(tree: dict[str, Any]) -> bool:
    return any(_certain(one) if isinstance(one, dict) else one[1] for one in tree.values())
