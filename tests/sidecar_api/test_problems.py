"""Errors: one shape for all, whoever raised them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Blueprint
from werkzeug.exceptions import ImATeapot

from activity_center.config import Cluster
from activity_center.connection import connect
from sidecar_api import failures
from sidecar_api.problems import STATUSES
from tests.sidecar_api.desk import PROBLEM, Desk, problem_of

if TYPE_CHECKING:
    from tests.conftest import Node

PRIVATE_WORDS = "a value that nobody must see"


@pytest.mark.parametrize(
    ("status", "slug", "method", "path"),
    [
        (400, "bad-request", "GET", "/api/v1/activities?from=yesterday"),
        (401, "unauthenticated", "GET", "/api/v1/activities"),
        (403, "forbidden", "GET", "/api/v1/organizations/not_mine/activity-logs"),
        (404, "not-found", "GET", "/api/v1/activities/no-such-id"),
        (404, "not-found", "GET", "/api/v1/no/such/route"),
        (405, "method-not-allowed", "PUT", "/api/v1/activities"),
        (413, "too-large", "POST", "/api/v1/activities"),
        (414, "too-long", "GET", f"/api/v1/activities?q={'x' * 9000}"),
        (431, "too-large", "GET", "/healthz"),
    ],
)
def test_each_status_has_the_one_shape(
    desk: Desk, status: int, slug: str, method: str, path: str
) -> None:
    """Whether Flask, the limits or we refuse it: type, title, status, detail, instance."""
    headers = {"X-Long": "x" * 40_000} if status == 431 else {}
    answer = desk.ask(
        path,
        "" if status == 401 else "owner",
        method,
        headers=headers,
        data=b"x" * 100_000 if status == 413 else None,
    )
    assert answer.status_code == status
    assert problem_of(answer)["type"] == f"/problems/{slug}"
    assert answer.headers["Cache-Control"] == "no-store"
    if path == "/api/v1/no/such/route":
        assert problem_of(answer)["hint"] == "The page /api lists the addresses of the API."
    if status == 405:
        assert "GET" in answer.headers["Allow"]
    assert ("Bearer" in answer.headers.get("WWW-Authenticate", "")) is (status == 401)


def test_an_unexpected_error_says_nothing_of_itself(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of ours answers 500 with a reference, which the log line with the cause has."""
    broken = Blueprint("broken", __name__)

    @broken.get("/api/v1/broken")
    def fail() -> str:
        raise RuntimeError(PRIVATE_WORDS)

    desk.app.register_blueprint(broken)
    answer = desk.ask("/api/v1/broken")
    problem = problem_of(answer)
    assert (answer.status_code, problem["type"]) == (500, "/problems/internal")
    assert PRIVATE_WORDS not in answer.text
    reference = problem["instance"].removeprefix("urn:uuid:")
    assert reference in problem["hint"]
    logged = capsys.readouterr().out
    assert reference in logged
    assert PRIVATE_WORDS in logged


def test_a_status_that_nobody_expects_is_a_fault_of_ours(desk: Desk) -> None:
    """An error of Flask's that we have no words for does not get out in its own shape."""
    odd = Blueprint("odd", __name__)

    @odd.get("/api/v1/odd")
    def fail() -> str:
        raise ImATeapot()

    desk.app.register_blueprint(odd)
    assert problem_of(desk.ask("/api/v1/odd"))["status"] == 500


def test_every_failure_is_explained_where_its_type_leads(desk: Desk) -> None:
    """``type`` is an address that answers, for each failure that there is."""
    slugs = {
        one.slug
        for one in vars(failures).values()
        if isinstance(one, type) and issubclass(one, failures.Failure)
    }
    slugs |= {slug for slug, *_ in STATUSES.values()}
    assert len(slugs) > 6
    for slug in slugs:
        answer = desk.ask(f"/problems/{slug}", "")
        assert (answer.status_code, answer.mimetype) == (200, "text/html"), slug
    assert desk.ask("/problems/none-of-these", "").status_code == 404


def test_a_browser_gets_a_page_and_a_program_the_document(desk: Desk) -> None:
    """Who asks a page's address for HTML gets a page without script and inline style."""
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = desk.ask("/no-such-page", "", headers=browser)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is nothing at this address." in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert desk.ask("/no-such-page", "").content_type == PROBLEM
    assert desk.ask("/api/v1/no-such", "", headers=browser).content_type == PROBLEM


def test_what_a_client_sends_is_shown_as_text(desk: Desk) -> None:
    """A page of an error does not become a carrier of markup."""
    answer = desk.ask(
        "/problems/%3Cscript%3Ealert(1)%3C/script%3E", "", headers={"Accept": "text/html"}
    )
    assert answer.status_code == 404
    assert "<script" not in answer.text


def test_opensearch_away_is_503_with_a_time(make_desk: Callable[..., Desk], tmp_path: Path) -> None:
    """Without OpenSearch lists and readiness answer 503 with Retry-After, liveness 200."""
    there = make_desk()
    client = connect(Cluster(url="http://127.0.0.1:9"))
    folder = tmp_path / "away"
    folder.mkdir()
    away = Desk(folder, Cluster(url="http://127.0.0.1:9"), client)
    for path in ("/api/v1/activities", "/api/v1/activities/facets", "/readyz"):
        answer = away.ask(path)
        assert answer.status_code == 503, path
        assert problem_of(answer)["type"] == "/problems/unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    assert away.ask("/healthz").status_code == 200
    assert there.ask("/readyz").status_code == 200


def test_ready_means_that_the_account_may_search(secure_opensearch: Node, tmp_path: Path) -> None:
    """An OpenSearch that answers, but not us, does not make a sidecar ready."""
    wrong = replace(secure_opensearch.cluster, password="not-the-password")
    refused = Desk(tmp_path, Cluster(url="http://127.0.0.1:9"), connect(wrong))
    assert refused.problem(503, "/readyz", "")["hint"]
    assert refused.ask("/healthz", "").status_code == 200


def test_nobody_is_told_how_to_sign_in(desk: Desk) -> None:
    """401 lists the ways to sign in, the same for a wrong credential as for none."""
    none = desk.problem(401, "/api/v1/activities", "")
    wrong = desk.problem(
        401, "/api/v1/activities", "", headers={"Authorization": "Bearer not-a-token"}
    )
    assert none["sign_in"] == wrong["sign_in"] == [{"kind": "token"}]
    assert "not-a-token" not in json.dumps(wrong)
