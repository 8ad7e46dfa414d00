"""Who evaluates alert rules in a cluster: the collectors, or monitors that install makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.setup import desired_state
from collector.alerts.rounds import rules_here
from tests.chart.rendering import objects, pods, rendered
from tests.chart.test_rendering import DEFAULTS, ETC, loaded


@pytest.mark.parametrize(
    ("alerts", "collector", "plugin"),
    [
        ("{}", False, True),
        ("{without: [break-glass], channels: [on-call]}", False, True),
        ("{enabled: true, without: [break-glass]}", True, False),
        ("{enabled: true, engine: plugin}", True, True),
    ],
    ids=["nothing", "plugin", "collector", "both"],
)
def test_no_alert_rule_is_evaluated_twice(
    alerts: str, collector: bool, plugin: bool, tmp_path: Path
) -> None:
    """A rule is a monitor that install makes or one that the collectors evaluate, never both
    (docs/alerts.md, Who evaluates); what is off is off in both."""
    values = f"{DEFAULTS}\nopensearch: {{existingSecret: login}}\nconfig: {{alerts: {alerts}}}"
    accounts = "opensearch: {existingSecret: login, accounts: {maintain: {existingSecret: m}}}"
    values = values.replace("opensearch: {existingSecret: login}", accounts)
    seen = loaded(objects(rendered(values)), tmp_path)
    ours = seen["collector"].alerts
    here = {one.name for one in rules_here(ours)} if ours.enabled else set()
    made = desired_state(seen["install"]).monitors or {}
    there = {name for name, one in made.items() if one["enabled"]}
    assert (bool(here), bool(there)) == (collector, plugin)
    assert here & there == set()
    assert not (here | there) & ours.without
    assert seen["install"].alerts.channels == ours.channels


def test_install_sees_rules_of_ones_own() -> None:
    """Where rules are files of a Secret, install has it too, to make monitors of them."""
    rules = f"{ETC}/secrets/ac-rules"
    own = f"config: {{alerts: {{rules_dir: {rules}}}}}\nsecrets: {{files: [ac-rules]}}"
    every = objects(rendered(f"{DEFAULTS}\n{own}"))
    for part in ("Job/ac-install", "StatefulSet/ac-collector"):
        spec = dict(pods(every))[part]
        assert rules in {it["mountPath"] for it in spec["containers"][0]["volumeMounts"]}
    without = objects(rendered(f"{DEFAULTS}\nsecrets: {{files: [ac-rules]}}"))
    (container,) = dict(pods(without))["Job/ac-install"]["containers"]
    assert rules not in {it["mountPath"] for it in container["volumeMounts"]}
