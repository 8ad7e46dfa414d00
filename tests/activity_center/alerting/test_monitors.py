"""Monitors of the Alerting plugin: as its documentation says, and finding what our rules find."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from activity_center.alerting import Case, Rule, load_rules
from activity_center.alerting.monitors import END, MARK, compiles, monitor, monitors, rule_name
from activity_center.alerting.searches import GROUPS
from activity_center.assets import data_folder
from activity_center.config_alerts import AlertsConfig, Hours
from activity_center.setup import desired_state
from activity_center.setup.cluster import ask
from collector.alerts.replay import documents

if TYPE_CHECKING:
    from tests.conftest import Node

GOLDEN = Path(__file__).with_name("golden")
RULES = {name: rule for name, rule in load_rules().items() if compiles(rule)}
SCHEMA = json.loads((data_folder("opensearch/monitors") / "monitor.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def _wrong(document: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("channels", [(), ("one", "two")])
def test_monitors_are_as_the_documentation_says(name: str, channels: tuple[str, ...]) -> None:
    """Every compiled monitor keeps to the JSON Schema written from the plugin's documentation."""
    assert _wrong(monitor(RULES[name], Hours(), channels=channels)) == []


@pytest.mark.parametrize(
    "name", ["failed-logins-address", "source-silent", "bulk-export", "break-glass"]
)
def test_golden(name: str) -> None:
    """The whole monitor is as it was when it was last looked at."""
    made = monitor(RULES[name], Hours(), channels=("security-chat",))
    assert made == json.loads((GOLDEN / f"{name}.json").read_text())


def test_kinds_of_monitors() -> None:
    """Rules with groups become bucket-level monitors, others query-level; none document-level."""
    made = monitors(load_rules().values(), AlertsConfig())
    assert {one["monitor_type"] for one in made.values()} == {"bucket_level_monitor"}
    alone = Rule(**{**_fields(RULES["break-glass"]), "group_by": (), "message": "it was used"})
    assert monitor(alone, Hours())["monitor_type"] == "query_level_monitor"
    assert _wrong(monitor(alone, Hours(), channels=("one",))) == []
    text = monitor(alone, Hours(), channels=("one",))["triggers"][0]["query_level_trigger"]
    assert "it was used" in text["actions"][0]["message_template"]["source"]


def test_a_count_without_groups() -> None:
    """Without groups it is the different values that are counted, where the rule says so."""
    changes = {"group_by": (), "message": "it happened", "distinct": "user.id|user.email"}
    one = monitor(Rule(**{**_fields(RULES["mass-deletion"]), **changes}), Hours())
    assert _wrong(one) == []
    (trigger,) = one["triggers"]
    source = trigger["query_level_trigger"]["condition"]["script"]["source"]
    assert source == "ctx.results[0].aggregations.distinct.value >= 10"
    counted = one["inputs"][0]["search"]["query"]["aggregations"]["distinct"]["cardinality"]
    assert counted["script"]["params"] == {"fields": ["user.id", "user.email"]}


@pytest.mark.parametrize(
    ("severity", "number"), [("critical", "1"), ("high", "2"), ("medium", "3"), ("low", "4")]
)
def test_severities(severity: str, number: str) -> None:
    """The plugin counts the other way round: 1 is the gravest."""
    rule = Rule(**{**_fields(RULES["mass-deletion"]), "severity": severity})
    (trigger,) = monitor(rule, Hours())["triggers"]
    assert trigger["bucket_level_trigger"]["severity"] == number


@pytest.mark.parametrize(
    ("throttle", "minutes"), [(600, 10), (86_400, 1440), (86_460, 1440), (7 * 86_400, 1440)]
)
def test_what_is_held_back_longer_than_a_day(throttle: int, minutes: int) -> None:
    """The plugin refuses a throttle of over a day by default: then it is a day."""
    rule = Rule(**{**_fields(RULES["mass-deletion"]), "throttle": throttle})
    (trigger,) = monitor(rule, Hours(), channels=("one",))["triggers"]
    (action,) = trigger["bucket_level_trigger"]["actions"]
    assert action["throttle"] == {"value": minutes, "unit": "MINUTES"}


def test_who_evaluates() -> None:
    """Monitors are on unless the collector evaluates the rules or the rule is off."""
    rules = load_rules().values()
    plain = monitors(rules, AlertsConfig(without=frozenset({"break-glass"})))
    assert not plain["break-glass"]["enabled"]
    assert plain["mass-deletion"]["enabled"]
    ours = monitors(rules, AlertsConfig(enabled=True))
    assert not any(one["enabled"] for one in ours.values())
    both = monitors(rules, AlertsConfig(enabled=True, engine="plugin"))
    assert both["mass-deletion"]["enabled"]
    assert "agent-without-approval" not in both  # it needs a join


def test_ours_are_known_by_their_trigger() -> None:
    """A monitor is known as ours by the id of its trigger, whatever else it is."""
    one = monitor(RULES["mass-deletion"], Hours())
    assert rule_name(one) == "mass-deletion"
    assert one["triggers"][0]["bucket_level_trigger"]["id"] == f"{MARK}mass-deletion"
    for foreign in ({}, {"triggers": [{"id": "x"}]}, {"triggers": [None]}, {"triggers": None}):
        assert rule_name(foreign) == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("monitor_type", "doc_level_monitor"),
        ("schedule.period.unit", "SECONDS"),
        ("inputs.0.search.indices", ["activity-*"]),
        ("inputs.0.search.query.size", 10),
        ("triggers.0.bucket_level_trigger.severity", 1),
        ("triggers.0.bucket_level_trigger.actions.0.throttle.unit", "HOURS"),
        ("triggers.0.bucket_level_trigger.actions.0.throttle", None),
        ("triggers.0.bucket_level_trigger.actions.0.to", "x"),
        ("triggers.0.bucket_level_trigger.condition.parent_bucket_path", ""),
        ("inputs.0.search.query.aggregations.groups.composite.sources.0.missing_bucket", True),
    ],
)
def test_the_schema_refuses(path: str, value: Any) -> None:
    """What the plugin would refuse, or skip without a word, breaks the schema."""
    one: Any = json.loads(json.dumps(monitor(RULES["mass-deletion"], Hours(), channels=("a",))))
    *above, last = path.split(".")
    place = one
    for part in above:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    assert _wrong(one)


@pytest.fixture(scope="module")
def index(opensearch: Node) -> Iterator[str]:
    """An index with the mappings of our streams and the documents of every case."""
    name = f"monitors-{secrets.token_hex(6)}"
    components = desired_state().components
    both = [
        components[one]["template"]["mappings"]["properties"]
        for one in ("activity-rejected-mappings", "activity-mappings")
    ]
    properties = {
        **both[0],
        **both[1],
        "rejected": both[0]["rejected"],
        "case": {"type": "keyword"},
    }
    mappings = {"dynamic": False, "properties": properties}
    ask(opensearch.client, "PUT", f"/{name}", body={"mappings": mappings}, timeout=60)
    lines = []
    for rule in RULES.values():
        for case in rule.cases:
            for one in documents(case):
                lines += ['{"index": {}}', json.dumps({**one, "case": f"{rule.name}/{case.name}"})]
    bulk = "\n".join([*lines, ""])
    answer = ask(opensearch.client, "POST", f"/{name}/_bulk", body=bulk, params={"refresh": "true"})
    assert not answer.body["errors"]
    yield name
    ask(opensearch.client, "DELETE", f"/{name}")


@pytest.mark.parametrize(
    ("rule", "case"), [(rule, case) for rule in RULES.values() for case in rule.cases]
)
def test_a_monitor_finds_what_its_rule_finds(
    opensearch: Node, index: str, rule: Rule, case: Case
) -> None:
    """The monitor's own search and condition, run on OpenSearch, fire as the case says.

    The condition is put in as a ``bucket_selector``, of which the plugin's is a variant; keys
    are never null, on which the plugin fails.
    """
    now = int(datetime.fromisoformat(case.now).timestamp() * 1000)
    one = monitor(rule, Hours())
    text = json.dumps(one["inputs"][0]["search"]["query"]).replace(END, str(now))
    body = json.loads(text)
    body["query"]["bool"]["filter"].append({"term": {"case": f"{rule.name}/{case.name}"}})
    condition = dict(one["triggers"][0]["bucket_level_trigger"]["condition"])
    assert condition.pop("parent_bucket_path") == GROUPS
    parts = body["aggregations"][GROUPS].setdefault("aggregations", {})
    parts["chosen"] = {"bucket_selector": condition}
    answer = ask(opensearch.client, "POST", f"/{index}/_search", body=body).body
    buckets = answer["aggregations"][GROUPS]["buckets"]
    assert len(buckets) == case.fires
    assert all(value is not None for bucket in buckets for value in bucket["key"].values())


def _fields(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in Rule.__slots__}
