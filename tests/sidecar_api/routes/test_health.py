"""Liveness, readiness, metrics, and what the log says of requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sidecar_api.metrics import METRICS
from tests.sidecar_api.desk import Desk


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every value by name and labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_alive_and_ready(desk: Desk) -> None:
    """Both answer without a credential, in plain text."""
    assert desk.ask("/healthz", "").text == "ok\n"
    assert desk.ask("/readyz", "").text == "ready\n"


def test_metrics_count_requests_by_route(desk: Desk) -> None:
    """Labels are route patterns: no id, no user, no organization, no address gets into them."""
    made = desk.add()
    desk.get(f"/api/v1/activities/{made}")
    desk.problem(404, "/api/v1/activities/none")
    desk.problem(401, "/api/v1/activities/none", "")
    desk.ask("/somewhere/else", "")
    answer = desk.ask("/metrics", "")
    found = samples(answer.text)
    route = "/api/v1/activities/<activity>"

    def requests(status: str, pattern: str = route) -> float:
        labels = {"method": "GET", "route": pattern, "status": status}
        key = ("activity_center_sidecar_requests_total", tuple(sorted(labels.items())))
        return found[key]

    assert (requests("200"), requests("404"), requests("401")) == (1, 1, 1)
    assert requests("404", "-") == 1
    for private in (made, desk.a, desk.people["owner"], "127.0.0.1", "somewhere"):
        assert private not in answer.text
    closed = ("activity_center_sidecar_open_requests", (("route", route),))
    assert found[closed] == 0


def test_every_metric_is_declared(desk: Desk) -> None:
    """What is served is what METRICS (and with it the documentation) lists."""
    desk.get("/api/v1/filters")
    text = desk.ask("/metrics", "").text
    served = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    declared = {one.name for one in METRICS}
    assert served <= declared | {f"{name}_created" for name in declared} | {
        f"{name.removesuffix('_total')}_created" for name in declared
    }
    assert "activity_center_sidecar_request_seconds" in served


@pytest.mark.parametrize(
    ("proxies", "peer", "headers", "near"),
    [
        ([], "127.0.0.1", {}, True),
        ([], "::1", {}, True),
        ([], "203.0.113.9", {}, False),
        ([], "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, False),
        ([], "203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, False),
        (["10.0.0.0/8"], "10.1.1.1", {}, True),
        (["10.0.0.0/8"], "10.1.1.1", {"X-Forwarded-For": "203.0.113.9"}, False),
        (["127.0.0.1"], "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, False),
        (["127.0.0.1"], "127.0.0.1", {"Forwarded": "for=203.0.113.9"}, False),
    ],
)
def test_metrics_are_for_who_is_near(
    make_desk: Callable[..., Desk],
    proxies: list[str],
    peer: str,
    headers: dict[str, str],
    near: bool,
) -> None:
    """This machine and trusted peers; not those whom a proxy passes on, listed or not."""
    desk = make_desk(trusted_proxies=proxies) if proxies else make_desk()
    answer = desk.ask("/metrics", "", environ_base={"REMOTE_ADDR": peer}, headers=headers)
    assert answer.status_code == (200 if near else 404)


def test_the_log_has_the_route_and_nothing_that_was_asked(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a request with method, route pattern, status and time; no path, no query."""
    desk.get("/api/v1/activities?actor=mara@example.com")
    desk.problem(404, "/api/v1/activities/an-id-of-somebody")
    logged = capsys.readouterr().out
    assert "/api/v1/activities/<activity>" in logged
    assert "mara" not in logged
    assert "an-id-of-somebody" not in logged
    assert desk.token("owner") not in logged
