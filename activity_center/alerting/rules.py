"""Reading alert rules: one YAML file a rule, its stem the rule's name.

A file is checked against ``opensearch/monitors/rule.schema.json`` and against the
vocabulary: every field exists and can do what the rule asks of it, every action of a case
is in the catalogue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from activity_center.alerting.conditions import (
    Condition,
    depth,
    field_of,
    not_aggregated,
    wrong_fields,
)
from activity_center.alerting.reading import yaml_of
from activity_center.assets import data_folder
from activity_center.config_alerts import SEVERITIES
from activity_center.errors import ConfigError, VocabularyError
from activity_center.vocabulary import Field, actions, fields, rejected_fields

KINDS: Final = ("threshold", "missing", "differs", "new_value", "silence", "figure")
RULE_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LARGEST: Final = 256 * 1024
"""Bytes of a rule file."""
LONGEST: Final = 400 * 86_400
"""Seconds that any time of a rule may have; beyond thousands of years no date can be said."""
DEEPEST: Final = 10
"""Conditions inside conditions; OpenSearch takes no query that is nested very deep either."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
COLLECTOR: Final = "collector"
"""What the alert of a figure is about: the machine whose collector it is."""
_WORDS: Final = ("count", "distinct", "window")


@dataclass(frozen=True, slots=True)
class Case:
    """A sample that must fire so many alerts, or none.

    Attributes:
        now: time of the evaluation, ISO 8601 UTC.
        documents: as in the file; see the schema.
        figures: of the collector, by name.
    """

    name: str
    fires: int
    now: str = "2026-11-24T13:05:00Z"
    documents: tuple[Mapping[str, Any], ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule; times in seconds, the rest as ``rule.schema.json`` describes it."""

    name: str
    title: str
    question: str
    severity: str
    kind: str
    streams: tuple[str, ...]
    at_least: float
    window: int
    throttle: int
    message: str
    false_positives: tuple[str, ...]
    reference: str
    cases: tuple[Case, ...]
    query: tuple[Condition, ...] = ()
    group_by: tuple[str, ...] = ()
    distinct: str = ""
    every: int = 60
    join: str = ""
    counterpart: tuple[Condition, ...] = ()
    rather: tuple[Condition, ...] = ()
    own: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    basis: tuple[Condition, ...] = ()
    equal: tuple[str, ...] = ()
    grace: int = 120
    value: tuple[str, ...] = ()
    baseline: int = 0
    figure: str = ""
    needs: tuple[str, ...] = ()
    runbook: tuple[str, ...] = ()

    @property
    def level(self) -> int:
        """The severity as ``event.severity``: 1 low to 4 critical."""
        return SEVERITIES.index(self.severity) + 1

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that make a group, in order: what an alert is about."""
        if self.kind in ("missing", "differs"):
            return (*self.group_by, self.join)
        if self.kind == "figure":
            return (COLLECTOR,)
        return self.group_by + self.value


def load_rules(folder: Path | None = None, own: str = "") -> Mapping[str, Rule]:
    """Read all rules, by name in alphabetical order.

    Args:
        folder: default: ours.
        own: a further folder, of the user's own rules.

    Raises:
        VocabularyError: a rule is wrong, or two have one name.
    """
    found: dict[str, Rule] = {}
    for place in (folder or data_folder("opensearch/monitors/rules"), Path(own) if own else None):
        if place is None:
            continue
        if not place.is_dir():
            raise VocabularyError("the folder of rules is missing", where=str(place))
        for file in sorted(place.glob("*.yml")):
            if file.stem in found:
                raise VocabularyError(
                    f"a rule is named {file.stem} already",
                    where=str(file),
                    hint="rename the file; a rule of ours is turned off in alerts.without",
                )
            found[file.stem] = load_rule(file)
    return dict(sorted(found.items()))


def shipped_names() -> frozenset[str]:
    """Return the names of our rules, without reading them."""
    folder = data_folder("opensearch/monitors/rules")
    return frozenset(file.stem for file in folder.glob("*.yml"))


def load_rule(file: Path) -> Rule:
    """Read one rule.

    Raises:
        VocabularyError: what is wrong with it, and where.
    """
    where = str(file)
    if not RULE_NAME.fullmatch(file.stem):
        raise VocabularyError(
            "the name of a rule is small letters, digits and single hyphens", where=where
        )
    try:
        data = file.read_bytes()
    except OSError as wrong:
        raise VocabularyError(f"cannot read it: {wrong.strerror}", where=where) from wrong
    if len(data) > LARGEST:
        raise VocabularyError(f"over {LARGEST} bytes", where=where)
    document = yaml_of(data, where)
    return rule_of(file.stem, document, where)


def rule_of(name: str, document: Any, where: str) -> Rule:
    """Check a rule's document and return the rule.

    Raises:
        VocabularyError: see :func:`load_rule`.
    """
    try:
        error = best_match(_validator().iter_errors(document))
    except RecursionError:
        raise VocabularyError("nested too deep", where=where) from None
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or "(top)"
        words = error.message[:300]
        if error.validator is None:  # a key that must not be there, which the error does not name
            key = next((key for key, one in document.items() if one is error.instance), "?")
            words = f"{key} does not go with this kind of rule"
        raise VocabularyError(f"{place}: {words}", where=where)
    rule = _built(name, document)
    wrong = [*_contradictions(rule)]
    if wrong:
        raise VocabularyError("\n  ".join(wrong), where=where, hint="docs/reference/fields.md")
    return rule


def words(seconds: int) -> str:
    """``600`` -> ``"10 minutes"``."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"


def fires(rule: Rule, mark: str = "") -> str:
    """When a rule fires, as the rest of a sentence that begins with "when".

    Args:
        mark: stands before and after the name of a field, such as a backtick.
    """

    def named(names: Sequence[str]) -> str:
        return " and ".join(f"{mark}{name}{mark}" for name in names)

    least = f"{rule.at_least:g}"
    entries = "one such entry" if rule.at_least == 1 else f"at least {least} such entries"
    has, says = ("has", "says") if rule.at_least == 1 else ("have", "say")
    window, baseline = words(rule.window), words(rule.baseline)
    if rule.kind == "silence":
        return f"there is no entry within {window}, after at least {least} within {baseline}"
    if rule.kind == "figure":
        return f"the collector's {named([rule.figure])} is {least} or more"
    if rule.kind == "new_value":
        return (
            f"{entries} within {window} {has} a {named(rule.value)} that the same "
            f"{named(rule.group_by)} never had in the {baseline} before, though it had others"
        )
    if rule.kind == "missing":
        return (
            f"{entries} within {window} {has} no counterpart with the same {named(rule.keys)} "
            f"in the {baseline} before, or one that was taken back"
        )
    if rule.kind == "differs":
        return (
            f"{entries} within {window} {says} something else in {named(rule.equal[1:])} than "
            f"the latest counterpart before it with the same {named(rule.keys)} says in "
            f"{named(rule.equal[:1])}"
        )
    if rule.distinct:
        return f"there are at least {least} different {named([rule.distinct])} within {window}"
    there = "is" if rule.at_least == 1 else "are"
    return f"there {there} {entries} within {window}"


def seconds(text: str) -> int:
    """``"10m"`` -> 600."""
    return int(text[:-1]) * _UNITS[text[-1]]


@cache
def _validator() -> Draft202012Validator:
    file = data_folder("opensearch/monitors") / "rule.schema.json"
    return Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))


def _built(name: str, document: Mapping[str, Any]) -> Rule:
    values: dict[str, Any] = dict(document)
    for key in ("window", "every", "throttle", "grace", "baseline"):
        if key in values:
            values[key] = seconds(values[key])
    for key, value in values.items():
        if isinstance(value, list):
            values[key] = tuple(value)
    values["cases"] = tuple(
        Case(**{**case, "documents": tuple(case.get("documents", ()))})
        for case in document["cases"]
    )
    return Rule(name=name, **values)


def known_fields(rule: Rule) -> Mapping[str, Field]:
    """Return the fields of the documents that a rule searches."""
    known: dict[str, Field] = {}
    if any(stream != "rejected" for stream in rule.streams):
        known |= fields()
    if "rejected" in rule.streams:
        known |= rejected_fields()
    return known


def _contradictions(rule: Rule) -> Iterator[str]:
    known = known_fields(rule)
    for conditions in (
        rule.query,
        rule.counterpart,
        rule.rather,
        rule.own,
        rule.unless,
        rule.basis,
    ):
        yield from wrong_fields(conditions, known)
        if depth(conditions) > DEEPEST:
            yield f"query: conditions are nested over {DEEPEST} deep"
    grouped = rule.keys if rule.kind != "figure" else ()
    for name in (*grouped, *([rule.distinct] if rule.distinct else []), *rule.equal):
        yield from not_aggregated(name, known)
    for name in rule.needs:
        if name not in known:
            yield f"{name}: no such field"
    shown = {*_WORDS, *rule.keys}
    for place in _PLACEHOLDER.findall(rule.message):
        for word in place.split("|"):
            if word not in shown:
                yield f"message: {{{word}}} is none of {', '.join(sorted(shown))}"
    for name in ("window", "every", "throttle", "grace", "baseline"):
        if getattr(rule, name) > LONGEST:
            yield f"{name}: is longer than {words(LONGEST)}"
    if rule.every > rule.window:
        yield "every: is longer than the window, so that some activities are never looked at"
    if rule.throttle < rule.window:
        yield "throttle: is shorter than the window, so that one activity would fire twice"
    if rule.baseline and rule.baseline <= rule.window:
        yield "baseline: is not longer than the window"
    if not any(case.fires for case in rule.cases) or all(case.fires for case in rule.cases):
        yield "cases: at least one must fire, and at least one must not"
    yield from _wrong_cases(rule.cases, known)


def _wrong_cases(cases: Sequence[Case], known: Mapping[str, Field]) -> Iterator[str]:
    for case in cases:
        try:
            datetime.fromisoformat(case.now)
        except ValueError:
            yield f"cases: {case.name}: {case.now}: is no time"
        for document in case.documents:
            times = seconds(document["at"][1:]), seconds(document.get("every", "1s"))
            if max(times) > LONGEST:
                yield f"cases: {case.name}: at, every: no longer than {words(LONGEST)}"
            for name in document:
                if name not in ("at", "times", "every") and field_of(name, known) is None:
                    yield f"cases: {case.name}: {name}: no such field"
            action = document.get("event.action")
            if action is not None and action not in actions():
                yield f"cases: {case.name}: {action}: is not in the catalogue"


def of_names(rules: Mapping[str, Rule], names: Iterable[str]) -> list[Rule]:
    """Return the rules with these names; none: all.

    Raises:
        ConfigError: there is none of that name.
    """
    from difflib import get_close_matches

    wanted = list(names)
    for name in wanted:
        if name not in rules:
            close = get_close_matches(name, rules, n=1)
            raise ConfigError(
                f"no rule is named {name!r}{f'; did you mean {close[0]}?' if close else ''}",
                hint="activity-center alerts list",
            )
    return [rules[name] for name in wanted] if wanted else list(rules.values())
