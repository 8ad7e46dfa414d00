"""What webhooks get: signed, in each receiver's form, and without markup from the record."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activity_center.config_alerts import RUNBOOKS, Webhook
from collector.alerts.finding import Finding
from collector.alerts.payloads import body, headers
from tests.collector.alerts.parts import at, rule

NOW = at("2026-11-24T13:05:00Z")
HOSTILE = "<!channel> [click](https://evil.example) *bold* @here"


def alert(user: str = "mira", runbook_base: str = RUNBOOKS) -> dict[str, Any]:
    group = (("organization.id", "northwind"), ("user.name", user))
    one = Finding(rule("failed-logins-account"), group, NOW - 600_000, NOW, 12, None, ("e1",))
    return one.document(datetime(2026, 11, 24, 13, 5, 1, tzinfo=UTC), runbook_base)


def sent(kind: Any, link: str = "", user: str = "mira", **more: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(body(Webhook("one", kind, **more), alert(user), link))
    return document


def grave(severity: str = "critical") -> dict[str, Any]:
    """An alert of a severity, of somebody in an organization, with two activities."""
    group = (("organization.id", "northwind"), ("user.id", "usr_jo"), ("user.name", None))
    one = Finding(
        rule("break-glass", severity=severity, message="{user.id} used it: {count} & more"),
        group,
        NOW - 600_000,
        NOW,
        2,
        None,
        ("e2", "e1"),
    )
    created = datetime(2026, 11, 24, 13, 5, 1, tzinfo=UTC)
    return one.document(created, "https://docs.example/alerts.html")


@pytest.mark.parametrize("kind", ["generic", "slack", "teams", "pagerduty"])
def test_golden(kind: Any) -> None:
    """The whole body of a critical alert is as it was when it was last looked at."""
    webhook = Webhook("one", kind, routing_key="key1")
    made = json.loads(body(webhook, grave(), "https://audit.example"))
    file = Path(__file__).with_name("golden") / f"{kind}.json"
    assert made == json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("severity", "pagerduty", "teams"),
    [
        ("low", "info", "default"),
        ("medium", "warning", "accent"),
        ("high", "error", "warning"),
        ("critical", "critical", "attention"),
    ],
)
def test_severities(severity: str, pagerduty: str, teams: str) -> None:
    """Each severity has its word at PagerDuty, its colour in Teams, and stands in the title."""
    bodies = {
        kind: json.loads(body(Webhook("one", kind, routing_key="r"), grave(severity), ""))
        for kind in ("slack", "teams", "pagerduty")
    }
    assert bodies["pagerduty"]["payload"]["severity"] == pagerduty
    title = bodies["teams"]["attachments"][0]["content"]["body"][0]
    assert (title["color"], title["text"].partition(":")[0]) == (teams, severity)
    assert bodies["slack"]["blocks"][0]["text"]["text"].startswith(f"{severity}: ")


def test_signature() -> None:
    """A receiver that knows the key can check a body (Standard Webhooks 1.0), also a whsec_ key."""
    key = b"0123456789abcdef"
    for secret in (key.decode(), "whsec_" + base64.b64encode(key).decode()):
        webhook = Webhook("one", secret=secret)
        data = body(webhook, alert(), "")
        found = headers(webhook, "id1", data, 1_700_000_000)
        signed = b"id1.1700000000." + data
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert found["webhook-signature"] == f"v1,{expected}"
        assert (found["webhook-id"], found["webhook-timestamp"]) == ("id1", "1700000000")


def test_generic_holds_the_whole_alert() -> None:
    """A generic receiver gets the alert as it is stored, and a link where there is a page."""
    document = sent("generic", "https://audit.example/")
    assert document["type"] == "alert.fired"
    assert document["data"]["rule"]["id"] == "failed-logins-account"
    assert document["data"]["url"] == (
        "https://audit.example/organizations/northwind/activity-logs"
    )
    assert "url" not in sent("generic")["data"]


def test_slack() -> None:
    """Slack gets plain text blocks and a fallback text in which nothing is markup."""
    document = sent("slack", "https://audit.example", HOSTILE)
    kinds = [block["type"] for block in document["blocks"]]
    assert kinds == ["header", "section", "context", "actions"]
    assert document["blocks"][1]["text"]["type"] == "plain_text"
    assert HOSTILE in document["blocks"][1]["text"]["text"]
    assert "<" not in document["text"]
    assert "&lt;!channel&gt;" in document["text"]
    assert len(document["blocks"][0]["text"]["text"]) <= 150


def test_teams() -> None:
    """Microsoft Teams gets an Adaptive Card whose Markdown is escaped."""
    (attachment,) = sent("teams", user=HOSTILE)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert r"\[click\]\(https://evil.example\)" in card["body"][1]["text"]
    assert "actions" not in card


def test_pagerduty() -> None:
    """PagerDuty gets an event of its API, one incident per group."""
    event = sent("pagerduty", routing_key="key1")
    assert (event["routing_key"], event["event_action"]) == ("key1", "trigger")
    assert event["dedup_key"] == alert()["alert"]["group_key"]
    assert event["payload"]["severity"] == "error"
    assert event["payload"]["source"] == "northwind"
    assert len(event["payload"]["summary"]) <= 1024


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty"])
def test_only_generic_bodies_are_signed(kind: Any) -> None:
    """Receivers with a secret in their address get no signature that they do not read."""
    assert "webhook-signature" not in headers(Webhook("one", kind), "id", b"{}", 1)


def test_a_message_leads_to_what_to_do() -> None:
    """With an address for runbooks each kind links to the rule's part; without one none does."""
    base = "https://docs.example/alerts.html"
    links: dict[Any, Callable[[Any], list[str]]] = {
        "generic": lambda it: [it["data"]["alert"]["runbook"]],
        "slack": lambda it: [one["url"] for one in it["blocks"][-1]["elements"]],
        "teams": lambda it: [one["url"] for one in it["attachments"][0]["content"]["actions"]],
        "pagerduty": lambda it: [one["href"] for one in it["links"]],
    }
    for kind, found in links.items():
        linked = json.loads(body(Webhook("one", kind), alert(runbook_base=base), ""))
        assert found(linked) == [f"{base}#failed-logins-account"], kind
        plain = body(Webhook("one", kind), alert(), "").decode()
        assert "docs/alerts.md#failed-logins-account" in plain.replace("\\", "")
        assert not {"links", "actions", "button"} & {*plain.split('"')}, kind


def test_counts_are_whole() -> None:
    """A share is counted in percent: an alert of nine tenths does not say 0."""
    group = (("collector", "here"),)
    one = Finding(rule("spool-filling"), group, NOW - 60_000, NOW, 83.4)
    assert one.document(datetime(2026, 11, 24, tzinfo=UTC))["alert"]["count"] == 83
    assert one.message == "here: the spool is at 83.4 % of its quota"


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty"])
def test_nothing_unseen_comes_from_the_record(kind: Any) -> None:
    """New lines, direction and control characters of a group stay out of messages."""
    hidden = "mi\nra\u202e\x1b[31m\u2028\u2066x\u200b"
    text = json.dumps(sent(kind, user=hidden, routing_key="r"), ensure_ascii=False)
    assert "mi ra" in text
    assert text.isprintable()
    assert "\\n" not in text.replace("\\\\n", "")
