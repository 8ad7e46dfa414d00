"""What webhooks get: bodies for each kind of receiver, and the signature.

Generic bodies are signed as Standard Webhooks says (standardwebhooks.com, specification
1.0, "Signature scheme"): HMAC-SHA-256 over ``id.timestamp.body``, Base64, in the header
``webhook-signature`` after ``v1,``. Slack: incoming webhooks with Block Kit; Microsoft
Teams: an Adaptive Card 1.4 in a message; PagerDuty: Events API v2.

Text from the record is plain text everywhere: it never becomes a link, a mention or markup.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from activity_center.config_alerts import Webhook
from collector.alerts.finding import plain

_PAGERDUTY: Final = {"low": "info", "medium": "warning", "high": "error", "critical": "critical"}
_TEAMS: Final = {"low": "default", "medium": "accent", "high": "warning", "critical": "attention"}
_SLACK: Final = re.compile(r"[&<>]")
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-!|<>~])")
_LONGEST: Final = 1000


def body(webhook: Webhook, alert: Mapping[str, Any], link: str) -> bytes:
    """Return the body for an alert.

    Args:
        alert: the document of the stream ``activity-alerts``.
        link: address of the page, or ``""``.
    """
    make = {"generic": _generic, "slack": _slack, "teams": _teams, "pagerduty": _pagerduty}
    document = make[webhook.type](webhook, alert, _page(link, alert))
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def headers(webhook: Webhook, id_: str, data: bytes, now: int) -> dict[str, str]:
    """Return the headers of a request.

    Args:
        id_: of the alert: the same when it is sent again, so that a receiver can tell.
        now: Unix time in seconds.
    """
    plain = {"Content-Type": "application/json", "User-Agent": "activity-center"}
    if webhook.type != "generic":
        return plain
    return {
        **plain,
        "webhook-id": id_,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(webhook.secret, id_, now, data),
    }


def signature(secret: str, id_: str, now: int, data: bytes) -> str:
    """Sign a body.

    Args:
        secret: ``whsec_`` and Base64 of the key, or the key as text.
    """
    key = secret.encode()
    if secret.startswith("whsec_"):
        with contextlib.suppress(binascii.Error):  # else it is a text that begins so
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = hmac.new(key, f"{id_}.{now}.".encode() + data, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _page(link: str, alert: Mapping[str, Any]) -> str:
    """The page with the organization's audit trail, where there is one."""
    if not link:
        return ""
    organization = (alert.get("organization") or {}).get("id")
    base = link.rstrip("/")
    return (
        f"{base}/organizations/{quote(organization, safe='')}/activity-logs"
        if organization
        else base
    )


def _generic(_: Webhook, alert: Mapping[str, Any], page: str) -> dict[str, Any]:
    return {
        "type": "alert.fired",
        "timestamp": alert["event"]["created"],
        "data": {**alert, **({"url": page} if page else {})},
    }


def _slack(_: Webhook, alert: Mapping[str, Any], page: str) -> dict[str, Any]:
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

    def said(text: str) -> dict[str, Any]:
        return {"type": "plain_text", "text": _cut(text), "emoji": False}

    title = f"{alert['alert']['severity']}: {alert['rule']['name']}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {**said(title), "text": title[:150]}},
        {"type": "section", "text": said(alert["message"])},
        {"type": "context", "elements": [said(_facts(alert))]},
    ]
    buttons = [
        {"type": "button", "text": said(label), "url": url} for label, url in _links(alert, page)
    ]
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    # "text" is what notifications show; Slack reads &, < and > in it.
    text = _SLACK.sub(lambda found: entities[found.group()], f"{title}: {alert['message']}")
    return {"text": _cut(text), "blocks": blocks}


def _teams(_: Webhook, alert: Mapping[str, Any], page: str) -> dict[str, Any]:
    def block(text: str, **more: Any) -> dict[str, Any]:
        escaped = _MARKDOWN.sub(r"\\\1", _cut(text))
        return {"type": "TextBlock", "text": escaped, "wrap": True, **more}

    severity = alert["alert"]["severity"]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            block(f"{severity}: {alert['rule']['name']}", weight="bolder", color=_TEAMS[severity]),
            block(alert["message"]),
            block(_facts(alert), isSubtle=True, size="small"),
        ],
    }
    actions = [
        {"type": "Action.OpenUrl", "title": label, "url": url} for label, url in _links(alert, page)
    ]
    if actions:
        card["actions"] = actions
    content = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [content]}


def _pagerduty(webhook: Webhook, alert: Mapping[str, Any], page: str) -> dict[str, Any]:
    said = alert["alert"]
    event: dict[str, Any] = {
        "routing_key": webhook.routing_key,
        "event_action": "trigger",
        # Alerts of one group are one incident until somebody resolves it.
        "dedup_key": said["group_key"],
        "payload": {
            "summary": _cut(f"{alert['rule']['name']}: {alert['message']}"),
            "source": (alert.get("organization") or {}).get("id") or "activity-center",
            "severity": _PAGERDUTY[said["severity"]],
            "timestamp": alert["@timestamp"],
            "component": "activity-center",
            "class": alert["rule"]["id"],
            "custom_details": {
                "group": [_cut(one) for one in said["group"]],
                "count": said["count"],
                "window": said["window"],
                "events": said["events"],
                "runbook": said["runbook"],
            },
        },
    }
    links = [{"href": url, "text": label} for label, url in _links(alert, page)]
    if links:
        event["links"] = links
    return event


def _links(alert: Mapping[str, Any], page: str) -> Iterator[tuple[str, str]]:
    """What a message leads to, label and address: the record, and what to do."""
    if page:
        yield "Open the record", page
    runbook = alert["alert"]["runbook"]
    if runbook.startswith(("https://", "http://")):  # else it is the path of a file
        yield "What to do", runbook


def _facts(alert: Mapping[str, Any]) -> str:
    said = alert["alert"]
    group = ", ".join(said["group"])
    return f"{said['window']['to']} · {group} · {said['runbook']}"


def _cut(text: str) -> str:
    """One line without control or direction characters, which the record may hold anywhere."""
    text = plain(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
