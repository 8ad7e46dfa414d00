"""Monitors of OpenSearch's Alerting plugin, compiled from alert rules.

Rules without groups become query-level monitors, all others bucket-level ones. There are no
document-level monitors: those look at the first of several data streams only, and cannot
throttle. A monitor gets its id from the plugin, so ours are known by the id of their trigger,
which is kept as we write it.

What a monitor cannot say (a join, a comparison with an earlier time in which a group was seen
at all, a figure of the collector) does not compile and stays with the collector's evaluator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from activity_center.alerting.rules import Rule, words
from activity_center.alerting.searches import GROUPS, chosen, filters, grouped, indices
from activity_center.config_alerts import RUNBOOKS, AlertsConfig, Hours

MARK: Final = "activity-center-rule-"
"""What the id of a trigger of ours begins with; the rule's name follows."""
TITLE: Final = "Activity Center: "
LONGEST_NAME: Final = 256
DAY: Final = 1440
"""Minutes: the longest throttle that the plugin takes by default."""
END: Final = "{{period_end}}"
"""The plugin fills in the end of the period, in epoch milliseconds."""
_SEVERITY: Final = {"critical": "1", "high": "2", "medium": "3", "low": "4"}
"""The plugin counts from 1, the highest, to 5."""
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


def compiles(rule: Rule) -> bool:
    """Whether the Alerting plugin can evaluate a rule as it is meant."""
    return rule.kind in ("threshold", "silence")


def monitors(rules: Iterable[Rule], alerts: AlertsConfig) -> dict[str, dict[str, Any]]:
    """Return the monitors by rule, for the rules that compile.

    Args:
        alerts: whether the plugin evaluates them (else they are there, and off), and which
            channels they write to.
    """
    ours = alerts.enabled and alerts.engine == "collector"
    return {
        rule.name: monitor(
            rule,
            alerts.hours,
            channels=alerts.channels,
            runbook_base=alerts.runbook_base,
            enabled=not ours and rule.name not in alerts.without,
        )
        for rule in rules
        if compiles(rule)
    }


def nobodys(rules: Iterable[Rule], alerts: AlertsConfig) -> tuple[str, ...]:
    """Return the rules that the plugin cannot evaluate and no collector does."""
    if alerts.enabled:
        return ()
    return tuple(one.name for one in rules if not compiles(one) and one.name not in alerts.without)


def monitor(
    rule: Rule,
    hours: Hours,
    *,
    channels: Iterable[str] = (),
    runbook_base: str = RUNBOOKS,
    enabled: bool = True,
) -> dict[str, Any]:
    """Compile one rule that :func:`compiles`.

    Args:
        channels: ids of notification channels; without one, alerts are seen in Dashboards only.
        runbook_base: address of the page that says what to do.
    """
    bucketed = bool(rule.keys)
    span = rule.baseline if rule.kind == "silence" else rule.window
    query: dict[str, Any] = {
        "size": 0,
        "query": {"bool": {"filter": filters(rule, hours, f"{END}||-{span}s", END)}},
    }
    if bucketed:
        recent = f"{END}||-{rule.window}s"
        query["aggregations"] = {GROUPS: grouped(rule, monitor=True, recent=recent)}
        if not query["aggregations"][GROUPS]["aggregations"]:
            del query["aggregations"][GROUPS]["aggregations"]
    elif rule.distinct:
        query["aggregations"] = grouped(rule, monitor=True)["aggregations"]
    what_to_do = f"{runbook_base}#{rule.name}"
    trigger: dict[str, Any] = {
        "id": f"{MARK}{rule.name}",
        "name": rule.title,
        "severity": _SEVERITY[rule.severity],
        "condition": _bucket_condition(rule) if bucketed else _query_condition(rule),
        "actions": [_action(rule, channel, what_to_do, bucketed=bucketed) for channel in channels],
    }
    return {
        "type": "monitor",
        "name": f"{TITLE}{rule.title}"[:LONGEST_NAME],
        "monitor_type": "bucket_level_monitor" if bucketed else "query_level_monitor",
        "enabled": enabled,
        "schedule": {"period": {"interval": max(1, rule.every // 60), "unit": "MINUTES"}},
        "inputs": [{"search": {"indices": indices(rule), "query": query}}],
        "triggers": [{f"{'bucket' if bucketed else 'query'}_level_trigger": trigger}],
    }


def rule_name(monitor: Mapping[str, Any]) -> str:
    """Return the name of the rule that a monitor of the cluster is of; ``""``: not ours."""
    for trigger in monitor.get("triggers") or ():
        for body in trigger.values() if isinstance(trigger, Mapping) else ():
            id_ = body.get("id") if isinstance(body, Mapping) else None
            if isinstance(id_, str) and id_.startswith(MARK):
                return id_.removeprefix(MARK)
    return ""


def _bucket_condition(rule: Rule) -> dict[str, Any]:
    return {"parent_bucket_path": GROUPS, **chosen(rule)}


def _query_condition(rule: Rule) -> dict[str, Any]:
    value = (
        "ctx.results[0].aggregations.distinct.value"
        if rule.distinct
        else "ctx.results[0].hits.total.value"
    )
    return {"script": {"source": f"{value} >= {int(rule.at_least)}", "lang": "painless"}}


def _action(rule: Rule, channel: str, what_to_do: str, *, bucketed: bool) -> dict[str, Any]:
    action: dict[str, Any] = {
        "id": f"{MARK}{rule.name}-{channel}"[:LONGEST_NAME],
        "name": f"Tell {channel}"[:LONGEST_NAME],
        "destination_id": channel,
        "subject_template": {"source": f"{rule.severity}: {rule.title}", "lang": "mustache"},
        "message_template": {
            "source": _message(rule, what_to_do, bucketed=bucketed),
            "lang": "mustache",
        },
        "throttle_enabled": True,
        # The plugin knows minutes alone.
        "throttle": {"value": min(max(1, rule.throttle // 60), DAY), "unit": "MINUTES"},
    }
    if bucketed:
        scope = {"per_alert": {"actionable_alerts": ["DEDUPED", "NEW"]}}
        action["action_execution_policy"] = {"action_execution_scope": scope}
    return action


def _message(rule: Rule, what_to_do: str, *, bucketed: bool) -> str:
    """The message in the plugin's words: it knows a group's values only in one piece.

    Templates are Mustache: ours has sections over the lists of alerts, nothing else.
    """
    keys = ", ".join(rule.keys)
    lines = [rule.question, *_plain(rule)]
    if bucketed:
        for name in ("newAlerts", "dedupedAlerts"):
            lines.append(f"{{{{#ctx.{name}}}}}{keys}: {{{{bucket_keys}}}}\n{{{{/ctx.{name}}}}}")
    lines += [
        f"Window: {words(rule.window)} before {{{{ctx.periodEnd}}}}",
        f"What to do: {what_to_do}",
    ]
    return "\n".join(lines)


def _plain(rule: Rule) -> Iterator[str]:
    """The rule's message, if it reads without the values of a group."""
    values = {"window": words(rule.window)}
    if all(word in values for word in _PLACEHOLDER.findall(rule.message)):
        yield _PLACEHOLDER.sub(lambda found: values[found.group(1)], rule.message)
