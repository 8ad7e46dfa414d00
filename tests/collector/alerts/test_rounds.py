"""A round: what is due is evaluated, what is new is written and told, failures are kept apart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from activity_center.alerting import load_rules
from activity_center.alerting.monitors import compiles
from activity_center.config import Cluster, load
from activity_center.config_alerts import AlertsConfig, Hours, Webhook
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.setup.cluster import ask
from activity_center.streams import STATE_INDEX
from collector.alerts.evaluate import Evaluator
from collector.alerts.loop import AlertLoop
from collector.alerts.own_figures import own_figures
from collector.alerts.rounds import Rounds, rules_here
from collector.alerts.store import MOST
from tests.collector.alerts.parts import Place, Receiver, at, blocked, failed_login, rule

NOW = at("2026-11-24T13:05:23Z")
MINUTE = 60_000


def test_a_burst_is_one_alert(place: Place, receiver: Receiver) -> None:
    """What goes on over many rounds fires once, and the webhook is told once."""
    hooks = (Webhook("hook", address=receiver.address, secret="key"),)
    one = rule("failed-logins-account")
    for number in range(3):  # three rounds, each by another collector
        now = NOW + number * MINUTE
        place.record(*(failed_login(now - n * 1000, number=n) for n in range(20)))
        Rounds(place.client, AlertsConfig(webhooks=hooks), [one]).once(now)
    assert len(place.alerts()) == 1
    assert len(receiver.got) == 1


def test_a_round_goes_on_where_the_last_one_ended(place: Place) -> None:
    """After a pause of whoever evaluated, the next one finds what happened meanwhile."""
    one = rule("failed-logins-account")
    Rounds(place.client, AlertsConfig(), [one]).once(NOW - 180 * MINUTE)
    place.record(*(failed_login(NOW - 100 * MINUTE - n * 1000, number=n) for n in range(12)))
    (fired,) = Rounds(place.client, AlertsConfig(), [one]).once(NOW).alerts
    assert fired.count == 12


def test_more_groups_than_are_told_of_are_said(place: Place) -> None:
    """Of a flood the log names the rule and how many groups are left out; none counts as held."""
    one = rule("failed-logins-account", at_least=1)
    users = [f"user{number}" for number in range(MOST + 3)]
    place.record(*(failed_login(NOW - 30_000, user) for user in users))
    with capture_logs() as told:
        done = Rounds(place.client, AlertsConfig(), [one]).once(NOW)
    assert (len(done.alerts), done.held, done.cut) == (MOST, 0, ["failed-logins-account"])
    (line,) = [line for line in told if "more groups" in line["event"]]
    assert (line["rule"], line["not_told"]) == ("failed-logins-account", 3)


def test_what_arrives_late_fires(place: Place) -> None:
    """Activities that reach OpenSearch after their window was evaluated fire an hour later."""
    one = rule("failed-logins-account")
    rounds = Rounds(place.client, AlertsConfig(), [one])
    rounds.once(NOW)
    place.record(*(failed_login(NOW - 30_000 - n * 1000, number=n) for n in range(12)))
    found = [fired for n in range(50, 61) for fired in rounds.once(NOW + n * MINUTE).alerts]
    assert len(found) == 1


def test_a_rule_that_fails_does_not_hold_up_the_others(place: Place) -> None:
    """A rule that cannot be evaluated is told, tried again, and keeps its place."""
    broken = rule("break-glass", query=({"field": "source.ip", "is": "nowhere"},))
    place.record(*(failed_login(NOW - MINUTE - n * 1000, number=n) for n in range(12)))
    done = Rounds(place.client, AlertsConfig(), [broken, rule("failed-logins-account")]).once(NOW)
    assert "'nowhere' is not an IP string literal" in str(done.failed["break-glass"])
    assert [*done.failed] == ["break-glass"]
    assert len(done.alerts) == 1
    path = f"/{STATE_INDEX}/_doc/alerts-cursor"
    assert [*ask(place.client, "GET", path).body["_source"]["data"]] == ["failed-logins-account"]


def test_without_install_nothing_is_made(own_node: Callable[..., Any]) -> None:
    """On a cluster that was not set up it says so, and makes no index that install would refuse."""
    client = own_node().client
    rounds = Rounds(client, AlertsConfig(), [rule("break-glass")])
    for do in (rounds.check, lambda: rounds.once(NOW)):
        with pytest.raises(ClusterError) as wrong:
            do()
        assert wrong.value.hint == "activity-center install --config FILE"
    with pytest.raises(ClusterError, match="there is no activity-audit-"):
        Evaluator(client, Hours()).evaluate(rule("break-glass"), NOW)
    failed = Rounds(client, AlertsConfig(), [rule("backlog-rising")]).figures(
        NOW, {"backlog_seconds": 900.0}
    )
    assert [*failed.failed] == ["backlog-rising"]
    assert ask(client, "GET", "/_resolve/index/activity-*").body["indices"] == []


def test_rules_that_are_off_or_a_monitors() -> None:
    """Rules in ``without`` are not evaluated, and with the plugin only what it cannot say is."""
    everything = load_rules()
    here = rules_here(AlertsConfig(without=frozenset({"break-glass"})))
    assert {one.name for one in here} == everything.keys() - {"break-glass"}
    rest = rules_here(AlertsConfig(engine="plugin"))
    assert rest
    assert not any(compiles(one) for one in rest)


def test_figures_are_of_this_machine(place: Place) -> None:
    """A figure fires for the machine that it is of, and is held back like every alert."""
    rounds = Rounds(place.client, AlertsConfig(), [rule("backlog-rising")])
    (fired,) = rounds.figures(NOW, {"backlog_seconds": 900.0}).alerts
    assert "900 seconds" in fired.message
    assert rounds.figures(NOW + MINUTE, {"backlog_seconds": 960.0}).alerts == []
    assert rounds.figures(NOW, {}).alerts == []


def test_a_mistake_in_one_rule_turns_no_other_off(place: Place) -> None:
    """Whatever goes wrong with one rule is counted as failed, and the rules after it go on."""
    broken = replace(rule("break-glass"), name="aaa", window=10**13, throttle=10**13)
    emergency = {"id": "1", "action": "user.break_glass"}
    place.record({"@timestamp": NOW - MINUTE, "event": emergency, "user": {"id": "usr_root"}})
    place.record(*(failed_login(NOW - MINUTE - n * 1000, number=n) for n in range(12)))
    with capture_logs() as told:
        done = Rounds(place.client, AlertsConfig(), [broken, rule("failed-logins-account")]).once(
            NOW
        )
    assert [*done.failed] == ["aaa"]
    assert len(done.alerts) == 1
    assert any(line["log_level"] == "error" and line["rule"] == "aaa" for line in told)


def test_a_clock_that_was_ahead(place: Place) -> None:
    """A cursor in the future counts as none, and is said: else alerts were off until then."""
    one = rule("failed-logins-account")
    Rounds(place.client, AlertsConfig(), [one]).once(NOW + 30 * 86_400_000)
    place.record(*(failed_login(NOW - MINUTE - n * 1000, number=n) for n in range(12)))
    with capture_logs() as told:
        rounds = Rounds(place.client, AlertsConfig(), [one])
        assert len(rounds.once(NOW).alerts) == 1
        rounds.once(NOW + MINUTE)
    (line,) = [line for line in told if "in the future" in line["event"]]
    assert (line["rule"], line["until"][:10]) == ("failed-logins-account", "2026-12-24")


def test_a_figure_goes_out_without_opensearch(place: Place, receiver: Receiver) -> None:
    """An alert of the collector that cannot be stored is told once, and stored afterwards."""
    hooks = (Webhook("hook", address=receiver.address, secret="key"),)
    rounds = Rounds(place.client, AlertsConfig(webhooks=hooks), [rule("backlog-rising")])
    with blocked(place):
        for number in range(3):
            done = rounds.figures(NOW + number * MINUTE, {"backlog_seconds": 900.0})
            assert [*done.failed] == ["backlog-rising"]
        assert len(receiver.got) == 1
    rounds.figures(NOW + 3 * MINUTE, {"backlog_seconds": 0.0})
    (stored,) = place.alerts()
    assert stored["alert"]["told"] == ["hook"]
    assert json.loads(receiver.got[0][1])["data"]["event"]["id"] == stored["event"]["id"]


def test_a_figure_goes_out_where_nothing_answers(receiver: Receiver) -> None:
    """With OpenSearch down altogether it is the same."""
    hooks = (Webhook("hook", address=receiver.address, secret="key"),)
    with closing(connect(Cluster(url="http://127.0.0.1:9"))) as nobody:
        rounds = Rounds(nobody, AlertsConfig(webhooks=hooks), [rule("spool-filling")])
        rounds.figures(NOW, {"spool_percent": 95.0})
        rounds.figures(NOW + MINUTE, {"spool_percent": 95.0})
    ((_, body),) = receiver.got
    assert "95 %" in json.loads(body)["data"]["message"]


def test_a_figure_that_is_not_known_is_no_zero(place: Place) -> None:
    """Where the metrics of the collector do not answer, its rules have failed."""
    done = Rounds(place.client, AlertsConfig(), [rule("spool-filling")]).figures(NOW, {})
    assert "spool_percent of the collector of this machine is not known" in str(
        done.failed["spool-filling"]
    )


def _config(tmp_path: Path, place: Place, receiver: Receiver) -> Path:
    file = tmp_path / "activity-center.yml"
    file.write_text(
        f"opensearch: {{url: '{place.url}'}}\n"
        f"collector: {{data_dir: '{tmp_path}/data', health: '127.0.0.1:1'}}\n"
        "alerts:\n  enabled: true\n  webhooks:\n"
        "    - {name: hook, webhook: '${HOOK}', secret: '${KEY}'}\n"
    )
    return file


def test_one_of_two_loops_leads(place: Place, receiver: Receiver, tmp_path: Path) -> None:
    """Of two loops one evaluates; an emergency login is told within the next window, once."""
    environment = {"HOOK": receiver.address, "KEY": "k" * 24}
    config = load(_config(tmp_path, place, receiver), environment)
    login = {
        "@timestamp": int(time.time() * 1000) - MINUTE,
        "event": {"id": "1", "action": "user.break_glass", "outcome": "success"},
        "user": {"id": "usr_root"},
    }
    place.record(login)
    loops = [AlertLoop(place.client, config) for _ in range(2)]
    for one in loops:
        one.start()
    told = threading.Event()
    deadline = time.monotonic() + 90
    while not told.is_set() and time.monotonic() < deadline:
        if receiver.got:
            told.set()
        time.sleep(0.2)
    ask(place.client, "POST", f"/{STATE_INDEX}/_refresh")
    (lease,) = ask(place.client, "GET", f"/{STATE_INDEX}/_search?q=kind:lease").body["hits"]["hits"]
    for one in loops:
        one.stop()
    assert lease["_source"]["name"] == "alerts"
    assert len(receiver.got) == 1
    assert [one["rule"]["id"] for one in place.alerts()] == ["break-glass"]


def test_no_collector_has_no_figures(place: Place, receiver: Receiver, tmp_path: Path) -> None:
    """Where no collector runs nothing is said of it."""
    config = load(_config(tmp_path, place, receiver), {"HOOK": receiver.address, "KEY": "k" * 24})
    assert own_figures(config) == {}
