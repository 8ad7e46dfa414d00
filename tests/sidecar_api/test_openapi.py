"""The document of the API: valid, whole, and the same wherever it is had."""

from __future__ import annotations

import json
import subprocess
import sys

from openapi_spec_validator import OpenAPIV31SpecValidator

from sidecar_api.openapi import operation_of
from sidecar_api.search import FILTERS
from tests.sidecar_api.desk import Desk

PAGES = {"api_page", "pages"}
"""Blueprints with pages for people; what programs ask is in the others."""
REDIRECTS = {"session.oidc_login", "session.oidc_callback"}
"""Addresses of a browser on its way to the identity provider and back."""


def test_the_document_is_valid(desk: Desk) -> None:
    """It is an OpenAPI 3.1 document by the published schema."""
    document = desk.get("/api/openapi.json", "")
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_each_route_has_an_operation(desk: Desk) -> None:
    """No route of the API is left out, whoever wrote it.

    OpenAPI has no words for a WebSocket: docs/process-stream.md describes those.
    """
    missing = []
    for rule in desk.app.url_map.iter_rules():
        declared = operation_of(desk.app.view_functions[rule.endpoint])
        page = rule.endpoint.partition(".")[0] in PAGES or rule.endpoint in REDIRECTS
        if declared is None and not page and not rule.websocket:
            missing.append(rule.rule)
    assert missing == []


def test_nothing_but_health_and_sign_in_is_public(desk: Desk) -> None:
    """Every other operation refuses who is not recognized, before it looks at anything."""
    public = {
        rule.rule
        for rule in desk.app.url_map.iter_rules()
        if (one := operation_of(desk.app.view_functions[rule.endpoint])) and one.public
    }
    assert public <= {
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/openapi.json",
        "/api/v1/session",
    }
    assert "/healthz" in public


def test_nothing_changes_an_entry(desk: Desk) -> None:
    """The record can be read and added to by what is asked of processes and decided on proposals,
    and that is all: owners and administrators included.
    """
    changing = {
        (method, rule.rule)
        for rule in desk.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }
    asked = {f"/api/v1/processes/<path:process>/{kind}" for kind in ("cancel", "retry", "cleanup")}
    assert changing == {
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
        *(("POST", one) for one in asked),
        ("POST", "/api/v1/proposals/<path:proposal>/decision"),
    }


def test_every_filter_is_a_parameter_of_the_list(desk: Desk) -> None:
    """The document, the list's checks and GET filters have the same filters."""
    operation = desk.get("/api/openapi.json", "")["paths"]["/api/v1/activities"]["get"]
    named = [one["name"] for one in operation["parameters"]]
    assert len(named) == len(set(named))
    assert {one.name for one in FILTERS} <= set(named)
    served = [one["name"] for one in desk.get("/api/v1/filters")["filters"]]
    assert served == [one.name for one in FILTERS]


def test_the_command_prints_the_same(desk: Desk) -> None:
    """``activity-center openapi`` needs no configuration and no OpenSearch."""
    printed = subprocess.run(
        [sys.executable, "-m", "activity_center", "openapi"],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert json.loads(printed) == desk.get("/api/openapi.json", "")


def test_the_page_names_every_operation(desk: Desk) -> None:
    """The readable page has what the document has, without script and inline style."""
    page = desk.ask("/api", "").text
    for path, methods in desk.get("/api/openapi.json", "")["paths"].items():
        for method, one in methods.items():
            assert f"{method.upper()} {path}" in page
            assert f'id="{one["operationId"]}"' in page
    assert "<script" not in page
    assert "style=" not in page
    style = desk.ask("/api/style.css", "")
    assert (style.status_code, style.mimetype) == (200, "text/css")


def test_what_is_the_same_for_all_is_asked_for_again(desk: Desk) -> None:
    """Document, page, catalogue and filters: no-cache, an ETag, and 304 to who has them."""
    for path in ("/api/openapi.json", "/api", "/api/v1/catalogue", "/api/v1/filters"):
        first = desk.ask(path)
        assert "no-cache" in first.headers["Cache-Control"], path
        again = desk.ask(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path


def test_an_answer_that_is_known_already_is_documented(desk: Desk) -> None:
    """Whatever answers 304 to an ETag says so in the document."""
    paths = desk.get("/api/openapi.json", "")["paths"]
    for path in ("/api/v1/me", "/api/v1/activities", "/api/v1/organizations", "/api/v1/filters"):
        first = desk.ask(path)
        again = desk.ask(path, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304, path
        assert "304" in paths[path]["get"]["responses"], path
    assert "304" not in paths["/api/v1/session"]["delete"]["responses"]
