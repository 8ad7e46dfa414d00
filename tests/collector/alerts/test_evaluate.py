"""What an evaluation does beyond the cases of our own rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activity_center.alerting.searches import grouped
from activity_center.config_alerts import AlertsConfig, Hours
from activity_center.errors import ClusterError, IncompleteAnswer
from activity_center.setup.cluster import ask
from collector.alerts.evaluate import PAGES, Evaluator
from collector.alerts.rounds import Rounds
from collector.alerts.store import MOST
from tests.collector.alerts.parts import RULES, Place, at, failed_login, rule

NOW = at("2026-11-24T13:05:00Z")


def test_a_window_ends_before_its_end(place: Place) -> None:
    """A window holds its beginning and not its end, so that no activity is in two of them."""
    one = rule("failed-logins-account", at_least=1, window=60)
    place.record(failed_login(NOW, "end"), failed_login(NOW - 60_000, "begin"))
    evaluator = Evaluator(place.client, Hours())
    (found,) = evaluator.evaluate(one, NOW).findings
    assert dict(found.group)["user.name"] == "begin"
    (next_one,) = evaluator.evaluate(one, NOW + 60_000).findings
    assert dict(next_one.group)["user.name"] == "end"


def test_groups_beyond_one_page(place: Place) -> None:
    """More groups than one page holds are all found, each with its own count."""
    one = rule("failed-logins-account", at_least=2)
    place.record(
        *(failed_login(NOW - 1000, f"user{i}", n) for i in range(1100) for n in range(1 + i % 2))
    )
    result = Evaluator(place.client, Hours()).evaluate(one, NOW)
    assert len(result.findings) == 550
    assert {found.count for found in result.findings} == {2}
    assert not result.cut


def test_how_many_groups_are_judged_is_said() -> None:
    """docs/alerts.md has the bounds on groups that the code has, for every one of our rules."""
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| How many groups?")]
    searched = [one for one in RULES.values() if one.kind != "figure"]
    judged = {PAGES * grouped(one)["composite"]["size"] for one in searched}
    said = {int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", row)}
    assert said == judged | {MOST}


def test_a_finding_names_the_newest_activities(place: Place) -> None:
    """An alert names some of what it is about, the newest first."""
    place.record(*(failed_login(NOW - 1000 * n, number=n) for n in range(1, 13)))
    (found,) = (
        Evaluator(place.client, Hours()).evaluate(rule("failed-logins-account"), NOW).findings
    )
    assert found.count == 12
    assert found.events == tuple(f"mira-{NOW - 1000 * n}-{n}" for n in range(1, 6))


def test_without_groups_all_activities_count_together(place: Place) -> None:
    """A rule without groups counts over everything, and has one alert."""
    one = rule("failed-logins-account", group_by=(), message="{count} in all")
    place.record(*(failed_login(NOW - 1000, f"user{n}") for n in range(10)))
    (found,) = Evaluator(place.client, Hours()).evaluate(one, NOW).findings
    assert (found.group, found.message) == ((), "10 in all")
    assert Evaluator(place.client, Hours()).evaluate(
        rule("failed-logins-account", group_by=(), at_least=11, message="{count} in all"), NOW
    ).findings == []  # fmt: skip


def test_working_hours_are_those_of_the_time_zone(place: Place) -> None:
    """Outside of hours is judged in the configured zone, summer time included."""
    deletion = {
        "event": {"id": "1", "action": "server.delete", "type": ["deletion"], "severity": 3,
                  "outcome": "success"},
        "user": {"id": "usr_jo"},
    }  # fmt: skip
    # 05:30 UTC is 06:30 in Ljubljana in winter, and 07:30 in summer.
    winter, summer = at("2026-01-13T05:30:00Z"), at("2026-07-14T05:30:00Z")
    place.record({**deletion, "@timestamp": winter}, {**deletion, "@timestamp": summer})
    evaluator = Evaluator(place.client, Hours("Europe/Ljubljana"))
    one = rule("destructive-outside-hours")
    assert len(evaluator.evaluate(one, winter + 60_000).findings) == 1
    assert evaluator.evaluate(one, summer + 60_000).findings == []


def test_a_rule_says_what_nobody_sends(place: Place) -> None:
    """A rule says which field it needs and none of a week's activities has, and only then."""
    one = rule("login-new-country")
    evaluator = Evaluator(place.client, Hours())
    assert evaluator.evaluate(one, NOW).lacking == ()  # nobody signed in at all
    login = {
        "@timestamp": NOW - 86_400_000,
        "event": {"id": "1", "action": "user.login", "outcome": "success"},
    }
    place.record(login)
    assert evaluator.evaluate(one, NOW).lacking == ("source.geo.country_iso_code",)
    place.record({**login, "source": {"geo": {"country_iso_code": "SI"}}})
    assert evaluator.evaluate(one, NOW).lacking == ()


def test_part_of_an_answer_is_no_answer(place: Place) -> None:
    """A search that did not reach every shard is an error, never "nothing found"."""
    name = "activity-audit-half"
    nowhere = {"index.routing.allocation.require._name": "no-such-node"}
    template = {"index_patterns": [name], "data_stream": {}, "priority": 900}
    path = f"/_index_template/{name}"
    ask(place.client, "PUT", path, body=template)
    try:
        ask(place.client, "PUT", f"/_data_stream/{name}")
        ask(place.client, "PUT", path, body={**template, "template": {"settings": nowhere}})
        # Whoever makes a stream waits half a minute for its shard; this need not.
        params = {"wait_for_active_shards": "0"}
        ask(place.client, "POST", f"/{name}/_rollover", params=params)
        with pytest.raises((IncompleteAnswer, ClusterError)):
            Evaluator(place.client, Hours()).evaluate(rule("break-glass"), NOW)
    finally:
        ask(place.client, "DELETE", f"/_data_stream/{name}", allow=(404,))
        ask(place.client, "DELETE", path)


def test_the_message_is_safe_to_show(place: Place) -> None:
    """Text from the record is bounded in a message, without control or direction characters."""
    name = "mira\u202e\n\x1b[31m" + "x" * 300
    place.record(*(failed_login(NOW - 1000, name, n) for n in range(10)))
    (found,) = (
        Evaluator(place.client, Hours()).evaluate(rule("failed-logins-account"), NOW).findings
    )
    assert found.message.startswith("10 failed logins for mira   [31mxxx")
    assert found.message.isprintable()
    assert len(found.message) < 260


def agent(when: int, proposal: str, **more: Any) -> dict[str, Any]:
    """An execution of an agent's proposal, or with ``outcome`` a decision on it."""
    ours: dict[str, Any] = {"proposal": {"id": proposal} if proposal else {}}
    if "outcome" in more:
        ours["decision"] = {"outcome": more.pop("outcome")}
        ours["approver"] = {"id": "usr_mk", "authenticated": True}
    else:
        ours["proposal"]["stage"] = "completed"
    return {
        "@timestamp": when,
        "event": {"id": f"{proposal}-{when}-{more.get('organization', 'northwind')}"},
        "organization": {"id": more.pop("organization", "northwind")},
        "activity": ours,
        **more,
    }


def test_large_parameters_are_never_read(place: Place) -> None:
    """What agents did is judged by values of fields: no entry is read, however large it is."""
    large = {"tool": {"call": {"arguments": {f"k{n}": "x" * 4000 for n in range(25)}}}}
    for number in range(20):
        runs = [agent(NOW - 300_000 + n, f"p{number}", gen_ai=large) for n in range(5)]
        place.record(*runs, stream="agent")
    for name in ("parameters-drifted", "agent-without-approval"):
        aggregations = grouped(rule(name))["aggregations"]
        assert aggregations["samples"]["top_hits"]["stored_fields"] == "_none_"
        found = Evaluator(place.client, Hours()).evaluate(rule(name), NOW).findings
        assert len(found) == (20 if name == "agent-without-approval" else 0)
        assert all(len(one.events) == 5 for one in found)


def test_what_names_no_proposal_is_held_back_alone(place: Place) -> None:
    """An action without proposal fires once; the next one fires again, in every organization."""
    rounds = Rounds(place.client, AlertsConfig(), [rule("agent-without-approval")])

    def fired(minutes: int) -> list[str]:
        done = rounds.once(NOW + minutes * 60_000).alerts
        return [str(dict(one.group)["organization.id"]) for one in done]

    place.record(agent(NOW - 300_000, "", organization="southwind"), stream="agent")
    assert fired(0) == ["southwind"]
    assert fired(1) == []
    place.record(agent(NOW - 200_000, "", organization="northwind"), stream="agent")
    assert fired(2) == ["northwind"]
    place.record(agent(NOW - 100_000, "", organization="northwind"), stream="agent")
    assert fired(3) == ["northwind"]
    assert fired(4) == []


def test_one_id_in_two_organizations(place: Place) -> None:
    """What fired for one organization holds nothing back for another one with the same ids."""
    rounds = Rounds(place.client, AlertsConfig(), [rule("agent-without-approval")])
    place.record(agent(NOW - 300_000, "prp_1", organization="southwind"), stream="agent")
    (first,) = rounds.once(NOW).alerts
    place.record(agent(NOW - 200_000, "prp_1", organization="northwind"), stream="agent")
    (second,) = rounds.once(NOW + 60_000).alerts
    assert first.key != second.key


def test_an_alert_has_the_organization_of_its_activities(place: Place) -> None:
    """A rule without organization in its group says it too, where all are of one."""
    one = rule("failed-logins-address", at_least=1)

    def owner(when: int) -> tuple[str, Any]:
        (found,) = Evaluator(place.client, Hours()).evaluate(one, when).findings
        document = found.document(datetime.now(UTC))
        return found.key, document.get("organization")

    login = {**failed_login(NOW - 1000), "source": {"ip": "203.0.113.9"}}
    place.record(login)
    key, organization = owner(NOW)
    assert organization == {"id": "northwind"}
    place.record({**login, "organization": {"id": "southwind"}, "user": {"name": "jonas"}})
    other, organization = owner(NOW)
    assert (organization, other == key) == (None, False)
