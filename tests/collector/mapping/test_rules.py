"""What each construct of the language gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.mapping import Source

Mapping = Callable[[str], Source]
Fields = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("rule", "record", "wanted"),
    [
        ("message: text", {"text": "hi"}, {"message": "hi"}),
        ("message: text", {"text": None}, {}),
        ("message: a.b", {"a": {"b": 1}}, {"message": 1}),
        ("message: a.b", {"a": "b"}, {"metadata": {"a": "b"}}),
        ("message: a[0].b", {"a": [{"b": 1}]}, {"message": 1, "metadata": {"a": [{"b": 1}]}}),
        (
            'message: a."b.c/d"',
            {"a": {"b.c/d": 1, "b": 2}},
            {"message": 1, "metadata": {"a": {"b": 2}}},
        ),
        ("message: {value: hello}", {"x": 1}, {"message": "hello", "metadata": {"x": 1}}),
        ("message: {path: a, default: none}", {}, {"message": "none"}),
        ("message: {first: [a, b]}", {"a": None, "b": 2}, {"message": 2}),
        ("message: {first: [a, b]}", {"a": 1, "b": 2}, {"message": 1, "metadata": {"b": 2}}),
        (
            'message: {template: "{a}/{{{b.c}}}"}',
            {"a": 1, "b": {"c": True}},
            {"message": "1/{true}"},
        ),
        ('message: {template: "{a}/{b}"}', {"a": 1, "b": []}, {"metadata": {"a": 1, "b": []}}),
        ("message: {path: a, keep: true}", {"a": [1]}, {"message": [1], "metadata": {"a": [1]}}),
        ("message: {path: a, convert: integer, keep: false}", {"a": "x"}, {}),
        (
            "message: {path: a, convert: lower}",
            {"a": "X"},
            {"message": "x", "metadata": {"a": "X"}},
        ),
        ("message: {path: a, convert: lower}", {"a": "x"}, {"message": "x"}),
        ("message: {path: a, convert: integer}", {"a": "no"}, {"metadata": {"a": "no"}}),
        (
            "message: {path: a, match: 'id=(?P<id>\\d+)'}",
            {"a": "user id=42;"},
            {"message": "42", "metadata": {"a": "user id=42;"}},
        ),
        (
            "message: {path: a, when: {path: b, gt: 3}}",
            {"a": 1, "b": True},
            {"metadata": {"a": 1, "b": True}},
        ),
        (
            "related.user: {each: us, where: {path: on, equals: true}, give: n}",
            {"us": [{"n": "a", "on": True}, {"n": "b", "on": 1}, 3, {"on": True}]},
            {
                "related": {"user": ["a"]},
                "metadata": {"us": [{"n": "a", "on": True}, {"n": "b", "on": 1}, 3, {"on": True}]},
            },
        ),
        (
            "related.user: {each: {g: gs, u: $g.us}, give: {template: '{$g.n}.{$u}.{$u_index}'}}",
            {"gs": [{"n": 1, "us": ["a", "b"]}, {"us": ["c"]}]},
            {
                "related": {"user": ["1.a.0", "1.b.1"]},
                "metadata": {"gs": [{"n": 1, "us": ["a", "b"]}, {"us": ["c"]}]},
            },
        ),
        (
            "activity.new_value: {object: {x: a, y: {path: b, convert: integer}}}",
            {"a": 1, "b": "2"},
            {"activity": {"new_value": {"x": 1, "y": 2}}},
        ),
        (
            "activity.changes: {object: {field: f, old: o}, convert: list}",
            {"f": "plan", "o": "pro"},
            {"activity": {"changes": [{"field": "plan", "old": "pro"}]}},
        ),
        ("metadata.extra: a", {"a": 1, "extra": 2}, {"metadata": {"extra": 1, "extra~2": 2}}),
    ],
)
def test_rule(fields: Fields, rule: str, record: dict[str, Any], wanted: dict[str, Any]) -> None:
    """A rule places what it says; what no field holds whole stays in metadata."""
    assert fields(rule, record) == wanted


@pytest.mark.parametrize(
    ("condition", "values", "others"),
    [
        ("equals: a", ["a"], ["b", 1, None, ["a"], {"a": 1}]),
        ("equals: 1", [1, 1.0], [True, "1", 2]),
        ("equals: true", [True], [1, "true"]),
        ("in: [a, 2]", ["a", 2], ["2", True, [], {}]),
        ("in: [a, b]", ["a", "b"], [["a"], "c"]),
        ("prefix: ab", ["ab", "abc"], ["b", 1]),
        ("suffix: [x, yz]", ["ax", "yz"], ["y", ["x"]]),
        ("contains: b", ["abc", ["a", "b"]], ["ac", {"b": 1}, ["bb"]]),
        ("exists: true", [0, "", [], False], [None]),
        ("exists: false", [None], [0, ""]),
        ("is: text", ["a"], [1, None, [], {}]),
        ("is: number", [1, 1.5], [True, "1"]),
        ("is: list", [[]], [{}, "a"]),
        ("is: object", [{}], [[], "a"]),
        ("is: boolean", [False], [0]),
        ("gte: 3", [3, 3.5], [2, "3", True]),
        ("lt: 3", [2, -1.5], [3, None]),
        ("matches: '^a+$'", ["aa"], ["ab", 1, None, "\ud800"]),
        ("gt: 1, lt: 4", [2, 3], [1, 4]),
        ("same: w", ["same"], ["other", 1]),
    ],
)
def test_condition(mapping: Mapping, condition: str, values: list[Any], others: list[Any]) -> None:
    """Each test holds for values of its kind alone, and never raises for others."""
    source = mapping(f"fields:\n  message: {{value: yes, when: {{path: v, {condition}}}}}\n")
    for held, cases in ((True, values), (False, others)):
        for value in cases:
            (activity,) = source.map({"v": value, "w": "same"})
            assert (activity.get("message") == "yes") is held, value  # type: ignore[union-attr]


def test_logic_nests(mapping: Mapping) -> None:
    """all, any and not combine, and several keys of one condition must all hold."""
    source = mapping(
        """
fields:
  message:
    value: hit
    when:
      path: a
      exists: true
      any: [{path: b, equals: 1}, {all: [{path: c, equals: 2}, {not: {path: d, exists: true}}]}]
""",
    )

    def hit(**record: int) -> bool:
        (activity,) = source.map(record)
        return "message" in activity  # type: ignore[operator]

    assert hit(a=1, b=1)
    assert hit(a=1, c=2)
    assert not hit(a=1, c=2, d=3)
    assert not hit(b=1)
    assert not hit(a=1, b=2)


def test_let_opens_json_and_pairs(fields: Fields) -> None:
    """What json and pairs made stands in for the original, less what rules took."""
    more = """let:
  body: {path: body, convert: json}
  params: {path: params, convert: {pairs: {key: k, value: [v, other.v]}}}
"""
    record = {
        "body": '{"user": "mira", "n": 1}',
        "params": [{"k": "project", "v": "p"}, {"k": "x", "other": {"v": 2}}],
    }
    activity = fields("user.name: $body.user\nactivity.project: $params.project", record, more)
    assert activity == {
        "user": {"name": "mira"},
        "activity": {"project": "p"},
        "metadata": {"body": {"n": 1}, "params": {"x": 2}},
    }


@pytest.mark.parametrize(
    "record",
    [
        {"body": "{not json", "params": 4},
        {"body": "[1,2]", "params": [{"k": "a", "v": 1, "more": 2}]},
        {"body": "1" * 30, "params": [{"k": 1}]},
        {"body": "[" * 60 + "]" * 60, "params": [{}]},
    ],
)
def test_let_that_cannot_open_loses_nothing(fields: Fields, record: dict[str, Any]) -> None:
    """Where the conversion fails or would lose something, the original stays."""
    more = """let:
  body: {path: body, convert: json}
  params: {path: params, convert: {pairs: {key: k, value: v}}}
"""
    activity = fields("user.name: $body.user\nactivity.project: $params.project", record, more)
    wanted = dict(record)
    if record["body"] == "[1,2]":
        wanted["body"] = [1, 2]
    assert activity == {"metadata": wanted}


def test_pattern_in_let_gives_an_object(fields: Fields) -> None:
    """Several groups make an object; the first pattern that is found counts."""
    more = r"""let:
  hit:
    path: line
    match: ['^in (?P<user>\S+) (?P<ip>\S+)', '^out (?P<user>\S+)']
"""
    rules = "user.name: $hit.user\nsource.ip: $hit.ip"
    one = fields(rules, {"line": "out mira"}, more)
    assert one == {"user": {"name": "mira"}, "metadata": {"line": "out mira"}}


def test_several_activities_from_one_record(mapping: Mapping) -> None:
    """Each output that applies gives activities; elements nobody took stay in metadata."""
    source = mapping(
        """
fields: {user.name: who}
activities:
  - each: {event: events}
    where: {path: kind, equals: a}
    fields: {message: text, event.id: {template: "{$record.id}.{$event_index}"}}
  - each: {event: events}
    where: {path: kind, equals: b}
    fields: {event.reason: text}
""",
    )
    record = {
        "who": "mira",
        "id": 7,
        "events": [
            {"kind": "a", "text": "t", "x": 1},
            {"kind": "b", "text": "u"},
            {"kind": "c"},
            5,
        ],
    }
    first, second = source.map(record)
    assert first == {
        "event": {"id": "7.0", "module": "mine"},
        "user": {"name": "mira"},
        "message": "t",
        "metadata": {"events": [{"kind": "c"}, 5], "event": {"kind": "a", "x": 1}},
    }
    assert second["event"] == {"reason": "u", "module": "mine"}  # type: ignore[index]
    (alone,) = source.map({"who": "mira", "events": []})
    assert alone["user"] == {"name": "mira"}  # type: ignore[index]


def test_records_in_envelopes(mapping: Mapping) -> None:
    """Each record of an envelope is mapped; what is left of the envelope goes with each."""
    source = mapping(
        """
records: {group: groups, entry: entries}
ignore: [{when: {path: skip, equals: true}, reason: skipped}]
drop: [$envelope.secretless, $group.noise]
fields:
  message: text
  activity.project: $group.project
  event.id: {template: "{$envelope.v}.{$group_index}.{$entry_index}"}
""",
    )
    record = {
        "v": 1,
        "secretless": 2,
        "groups": [
            {
                "project": "p",
                "noise": 3,
                "entries": [{"text": "a"}, {"text": "b", "skip": True}, 9],
            },
            {"project": "q"},
        ],
    }
    result = source.map(record)
    assert list(result) == [
        {
            "event": {"module": "mine", "id": "1.0.0"},
            "message": "a",
            "activity": {"project": "p"},
            "metadata": {
                "envelope": {
                    "v": 1,
                    "groups": [{"project": "q"}],
                    "group": {"project": "p", "entries": [9]},
                }
            },
        }
    ]
    assert result.ignored == ("skipped",)  # type: ignore[union-attr]
    assert source.map({"groups": [{"entries": [{"skip": True}]}]}) == "skipped"
    assert source.map({"text": "alone"})[0]["message"] == "alone"  # type: ignore[index]


def test_drop_and_redact_come_first(mapping: Mapping) -> None:
    """Dropped and redacted values reach no field, no condition of a rule and no metadata."""
    source = mapping(
        """
drop: [a.b, list.*.x, {path: body, when: {path: kind, equals: k}}, gone]
redact: [card, people.*.pin]
fields:
  message: a.b
  event.reason: card
  event.code: {value: seen, when: {path: gone, exists: true}}
""",
    )
    record = {
        "a": {"b": 1, "c": 2},
        "list": [{"x": 1, "y": 2}, 3],
        "body": "b",
        "kind": "k",
        "gone": 1,
        "card": "4111",
        "people": {"mira": {"pin": 1}, "jo": {"pin": 2, "n": 3}},
    }
    before = repr(record)
    (activity,) = source.map(record)
    rest = {
        "a": {"c": 2},
        "list": [{"y": 2}, 3],
        "kind": "k",
        "people": {"mira": {"pin": "[redacted]"}, "jo": {"pin": "[redacted]", "n": 3}},
    }
    assert activity == {
        "event": {"reason": "[redacted]", "module": "mine"},
        "metadata": rest,
    }
    assert source.scrub(record) == {**rest, "card": "[redacted]"}
    assert repr(record) == before


def test_ignored_with_reason(mapping: Mapping) -> None:
    """A record that matches ``ignore`` gives the reason as text."""
    source = mapping(
        "ignore: [{when: {path: k, equals: noise}, reason: only noise}]\nfields: {message: m}\n",
    )
    assert source.map({"k": "noise"}) == "only noise"
    assert source.map({"k": "other", "m": 1})[0]["message"] == 1  # type: ignore[index]
