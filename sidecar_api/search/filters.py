"""Every filter of the log, declared once.

Parsing, queries, facets, the OpenAPI parameters and the page's list of filters all go by
:data:`FILTERS`; a filter that is not here does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal

from activity_center.vocabulary import fields as vocabulary_fields
from activity_center.vocabulary import verbs
from sidecar_api.search.times import PRESETS

Kind = Literal["values", "text", "contains", "ip", "time", "preset", "flag"]

NONE: Final = "-"
"""As a value of a filter: entries that have no value there."""
LONGEST_VALUE: Final = 256
"""Characters of a value, unless its field may hold more."""
LONGEST_TEXT: Final = 200
MOST_VALUES: Final = 50
MOST_LOOKED_FOR: Final = 512
"""Characters of all values of a filter by part: each is an automaton over every value there is."""
MOST_WORDS: Final = 8

USER_FIELDS: Final = ("user.id", "user.name", "user.full_name", "user.email")
ACTOR_FIELDS: Final = (*USER_FIELDS, "gen_ai.agent.id", "gen_ai.agent.name")
TEXT_FIELDS: Final = (
    "activity.resource.name",
    "activity.resource.parent.name",
    "user.name",
    "user.full_name",
    "user.email",
    "gen_ai.agent.name",
)
"""Where a word of ``q`` is looked for, beside the action."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter.

    Attributes:
        name: the query parameter.
        kind: ``values``: one or more exact values, any of them; ``text``: words that must all
            be found; ``contains``: part of a value; ``ip``: address or network; ``time``: RFC
            3339 time or date; ``preset``: one of ``choices``; ``flag``: true or false.
        fields: fields that are compared; a value matches when one of them does.
        label: as people read it.
        description: one line.
        choices: closed values and their labels; empty: any value.
        facet: whether its values can be listed with counts.
        computed: its values are no field's: each is a clause of its own (``clauses.choice``).
        part: a value may also be a part of what stands there, in any case.
    """

    name: str
    kind: Kind
    fields: tuple[str, ...]
    label: str
    description: str
    choices: Mapping[str, str] = field(default_factory=dict)
    facet: bool = False
    computed: bool = False
    part: bool = False

    @property
    def repeats(self) -> bool:
        """Whether the parameter may be given several times: any of them."""
        return self.kind in ("values", "ip")

    @property
    def longest(self) -> int:
        """Longest value in characters."""
        if self.kind == "text":
            return LONGEST_TEXT
        if self.kind != "values":
            return LONGEST_VALUE
        known = vocabulary_fields()
        return max([LONGEST_VALUE, *(known[one].max_length or 0 for one in self.fields)])


def _closed(name: str, labels: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the closed values of a field of the vocabulary, labelled."""
    known = labels or {}
    return MappingProxyType(
        {
            value: known.get(value, value.replace("_", " ").capitalize())
            for value in vocabulary_fields()[name].values or ()
        }
    )


def _last(span: timedelta) -> str:
    hours = span // timedelta(hours=1)
    return f"last {hours} hours" if hours <= 24 else f"last {span.days} days"


def _values(
    name: str,
    fields: str | tuple[str, ...],
    label: str,
    description: str,
    *,
    closed: bool = False,
    labels: Mapping[str, str] | None = None,
    facet: bool = True,
    computed: bool = False,
    part: bool = False,
) -> Filter:
    names = (fields,) if isinstance(fields, str) else fields
    choices = _closed(names[0], labels) if closed else {}
    return Filter(name, "values", names, label, description, choices, facet, computed, part)


FILTERS: Final[tuple[Filter, ...]] = (
    Filter(
        "q",
        "text",
        ("event.action", *TEXT_FIELDS),
        "Search",
        "Words that must all be found, each in the action (its name or label), the resource's or "
        "its parent's name, the actor's name or e-mail address, or the agent's name",
    ),
    _values("action", "event.action", "Action", "Exactly this action, such as server.create"),
    Filter(
        "action_contains",
        "contains",
        ("event.action",),
        "Action contains",
        "Part of the action's name or of its label",
    ),
    Filter(
        "verb",
        "values",
        ("event.action",),
        "Kind of action",
        "Actions of this kind, such as create, delete or start-stop",
        MappingProxyType({verb.name: verb.label for verb in verbs().values()}),
        facet=True,
        computed=True,
    ),
    _values("type", "activity.type", "Type", "Type of activity, such as Workspace"),
    _values(
        "actor",
        ACTOR_FIELDS,
        "User",
        "Who did it: id, login name, full name or e-mail address of a user, id or name of an agent",
    ),
    _values(
        "initiator",
        tuple(f"activity.initiator.{part}" for part in ("id", "name", "full_name", "email")),
        "Initiator",
        "Who prompted the agent: id, login name, full name or e-mail address",
    ),
    _values(
        "source",
        "activity.origin",
        "Source",
        "What it was done through",
        closed=True,
        labels={"ui": "UI", "api": "API", "cli": "CLI", "agent": "AI Pilot", "system": "System"},
    ),
    _values("resource_type", "activity.resource.type", "Resource type", "Kind of the resource"),
    _values("resource_id", "activity.resource.id", "Resource id", "Id of the resource"),
    _values("resource_name", "activity.resource.name", "Resource name", "Name of the resource"),
    _values(
        "target",
        ("activity.resource.name", "activity.resource.parent.name"),
        "Server or site",
        f"Name of the resource or of what holds it, or a part of it; at most {MOST_LOOKED_FOR} "
        "characters in all",
        facet=False,
        part=True,
    ),
    _values("project", "activity.project", "Project", "Project"),
    _values("workspace", "activity.workspace", "Workspace", "Workspace"),
    _values("environment", "activity.environment", "Environment", "Environment"),
    _values("organization", "organization.id", "Organization", "Id of the organization"),
    _values("outcome", "event.outcome", "Outcome", "Whether it worked", closed=True),
    _values(
        "result",
        "activity.result",
        "Result",
        "How it ended; where an entry does not say so itself, by the stage of its proposal, else "
        "denied for a refused attempt, else completed or failed by its outcome",
        closed=True,
        computed=True,
    ),
    _values("impact", "activity.impact.level", "Impact", "What the action can do", closed=True),
    _values("tool", "gen_ai.tool.name", "Tool", "Tool that an agent proposed or used"),
    _values(
        "decision",
        "activity.decision.outcome",
        "Decision",
        "What was decided",
        closed=True,
        labels={"auto_approved": "Approved by rule"},
    ),
    _values(
        "approver",
        tuple(f"activity.approver.{part}" for part in ("id", "name", "full_name", "email")),
        "Approver",
        "Who decided: id, login name, full name or e-mail address",
    ),
    _values("case", "activity.case.id", "Case", "Chain of a proposal and what followed from it"),
    _values(
        "lens",
        "activity.lens",
        "Lens",
        "Which of the three views it belongs to",
        closed=True,
        labels={"agent": "AI activity", "process": "Processes"},
    ),
    _values("channel", "activity.process.channel", "Channel", "Channel of a live process"),
    Filter(
        "ip",
        "ip",
        ("source.ip", "client.ip"),
        "Address",
        "Address or network (CIDR) that it came from, IPv4 or IPv6",
    ),
    Filter(
        "severity",
        "values",
        ("event.severity",),
        "Severity",
        "How serious it is",
        MappingProxyType(
            {"0": "Informational", "1": "Low", "2": "Medium", "3": "High", "4": "Critical"}
        ),
        facet=True,
    ),
    Filter(
        "critical",
        "flag",
        ("event.action",),
        "Critical",
        "Whether the catalogue calls the action critical",
        MappingProxyType({"true": "yes", "false": "no"}),
        facet=True,
        computed=True,
    ),
    Filter(
        "from",
        "time",
        ("@timestamp",),
        "From",
        "At or after this time (RFC 3339), or from the start of this date in UTC",
    ),
    Filter(
        "to",
        "time",
        ("@timestamp",),
        "To",
        "Before this time (RFC 3339), or up to the end of this date in UTC",
    ),
    Filter(
        "range",
        "preset",
        ("@timestamp",),
        "When",
        "The time up to now; not together with from or to",
        MappingProxyType({name: _last(span) for name, span in PRESETS.items()}),
    ),
)

BY_NAME: Final[Mapping[str, Filter]] = MappingProxyType({one.name: one for one in FILTERS})
FACETS: Final = tuple(one.name for one in FILTERS if one.facet)
"""Filters whose values can be listed with counts.

Not ``target``: it looks at two fields, over which one entry would be counted twice.
"""
