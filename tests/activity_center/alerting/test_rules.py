"""A rule file is checked: its shape, its fields, what it says against itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from activity_center.alerting import fires, load_rule, load_rules
from activity_center.alerting.loading import of_names
from activity_center.assets import data_folder
from activity_center.errors import ConfigError, VocabularyError

RULES = load_rules()
SENTENCES = {
    "failed logins for one account": "failed-logins-account",
    "from one address over many accounts": "failed-logins-address",
    "mass deletion by one actor": "mass-deletion",
    "self-grant": "self-granted-permission",
    "admin role granted": "admin-role-granted",
    "new API token or SSH key": "new-credential",
    "login from a new country": "login-new-country",
    "login from a new device": "login-new-device",
    "agent executed without approval": "agent-without-approval",
    "parameters drifted": "parameters-drifted",
    "destructive action outside hours": "destructive-outside-hours",
    "approval by initiator": "approval-by-initiator",
    "audit trail exported in bulk": "bulk-export",
    "audit trail exported at once": "large-export",
    "mass deletion by an agent or a token": "mass-deletion-program",
    "mass deletion by one request": "collection-deleted",
    "a source fell silent": "source-silent",
    "rejections rising": "rejections-rising",
    "backlog rising": "backlog-rising",
    "break-glass account used": "break-glass",
    "a critical action": "critical-action",
}
"""What has to be watched -> the rule that does it."""


def _good() -> dict[str, Any]:
    text = (data_folder("opensearch/monitors/rules") / "mass-deletion.yml").read_text()
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def asks(field: str, word: str, value: Any) -> dict[str, Any]:
    """A change of a rule's query to this one condition."""
    return {"query": [{"field": field, word: value}]}


def _deep(times: int) -> dict[str, Any]:
    """A condition inside so many others."""
    one: dict[str, Any] = {"field": "user.name", "is": "x"}
    for _ in range(times):
        one = {"not": one}
    return one


def _load(tmp_path: Path, document: Any, name: str = "my-rule") -> Any:
    file = tmp_path / f"{name}.yml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return load_rule(file)


def test_everything_is_watched() -> None:
    """There is a rule for each thing that has to be watched."""
    assert set(SENTENCES.values()) <= RULES.keys()


def test_each_rule_says_what_to_do() -> None:
    """Each rule has steps for the person who is told, and says where it errs."""
    for rule in RULES.values():
        assert rule.runbook, rule.name
        assert rule.false_positives, rule.name


def test_each_alert_points_to_what_to_do() -> None:
    """The runbook that an alert names is a section of docs/alerts.md."""
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
    for name in RULES:
        assert f"\n### {name}\n" in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mass-deletion", "there are at least 10 such entries within 10 minutes"),
        ("break-glass", "there is one such entry within 10 minutes"),
        (
            "failed-logins-address",
            "there are at least 5 different `user.name` or `user.email` or `user.id` within "
            "15 minutes",
        ),
        ("source-silent", "there is no entry within 1 hour, after at least 100 within 1 day"),
        ("spool-filling", "the collector's `spool_percent` is 80 or more"),
        (
            "agent-without-approval",
            "one such entry within 15 minutes has no counterpart with the same `organization.id` "
            "and `activity.proposal.id` in the 30 days before, or one that was taken back",
        ),
        (
            "parameters-drifted",
            "one such entry within 15 minutes says something else in `activity.execution.digest` "
            "than the latest counterpart before it with the same `organization.id` and "
            "`activity.proposal.id` says in `activity.proposal.digest`",
        ),
        (
            "login-new-country",
            "one such entry within 15 minutes has a `source.geo.country_iso_code` that the same "
            "`user.id` and `user.name` and `user.email` never had in the 30 days before, though "
            "it had others",
        ),
    ],
)
def test_when_a_rule_fires_is_said(name: str, words: str) -> None:
    """The sentence fits the kind of rule, and docs/alerts.md has it."""
    assert fires(RULES[name], "`") == words
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
    section = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    assert f"Fires when {words};" in section


def test_a_good_rule(tmp_path: Path) -> None:
    """Times are seconds, and the file's name is the rule's."""
    rule = _load(tmp_path, _good())
    assert (rule.name, rule.window, rule.throttle, rule.level) == ("my-rule", 600, 3600, 3)
    assert rule.keys == ("organization.id", "user.id", "user.name", "user.email")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"severity": "loud"},
            "severity: 'loud': must be one of the known values (known: critical, high, "
            "low, medium)",
        ),
        (asks("user.nam", "is", "x"), "user.nam: no such field; did you mean user.name"),
        (asks("message", "is", "x"), "message: is of type match_only_text and cannot be compared"),
        (asks("source.ip", "like", "10.*"), "source.ip: is of type ip and has no text"),
        (asks("user.name", "at_least", 3), "user.name: is of type keyword and no number"),
        (asks("event.outcome", "is", "bad"), "'bad' is none of success"),
        ({"query": [{"not": {"any": [{"same": ["user.id", "user.i"]}]}}]}, "user.i: no such field"),
        (
            {"query": [{"query_string": "user.name:*"}]},
            "query.0: {query_string} is no condition; there are {field, is}, {field, any_of}, ",
        ),
        (asks("user.name", "iss", "x"), "query.0: {field, iss} is no condition; there are"),
        (asks("user.name", "like", "*" * 501), "**...: must have at most 500 characters"),
        ({"query": [{"any": [{"same": ["user.id"]}]}]}, "query.0.any.0.same: must have at least 2"),
        ({"group_by": ["metadata"]}, "metadata: is of type flat_object and cannot be grouped by"),
        ({"group_by": ["gen_ai.tool.call.arguments.server"]}, "no such field"),
        ({"distinct": "message"}, "and cannot be grouped by or counted"),
        ({"distinct": "user.id|message"}, "distinct: message: is of type match_only_text and"),
        ({"distinct": "user.id|"}, "distinct: 'user.id|': must be the name of a field, or several"),
        ({"message": "by {user.domain}, many times"}, "message: {user.domain} is none of"),
        ({"message": "by {user.id|user.domain} often"}, "message: {user.domain} is none of"),
        ({"every": "1h"}, "every: is longer than the window"),
        ({"throttle": "5m"}, "throttle: is shorter than the window"),
        ({"window": "ten"}, "window: 'ten': must be a number and a unit: 30s, 10m, 4h or 7d"),
        ({"title": "no"}, "title: 'no': must have at least 3 characters"),
        ({"title": "x" * 101}, "xx...: must have at most 100 characters"),
        ({"question": "Who"}, "question: 'Who': must be a question of at most 300 characters"),
        ({"reference": "http://x"}, "must be an address that begins with https://"),
        ({"group_by": ["user.id", "user.id"]}, "group_by: must name each once"),
        ({"needs": ["user name"]}, "needs.0: 'user name': must be the name of a field"),
        ({"query": []}, "query: must not be empty"),
        ({"query": [{"critical": "yes"}]}, "query.0.critical: 'yes': must be true"),
        ({"window": "99999999d"}, "window: is longer than 400 days"),
        ({"window": "999999999999999d"}, "window"),
        ({"throttle": "401d"}, "throttle: is longer than 400 days"),
        ({"at_least": 1.5}, "at_least: 1.5: must be a whole number; only a figure has fractions"),
        ({"at_least": "ten"}, "at_least: 'ten': must be a number above 0"),
        ({"query": [_deep(11)]}, "query: conditions are nested over 10 deep"),
        ({"kind": "missing"}, "'join' is missing"),
        ({"baseline": "1d"}, "baseline: '1d': must be left out: it does not go with this kind"),
        ({"cases": [{"name": "always", "fires": 1}]}, "at least one must not"),
        ({"unknown": 1}, "unknown: no such key"),
        ({"at_leest": 1}, "at_leest: no such key; did you mean 'at_least'?"),
    ],
)
def test_a_wrong_rule(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """What is wrong is said in words, with the file."""
    with pytest.raises(VocabularyError) as wrong:
        _load(tmp_path, {**_good(), **change})
    assert words in str(wrong.value)
    assert "my-rule.yml" in str(wrong.value)


WRONG = """\
title: Payments deleted
question: Who deletes payments
severity: loud
kind: threshold
streams: [audit]
query:
  - {field: event.action, is: site.delete}
  - any:
      - {field: user.name, iss: mira}
at_least: ten
window: 10
throttle: 1h
throttle: 2h
message: "{count} by {user.name}"
reference: https://example.org/
cases:
  - {name: one, fires: 1}
"""
"""A rule with seven things wrong."""


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Each with its line and its place, in the order of the lines, as of the configuration."""
    with pytest.raises(VocabularyError) as wrong:
        _load(tmp_path, WRONG)
    head, *told = wrong.value.message.split("\n  ")
    assert head == "8 findings"
    places = [one.removeprefix(f"{tmp_path}/my-rule.yml:").partition(" ") for one in told]
    assert [(line, rest.partition(": ")[0]) for line, _, rest in places] == [
        ("1:", "(top)"),
        ("2:", "question"),
        ("3:", "severity"),
        ("9:", "query.1.any.0"),
        ("10:", "at_least"),
        ("11:", "window"),
        ("13:", "throttle"),
        ("17:", "cases.0.name"),
    ]
    assert "'false_positives' is missing" in told[0]
    assert "the key 'throttle' stands twice" in told[6]
    assert "docs/alerts.md" in str(wrong.value.hint)


def test_what_the_fields_contradict_has_its_line(tmp_path: Path) -> None:
    """What only the vocabulary knows is told with its line too."""
    text = WRONG.replace("loud", "low").replace("payments\n", "payments?\n").replace("iss", "is")
    text = text.replace("ten", "10").replace("window: 10\n", "window: 10m\n")
    text = text.replace("throttle: 1h\n", "").replace("name: one", "name: one of them")
    text += "false_positives: [none that we know]\n"
    with pytest.raises(VocabularyError) as wrong:
        _load(tmp_path, text.replace("user.name, is", "user.nam, is"))
    assert [one.partition("my-rule.yml:")[2] for one in wrong.value.message.split("\n  ")][1:] == [
        "9: query.1.any.0: user.nam: no such field; did you mean user.name?",
        "13: message: {user.name} is none of count, distinct, window",
        "15: cases: at least one must fire, and at least one must not",
    ]


def test_a_kind_that_is_none_says_nothing_of_the_rest(tmp_path: Path) -> None:
    """What goes with a kind is judged once the kind is known."""
    for change in ({"kind": "treshold"}, {"kind": None}, {"kind": ["x"]}):
        with pytest.raises(VocabularyError) as wrong:
            _load(tmp_path, {**_good(), **change, "distinct": "user.id"})
        head, told = wrong.value.message.split("\n  ")
        assert (head, ": kind: " in told) == ("1 finding", True)


def test_a_case_of_unknown_things(tmp_path: Path) -> None:
    """A case that names an unknown field or action would prove nothing."""
    document = _good()
    document["cases"][0]["documents"] = [{"at": "-1m", "event.action": "site.destroy", "usr": "x"}]
    with pytest.raises(VocabularyError) as wrong:
        _load(tmp_path, document)
    assert "usr: no such field" in str(wrong.value)
    assert "site.destroy: is not in the catalogue" in str(wrong.value)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"documents": [{"at": "-99999999d"}]}, "at, every: no longer than 400 days"),
        ({"documents": [{"at": "-1m", "every": "99999999d"}]}, "at, every: no longer than"),
        ({"now": "2026-13-40T00:00:00Z"}, "is no time"),
    ],
)
def test_a_case_at_no_time(tmp_path: Path, case: dict[str, Any], words: str) -> None:
    """A case whose times no calendar has is refused."""
    document = _good()
    document["cases"][0] |= case
    with pytest.raises(VocabularyError) as wrong:
        _load(tmp_path, document)
    assert words in str(wrong.value)


def test_aliases_are_refused(tmp_path: Path) -> None:
    """A rule is read without aliases, of which a few lines stand for gigabytes."""
    with pytest.raises(VocabularyError, match="aliases") as wrong:
        _load(tmp_path, "a: &a [x, x]\nb: [*a, *a]\n")
    assert str(wrong.value.where).endswith("my-rule.yml:2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "a: [",
        "\tb: 1",
        "a: &a [*a]",
        "x" * 300_000,
        "a: \0",
        "{[a]: 1}",
        "2026-13-40",
    ],
)
def test_what_is_no_rule(tmp_path: Path, text: str) -> None:
    """Anything else that stands in the folder is refused by name, without a traceback."""
    with pytest.raises(VocabularyError, match=r"my-rule\.yml"):
        _load(tmp_path, text)


def test_a_deep_rule(tmp_path: Path) -> None:
    """A rule that nests without end is refused."""
    text = "query:\n- " + "{not: " * 3000 + "{critical: true}" + "}" * 3000
    with pytest.raises(VocabularyError):
        _load(tmp_path, text)


def test_rules_of_ones_own(tmp_path: Path) -> None:
    """Rules of one's own stand beside ours; one of the same name is refused."""
    _load(tmp_path, _good())
    assert load_rules(own=str(tmp_path)).keys() == RULES.keys() | {"my-rule"}
    (tmp_path / "break-glass.yml").write_text(yaml.safe_dump(_good()))
    with pytest.raises(VocabularyError, match="a rule is named break-glass already"):
        load_rules(own=str(tmp_path))
    with pytest.raises(VocabularyError, match="the folder of rules is missing"):
        load_rules(own=str(tmp_path / "none"))


def test_a_file_of_another_name_is_not_ignored(tmp_path: Path) -> None:
    """A rule in a file that ends otherwise would never fire; what is no YAML may lie beside."""
    (tmp_path / "README.md").write_text("Our rules.")
    assert load_rules(own=str(tmp_path)).keys() == RULES.keys()
    for name, ending in (("x.yaml", ".yaml"), ("x.YML", ".YML")):
        (tmp_path / name).write_text(yaml.safe_dump(_good()))
        with pytest.raises(VocabularyError, match=f"ends with .yml, not {ending}") as wrong:
            load_rules(own=str(tmp_path))
        assert wrong.value.hint == "rename it x.yml"
        (tmp_path / name).unlink()


def test_wrong_files_beside_good_ones(tmp_path: Path) -> None:
    """Who only looks gets the good ones, and what is wrong with the others; who works by them
    gets no part of them, and is told of every wrong file."""
    _load(tmp_path, _good())
    for name in ("broken.yml", "other.yml"):
        (tmp_path / name).write_text(yaml.safe_dump({**_good(), "severity": "loud"}))
    wrong: dict[str, VocabularyError] = {}
    assert load_rules(own=str(tmp_path), wrong=wrong).keys() == RULES.keys() | {"my-rule"}
    assert {name: str(one.where) for name, one in wrong.items()} == {
        name: str(tmp_path / f"{name}.yml") for name in ("broken", "other")
    }
    with pytest.raises(VocabularyError) as raised:
        load_rules(own=str(tmp_path))
    for name in ("broken.yml:", "other.yml:"):
        assert name in str(raised.value)


def test_names() -> None:
    """A misspelt name is met with the one that was meant."""
    assert [one.name for one in of_names(RULES, ["break-glass"])] == ["break-glass"]
    with pytest.raises(ConfigError, match="did you mean break-glass"):
        of_names(RULES, ["brake-glass"])
