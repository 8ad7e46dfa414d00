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
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from activity_center.alerting.conditions import (
    Condition,
    field_of,
    not_aggregated,
    wrong_fields,
)
from activity_center.assets import data_folder
from activity_center.errors import ConfigError, VocabularyError
from activity_center.vocabulary import Field, actions, fields, rejected_fields

SEVERITIES: Final = ("low", "medium", "high", "critical")
"""In rising order; ``event.severity`` is the position, from 1."""
KINDS: Final = ("threshold", "missing", "differs", "new_value", "silence", "figure")
RULE_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LARGEST: Final = 256 * 1024
"""Bytes of a rule file."""
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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
            return (self.join,)
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
    try:
        document = yaml.load(data.decode("utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise VocabularyError(
            f"not YAML: {getattr(wrong, 'problem', wrong)}", where=place
        ) from wrong
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
    yield from wrong_fields(rule.query, known)
    yield from wrong_fields(rule.counterpart, known)
    grouped = rule.keys if rule.kind != "figure" else ()
    for name in (*grouped, *([rule.distinct] if rule.distinct else [])):
        yield from not_aggregated(name, known)
    for name in (*rule.equal, *rule.needs):
        if name not in known:
            yield f"{name}: no such field"
    shown = {*_WORDS, *rule.keys}
    for place in _PLACEHOLDER.findall(rule.message):
        for word in place.split("|"):
            if word not in shown:
                yield f"message: {{{word}}} is none of {', '.join(sorted(shown))}"
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
        for document in case.documents:
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
