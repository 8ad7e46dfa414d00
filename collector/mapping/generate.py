"""One mapping becomes three Python functions: ``run``, ``scrub`` and ``test``.

``run(record, tag, *envelopes)`` returns the activities or the reason to ignore the record;
``scrub(record)`` applies ``drop`` and ``redact``; ``test(record)`` is ``match.when``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

from activity_center.vocabulary import Field
from collector.mapping import emit, take
from collector.mapping.model import STAR, Constant, Node, Output, Removal, Rule
from collector.mapping.model import Mapping as Model
from collector.mapping.runtime import ANY, GONE, REDACTED
from collector.mapping.writer import Code

METADATA: Final = "metadata"


@dataclass(frozen=True, slots=True)
class Generated:
    """The functions and the text that they were compiled from.

    Attributes:
        stamp: see :class:`collector.mapping.source.Source`.
    """

    run: Callable[..., list[dict[str, Any]] | str]
    scrub: Callable[[dict[str, Any]], dict[str, Any]]
    test: Callable[[dict[str, Any]], bool] | None
    text: str
    stamp: tuple[dict[str, Any], dict[str, Any]] | None


def generate(model: Model, vocabulary: Mapping[str, Field]) -> Generated:
    """Compile a mapping."""
    code = Code()
    _scrub(code, model)
    _run(code, model, vocabulary)
    if model.test is not None:
        scope, condition = model.test
        with code.block("def test(record)"):
            code.read(scope, "record", known=True)
            code.add(f"return {code.condition(condition)}")
    text = "\n".join(code.lines) + "\n"
    compiled: CodeType = compile(text, "<source mapping>", "exec")
    # Names made by counting are all the text there is; see tests/collector/mapping.
    exec(compiled, code.namespace)  # noqa: S102
    return Generated(
        code.namespace["run"],
        code.namespace["scrub"],
        code.namespace.get("test"),
        text,
        _only_stamp(model),
    )


def _only_stamp(model: Model) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What is set in ``event``, if the mapping does nothing else but take fields."""
    rules = (model.fields, model.lets, model.outputs, model.ignore, model.removals, model.records)
    stamps = _stamps(model)
    if not model.take or any(rules) or [group for group, *_ in stamps] != ["event"]:
        return None
    return stamps[0][1:]


def _removal_steps(removal: Removal) -> tuple[Any, ...]:
    return tuple(ANY if step is STAR else step for step in removal.steps)


def _removals(code: Code, model: Model, early: bool) -> None:
    """``drop`` and ``redact``, on copies.

    Args:
        early: leave whole keys that are dropped always; they go from the copy that is taken from.
    """
    here = [one for one in model.removals if not one.level and not (early and _is_key(one))]
    tested = [one for one in here if one.when is not None]
    keys = sorted({code.constant(one.steps[0]) for one in tested if type(one.steps[0]) is str})
    reads = model.received[1].root.children
    if tested and len(keys) == len({one.steps[0] for one in tested}):
        with code.block("if " + " or ".join(f"{key} in record" for key in keys)):
            code.read(model.received[1], "record", known=True)
            for one in tested:
                _remove(code, one)
    else:
        if reads:
            code.read(model.received[1], "record", known=True)
        for one in tested:
            _remove(code, one)
    for one in here:
        if one.when is None:
            _remove(code, one)


def _is_key(removal: Removal) -> bool:
    """Whether a whole key is dropped, whatever the record is."""
    key = len(removal.steps) == 1 and type(removal.steps[0]) is str
    return key and removal.when is None and not removal.redact


def _remove(code: Code, removal: Removal) -> None:
    tests = []
    first = removal.steps[0]
    if type(first) is str:
        tests.append(f"{code.constant(first)} in record")
    if removal.when is not None:
        tests.append(code.condition(removal.when))
    steps = code.constant(_removal_steps(removal))
    new = code.constant(REDACTED) if removal.redact else code.constant(GONE)
    line = f"record = pruned(record, {steps}, {new})"
    code.add(f"if {' and '.join(tests)}: {line}" if tests else line)


def _scrub(code: Code, model: Model) -> None:
    with code.block("def scrub(record)"):
        _removals(code, model, early=False)
        code.add("return record")


def _run(code: Code, model: Model, vocabulary: Mapping[str, Field]) -> None:
    held = [code.name("h") for _ in model.envelopes]
    defaults = "".join(f", {name}=None" for name in held)
    tag = code.name("s")
    with code.block(f"def run(record, {tag}=None{defaults})"):
        model.tag.root.var = tag
        for scope, name in zip(model.envelopes, held, strict=True):
            if scope.kind == "index":
                scope.root.var = name
            else:
                code.read(scope, name)
        if model.received[0].root.children:
            code.read(model.received[0], "record", known=True)
        for condition, reason in model.ignore:
            code.add(f"if {code.condition(condition)}: return {code.constant(reason)}")
        _removals(code, model, early=True)
        keys = [
            code.constant(one.steps[0]) for one in model.removals if not one.level and _is_key(one)
        ]
        rest = "record"
        if model.record.root.children or keys or not model.take:
            rest = code.name("r")
            code.add(f"{rest} = record.copy()")
        for key in keys:
            code.add(f"{rest}.pop({key}, None)")
        tidy = code.read(model.record, rest, rest, known=True)
        for one in model.lets:
            tidy += emit.let(code, one, rest)
        base = [(name, emit.value_of(code, rule), _certain(rule)) for name, rule in model.fields]
        if model.take:
            _taken(code, model, vocabulary, base, tidy, rest)
        elif model.outputs:
            _several(code, model, base, tidy, rest)
        else:
            _one(code, model, base, tidy, rest)


def _certain(rule: Rule) -> bool:
    """Whether the rule always gives a value."""
    return isinstance(rule.origin, Constant) and rule.when is None


def _with_defaults(
    code: Code, model: Model, items: list[tuple[str, str, bool]]
) -> list[tuple[str, str, bool]]:
    own = {name for name, _, _ in items}
    given = [(name, code.constant(one), True) for name, one in model.defaults if name not in own]
    return [*items, *given]


def _lines(code: Code, lines: list[str]) -> None:
    for line in lines:
        code.add(line)


def _extra(code: Code, items: list[tuple[str, str, bool]], rest: str) -> None:
    """Rules for ``metadata.KEY`` go beside what is left."""
    for name, value, certain in items:
        if name.startswith(METADATA + "."):
            key = code.constant(name.partition(".")[2])
            line = f"put({rest}, {key}, {value})"
            code.add(line if certain else f"if {value} is not None: {line}")


def _placed(items: list[tuple[str, str, bool]]) -> list[tuple[str, str, bool]]:
    return [one for one in items if not one[0].startswith(METADATA + ".")]


def _one(
    code: Code, model: Model, base: list[tuple[str, str, bool]], tidy: list[str], rest: str
) -> None:
    out = emit.assemble(code, _with_defaults(code, model, _placed(base)))
    _lines(code, tidy)
    _extra(code, base, rest)
    code.add(f"if {rest}: {out}[{code.constant(METADATA)}] = {rest}")
    code.add(f"return [{out}]")


def _taken(
    code: Code,
    model: Model,
    vocabulary: Mapping[str, Field],
    base: list[tuple[str, str, bool]],
    tidy: list[str],
    rest: str,
) -> None:
    tree = code.constant(take.tree_of(vocabulary, [name for name, _ in model.fields]))
    code.namespace.update(
        split=take.split, take=take.take, stamp=take.stamp, metadata_of=take.metadata_of
    )
    left = code.name("r")
    if base:
        out = emit.assemble(code, _placed(base))
        _lines(code, tidy)
        code.add(f"{left} = take({tree}, {rest}, {out})")
    else:
        out = code.name("g")
        _lines(code, tidy)
        code.add(f"{out}, {left} = split({tree}, {rest})")
    _extra(code, base, left)
    for group, before, after in _stamps(model):
        names = ", ".join(code.constant(one) for one in (group, before, after))
        code.add(f"stamp({out}, {names})")
    code.add(f"if {left}: metadata_of({left}, {out})")
    code.add(f"return [{out}]")


def _stamps(model: Model) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What the mapping says of itself: (group, what stands back, what comes before a record's)."""
    groups: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for name, value in model.defaults:
        group, key = name.split(".", 1)
        both = groups.setdefault(group, ({}, {}))
        both[name == "event.module"][key] = value
    return [(group, before, after) for group, (before, after) in groups.items()]


def _several(
    code: Code, model: Model, base: list[tuple[str, str, bool]], tidy: list[str], rest: str
) -> None:
    made = code.name("a")
    code.add(f"{made} = []")
    flags: dict[Node, str] = {}
    for output in model.outputs:
        if output.loops:
            items = output.loops[0].items
            if items not in flags:
                flags[items] = flag = code.name("f")
                size = f"bytearray(len({items.var})) if type({items.var}) is list else None"
                code.add(f"{flag} = {size}")
    for output in model.outputs:
        test = code.condition(output.when) if output.when is not None else ""
        if test:
            with code.block(f"if {test}"):
                _output(code, model, output, base, made, flags)
        else:
            _output(code, model, output, base, made, flags)
    for items, flag in flags.items():
        with code.block(f"if {flag} is not None"):
            _leave(code, items, flag)
    with code.block(f"if not {made}"):
        out = emit.assemble(code, _with_defaults(code, model, _placed(base)))
        code.add(f"{made}.append(({out}, {{}}))")
    _lines(code, tidy)
    _extra(code, base, rest)
    code.add(f"return finish({made}, {rest}, {code.constant(METADATA)})")


def _leave(code: Code, items: Node, flag: str) -> None:
    """Elements that no activity was made of stay in the rest."""
    parent = items.parent.rest if items.parent is not None else ""
    if not parent:
        return
    left = code.name("u")
    key = code.constant(items.key)
    code.add(f"{left} = untaken({items.var}, {flag})")
    code.add(f"if {left}: {parent}[{key}] = {left}")
    code.add(f"else: {parent}.pop({key}, None)")


def _output(
    code: Code,
    model: Model,
    output: Output,
    base: list[tuple[str, str, bool]],
    made: str,
    flags: dict[Node, str],
) -> None:
    if not output.loops:
        _append(code, model, output, base, made, "{}", [])
        return
    _level(code, model, output, base, made, flags[output.loops[0].items], 0)


def _level(
    code: Code,
    model: Model,
    output: Output,
    base: list[tuple[str, str, bool]],
    made: str,
    flag: str,
    level: int,
) -> None:
    loop = output.loops[level]
    last = level + 1 == len(output.loops)
    with code.block(f"if type({loop.items.var}) is list"), code.block(emit.head(code, loop)):
        element = loop.element.root.var
        whole = loop.element.root.whole
        left = "" if whole else code.name("r")
        if left:
            code.add(f"if type({element}) is not dict: continue")
            code.add(f"{left} = {element}.copy()")
        tidy = code.read(loop.element, left or element, left, known=bool(left))
        index = loop.index.root.var
        if last:
            if output.where is not None:
                code.add(f"if not {code.condition(output.where)}: continue")
            code.add(f"{flag}[{index}] = 1")
            name = code.constant(loop.element.name)
            holder = f"{{{name}: {left}}}" if left else "{}"
            _append(code, model, output, base, made, holder, tidy)
            return
        inner = output.loops[level + 1].items
        start, mark = code.name("n"), code.name("f")
        code.add(f"{start} = len({made})")
        code.add(f"{mark} = bytearray(len({inner.var})) if type({inner.var}) is list else None")
        _level(code, model, output, base, made, mark, level + 1)
        with code.block(f"if len({made}) > {start}"):
            code.add(f"{flag}[{index}] = 1")
            _leave(code, inner, mark)
            _lines(code, tidy)
            if left:
                name = code.constant(loop.element.name)
                code.add(f"spread({made}, {start}, {name}, {left})")


def _append(
    code: Code,
    model: Model,
    output: Output,
    base: list[tuple[str, str, bool]],
    made: str,
    holder: str,
    tidy: list[str],
) -> None:
    """One activity: the shared fields (copied, so that no two share a part) and its own."""
    shared = []
    for name, value, certain in _placed(base):
        # Constants are scalars or fresh already.
        copied = value if certain else f"fresh({value})"
        if not certain:
            code.add(f"{(variable := code.name('t'))} = {copied}")
            shared.append((name, variable, False))
        else:
            shared.append((name, copied, True))
    own = [(name, emit.value_of(code, rule), _certain(rule)) for name, rule in output.fields]
    left = code.name("o")
    out = emit.assemble(code, _with_defaults(code, model, [*shared, *_placed(own)]))
    _lines(code, tidy)
    code.add(f"{left} = {holder}")
    _extra(code, own, left)
    code.add(f"{made}.append(({out}, {left}))")
