"""Monitors by the plugin's API: made, replaced, compared again, and left where they cannot be."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center.alerting import load_rules
from activity_center.alerting.monitors import monitors
from activity_center.config import Cluster, load
from activity_center.config_alerts import AlertsConfig
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.setup import Action
from activity_center.setup.cluster import read_cluster
from activity_center.setup.desired import desired_state
from activity_center.setup.doctor.finding import Level
from activity_center.setup.doctor.server import check_plugins
from activity_center.setup.doctor.streams import check_templates
from activity_center.setup.monitors import Refused, put_monitor, read_monitors, steps
from activity_center.setup.plan import make_plan
from activity_center.setup.steps import Kind, Step
from tests.activity_center.setup.alerting_server import MONITORS, Alerting, serving
from tests.activity_center.setup.test_monitors import returned
from tests.conftest import Node

NAMES = ("break-glass", "mass-deletion", "source-silent")
WANTED = {
    name: body
    for name, body in monitors(load_rules().values(), AlertsConfig(channels=("chat",))).items()
    if name in NAMES
}


@pytest.fixture
def plugin() -> Iterator[Alerting]:
    """The plugin, without a monitor."""
    with serving(returned) as server:
        yield server


@pytest.fixture
def client(plugin: Alerting) -> Iterator[OpenSearch]:
    """A client of the cluster with the plugin."""
    with closing(connect(Cluster(url=plugin.url))) as one:
        yield one


def put(client: OpenSearch, wanted: dict[str, Any]) -> list[Step]:
    """Do what a plan would do; return its steps."""
    made = [*steps(wanted, read_monitors(client))]
    for step in made:
        if step.action in (Action.CREATE, Action.CHANGE):
            put_monitor(client, step)
    return made


def test_monitors_are_made(plugin: Alerting, client: OpenSearch) -> None:
    """Each rule's monitor is made as it is compiled, and a second run has nothing to do."""
    assert {one.action for one in put(client, WANTED)} == {Action.CREATE}
    assert plugin.calls == [("POST", MONITORS)] * len(NAMES)
    kept = {one["_source"]["name"] for one in plugin.held.values()}
    assert kept == {body["name"] for body in WANTED.values()}
    assert {one.action for one in put(client, WANTED)} == {Action.LEAVE}
    assert len(plugin.calls) == len(NAMES)


def test_what_somebody_changed_is_put_right(plugin: Alerting, client: OpenSearch) -> None:
    """A monitor that differs is replaced under its own id, and no other one is touched."""
    put(client, WANTED)
    (id_,) = [key for key, one in plugin.held.items() if "emergency" in one["_source"]["name"]]
    plugin.held[id_]["_source"]["enabled"] = False
    plugin.calls.clear()
    (changed,) = [one for one in put(client, WANTED) if one.action is Action.CHANGE]
    assert [one.path for one in changed.differences] == ["enabled"]
    assert plugin.calls == [("PUT", f"{MONITORS}/{id_}")]
    assert plugin.held[id_]["_source"]["enabled"] is True
    assert {one.action for one in put(client, WANTED)} == {Action.LEAVE}


def test_only_what_was_compared_is_replaced(plugin: Alerting, client: OpenSearch) -> None:
    """A monitor that somebody changes after the comparison is not overwritten."""
    put(client, WANTED)
    (one,) = [one for one in plugin.held.values() if "emergency" in one["_source"]["name"]]
    one["_source"]["enabled"] = False
    (step,) = [s for s in steps(WANTED, read_monitors(client)) if s.action is Action.CHANGE]
    one["_seq_no"] += 100
    with pytest.raises(ClusterError):
        put_monitor(client, step)
    assert one["_source"]["enabled"] is False


def test_a_rule_with_a_new_title_keeps_its_monitor(plugin: Alerting, client: OpenSearch) -> None:
    """Under an earlier title it is still ours: it is renamed, and none is made beside it."""
    old = copy.deepcopy(WANTED)
    old["break-glass"]["name"] = "Activity Center: As it was called before"
    trigger = old["break-glass"]["triggers"][0]["bucket_level_trigger"]
    trigger["name"] = "As it was called before"
    put(client, old)
    (changed,) = [one for one in put(client, WANTED) if one.action is not Action.LEAVE]
    assert (changed.name, changed.action) == ("break-glass", Action.CHANGE)
    assert len(plugin.held) == len(NAMES)
    assert {one.action for one in put(client, WANTED)} == {Action.LEAVE}


def test_a_second_monitor_of_a_rule_is_named(plugin: Alerting, client: OpenSearch) -> None:
    """One under an earlier title beside today's is pointed out: both would tell."""
    put(client, WANTED)
    old = copy.deepcopy(WANTED["break-glass"])
    old["name"] = "Activity Center: As it was called before"
    old["triggers"][0]["bucket_level_trigger"]["name"] = "As it was called before"
    plugin.answer("POST", MONITORS, {}, old)
    (named,) = [one for one in put(client, WANTED) if one.action is Action.SKIP]
    assert "'Activity Center: As it was called before': remove it" in named.reason


def test_a_rule_that_is_off_is_switched_off(plugin: Alerting, client: OpenSearch) -> None:
    """``alerts.without`` turns a monitor off; one that is not there is not made for that."""
    rules = load_rules().values()
    off = monitors(rules, AlertsConfig(channels=("chat",), without=frozenset({"break-glass"})))
    put(client, {"break-glass": off["break-glass"]})
    assert plugin.held == {}
    put(client, WANTED)
    put(client, {**WANTED, "break-glass": off["break-glass"]})
    quiet = [
        one["_source"]["name"] for one in plugin.held.values() if not one["_source"]["enabled"]
    ]
    assert quiet == [WANTED["break-glass"]["name"]]


def test_without_the_right(plugin: Alerting, client: OpenSearch) -> None:
    """An account that may not use the plugin leaves monitors as they are, and says so."""
    plugin.allowed = False
    assert isinstance(read_monitors(client), Refused)
    (step,) = put(client, WANTED)
    assert (step.action, "have an administrator" in step.reason) == (Action.SKIP, True)


def test_without_the_plugin(plugin: Alerting, client: OpenSearch) -> None:
    """Where the configuration relies on a plugin that is not there, the plan says who is blind."""
    plugin.there = False
    assert read_monitors(client) is None
    assert [*steps(WANTED, None)] == []
    (step,) = steps(WANTED, None, relied=True)
    assert step.action is Action.SKIP
    assert "nobody evaluates 3 rules" in step.reason


def test_doctor_says_that_nobody_evaluates(opensearch: Node) -> None:
    """On a cluster without the plugin, alerts.engine: plugin is a failure."""
    found = check_plugins(opensearch.client, relied=True)
    (about,) = [one for one in found if "alerting" in one.message]
    assert about.level is Level.FAIL
    assert "nobody evaluates" in about.message


def test_the_plan_names_what_nobody_evaluates(opensearch: Node, tmp_path: Path) -> None:
    """With the plugin and without a collector that evaluates, the whole plan names those rules;
    the doctor, which tells what a plan skips, asks for no other account then."""
    file = tmp_path / "activity-center.yml"
    file.write_text("alerts: {channels: [chat], engine: plugin}\n")
    desired = desired_state(load(str(file), {}))
    with_plugin = replace(read_cluster(opensearch.client, desired), monitors={})
    steps_of = make_plan(desired, with_plugin).of(Action.SKIP)
    (said,) = [one for one in steps_of if one.kind is Kind.MONITOR]
    assert "agent-without-approval, " in said.reason
    found = check_templates(opensearch.client, desired)
    (about,) = [one for one in found if "alerts.engine" in one.message]
    assert (about.level, about.advice) == (Level.WARN, "see the message")
