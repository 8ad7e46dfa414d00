"""Reading alert rules: one YAML file a rule, its stem the rule's name.

A file is checked against ``opensearch/monitors/rule.schema.json`` and against the
vocabulary: every field exists and can do what the rule asks of it, every action of a case
is in the catalogue. All that is wrong with a file is told at once, each with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from activity_center import config_words
from activity_center.alerting.conditions import depth, field_of, not_aggregated, wrong_fields
from activity_center.alerting.reading import yaml_of
from activity_center.alerting.rules import (
    DEEPEST,
    KINDS,
    LONGEST,
    RULE_NAME,
    Case,
    Rule,
    seconds,
    words,
)
from activity_center.assets import data_folder
from activity_center.config_file import Findings
from activity_center.config_words import Place
from activity_center.errors import ConfigError, VocabularyError
from activity_center.vocabulary import Field, actions, fields, rejected_fields

LARGEST: Final = 256 * 1024
"""Bytes of a rule file."""
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_WORDS: Final = ("count", "distinct", "window")
_OFF: Final = "rename the file; a rule of ours is turned off in alerts.without"
_HOW: Final = "docs/alerts.md says how a rule is written, docs/reference/fields.md names the fields"
Wrong = tuple[Place, str]
"""Where something is wrong in a rule's document, and what."""


def load_rules(
    folder: Path | None = None, own: str = "", wrong: dict[str, VocabularyError] | None = None
) -> Mapping[str, Rule]:
    """Read all rules, by name in alphabetical order.

    Args:
        folder: default: ours.
        own: a further folder, of the user's own rules.
        wrong: gets what is wrong with files, by the names that they would give; their rules are
            left out then. ``None``: it is raised.

    Raises:
        VocabularyError: rules are wrong, or two have one name; or a folder is missing.
    """
    found: dict[str, Rule] = {}
    refused: dict[str, VocabularyError] = {}
    for place in (folder or data_folder("opensearch/monitors/rules"), Path(own) if own else None):
        if place is None:
            continue
        if not place.is_dir():
            raise VocabularyError("the folder of rules is missing", where=str(place))
        try:
            files = sorted(place.iterdir())
        except OSError as unread:
            raise VocabularyError(
                f"the folder of rules cannot be read: {unread.strerror}", where=str(place)
            ) from unread
        for file in files:
            if file.suffix.lower() not in (".yml", ".yaml"):
                continue
            try:
                if file.stem in found:
                    raise VocabularyError(
                        f"a rule is named {file.stem} already", where=str(file), hint=_OFF
                    )
                found[file.stem] = load_rule(file)
            except VocabularyError as error:
                refused.setdefault(file.stem, error)
    if wrong is not None:
        wrong.update(refused)
    elif len(refused) == 1:
        raise next(iter(refused.values()))
    elif refused:
        raise VocabularyError("\n".join(str(one) for one in refused.values()))
    return dict(sorted(found.items()))


def shipped_names() -> frozenset[str]:
    """Return the names of our rules, without reading them."""
    folder = data_folder("opensearch/monitors/rules")
    return frozenset(file.stem for file in folder.glob("*.yml"))


def load_rule(file: Path) -> Rule:
    """Read one rule.

    Raises:
        VocabularyError: everything that is wrong with it, each with its line.
    """
    where = str(file)
    if file.suffix != ".yml":
        raise VocabularyError(
            f"the name of a rule's file ends with .yml, not {file.suffix}",
            where=where,
            hint=f"rename it {file.stem}.yml",
        )
    if not RULE_NAME.fullmatch(file.stem):
        raise VocabularyError(
            "the name of a rule is small letters, digits and single hyphens",
            where=where,
            hint="rename the file: its name without .yml is the rule's name",
        )
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as wrong:
        raise VocabularyError(f"cannot read it: {wrong.strerror}", where=where) from wrong
    if len(data) > LARGEST:
        raise VocabularyError(f"over {LARGEST} bytes", where=where)
    findings = Findings(where)
    document = yaml_of(data, findings)
    rule, found = _checked(file.stem, document)
    for place, said in found:
        findings.add(place, said)
    if rule is None or findings:
        raise VocabularyError(findings.text(), where=where, hint=_HOW)
    return rule


def rule_of(name: str, document: Any, where: str) -> Rule:
    """Check a rule's document that is of no file of ours, and return the rule.

    Raises:
        VocabularyError: everything that is wrong with it.
    """
    rule, found = _checked(name, document)
    if rule is None or found:
        texts = [f"{'.'.join(map(str, place)) or '(top)'}: {said}" for place, said in found]
        raise VocabularyError("\n  ".join(texts), where=where, hint=_HOW)
    return rule


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


@cache
def _validator() -> Draft202012Validator:
    file = data_folder("opensearch/monitors") / "rule.schema.json"
    return Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))


def _checked(name: str, document: Any) -> tuple[Rule | None, list[Wrong]]:
    """The rule of a document, and what is wrong; ``None``: no rule can be made of it."""
    try:
        wrong = [*_of_schema(document)]
    except RecursionError:
        return None, [((), "nested too deep")]
    if wrong:
        return None, wrong
    rule = _built(name, document)
    return rule, [*_contradictions(rule)]


def _of_schema(document: Any) -> Iterator[Wrong]:
    """What the schema refuses; what goes with a kind is judged where the kind is known."""
    kind = document.get("kind") if isinstance(document, Mapping) else None
    known = isinstance(kind, str) and kind in KINDS
    told: set[Place] = set()
    for error in _validator().iter_errors(document):
        if error.relative_schema_path[0] == "allOf" and not known:
            continue
        for place, said in _said(error):
            if error.validator == "required" or place not in told:
                told.add(place)
                yield place, said


def _said(error: ValidationError) -> Iterator[Wrong]:
    if error.validator != "oneOf":
        yield from config_words.findings(error)
        return
    # A condition: what its keys say that it is meant to be tells what is wrong with it.
    branches: list[dict[str, Any]] = list(error.validator_value)  # type: ignore[arg-type]
    keys = set(error.instance) if isinstance(error.instance, Mapping) else set()
    for number, branch in enumerate(branches):
        if set(branch["required"]) == keys:
            for inner in error.context or ():
                if inner.relative_schema_path[0] == number:
                    yield from _said(inner)
            return
    forms = ", ".join(f"{{{', '.join(one['required'])}}}" for one in branches)
    given = ", ".join(sorted(map(str, keys)))[:100]
    is_no = f"{{{given}}} is no condition" if keys else "this is no condition"
    yield tuple(error.absolute_path), f"{is_no}; there are {forms}"


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


def _known_fields(rule: Rule) -> Mapping[str, Field]:
    """The fields of the documents that a rule searches."""
    known: dict[str, Field] = {}
    if any(stream != "rejected" for stream in rule.streams):
        known |= fields()
    if "rejected" in rule.streams:
        known |= rejected_fields()
    return known


def _contradictions(rule: Rule) -> Iterator[Wrong]:
    known = _known_fields(rule)
    for key in ("query", "counterpart", "rather", "own", "unless", "basis"):
        conditions = getattr(rule, key)
        yield from wrong_fields(conditions, known, (key,))
        if depth(conditions) > DEEPEST:
            yield (key,), f"conditions are nested over {DEEPEST} deep"
    for key in ("group_by", "value", "equal"):
        for number, name in enumerate(getattr(rule, key)):
            for said in not_aggregated(name, known):
                yield (key, number), said
    for key, names in (("join", [rule.join]), ("distinct", rule.distinct.split("|"))):
        for name in filter(None, names):
            for said in not_aggregated(name, known):
                yield (key,), said
    for number, name in enumerate(rule.needs):
        if name not in known:
            yield ("needs", number), f"{name}: no such field"
    shown = {*_WORDS, *rule.keys}
    for place in _PLACEHOLDER.findall(rule.message):
        for word in place.split("|"):
            if word not in shown:
                yield ("message",), f"{{{word}}} is none of {', '.join(sorted(shown))}"
    for name in ("window", "every", "throttle", "grace", "baseline"):
        if getattr(rule, name) > LONGEST:
            yield (name,), f"is longer than {words(LONGEST)}"
    if rule.every > rule.window:
        yield ("every",), "is longer than the window, so that some activities are never looked at"
    if rule.throttle < rule.window:
        yield ("throttle",), "is shorter than the window, so that one activity would fire twice"
    if rule.baseline and rule.baseline <= rule.window:
        yield ("baseline",), "is not longer than the window"
    if not any(case.fires for case in rule.cases) or all(case.fires for case in rule.cases):
        yield ("cases",), "at least one must fire, and at least one must not"
    for number, case in enumerate(rule.cases):
        yield from _wrong_case(case, ("cases", number), known)


def _wrong_case(case: Case, place: Place, known: Mapping[str, Field]) -> Iterator[Wrong]:
    try:
        datetime.fromisoformat(case.now)
    except ValueError:
        yield (*place, "now"), f"{case.now}: is no time"
    for number, document in enumerate(case.documents):
        where = (*place, "documents", number)
        times = seconds(document["at"][1:]), seconds(document.get("every", "1s"))
        if max(times) > LONGEST:
            yield where, f"at, every: no longer than {words(LONGEST)}"
        for name in document:
            if name not in ("at", "times", "every") and field_of(name, known) is None:
                yield (*where, name), f"{name}: no such field"
        action = document.get("event.action")
        if action is not None and action not in actions():
            yield (*where, "event.action"), f"{action}: is not in the catalogue"
