"""The OpenAPI 3.1 document, made of the application's routes and what their views declare.

https://spec.openapis.org/oas/v3.1.1
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from flask import Flask
from werkzeug.routing import Rule

from activity_center import __version__
from sidecar_api.failures import (
    BadRequest,
    CrossSite,
    Failure,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from sidecar_api.ids import LONGEST_ID
from sidecar_api.openapi import agents
from sidecar_api.openapi.operation import JSON, Operation, Parameter, operation_of
from sidecar_api.openapi.schemas import reference, schemas
from sidecar_api.problems import MEDIA, STATUSES
from sidecar_api.search import FILTERS, Filter
from sidecar_api.search.filters import MOST_VALUES, NONE

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PLACE: Final = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_EXAMPLES: Final = {
    "from": "2026-11-01T00:00:00Z",
    "to": "2026-11-30T23:59:59Z",
    "ip": "203.0.113.0/24",
}


def document(app: Flask) -> dict[str, Any]:
    """Return the document of ``app``."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        declared = operation_of(app.view_functions[rule.endpoint])
        if declared is None:
            continue
        path = paths.setdefault(_PLACE.sub(r"{\1}", rule.rule), {})
        for method in METHODS:
            if method in (rule.methods or ()):
                path[method.lower()] = _operation(declared, rule, method)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Activity Center",
            "version": __version__,
            "description": "Who did what, where, when and with which result.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas(), **agents.schemas()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "activity_session",
                    "description": "Over TLS __Host-activity_session. What changes "
                    "something also needs the header X-CSRF-Token.",
                },
            },
        },
    }


def _operation(declared: Operation, rule: Rule, method: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": declared.summary,
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": _parameters(declared, rule),
        "responses": _responses(declared, method),
    }
    told = [declared.description]
    if declared.permission:
        told.append(f"Permission: `{declared.permission}`.")
    if declared.senders:
        told.append("The token of a sender is taken too.")
    if any(told):
        made["description"] = " ".join(one for one in told if one)
    if declared.body:
        content = {JSON: {"schema": reference(declared.body)}}
        made["requestBody"] = {"required": True, "content": content}
    if declared.public:
        made["security"] = []
    return made


def _parameters(declared: Operation, rule: Rule) -> list[dict[str, Any]]:
    stated = {one.name: one for one in declared.parameters}
    found = []
    for name in _PLACE.findall(rule.rule):
        stands = stated.get(name)
        found.append(
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": stands.description if stands else f"The {name.replace('_', ' ')}.",
                "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
            }
        )
    found += [_parameter(one) for one in declared.parameters if one.place != "path"]
    if declared.filters:
        found += [_filter(one) for one in FILTERS]
    return found


def _parameter(one: Parameter) -> dict[str, Any]:
    schema: Any = dict(one.schema)
    if one.many:
        schema = {"type": "array", "items": schema, "maxItems": MOST_VALUES}
    made = {"name": one.name, "in": one.place, "description": one.description, "schema": schema}
    if one.required:
        made["required"] = True
    return made


def _filter(one: Filter) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": one.longest}
    if one.choices:
        value["enum"] = [*one.choices, *([NONE] if one.repeats else [])]
    schema = {"type": "array", "items": value, "maxItems": MOST_VALUES} if one.repeats else value
    made = {"name": one.name, "in": "query", "description": one.description, "schema": schema}
    if one.name in _EXAMPLES:
        made["example"] = _EXAMPLES[one.name]
    return made


def _responses(declared: Operation, method: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {"description": HTTPStatus(declared.status).phrase}
    if declared.answer or declared.media != (JSON,):
        schema = reference(declared.answer) if declared.answer else {"type": "string"}
        wanted["content"] = {media: {"schema": schema} for media in declared.media}
    answers: dict[str, Any] = {str(declared.status): wanted}
    if declared.answer and method == "GET":
        wanted["headers"] = {"ETag": {"schema": {"type": "string"}}}
        answers["304"] = {"description": "The reader has it already (If-None-Match)."}
    refused: dict[int, str] = {}
    for kind in sorted(_failures(declared), key=lambda one: one.slug):
        refused[kind.status] = " / ".join(filter(None, (refused.get(kind.status), kind.title)))
    others = (413, 414, 431, *([415] if declared.body else []))
    refused |= {status: STATUSES[status][1] for status in others}
    for status, title in refused.items():
        answers[str(status)] = {
            "description": title,
            "content": {MEDIA: {"schema": reference("Problem")}},
        }
    return dict(sorted(answers.items()))


def _failures(declared: Operation) -> set[type[Failure]]:
    always: set[type[Failure]] = {BadRequest, *declared.failures}
    if declared.counted:
        always.add(RateLimited)
    return always if declared.public else {*always, CrossSite, Unauthenticated, Unavailable}
