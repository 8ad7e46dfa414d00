"""Monitors of the Alerting plugin in the plan: made, put right, left to their owners."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activity_center.alerting import load_rules
from activity_center.alerting.monitors import monitor, monitors
from activity_center.config import load
from activity_center.config_alerts import AlertsConfig, Hours
from activity_center.setup import Action, look
from activity_center.setup.desired import desired_state
from activity_center.setup.monitors import Refused, by_rule, differences, read_monitors, steps
from activity_center.setup.steps import Kind

if TYPE_CHECKING:
    from tests.conftest import Node

RULES = load_rules()
WANTED = monitors(RULES.values(), AlertsConfig(channels=("chat",)))


def returned(body: Any) -> Any:
    """A monitor as the plugin gives it back: every default written out (its API's example)."""
    if isinstance(body, list):
        return [returned(one) for one in body]
    if not isinstance(body, dict):
        return float(body) if isinstance(body, int) and not isinstance(body, bool) else body
    made = {key: returned(value) for key, value in body.items()}
    for name in ("term", "terms", "prefix", "wildcard", "range"):
        inner = made.get(name)
        if isinstance(inner, dict) and name == "terms" and ("field" in inner or "script" in inner):
            inner |= {"missing_bucket": False, "missing_order": "default", "order": "asc"}
        elif isinstance(inner, dict) and name == "terms":
            inner["boost"] = 1.0
        elif isinstance(inner, dict):
            for value in inner.values():
                value["boost"] = 1.0
    if "exists" in made:
        made["exists"]["boost"] = 1.0
    if "bool" in made:
        made["bool"] |= {"adjust_pure_negative": True, "boost": 1.0}
    if "buckets_path" in made:
        made["gap_policy"] = "skip"
    return made


def hit(rule: str, id_: str = "m1", **changes: Any) -> dict[str, Any]:
    """A hit of the plugin's search, with what it keeps beside a monitor."""
    body = {**returned(copy.deepcopy(WANTED[rule])), **changes}
    body |= {"schema_version": 8, "enabled_time": 1, "last_update_time": 2, "owner": "alerting"}
    body |= {"user": {"name": "admin"}, "data_sources": {"alerts_index": ".alerts"}}
    return {"_id": id_, "_seq_no": 3, "_primary_term": 1, "_source": body}


def test_what_the_plugin_gives_back_is_no_difference() -> None:
    """A monitor that was installed and not touched is left alone, for every rule."""
    for name, body in WANTED.items():
        assert differences(hit(name)["_source"], body) == [], name


def test_a_changed_monitor_is_put_right() -> None:
    """A query, a condition, a throttle or a switch that somebody changed is a difference."""
    changed = {
        "enabled": hit("mass-deletion", enabled=False),
        "schedule.period.interval": hit(
            "mass-deletion", schedule={"period": {"interval": 30, "unit": "MINUTES"}}
        ),
    }
    further = hit("mass-deletion")
    query = further["_source"]["inputs"][0]["search"]["query"]["query"]["bool"]
    query["must_not"] = [{"term": {"user.name": {"value": "me", "boost": 1.0}}}]
    changed["inputs[0].search.query.query.bool.must_not"] = further
    quieter = hit("mass-deletion")
    trigger = quieter["_source"]["triggers"][0]["bucket_level_trigger"]
    trigger["condition"]["script"]["source"] = "params.count >= 10000"
    changed["triggers[0].bucket_level_trigger.condition.script.source"] = quieter
    silent = hit("mass-deletion")
    silent["_source"]["triggers"][0]["bucket_level_trigger"]["actions"] = []
    changed["triggers[0].bucket_level_trigger.actions"] = silent
    for path, one in changed.items():
        (step,) = steps({"mass-deletion": WANTED["mass-deletion"]}, by_rule([one]))
        assert (step.action, [found.path for found in step.differences]) == (Action.CHANGE, [path])
        there, body = step.body
        assert (there.id, there.seq_no, body) == ("m1", 3, WANTED["mass-deletion"])


def test_installing_twice_changes_nothing() -> None:
    """What is missing is made once; then there is nothing to do."""
    assert {step.action for step in steps(WANTED, {})} == {Action.CREATE}
    there = by_rule(hit(name, f"m{number}") for number, name in enumerate(WANTED))
    assert {step.action for step in steps(WANTED, there)} == {Action.LEAVE}


def test_copies_stay_their_owners() -> None:
    """A copy under another name, and monitors of others, are neither changed nor counted."""
    name = "break-glass"
    copied = hit(name, "m2", name="Our own, louder", enabled=False)
    foreign = {
        "_id": "m3",
        "_seq_no": 1,
        "_primary_term": 1,
        "_source": {"name": "x", "triggers": []},
    }
    there = by_rule([copied, foreign, hit(name, "m1")])
    assert [*there] == [name]
    (step,) = steps({name: WANTED[name]}, there)
    assert step.action is Action.LEAVE
    (step,) = steps({name: WANTED[name]}, by_rule([copied]))
    assert step.action is Action.CREATE


def test_where_the_collector_evaluates() -> None:
    """No monitor is made then, and one that is there is switched off."""
    off = monitors(RULES.values(), AlertsConfig(enabled=True, channels=("chat",)))
    assert [*steps(off, {})] == []
    (changed,) = steps(off, by_rule([hit("break-glass")]))
    assert [found.path for found in changed.differences] == ["enabled"]


def test_rules_that_nobody_evaluates_are_named(tmp_path: Path) -> None:
    """With the plugin and no collector that evaluates, the plan names what the plugin cannot."""
    file = tmp_path / "activity-center.yml"
    file.write_text("alerts: {channels: [chat], without: [spool-filling]}\n")
    desired = desired_state(load(str(file), {}))
    blind = {name for name in RULES if name not in WANTED} - {"spool-filling"}
    assert "agent-without-approval" in blind
    assert set(desired.unevaluated) == blind
    (said,) = [
        step
        for step in steps(desired.monitors, {}, unevaluated=desired.unevaluated)
        if step.action is Action.SKIP
    ]
    assert all(name in said.reason for name in blind)
    assert "alerts.enabled" in said.reason
    for engine in ("collector", "plugin"):
        file.write_text(f"alerts: {{channels: [chat], engine: {engine}, enabled: true}}\n")
        assert desired_state(load(str(file), {})).unevaluated == ()


def test_without_a_file_monitors_are_left_alone(tmp_path: Path) -> None:
    """It is not known then whether a collector evaluates the rules: the plan says what to name."""
    assert desired_state().monitors is None
    (step,) = steps(None, by_rule([hit("break-glass", enabled=False)]))
    assert (step.action, "--config FILE" in step.reason) == (Action.SKIP, True)
    assert [*steps(None, None)] == []
    file = tmp_path / "activity-center.yml"
    file.write_text("alerts: {channels: [chat]}\n")
    assert desired_state(load(str(file), {})).monitors == WANTED


def test_a_message_names_the_published_runbook() -> None:
    """With alerts.runbook_base a monitor's message has the address of its rule's part."""
    alerts = AlertsConfig(channels=("chat",), runbook_base="https://docs.example/alerts.html")
    (trigger,) = monitors(RULES.values(), alerts)["mass-deletion"]["triggers"]
    (action,) = trigger["bucket_level_trigger"]["actions"]
    text = action["message_template"]["source"]
    assert text.endswith("What to do: https://docs.example/alerts.html#mass-deletion")


def test_a_monitor_without_a_rule_is_named() -> None:
    """A monitor of ours whose rule is gone is pointed out and left."""
    own = monitor(RULES["break-glass"], Hours())
    own["triggers"][0]["bucket_level_trigger"]["id"] = "activity-center-rule-gone"
    one = {"_id": "m9", "_seq_no": 1, "_primary_term": 1, "_source": own}
    (step,) = steps({}, by_rule([one]))
    assert (step.kind, step.name, step.action) == (Kind.MONITOR, "gone", Action.SKIP)


def test_an_account_that_may_not_read_monitors() -> None:
    """Without the right nothing is changed, and the plan says whom to ask."""
    (step,) = steps(WANTED, Refused())
    assert (step.action, "administrator" in step.reason) == (Action.SKIP, True)


def test_without_the_plugin_there_are_no_monitors(opensearch: Node) -> None:
    """On a node without the plugin the plan says nothing of monitors."""
    assert read_monitors(opensearch.client) is None
    plan = look(opensearch.client, desired_state())
    assert not [step for step in plan.steps if step.kind is Kind.MONITOR]
