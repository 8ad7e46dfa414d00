"""The values that the vocabulary consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

FieldType = Literal[
    "keyword",
    "match_only_text",
    "date",
    "ip",
    "long",
    "double",
    "boolean",
    "geo_point",
    "flat_object",
    "object_disabled",
    "object_array",
]
Search = Literal["caseless", "substring", "original"]

DEFAULT_LENGTH: Final = 1024
"""Longest text of a field that declares none, in characters."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a stored activity.

    Attributes:
        name: dotted ECS name.
        type: OpenSearch type; ``object_disabled`` is stored and never indexed;
            ``object_array`` is a list of objects whose members are fields of their own.
        group: name of its :class:`FieldGroup`.
        description: one line.
        example: a value as it stands in a document.
        reserved: a sender cannot set it; such a value belongs in ``metadata``.
        many: the stored value is always a list, also when it has one element.
        required: every stored activity has it.
        values: closed list of values, or ``None``.
        pattern: regular expression for the whole value (no anchors), or ``None``.
        max_length: longest text in characters; ``None`` for what is no text.
        minimum: smallest number allowed, or ``None``.
        search: ``caseless`` (the field ignores case), ``substring`` (has a sub-field
            ``.substring`` of type ``wildcard``, in lower case), ``original`` (has a
            sub-field ``.original`` for facets and sorting in the original spelling).
        indexed: whether it can be searched.
    """

    name: str
    type: FieldType
    group: str
    description: str
    example: Any
    reserved: bool = False
    many: bool = False
    required: bool = False
    values: tuple[str, ...] | None = None
    pattern: str | None = None
    max_length: int | None = None
    minimum: int | None = None
    search: tuple[Search, ...] = ()
    indexed: bool = True


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields that belong together; ``title`` heads their table."""

    name: str
    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Verb:
    """A group of actions that people filter together (Create, Start/Stop, ...).

    Attributes:
        event_type: ECS types of its actions, unless an action says otherwise.
    """

    name: str
    label: str
    event_type: tuple[str, ...]
    severity: int
    description: str


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of the action catalogue.

    Attributes:
        name: value of ``event.action``.
        label: what was done, short, as it stands beside the type.
        type: value of ``activity.type``.
        category: ECS ``event.category``.
        event_type: ECS ``event.type``.
        kind: ECS ``event.kind``.
        resource_type: usual ``activity.resource.type``.
        lens: ``audit``, ``agent`` or ``process``.
        retention_class: a class that holds whatever the plan says, or ``None``.
        severity: 0 informational, 1 low, 2 medium, 3 high, 4 critical.
        critical: one of the actions that people are told of at once.
        personal: a security event of a personal account: its own reader sees it for 90 days.
        outcome: the outcome that the action's very name states, or ``None``.
        result: the ``activity.result`` that the action's very name states, or ``None``.
        verb: name of its :class:`Verb`.
        description: one line.
    """

    name: str
    label: str
    type: str
    category: tuple[str, ...]
    event_type: tuple[str, ...]
    kind: str
    resource_type: str
    lens: str
    retention_class: str | None
    severity: int
    critical: bool
    personal: bool
    outcome: str | None
    result: str | None
    verb: str
    description: str


@dataclass(frozen=True, slots=True)
class ActionGroup:
    """Actions of one area of a platform, in the order of the file."""

    area: str
    title: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """How long an activity is kept.

    Attributes:
        days: age in days at which it may be deleted; ``None``: never by age.
        legal: neither a plan nor the removal of an organization shortens it.
    """

    name: str
    days: int | None
    legal: bool
    description: str


@dataclass(frozen=True, slots=True)
class Permission:
    """What a reader or operator may be allowed.

    Attributes:
        scope: ``platform`` or ``organization``.
        roles: built-in roles that have it by default.
    """

    name: str
    scope: str
    roles: tuple[str, ...]
    description: str
