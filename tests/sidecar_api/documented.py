"""Whether an answer is as the API's document has it."""

from __future__ import annotations

import json
import threading
from functools import cache
from typing import Any

from flask import Flask
from jsonschema import Draft202012Validator
from werkzeug.exceptions import HTTPException

from sidecar_api.openapi import operation_of
from sidecar_api.openapi.document import document
from sidecar_api.routes import described

_ONE = threading.Lock()
"""Routes are syntax trees for a moment, which CPython 3.11 makes in one thread at a time alone
(https://github.com/python/cpython/issues/106905)."""


def conforms(method: str, path: str, status: int, media: str, data: bytes) -> None:
    """The document has this route with this status, media type and form of body."""
    with _ONE:
        app, whole = _known()
    try:
        rule, _ = app.url_map.bind("localhost").match(path, method, return_rule=True)
    except HTTPException:
        assert status >= 400 or not path.startswith("/api/"), path
        return  # no route: test_problems holds the shape
    if operation_of(app.view_functions[rule.endpoint]) is None:
        return  # a page, which the API's document leaves out
    (found,) = (
        one
        for item in whole["paths"].values()
        for key, one in item.items()
        if one["operationId"] == rule.endpoint.replace(".", "_") and key == method.lower()
    )
    assert str(status) in found["responses"], (path, status)
    content = found["responses"][str(status)].get("content")
    if content is None:
        assert not data
        return
    media = media.partition(";")[0]
    assert media in content, (path, media)
    if media.endswith(("/json", "+json")):
        schema = {**content[media]["schema"], "components": whole["components"]}
        errors = Draft202012Validator(schema).iter_errors(json.loads(data))
        wrong = [f"{one.json_path}: {one.message}" for one in errors]
        assert not wrong, (path, wrong)


@cache
def _known() -> tuple[Flask, dict[str, Any]]:
    app = described()
    return app, document(app)
