"""What a rule found: the value that evaluating gives and alerts are made of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from activity_center.alerting import Rule, words
from activity_center.alerting.searches import ABSENT
from activity_center.config_alerts import RUNBOOKS
from activity_center.vocabulary import ECS_VERSION

LONGEST: Final = 200
"""Characters of a value in a message; the rest is cut off there, not in the alert's group."""
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")

_COUNTRY: Final = "source.geo.country_iso_code"

Group = tuple[tuple[str, Any], ...]
"""Field and value, in the order of the rule's keys; the value ``None``: it is absent."""


def nobody_sends(fields: Collection[str]) -> str:
    """Say that a rule lacks fields, and what to do where we can add one ourselves."""
    told = f"no such activity of the last week has {', '.join(fields)}"
    if _COUNTRY in fields:
        told += " (collector.country_database adds the country of an address)"
    return told


@dataclass(frozen=True, slots=True)
class Finding:
    """One group in which a rule found what it looks for.

    Attributes:
        start, end: of the window, Unix time in ms; the end is not part of it.
        events: ``event.id`` of some of the activities, newest first.
        organization: of all its activities; empty: they are of several, or of none.
        more: groups beside those that are told; then the finding stands for all of them.
    """

    rule: Rule
    group: Group
    start: int
    end: int
    count: float
    distinct: int | None = None
    events: tuple[str, ...] = ()
    organization: str = ""
    more: int = 0

    @property
    def key(self) -> str:
        """Hash of rule, group and organization: what is held back together.

        Activities that could not be joined have no group of their own: then the newest counts.
        """
        return _hash(self._about())

    @property
    def id(self) -> str:
        """Hash of rule, group, organization and window: the same for everybody who evaluates."""
        return _hash([*self._about(), self.end])

    def _about(self) -> list[Any]:
        lost = self.rule.join and dict(self.group).get(self.rule.join) is None
        newest = self.events[:1] if lost else ()
        return [self.rule.name, self.group, self.organization, newest, bool(self.more)]

    @property
    def message(self) -> str:
        """The rule's message, filled in and safe to show."""
        if self.more:
            groups = "one more group" if self.more == 1 else f"{self.more} more groups"
            return f"{groups} beside those of which alerts tell: {self.rule.title}"
        values: dict[str, Any] = dict(self.group)
        count = int(self.count) if float(self.count).is_integer() else round(self.count, 2)
        values |= {"count": count, "distinct": self.distinct, "window": words(self.rule.window)}

        def shown(match: re.Match[str]) -> str:
            names = match.group(1).split("|")
            value = next((values[name] for name in names if values[name] is not None), ABSENT)
            text = plain(str(value))
            return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

        return _PLACEHOLDER.sub(shown, self.rule.message)

    def document(self, created: datetime, runbook_base: str = RUNBOOKS) -> dict[str, Any]:
        """The document of the stream ``activity-alerts``.

        Args:
            created: now, in UTC.
            runbook_base: address of the page that says what to do.
        """
        rule, values = self.rule, dict(self.group)
        alert: dict[str, Any] = {
            "severity": rule.severity,
            "group": [f"{name}={value}"[:1024] for name, value in self.group if value is not None],
            "group_key": self.key,
            "count": int(self.count),
            "window": {"from": moment(self.start), "to": moment(self.end)},
            "events": list(self.events),
            "runbook": f"{runbook_base}#{rule.name}",
            "told": [],
            "refused": [],
        }
        if self.distinct is not None:
            alert["distinct"] = self.distinct
        document: dict[str, Any] = {
            "@timestamp": moment(self.end),
            "event": {
                "id": self.id,
                "action": "alert.fired",
                "kind": "alert",
                "severity": rule.level,
                "created": created.isoformat(timespec="milliseconds"),
            },
            "ecs": {"version": ECS_VERSION},
            "message": self.message,
            "rule": {
                "id": rule.name,
                "name": rule.title,
                "description": rule.question,
                "reference": rule.reference,
            },
            "alert": alert,
        }
        organization = values.get("organization.id") or self.organization
        if organization:
            document["organization"] = {"id": organization}
        return document


def plain(text: str) -> str:
    """One line: control, direction and other characters that are not seen become spaces."""
    return "".join(one if one.isprintable() else " " for one in text)


def moment(milliseconds: int) -> str:
    """Unix time in ms as ISO 8601 in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _hash(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]
