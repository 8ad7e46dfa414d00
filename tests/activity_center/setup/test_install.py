"""``install`` on a real node: plan, apply, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from activity_center.errors import ClusterError
from activity_center.setup import Action, Desired, Kind, Plan, desired_state, install, look
from activity_center.setup.cluster import ask

Change = Callable[..., Desired]


def steps(plan: Plan, *actions: Action) -> set[str]:
    """Names of the steps with one of ``actions``."""
    return {step.name for step in plan.of(*actions)}


def generation(empty: Any, stream: str) -> int:
    """How many backing indices a stream has had."""
    return int(empty.get(f"/_data_stream/{stream}")["data_streams"][0]["generation"])


def add_field(body: dict[str, Any]) -> None:
    """A new field in the mappings of all lenses."""
    body["template"]["mappings"]["properties"]["shoe_size"] = {"type": "long"}


def test_fresh_cluster_by_command_line(empty: Any) -> None:
    """A dry run exits 2 and changes nothing; install creates all; then nothing is left to do."""
    dry = empty.run("install", "--dry-run")
    assert dry.returncode == 2, dry.stderr
    assert "+ data stream" in dry.stdout
    assert empty.get("/_data_stream/activity-*") == {"data_streams": []}

    made = empty.run("install")
    assert made.returncode == 0, made.stderr
    assert "Next:" in made.stdout
    streams = empty.get("/_data_stream/activity-*")["data_streams"]
    assert {one["name"] for one in streams} == set(desired_state().streams)

    again = empty.run("install", "--dry-run")
    assert again.returncode == 0
    assert again.stdout.startswith("Nothing to do")
    assert empty.run("install").returncode == 0
    assert all(one["generation"] == 1 for one in streams)


def test_json_is_one_object(empty: Any) -> None:
    """``--json`` prints one object with the plan and whether it was applied, nothing else."""
    dry = empty.run("install", "--dry-run", "--json")
    document = json.loads(dry.stdout)
    assert dry.returncode == 2
    assert document["applied"] is False
    assert {step["action"] for step in document["plan"]} <= {"create", "leave"}
    made = json.loads(empty.run("install", "--json").stdout)
    assert made["applied"] is True
    assert set(made["plan"][0]) == {"kind", "name", "action", "reason", "differences"}
    nothing = empty.run("install", "--json")
    assert nothing.returncode == 0
    assert {step["action"] for step in json.loads(nothing.stdout)["plan"]} == {"leave"}


def test_everything_carries_a_version(empty: Any, few: Desired) -> None:
    """Owner and version stand in ``_meta`` of all that is ours."""
    install(empty.client, few)
    for kind, key, inner in (
        ("_index_template", "index_templates", "index_template"),
        ("_component_template", "component_templates", "component_template"),
    ):
        for one in empty.get(f"/{kind}")[key]:
            assert one[inner]["_meta"]["owner"] == "activity-center"
            assert one[inner]["_meta"]["version"] >= 1
    state = empty.get("/activity-center-state")["activity-center-state"]
    assert state["mappings"]["_meta"] == {"owner": "activity-center", "version": 1}


def test_drift_is_found_and_mended(empty: Any, few: Desired) -> None:
    """What someone changed or deleted is named, field by field, and put right."""
    install(empty.client, few)
    body = dict(few.components["activity-settings"])
    body["template"] = {"settings": {"index": {"refresh_interval": "77s"}}}
    empty.put("/_component_template/activity-settings", body)
    ask(empty.client, "DELETE", "/_data_stream/activity-rejected")

    plan = look(empty.client, few)
    assert steps(plan, Action.CREATE) == {"activity-rejected"}
    assert steps(plan, Action.CHANGE) == {"activity-settings"}
    (step,) = plan.of(Action.CHANGE)
    assert ("settings.index.refresh_interval", "77s") in {
        (one.path, one.there) for one in step.differences
    }
    install(empty.client, few)
    assert not look(empty.client, few).drift
    assert generation(empty, "activity-audit-permanent") == 1


def test_a_template_change_rolls_its_streams_over(
    empty: Any, few: Desired, changed: Change
) -> None:
    """Exactly the streams of the changed template roll over; old documents stay searchable."""
    install(empty.client, few)
    document = {"@timestamp": "2026-01-01T00:00:00Z", "event": {"action": "server.create"}}
    stream = "activity-audit-permanent"
    empty.put(f"/{stream}/_create/one", document, refresh="true")

    newer = changed("component/activity-mappings", add_field)
    plan = look(empty.client, newer)
    assert steps(plan, Action.CHANGE) == {
        "activity-mappings",
        "activity-audit-permanent",
        "activity-agent-permanent",
    }
    outcome = install(empty.client, newer)
    assert outcome.notes == ()
    assert {one: generation(empty, one) for one in newer.streams} == {
        "activity-audit-permanent": 2,
        "activity-agent-permanent": 2,
        "activity-rejected": 1,
    }
    empty.put(f"/{stream}/_create/two", {**document, "shoe_size": 44}, refresh="true")
    found = ask(
        empty.client,
        "POST",
        f"/{stream}/_search",
        body={"query": {"term": {"event.action": "server.create"}}},
    ).body
    assert {hit["_id"] for hit in found["hits"]["hits"]} == {"one", "two"}
    sized = ask(
        empty.client, "POST", f"/{stream}/_search", body={"query": {"term": {"shoe_size": 44}}}
    ).body
    assert [hit["_id"] for hit in sized["hits"]["hits"]] == ["two"]
    assert not look(empty.client, newer).drift


def test_a_setting_of_a_template_rolls_over_too(empty: Any, few: Desired, changed: Change) -> None:
    """Settings, added or taken away, count like mappings."""

    def faster(body: dict[str, Any]) -> None:
        body["template"]["settings"]["index"]["refresh_interval"] = "1s"
        del body["template"]["settings"]["index"]["codec"]

    install(empty.client, few)
    newer = changed("component/activity-settings", faster)
    install(empty.client, newer)
    assert all(generation(empty, one) == 2 for one in newer.streams)
    assert not look(empty.client, newer).drift


def test_a_version_alone_rolls_nothing_over(empty: Any, few: Desired, changed: Change) -> None:
    """A new ``_meta`` is written and no stream is touched."""
    install(empty.client, few)
    newer = changed("component/activity-mappings", lambda _body: None)
    assert steps(look(empty.client, newer), Action.CHANGE) == {"activity-mappings"}
    install(empty.client, newer)
    assert all(generation(empty, one) == 1 for one in newer.streams)
    there = empty.get("/_component_template/activity-mappings")["component_templates"][0]
    wanted = newer.components["activity-mappings"]["_meta"]["version"]
    assert there["component_template"]["_meta"]["version"] == wanted


def test_streams_of_organizations_roll_over_without_the_file(
    empty: Any, few: Desired, changed: Change
) -> None:
    """A stream that an earlier run made for an organization follows its template too."""
    own = "activity-audit-permanent-acme"
    install(empty.client, replace(few, streams=(*few.streams, own)))
    install(empty.client, changed("component/activity-mappings", add_field))
    assert generation(empty, own) == 2


def test_it_does_not_downgrade(empty: Any, few: Desired, changed: Change) -> None:
    """An older program changes nothing where a newer one was, and says so."""
    install(empty.client, changed("component/activity-mappings", add_field, raise_version=3))
    plan = look(empty.client, few)
    assert steps(plan, Action.REFUSE) == {"activity-mappings"}
    with pytest.raises(ClusterError, match="does not downgrade"):
        install(empty.client, few)
    with pytest.raises(ClusterError, match="does not downgrade"):
        install(empty.client, few, adopt=True)
    assert generation(empty, "activity-audit-permanent") == 1
    result = empty.run("install")
    assert result.returncode == 1
    assert "does not downgrade" in result.stderr


def test_what_is_not_ours_is_left_alone(empty: Any, few: Desired) -> None:
    """An object of our name without our mark stops all, unless it is to be adopted."""
    theirs = {"template": {"settings": {"index": {"number_of_replicas": 3}}}}
    empty.put("/_component_template/activity-settings", theirs)
    plan = look(empty.client, few)
    assert steps(plan, Action.REFUSE) == {"activity-settings"}
    with pytest.raises(ClusterError, match="--adopt"):
        install(empty.client, few)
    names = [one["name"] for one in empty.get("/_component_template")["component_templates"]]
    assert names == ["activity-settings"]

    assert empty.run("install").returncode == 1
    assert empty.run("install", "--dry-run").returncode == 1
    install(empty.client, few, adopt=True)
    assert not look(empty.client, few).drift


def test_a_stream_of_another_template_is_left_alone(empty: Any, few: Desired) -> None:
    """A data stream of our name that someone else made is not rolled over unasked."""
    theirs = {"index_patterns": ["activity-audit-*"], "data_stream": {}, "priority": 1}
    empty.put("/_index_template/theirs", theirs)
    empty.put("/_data_stream/activity-audit-permanent")
    plan = look(empty.client, few)
    assert steps(plan, Action.REFUSE) == {"activity-audit-permanent"}
    install(empty.client, few, adopt=True)
    assert generation(empty, "activity-audit-permanent") == 2


def test_a_plain_index_of_our_name(empty: Any, few: Desired) -> None:
    """It is refused with what to do, also with ``--adopt``: its documents are someone's."""
    empty.put("/activity-agent-permanent")
    for adopt in (False, True):
        plan = look(empty.client, few, adopt=adopt)
        assert steps(plan, Action.REFUSE) == {"activity-agent-permanent"}
    with pytest.raises(ClusterError, match="_reindex"):
        install(empty.client, few)


def test_a_template_that_would_win(empty: Any, few: Desired) -> None:
    """A foreign template with a higher priority would decide for our streams: refused by name."""
    rival = {"index_patterns": ["activity-a*"], "data_stream": {}, "priority": 900}
    empty.put("/_index_template/rival", rival)
    refused = look(empty.client, few).refused
    assert {step.name for step in refused} == {"activity-audit", "activity-agent"}
    assert all("rival" in step.reason for step in refused)


def test_a_template_that_the_node_does_not_take(empty: Any, few: Desired, changed: Change) -> None:
    """Templates are tried out first: one that is refused leaves the cluster as it was."""

    def odd(body: dict[str, Any]) -> None:
        body["template"]["mappings"]["properties"]["odd"] = {"type": "no_such_type"}

    install(empty.client, few)
    newer = changed("component/activity-mappings", odd)
    with pytest.raises(ClusterError, match="no_such_type"):
        install(empty.client, newer)
    assert not look(empty.client, few).drift


def test_auto_create_is_turned_off_for_our_names(empty: Any, few: Desired) -> None:
    """A missing stream is an error of the write, never a plain index; other names stay free."""
    empty.put("/_cluster/settings", {"persistent": {"action.auto_create_index": "true"}})
    assert steps(look(empty.client, few), Action.CHANGE) == {"action.auto_create_index"}
    install(empty.client, few)
    for name, status in (("activity-audit-misspelt", 404), ("something-else", 201)):
        lines = f'{{"create": {{"_index": "{name}"}}}}\n{{"@timestamp": "2026-01-01"}}\n'
        answer = ask(empty.client, "POST", "/_bulk", body=lines).body
        assert answer["items"][0]["create"]["status"] == status
    ask(empty.client, "DELETE", "/something-else")
    assert not look(empty.client, few).drift


def test_the_state_index_grows_in_place(empty: Any, few: Desired) -> None:
    """A new field is added to it; a field of another type cannot be, and is refused."""
    install(empty.client, few)
    mappings = few.state["mappings"]
    grown = {**mappings, "_meta": {"owner": "activity-center", "version": 2}}
    grown["properties"] = {**mappings["properties"], "more": {"type": "keyword"}}
    newer = replace(few, state={**few.state, "mappings": grown})
    assert steps(look(empty.client, newer), Action.CHANGE) == {"activity-center-state"}
    install(empty.client, newer)
    assert not look(empty.client, newer).drift

    clash = {**grown, "_meta": {"owner": "activity-center", "version": 3}}
    clash["properties"] = {**grown["properties"], "more": {"type": "long"}}
    plan = look(empty.client, replace(few, state={**few.state, "mappings": clash}))
    assert [step.kind for step in plan.refused] == [Kind.STATE_INDEX]
