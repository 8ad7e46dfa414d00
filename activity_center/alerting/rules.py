"""What an alert rule is, and when it fires, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.alerting.conditions import Condition
from activity_center.config_alerts import SEVERITIES

KINDS: Final = ("threshold", "missing", "differs", "new_value", "silence", "figure")
RULE_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST: Final = 400 * 86_400
"""Seconds that any time of a rule may have; beyond thousands of years no date can be said."""
DEEPEST: Final = 10
"""Conditions inside conditions; OpenSearch takes no query that is nested very deep either."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
COLLECTOR: Final = "collector"
"""What the alert of a figure is about: the machine whose collector it is."""


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
        counted = " or ".join(f"{mark}{name}{mark}" for name in rule.distinct.split("|"))
        return f"there are at least {least} different {counted} within {window}"
    there = "is" if rule.at_least == 1 else "are"
    return f"there {there} {entries} within {window}"


def seconds(text: str) -> int:
    """``"10m"`` -> 600."""
    return int(text[:-1]) * _UNITS[text[-1]]
