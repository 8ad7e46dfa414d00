"""Reading the record is an entry of the record, made by a real collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.config import load
from activity_center.streams import LENS_PATTERNS
from sidecar_api import recording
from sidecar_api.app import create_app
from sidecar_api.limits import REFUSALS
from sidecar_api.recording import MOST_TRAILS, TOO_OFTEN
from tests.integration.process import TOKEN, Collector, until
from tests.sidecar_api.desk import HOST, Desk, problem_of

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture(scope="module")
def collector(streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that delivers to the shared node."""
    with Collector(tmp_path_factory.mktemp("collector"), streams.cluster) as made:
        made.start()
        yield made


@pytest.fixture
def recorded(make_desk: Callable[..., Desk], collector: Collector) -> Desk:
    """A sidecar whose records go to the collector."""
    return make_desk(recording={"url": collector.url, "token": "${COLLECTOR_TOKEN}"})


def records(desk: Desk, who: str = "owner") -> list[dict[str, Any]]:
    """What the record holds of a person's reading, in the order it was done."""
    desk.client.indices.refresh(index=",".join(LENS_PATTERNS))
    query = [
        {"term": {"user.id": desk.people[who]}},
        {"prefix": {"event.action": "activity_log."}},
    ]
    body = {"size": 100, "query": {"bool": {"filter": query}}, "sort": ["event.sequence"]}
    answer = desk.client.search(index=",".join(LENS_PATTERNS), body=body)
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def arrived(desk: Desk, count: int, who: str = "owner") -> list[dict[str, Any]]:
    """Wait until there are so many, and return them."""
    until(lambda: len(records(desk, who)) >= count)
    found = records(desk, who)
    assert len(found) == count
    return found


def test_a_list_and_an_entry_are_recorded(recorded: Desk) -> None:
    """Who, from where, with which filters and which entry; nothing of what they saw."""
    made = recorded.add(activity__resource={"type": "server", "name": "a-name-that-was-seen"})
    url = f"/api/v1/activities?organization={recorded.a}&verb=update"
    recorded.get(url, headers={"User-Agent": "tests/1"})
    recorded.get(f"/api/v1/activities/{made}")
    listed, fetched = arrived(recorded, 2)
    assert listed["event"]["action"] == "activity_log.fetch_all"
    assert listed["event"]["outcome"] == "success"
    assert listed["organization"]["id"] == recorded.a
    assert listed["source"]["ip"] == "127.0.0.1"
    assert listed["user_agent"]["original"] == "tests/1"
    assert listed["activity"]["origin"] == "api"
    assert listed["service"]["name"] == "activity-center-sidecar"
    assert listed["metadata"]["filters"] == ["verb=update", f"organization={recorded.a}"]
    assert fetched["event"]["action"] == "activity_log.fetch"
    assert fetched["activity"]["resource"]["id"] == made
    assert fetched["organization"]["id"] == recorded.a
    assert "a-name-that-was-seen" not in str([listed, fetched])


def test_a_long_user_agent_is_cut(recorded: Desk) -> None:
    """What a client says of itself makes no entry large."""
    recorded.get("/api/v1/activities", headers={"User-Agent": "x" * 3000})
    (listed,) = arrived(recorded, 1)
    assert listed["user_agent"]["original"] == "x" * 1024


def test_many_organizations_are_one_record(recorded: Desk) -> None:
    """Each of ten organizations that are named sees it, and one record names those that do not
    exist; of more there is one record for all."""
    strange = [f"nobody_{number}" for number in range(MOST_TRAILS - 1)]
    named = [recorded.a, recorded.b, *strange]
    for wanted in (named[:-1], named):
        query = "&".join(f"organization={one}" for one in wanted)
        recorded.get(f"/api/v1/activities?{query}", "admin")
    found = arrived(recorded, 4, "admin")
    told = {one["organization"]["id"]: one for one in found if "organization" in one}
    assert set(told) == {recorded.a, recorded.b}
    for name, one in told.items():
        assert one["metadata"]["filters"] == [f"organization={name}"]
        assert "asked_for" not in one["metadata"]
    others = [one["metadata"] for one in found if "organization" not in one]
    assert [one["asked_for"] for one in others if "asked_for" in one] == [", ".join(strange[:-1])]
    (all_of_them,) = (one for one in others if "asked_for" not in one)
    assert len(all_of_them["filters"]) == MOST_TRAILS + 1


@pytest.mark.parametrize("path", ["activities", "proposals", "agents", "oversight", "processes"])
def test_an_organization_sees_who_read_it(recorded: Desk, path: str) -> None:
    """Also without a filter: what was read is what the role opens."""
    recorded.get(f"/api/v1/{path}")
    (listed,) = arrived(recorded, 1)
    assert listed["organization"]["id"] == recorded.a
    recorded.get(f"/api/v1/{path}?organization=-")
    _, of_none = arrived(recorded, 2)
    assert "organization" not in of_none
    recorded.get(f"/api/v1/{path}", "admin")
    (everything,) = arrived(recorded, 1, "admin")
    assert "organization" not in everything
    recorded.get(f"/api/v1/{path}", "member")  # whose role shows processes and nothing else
    (own,) = arrived(recorded, 1, "member")
    assert ("organization" in own) is (path == "processes")


def test_an_organization_sees_who_tails_it(recorded: Desk) -> None:
    """As who reads a list."""
    headers = {"Authorization": f"Bearer {recorded.token('owner')}"}
    path = "/api/v1/activities/stream?verb=delete"
    recorded.app.test_client().get(path, headers=headers, buffered=False).close()
    (opened,) = arrived(recorded, 1)
    assert opened["organization"]["id"] == recorded.a


def test_what_does_not_exist_does_not_appear(recorded: Desk) -> None:
    """Asking for an organization that nobody knows makes no trail of that name."""
    recorded.problem(404, "/api/v1/organizations/nope/activity-logs", "admin")
    recorded.problem(403, "/api/v1/organizations/nope/activity-logs", "stranger")
    (denied,) = arrived(recorded, 1, "stranger")
    assert "organization" not in denied
    assert denied["metadata"]["asked_for"] == "nope"


def test_the_same_again_is_one_entry(recorded: Desk) -> None:
    """A page that refreshes itself, turns pages or shows its own entries makes no loop."""
    for _ in range(5):
        recorded.get("/api/v1/activities")
        recorded.get("/api/v1/activities?page=2")
        recorded.get("/api/v1/activities?type=ActivityLogs")
    recorded.get("/api/v1/activities?verb=delete")
    found = arrived(recorded, 3)
    assert [one["metadata"]["filters"] for one in found if one["metadata"]["filters"]] == [
        ["type=ActivityLogs"],
        ["verb=delete"],
    ]


def test_two_readers_and_two_addresses_are_apart(recorded: Desk) -> None:
    """The same question by another person, or from another address, is another entry."""
    recorded.get("/api/v1/activities")
    recorded.get("/api/v1/activities", environ_base={"REMOTE_ADDR": "203.0.113.7"})
    recorded.get("/api/v1/activities", "member")
    found = arrived(recorded, 2)
    assert {one["source"]["ip"] for one in found} == {"127.0.0.1", "203.0.113.7"}
    arrived(recorded, 1, "member")


def test_what_shows_entries_is_recorded_once(recorded: Desk) -> None:
    """Facets, histogram and card show what a list shows: together one entry a minute."""
    for path in ("activities/facets", "activities/histogram", "activities/recent", "activities"):
        recorded.get(f"/api/v1/{path}")
    for path in ("catalogue", "filters", "organizations", "me"):
        recorded.get(f"/api/v1/{path}")
    recorded.get("/api/v1/activities/recent", "member")
    (only,) = arrived(recorded, 1)
    assert only["event"]["action"] == "activity_log.fetch_all"
    (card,) = arrived(recorded, 1, "member")
    assert card["event"]["action"] == "activity_log.fetch_all"


def test_a_refusal_is_recorded(recorded: Desk) -> None:
    """Who asks for an organization that is closed to them leaves an entry in its trail."""
    recorded.problem(403, f"/api/v1/organizations/{recorded.a}/activity-logs", "stranger")
    recorded.problem(403, "/api/v1/activities?organization=nope&verb=delete&page=2", "stranger")
    refused = recorded.problem(400, "/api/v1/activities?organization=No%20Such", "stranger")
    assert refused["parameter"] == "organization"
    first, second = arrived(recorded, 2, "stranger")
    assert first["event"]["action"] == "activity_log.denied"
    assert (first["event"]["outcome"], first["activity"]["result"]) == ("failure", "denied")
    assert first["organization"]["id"] == recorded.a
    assert first["metadata"]["permission"] == "org:audit"
    assert second["metadata"]["asked_for"] == "nope"
    assert second["metadata"]["filters"] == ["organization=nope", "verb=delete"]
    assert "organization" not in second
    seen = recorded.get(f"/api/v1/activities?action=activity_log.denied&organization={recorded.a}")
    assert [one["user"]["id"] for one in seen["activities"]] == [recorded.people["stranger"]]


def test_asking_for_another_s_entry_is_recorded(recorded: Desk) -> None:
    """By its id, of which nobody says whether it is there: the record tells who tried, once."""
    hidden = recorded.add(organization__id=recorded.b)
    for _ in range(3):
        recorded.problem(404, f"/api/v1/activities/{hidden}", "stranger")
    (tried,) = arrived(recorded, 1, "stranger")
    assert tried["event"]["action"] == "activity_log.denied"
    assert tried["activity"]["resource"]["id"] == hidden
    assert "organization" not in tried


@pytest.mark.parametrize("path", ["proposals", "cases", "agents", "processes"])
def test_an_id_that_is_not_there_is_recorded(recorded: Desk, path: str) -> None:
    """Whatever it would be of, and however long it is."""
    for id_ in ("nobodys", "x" * 2000):
        recorded.problem(404, f"/api/v1/{path}/{id_}", "stranger")
    found = arrived(recorded, 2, "stranger")
    assert [one["activity"]["resource"]["id"] for one in found] == ["nobodys", "x" * 512]
    assert {one["event"]["action"] for one in found} == {"activity_log.denied"}


@pytest.mark.parametrize("path", ["proposals", "cases", "processes"])
def test_an_id_that_is_not_there_is_recorded_where_it_was_looked_for(
    recorded: Desk, path: str
) -> None:
    """An organization learns who tried ids in it."""
    recorded.problem(404, f"/api/v1/{path}/nobodys?organization={recorded.b}", "owner")
    (tried,) = arrived(recorded, 1, "owner")
    assert tried["event"]["action"] == "activity_log.denied"
    assert tried["organization"]["id"] == recorded.b
    assert tried["activity"]["resource"]["id"] == "nobodys"
    recorded.problem(404, f"/api/v1/{path}/nobodys?organization=-", "owner")
    of_none = arrived(recorded, 2, "owner")[1]
    assert "organization" not in of_none
    assert "asked_for" not in of_none["metadata"]


def test_each_organization_that_was_tried_learns_of_it(recorded: Desk) -> None:
    """What does not exist, or sorts earlier, hides none; and who was refused sees none of it."""
    names = ["0nobodys", recorded.a, recorded.b, "zz"]
    query = "&".join(f"organization={one}" for one in names)
    recorded.problem(403, f"/api/v1/activities?{query}", "stranger")
    found = arrived(recorded, 3, "stranger")
    assert [one.get("organization", {}).get("id") for one in found] == [
        recorded.a,
        recorded.b,
        None,
    ]
    assert found[2]["metadata"]["asked_for"] == "0nobodys, zz"
    for one in found[:2]:  # whom else they tried is nobody's business but the platform's
        assert one["metadata"]["filters"] == [f"organization={one['organization']['id']}"]
    assert recorded.get("/api/v1/activities", "stranger")["activities"] == []
    facets = recorded.get("/api/v1/activities/facets?name=organization", "stranger")
    assert facets["facets"]["organization"] == []


def test_trails_of_many_organizations_are_not_filled_by_one(recorded: Desk) -> None:
    """A try of many organizations counts as many tries, whether or not they exist."""
    for number in range(3):
        query = "&".join(f"organization=x{number}{one}" for one in range(30))
        recorded.problem(403 if number < 2 else 429, f"/api/v1/activities?{query}", "stranger")
    told = [one["metadata"] for one in arrived(recorded, 3, "stranger")]
    assert [len(one.get("asked_for", "").split(", ")) for one in told] == [30, 30, 1]
    assert told[2] == {"detail": TOO_OFTEN}


def test_who_goes_on_after_that_is_told_of_once_a_minute(recorded: Desk) -> None:
    """In each trail that they try, and in nobody's; from however many addresses."""
    strange = "&".join(f"organization=x{number}" for number in range(48))
    recorded.problem(403, f"/api/v1/activities?{strange}", "stranger")
    for number in range(3):
        for names in ([recorded.a, recorded.b], [recorded.b], []):
            query = "&".join([strange, *(f"organization={one}" for one in names)])
            there = {"REMOTE_ADDR": f"192.0.2.{number}"}
            recorded.problem(429, f"/api/v1/activities?{query}", "stranger", environ_base=there)
    told = arrived(recorded, 4, "stranger")
    assert [one["metadata"].get("detail") for one in told] == [None] + [TOO_OFTEN] * 3
    where = [one.get("organization", {}).get("id") for one in told[1:]]
    assert where == [recorded.a, recorded.b, None]


def test_nobody_makes_up_trails_by_the_way(
    make_desk: Callable[..., Desk], collector: Collector
) -> None:
    """Where no organizations are configured each id may be one: too many tries of such are told
    once a minute of each reader, and not in the trails that they name."""
    desk = make_desk(recording={"url": collector.url, "token": "${COLLECTOR_TOKEN}"})
    del desk.document["organizations"]
    for person in desk.document["identity"]["people"]:
        person.pop("organizations", None)
    desk.write()
    desk.app = create_app(load(desk.file, {"COLLECTOR_TOKEN": TOKEN}), client=desk.client)
    for who in ("stranger", "member"):
        for number in range(4):
            query = "&".join(f"organization=z{who}{number}_{one}" for one in range(48))
            desk.problem(429 if number else 403, f"/api/v1/activities?{query}", who)
        told = arrived(desk, 49, who)
        assert [one["metadata"].get("detail") for one in told].count(TOO_OFTEN) == 1
        (last,) = (one for one in told if one["metadata"].get("detail"))
        assert "organization" not in last


@pytest.mark.parametrize("path", ["proposals", "cases", "agents", "processes"])
def test_ids_cannot_be_guessed_without_end(recorded: Desk, path: str) -> None:
    """One that is not there counts, though no organization is named."""
    asked = [
        recorded.ask(f"/api/v1/{path}/nobodys-{number}", "stranger").status_code
        for number in range(REFUSALS + 40)
    ]
    assert asked[:REFUSALS] == [404] * REFUSALS
    assert 429 in asked[REFUSALS:]


def test_who_sees_everything_sees_their_own_refusals(recorded: Desk) -> None:
    """Others do not count them among what they did."""
    for who in ("admin", "stranger"):
        recorded.problem(404, "/api/v1/proposals/nobodys", who)
        arrived(recorded, 1, who)
        path = f"/api/v1/activities?action=activity_log.denied&actor={recorded.people[who]}"
        assert len(recorded.get(path, who)["activities"]) == (who == "admin")


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("proposals?impact=safe&range=7d&agent=pilot", "proposals"),
        ("agents?range=24h", "agents"),
        ("oversight?range=24h", "oversight"),
        ("processes?q=deploy&state=done&range=30d", "processes"),
    ],
)
def test_a_list_is_recorded_in_the_apis_own_words(recorded: Desk, path: str, of: str) -> None:
    """Which list, and its filters by their names: who repeats them sees what was seen."""
    recorded.get(f"/api/v1/{path}")
    (listed,) = arrived(recorded, 1)
    assert listed["metadata"]["of"] == of
    assert sorted(listed["metadata"]["filters"]) == sorted(path.partition("?")[2].split("&"))


def test_what_values_were_looked_for_is_recorded(recorded: Desk) -> None:
    """The text that narrows a facet says as much as a filter."""
    recorded.get("/api/v1/activities/facets?name=actor&contains=mara")
    (looked,) = arrived(recorded, 1)
    assert looked["metadata"]["contains"] == "mara"


@pytest.mark.parametrize("mode", ["navigate", "no-cors"])
def test_another_site_makes_no_record(recorded: Desk, mode: str) -> None:
    """A page elsewhere cannot have its visitor export, or ask for what is closed to them."""
    client, url = recorded.app.test_client(), f"http://{HOST}"
    signed_in = client.post(
        "/api/v1/session", base_url=url, json={"token": recorded.token("owner")}
    )
    assert signed_in.status_code == 204
    there = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
    for path in ("export?format=csv", f"stream?organization={recorded.b}", "facets"):
        answer = client.get(f"/api/v1/activities/{path}", base_url=url, headers=there)
        assert (answer.status_code, problem_of(answer)["type"]) == (403, "/problems/cross-site")
    assert client.get("/api/v1/activities?verb=delete", base_url=url).status_code == 200
    (only,) = arrived(recorded, 1)
    assert only["metadata"]["filters"] == ["verb=delete"]
    assert only["activity"]["origin"] == "ui"


def test_reading_does_not_wait_for_the_collector(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a collector lists still answer; an export, which must be recorded, is 503."""
    monkeypatch.setattr(recording, "_RECORD_TIMEOUT", 0.5)
    desk = make_desk(recording={"url": "http://127.0.0.1:9", "token": "${COLLECTOR_TOKEN}"})
    desk.add()
    assert len(desk.get("/api/v1/activities")["activities"]) == 1
    problem = desk.problem(503, "/api/v1/activities/export?format=ndjson")
    assert "recorded" in problem["detail"]


def test_the_metrics_say_what_became_of_records(recorded: Desk) -> None:
    """Accepted ones are counted, so that somebody notices when none is any more."""
    recorded.get("/api/v1/activities")
    arrived(recorded, 1)
    wanted = 'activity_center_sidecar_records_total{outcome="accepted"} 1.0'
    until(lambda: wanted in recorded.ask("/metrics", "").text)


def test_nowhere_to_record(desk: Desk) -> None:
    """Without ``sidecar.recording`` everything answers and nothing is recorded."""
    desk.add()
    assert desk.get("/api/v1/activities")["page"]["total"] == 1
    assert records(desk) == []


@pytest.mark.parametrize("path", ["facets", "histogram", "recent"])
def test_each_way_of_reading_is_recorded_by_itself(recorded: Desk, path: str) -> None:
    """Who asks for nothing but counts, or for the latest, has read the trail too."""
    filters = "" if path == "recent" else "?verb=delete"
    recorded.get(f"/api/v1/activities/{path}{filters}")
    (only,) = arrived(recorded, 1)
    assert only["event"]["action"] == "activity_log.fetch_all"
    assert only["activity"]["token"]["name"]
