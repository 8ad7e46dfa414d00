"""The words that all parts share: fields, actions, retention classes, permissions.

They are declared once, as data beside this module (``fields.yml``, ``actions.yml``,
``retention.yml``, ``permissions.yml``); templates, the event's JSON Schema and the
reference tables are generated from them by :mod:`activity_center.generate`.
What is returned here is cached and frozen.
"""

from __future__ import annotations

from activity_center.vocabulary.load import (
    action_groups,
    actions,
    alert_fields,
    check,
    event_schema,
    field_groups,
    fields,
    permissions,
    rejected_fields,
    retention_classes,
    verbs,
)
from activity_center.vocabulary.models import (
    Action,
    ActionGroup,
    Field,
    FieldGroup,
    Permission,
    RetentionClass,
    Verb,
)

ECS_VERSION = "8.17.0"
"""Value of ``ecs.version``: the Elastic Common Schema whose names and values we keep to."""

SCHEMA_VERSION = 1
"""Value of ``activity.schema_version``: grows when a reader must tell old documents apart."""

TEMPLATE_VERSION = 1
"""``_meta.version`` of the index templates: grows with every change of a template."""

__all__ = [
    "ECS_VERSION",
    "SCHEMA_VERSION",
    "TEMPLATE_VERSION",
    "Action",
    "ActionGroup",
    "Field",
    "FieldGroup",
    "Permission",
    "RetentionClass",
    "Verb",
    "action_groups",
    "actions",
    "alert_fields",
    "check",
    "event_schema",
    "field_groups",
    "fields",
    "permissions",
    "rejected_fields",
    "retention_classes",
    "verbs",
]
