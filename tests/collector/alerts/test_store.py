"""Alerts are written once, held back, and remember who was told."""

from __future__ import annotations

from datetime import UTC, datetime

from activity_center.config_alerts import Webhook
from activity_center.setup.cluster import ask
from activity_center.streams import ALERTS_STREAM
from activity_center.vocabulary import alert_fields
from collector.alerts.finding import Finding
from collector.alerts.store import MOST, AlertStore
from tests.collector.alerts.parts import Place, at, rule

NOW = at("2026-11-24T13:05:00Z")
HOUR = 3_600_000


def finding(user: str = "mira", end: int = NOW, count: int = 10) -> Finding:
    group = (("organization.id", "northwind"), ("user.name", user))
    return Finding(rule("failed-logins-account"), group, end - 600_000, end, count, None, ("e1",))


def test_two_evaluators_write_one_alert(place: Place) -> None:
    """The same group and window is one alert, also when neither sees the other's yet."""
    first, second = AlertStore(place.client), AlertStore(place.client)
    one, other = finding("mira"), finding("jonas")
    path = f"/{ALERTS_STREAM}/_create/{one.id}"
    ask(place.client, "PUT", path, body=one.document(datetime.now(UTC)))  # not refreshed
    assert first.write([one, other]).new == [other]
    assert second.write([one, other]).new == []
    assert len(place.alerts()) == 2


def test_a_group_is_held_back(place: Place) -> None:
    """Within the throttle a group fires once; afterwards again; another group is not held."""
    store = AlertStore(place.client)
    assert store.write([finding(end=NOW)]).new
    assert store.write([finding(end=NOW + 60_000), finding("jonas", NOW + 60_000)]).new == [
        finding("jonas", NOW + 60_000)
    ]
    # A window that is looked at late is held back by what fired after it.
    assert store.write([finding(end=NOW - 60_000)]) == ([], 0)
    assert len(store.write([finding(end=NOW + HOUR)]).new) == 1


def test_a_flood_is_bounded(place: Place) -> None:
    """Of more groups than are told at once, those with the highest counts are; the rest is said.

    What was held back is not counted as cut.
    """
    store = AlertStore(place.client)
    many = [finding(f"user{number}", count=number) for number in range(10, MOST + 20)]
    written = store.write(many)
    assert len(written.new) == MOST
    assert min(one.count for one in written.new) == 20
    assert written.cut == 10
    again = store.write(many)
    assert (len(again.new), again.cut) == (10, 0)
    (rest,) = [one for one in place.alerts() if one["alert"]["group"] == []]
    assert rest["message"] == (
        "10 more groups beside those of which alerts tell: Several failed logins for one account"
    )
    assert (rest["alert"]["count"], rest["alert"]["events"]) == (10, [])


def test_of_a_flood_one_alert_tells_how_much_more(place: Place) -> None:
    """What is left out of a flood fires once, and is held back like every other alert."""
    store = AlertStore(place.client)
    for end in (NOW, NOW + 60_000):
        store.write([finding(f"user{end}-{number}", end) for number in range(MOST + 2)])
    (rest,) = [one for one in place.alerts() if one["alert"]["group"] == []]
    assert rest["message"].startswith("2 more groups")


def test_a_cursor_that_another_one_moved_stays(place: Place) -> None:
    """Of two who evaluate at once, the one who is slower does not move the cursor back."""
    slow, quick = AlertStore(place.client), AlertStore(place.client)
    for before in ({}, {"break-glass": NOW}):
        assert slow.cursor() == quick.cursor() == before
        quick.move({"break-glass": NOW})
        slow.move({"break-glass": NOW - 60_000})
        assert AlertStore(place.client).cursor() == {"break-glass": NOW}


def test_an_alert_has_only_fields_of_the_vocabulary(place: Place) -> None:
    """Every leaf of an alert is declared in alerts.yml, so that it can be searched."""
    AlertStore(place.client).write([finding()])
    (alert,) = place.alerts()

    def leaves(value: object, path: str) -> list[str]:
        if not isinstance(value, dict):
            return [path]
        return [
            leaf
            for key, one in value.items()
            for leaf in leaves(one, f"{path}.{key}" if path else key)
        ]

    assert {*leaves(alert, "")} <= {*alert_fields()}
    assert alert["alert"]["group"] == ["organization.id=northwind", "user.name=mira"]
    assert alert["organization"] == {"id": "northwind"}
    assert alert["alert"]["runbook"] == "docs/alerts.md#failed-logins-account"
    assert alert["event"]["severity"] == 3


def test_an_alert_links_to_the_published_runbook(place: Place) -> None:
    """With alerts.runbook_base an alert has the address of its rule's part."""
    AlertStore(place.client, "https://docs.example/alerts.html").write([finding()])
    (alert,) = place.alerts()
    assert alert["alert"]["runbook"] == "https://docs.example/alerts.html#failed-logins-account"


def test_who_is_yet_to_be_told(place: Place) -> None:
    """A webhook gets what it has neither taken nor refused and what is loud enough, in order."""
    store = AlertStore(place.client)
    store.write([finding("mira")])
    loud, quiet = Webhook("loud", severity="critical"), Webhook("quiet", severity="medium")
    assert [*store.untold(loud)] == []
    (alert,) = store.untold(quiet)
    store.mark(alert, quiet, taken=True)
    assert [*store.untold(quiet)] == []
    (alert,) = store.untold(Webhook("other"))
    store.mark(alert, Webhook("other"), taken=False)
    assert [*store.untold(Webhook("other"))] == []
    (stored,) = place.alerts()
    assert (stored["alert"]["told"], stored["alert"]["refused"]) == (["quiet"], ["other"])


def test_a_mark_does_not_overwrite_another_ones(place: Place) -> None:
    """Of two who tell at once, the second mark is refused and nothing is lost."""
    store = AlertStore(place.client)
    store.write([finding()])
    (seen,) = store.untold(Webhook("a"))
    store.mark(seen, Webhook("a"), taken=True)
    store.mark(seen, Webhook("b"), taken=True)  # on what is old by now
    (stored,) = place.alerts()
    assert stored["alert"]["told"] == ["a"]
    assert [one.id for one in store.untold(Webhook("b"))] == [seen.id]


def test_the_cursor(place: Place) -> None:
    """What was evaluated last is remembered, and nothing before anything was."""
    store = AlertStore(place.client)
    assert store.cursor() == {}
    store.move({"break-glass": NOW})
    assert AlertStore(place.client).cursor() == {"break-glass": NOW}
