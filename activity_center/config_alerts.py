"""The section ``alerts`` of ``activity-center.yml``: its values, from the checked document."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import available_timezones

from activity_center.address import is_safe

if TYPE_CHECKING:
    from activity_center.config import Config
    from activity_center.config_file import Findings

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WebhookType = Literal["generic", "slack", "teams", "pagerduty"]
RUNBOOKS: Final = "docs/alerts.md"
"""Where what to do about each rule is found, as long as no address is configured."""
LEAST_KEY: Final = 24
"""Bytes of the key of a signature (Standard Webhooks 1.0, "Signature scheme": 24 to 64)."""
SEVERITIES: Final = ("low", "medium", "high", "critical")
"""Of alerts, in rising order; ``event.severity`` is the position, from 1."""
PAGERDUTY: Final = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True, slots=True)
class Hours:
    """When people are at work; what ``outside_hours`` of a rule is outside of.

    Attributes:
        timezone: IANA name.
        days: of :data:`DAYS`.
        start, end: ``HH:MM``; the end is not part of it.
    """

    timezone: str = "UTC"
    days: tuple[str, ...] = DAYS[:5]
    start: str = "07:00"
    end: str = "19:00"

    def as_params(self) -> dict[str, Any]:
        """Values for a script: zone, days as 1 (Monday) to 7, minutes of the day."""
        return {
            "zone": self.timezone,
            "days": [DAYS.index(day) + 1 for day in self.days],
            "start": _minutes(self.start),
            "end": _minutes(self.end),
        }


@dataclass(frozen=True, slots=True)
class Webhook:
    """Whom to tell of an alert.

    Attributes:
        address: where it is posted to; for Slack and Microsoft Teams it is itself a secret.
        secret: key of the signature (``generic``); ``whsec_`` and Base64, or any text.
        routing_key: of the integration (``pagerduty``).
        severity: alerts below this one are not told.
    """

    name: str
    type: WebhookType = "generic"
    address: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    routing_key: str = field(default="", repr=False)
    severity: str = "low"


def tells(webhook: Webhook, severity: str) -> bool:
    """Whether a webhook is told of alerts of a severity."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(webhook.severity)


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """The section ``alerts``.

    Attributes:
        enabled: whether the collector evaluates rules.
        engine: ``collector`` evaluates every rule; ``plugin`` leaves those that compile to a
            monitor to the Alerting plugin, where ``install`` puts them.
        without: names of rules that are off.
        rules_dir: further rules of one's own.
        link: address of the page, for links in messages.
        runbook_base: address at which docs/alerts.md is published.
        channels: ids of notification channels that monitors of the plugin write to.
    """

    enabled: bool = False
    engine: Literal["collector", "plugin"] = "collector"
    without: frozenset[str] = frozenset()
    rules_dir: str = ""
    link: str = ""
    runbook_base: str = RUNBOOKS
    hours: Hours = Hours()
    webhooks: tuple[Webhook, ...] = ()
    channels: tuple[str, ...] = ()


def build(section: Mapping[str, Any], path: str) -> AlertsConfig:
    """Return the section's values; the document is as the schema accepts it.

    Raises:
        ConfigError: the file of a secret cannot be read.
    """
    from activity_center.config_parts import secret

    hours = section.get("hours", {})
    plain = {
        key: section[key]
        for key in ("enabled", "engine", "rules_dir", "link", "runbook_base")
        if key in section
    }
    return AlertsConfig(
        **plain,
        without=frozenset(section.get("without", ())),
        hours=Hours(**{**hours, "days": tuple(hours.get("days", DAYS[:5]))}),
        webhooks=tuple(
            Webhook(
                name=one["name"],
                type=one.get("type", "generic"),
                address=secret(one, "webhook", path)
                or (PAGERDUTY if one.get("type") == "pagerduty" else ""),
                secret=secret(one, "secret", path),
                routing_key=secret(one, "routing_key", path),
                severity=one.get("severity", "low"),
            )
            for one in section.get("webhooks", ())
        ),
        channels=tuple(section.get("channels", ())),
    )


def check(config: Config, findings: Findings) -> None:
    """Note what the schema cannot say about the section."""
    alerts = config.alerts
    login = config.opensearch.username or config.opensearch.api_token
    if alerts.enabled and login and config.maintain is None:
        findings.follow(
            ("alerts", "enabled"),
            "needs opensearch.maintain: the account that delivers may not search",
        )
    names = [one.name for one in alerts.webhooks]
    for index, one in enumerate(alerts.webhooks):
        place = ("alerts", "webhooks", index)
        if one.name in names[:index]:
            findings.add((*place, "name"), f"the name {one.name!r} stands twice")
        if not is_safe(one.address):
            # The address may be a secret: it is not repeated.
            findings.follow(
                place, "webhook must be an https:// address (http:// to loopback alone)"
            )
        if one.type == "generic" and not one.secret:
            findings.follow(place, "needs secret, the key of the signature")
        elif one.type == "generic" and _key_bytes(one.secret) < LEAST_KEY:
            findings.follow(
                place, f"secret is too short: a key of a signature has {LEAST_KEY} bytes or more"
            )
        if one.type == "pagerduty" and not one.routing_key:
            findings.follow(place, "needs routing_key")
    zones = available_timezones()  # none: this machine has no database; OpenSearch has its own
    if zones and alerts.hours.timezone not in zones:
        findings.follow(("alerts", "hours", "timezone"), f"{alerts.hours.timezone!r}: no such zone")
    if _minutes(alerts.hours.start) >= _minutes(alerts.hours.end):
        findings.follow(("alerts", "hours"), "start must be before end")


def _key_bytes(secret: str) -> int:
    """Length of the key in a webhook's secret; 0: what follows ``whsec_`` is no Base64."""
    if not secret.startswith("whsec_"):
        return len(secret.encode())
    try:
        return len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        return 0


def _minutes(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)
