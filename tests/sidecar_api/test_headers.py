"""Security headers of every answer."""

from __future__ import annotations

import pytest
from flask import Flask, Response

from activity_center.config import Cluster, CollectorConfig, Config, Tls
from activity_center.config_sidecar import SidecarConfig
from sidecar_api import headers, limits, problems
from sidecar_api.failures import Forbidden


def made(sidecar: SidecarConfig) -> Flask:
    config = Config(
        path="",
        opensearch=Cluster(),
        maintain=None,
        collector=CollectorConfig(),
        senders=(),
        organizations={},
        plans={},
        sidecar=sidecar,
    )
    app = Flask(__name__)
    problems.init_app(app)
    headers.init_app(app, config)
    limits.init_app(app, config)

    @app.get("/api/v1/fine")
    def fine() -> dict:
        return {}

    @app.get("/api/v1/cached")
    def cached() -> Response:
        return Response("{}", headers={"Cache-Control": "private, max-age=60"})

    @app.get("/static/page.js")
    def script() -> Response:
        return Response("")

    @app.get("/api/v1/forbidden")
    def forbidden() -> None:
        raise Forbidden("no", permission="org:audit")

    @app.get("/api/v1/broken")
    def broken() -> None:
        raise RuntimeError("a fault")

    return app


PATHS = {
    "/api/v1/fine": 200,
    "/api/v1/forbidden": 403,
    "/api/v1/broken": 500,
    "/api/v1/none": 404,
    "/static/page.js": 200,
    f"/api/v1/fine?{'x' * 9000}": 414,
}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_them(path):
    """Every answer, errors and refusals included, says what a browser must not do with it."""
    answer = made(SidecarConfig()).test_client().get(path)
    assert answer.status_code == PATHS[path]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Permitted-Cross-Domain-Policies"] == "none"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    policy = answer.headers["Content-Security-Policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["form-action"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    for loose in ("unsafe-", "*", "http", "blob:", "strict-dynamic"):
        assert loose not in policy


@pytest.mark.parametrize(
    ("sidecar", "sent"),
    [
        (SidecarConfig(), False),
        (SidecarConfig(bind="10.0.0.1:443", tls=Tls("certificate", "key")), True),
        (SidecarConfig(public_url="https://audit.example.org"), True),
        (SidecarConfig(public_url="http://localhost"), False),
        (SidecarConfig(tls=Tls("certificate", "key")), False),  # would hold for all of localhost
        (SidecarConfig(public_url="https://localhost:8443"), False),
    ],
)
def test_hsts_where_there_is_tls(sidecar, sent):
    """Browsers are told to stay with TLS where they come over it, but not for localhost."""
    answer = made(sidecar).test_client().get("/api/v1/fine")
    assert ("Strict-Transport-Security" in answer.headers) is sent


def test_answers_are_not_stored():
    """Answers are kept by nobody unless a route says so; static files are for caches to keep."""
    client = made(SidecarConfig()).test_client()
    for path in ("/api/v1/fine", "/api/v1/forbidden", "/api/v1/none"):
        assert client.get(path).headers["Cache-Control"] == "no-store"
    assert client.get("/api/v1/cached").headers["Cache-Control"] == "private, max-age=60"
    assert "Cache-Control" not in client.get("/static/page.js").headers
