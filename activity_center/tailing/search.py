"""The search bodies of ``tail``: built from a closed set of terms, never from free text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from activity_center.errors import ConfigError

PAGE: Final = 1000
LONGEST: Final = 256
"""Characters of a filter; OpenSearch refuses patterns of 1500."""
ACTOR_FIELDS: Final = (
    "user.id",
    "user.name",
    "user.full_name",
    "user.email",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
)
ORGANIZATION_FIELDS: Final = ("organization.id", "organization.name")
ORDER: Final = [
    {"event.ingested": {"order": "asc", "unmapped_type": "date"}},
    {"event.id": {"order": "asc", "unmapped_type": "keyword"}},
    {"event.hash": {"order": "asc", "unmapped_type": "keyword"}},
]
"""Time alone is no order: many activities share a millisecond, and pages would repeat."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which activities are wanted; all given conditions must hold.

    Attributes:
        action: part of the action's name, in any case.
        actor: exactly a user's id, login name, full name or e-mail address, or an agent's
            id or name; case matters in ids alone.
        organization: exactly an organization's id or name.

    Raises:
        ConfigError: a condition is empty or too long.
    """

    action: str | None = None
    actor: str | None = None
    organization: str | None = None

    def __post_init__(self) -> None:
        for name in ("action", "actor", "organization"):
            value = getattr(self, name)
            if value is not None and not 0 < len(value) <= LONGEST:
                raise ConfigError(
                    f"must have 1 to {LONGEST} characters, not {len(value)}", where=f"--{name}"
                )

    def filters(self) -> list[dict[str, Any]]:
        """Return the conditions as query clauses."""
        clauses: list[dict[str, Any]] = []
        if self.action is not None:
            pattern = f"*{_literal(self.action)}*"
            # On the keyword and not its wildcard sub-field: there are few distinct actions,
            # and this way one or two characters cost no more than many.
            clauses.append(
                {"wildcard": {"event.action": {"value": pattern, "case_insensitive": True}}}
            )
        if self.actor is not None:
            clauses.append(_any_of(ACTOR_FIELDS, self.actor))
        if self.organization is not None:
            clauses.append(_any_of(ORGANIZATION_FIELDS, self.organization))
        return clauses


def page(selection: Selection, since: int, after: list[Any] | None) -> dict[str, Any]:
    """Return the body for one page.

    Args:
        since: earliest ``event.ingested``, Unix time in ms.
        after: sort values of the last hit of the page before.
    """
    recorded = {"range": {"event.ingested": {"gte": since, "format": "epoch_millis"}}}
    body: dict[str, Any] = {
        "size": PAGE,
        "query": {"bool": {"filter": [recorded, *selection.filters()]}},
        "sort": ORDER,
        "track_total_hits": False,
    }
    if after is not None:
        body["search_after"] = after
    return body


def count(selection: Selection, since: int, recent: int, until: int) -> dict[str, Any]:
    """Return the body that counts what was received before a moment.

    Args:
        since, until: of ``event.ingested``, Unix time in ms, without the end.
        recent: a later begin, from which on it is counted too.
    """
    span = {"range": {"event.ingested": {"gte": since, "lt": until, "format": "epoch_millis"}}}
    later = {"range": {"event.ingested": {"gte": recent, "format": "epoch_millis"}}}
    return {
        "size": 0,
        "query": {"bool": {"filter": [span, *selection.filters()]}},
        "aggs": {"recent": {"filter": later}},
        "track_total_hits": True,
    }


def newest() -> dict[str, Any]:
    """Return the body that finds the latest ``event.ingested`` of all."""
    return {
        "size": 1,
        "_source": False,
        "query": {"exists": {"field": "event.ingested"}},
        "sort": [{"event.ingested": {"order": "desc", "unmapped_type": "date"}}],
        "track_total_hits": False,
    }


def _any_of(fields: tuple[str, ...], value: str) -> dict[str, Any]:
    return {
        "bool": {
            "should": [{"term": {field: {"value": value}}} for field in fields],
            "minimum_should_match": 1,
        }
    }


def _literal(text: str) -> str:
    """Escape what has a meaning in a wildcard pattern."""
    return "".join(f"\\{char}" if char in "\\*?" else char for char in text)
