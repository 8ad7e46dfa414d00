"""Lists and single entries over the real log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from sidecar_api.refusing import GONE
from tests.sidecar_api.desk import Desk
from tests.sidecar_api.search.log import NOON


def ids(answer: dict[str, Any]) -> list[str]:
    """Ids of a list, in its order."""
    return [one["id"] for one in answer["activities"]]


def fill(desk: Desk, count: int) -> list[str]:
    """Store activities a minute apart; return their ids, newest first."""
    made = [desk.add(at=NOON + timedelta(minutes=minute)) for minute in range(count)]
    return made[::-1]


def test_a_list_is_newest_first_with_its_exact_total(desk: Desk) -> None:
    """25 on a page unless asked otherwise, with numbers for "1 to 25 of 30"."""
    wanted = fill(desk, 30)
    first = desk.get("/api/v1/activities")
    assert ids(first) == wanted[:25]
    page = first["page"]
    assert (page["number"], page["size"], page["total"]) == (1, 25, 30)
    assert (page["from"], page["to"], page["previous"]) == (1, 25, None)
    second = desk.get("/api/v1/activities?page=2")
    assert ids(second) == wanted[25:]
    assert (second["page"]["from"], second["page"]["to"]) == (26, 30)
    assert second["page"]["next"] is None
    beyond = desk.get("/api/v1/activities?page=3")
    assert (beyond["activities"], beyond["page"]["from"], beyond["page"]["total"]) == ([], 0, 30)


def test_cursors_go_on_and_back(desk: Desk) -> None:
    """``next`` and ``previous`` lead over all pages and back, and hold the moment still."""
    wanted = fill(desk, 60)
    pages = [desk.get("/api/v1/activities?size=25")]
    desk.add(at=NOON + timedelta(days=1), event__ingested="2026-12-24T00:00:00Z")
    while cursor := pages[-1]["page"]["next"]:
        pages.append(desk.get(f"/api/v1/activities?size=25&cursor={cursor}"))
    assert [one for page in pages for one in ids(page)] == wanted
    assert [page["page"]["number"] for page in pages] == [1, 2, 3]
    assert len({page["page"]["as_of"] for page in pages}) == 1
    back = desk.get(f"/api/v1/activities?size=25&cursor={pages[2]['page']['previous']}")
    assert ids(back) == wanted[25:50]
    assert back["page"]["number"] == 2


def test_a_cursor_belongs_to_reader_filters_and_key(desk: Desk) -> None:
    """Changed, forged or taken along to other filters or by another reader: refused."""
    fill(desk, 30)
    cursor = desk.get("/api/v1/activities?verb=update")["page"]["next"]
    good = f"/api/v1/activities?verb=update&cursor={cursor}"
    assert len(desk.get(good)["activities"]) == 5
    for wrong in (
        f"/api/v1/activities?cursor={cursor}",
        f"/api/v1/activities?verb=delete&cursor={cursor}",
        f"/api/v1/activities?verb=update&size=50&cursor={cursor}",
        f"/api/v1/activities?verb=update&cursor={cursor[:-4]}AAAA",
        f"/api/v1/activities?verb=update&cursor=AAAA{cursor[4:]}",
        f"/api/v1/activities?verb=update&cursor={cursor[:40]}",
        "/api/v1/activities?verb=update&cursor=eyJzaWRlIjoiYWZ0ZXIifQ.",
        "/api/v1/activities?verb=update&cursor=%C3%A4.%C3%A4",
    ):
        assert desk.problem(400, wrong)["parameter"] == "cursor", wrong
    assert desk.problem(400, good, "admin")["parameter"] == "cursor"
    assert desk.problem(400, f"{good}&page=2")["parameter"] == "page"
    assert desk.problem(400, f"{good}&as_of=2026-11-20")["parameter"] == "as_of"


def test_numbered_pages_end_at_ten_thousand(desk: Desk) -> None:
    """Beyond 10,000 entries a page number is refused and the cursor named."""
    assert desk.get("/api/v1/activities?page=100&size=100")["activities"] == []
    problem = desk.problem(400, "/api/v1/activities?page=101&size=100")
    assert problem["parameter"] == "page"
    assert "cursor" in problem["hint"]


@pytest.mark.parametrize(
    ("query", "parameter", "hint"),
    [
        ("actoin=server.create", "actoin", "action"),
        ("Organization=x", "Organization", "organization"),
        ("zzz=1", "zzz", "Known:"),
        ("q=a&q=b", "q", "Keep one"),
        ("page=1&page=2", "page", "Keep one"),
        ("page=0", "page", ""),
        ("page=-1", "page", ""),
        ("page=1e3", "page", ""),
        ("page=%D9%A1", "page", ""),
        ("page=99999999999999999999", "page", ""),
        ("size=10000", "size", ""),
        ("include=everything", "include", ""),
        ("as_of=now", "as_of", ""),
        ("as_of=", "as_of", ""),
        ("as_of=2199-01-01", "as_of", "earlier answer"),
        ("as_of=2026-11-20T12:00:00", "as_of", ""),
        ("q=%FF%FE", "q", "UTF-8"),
        ("action=%ED%A0%80", "action", "UTF-8"),
        ("%C0%AF=1", "%C0%AF", "UTF-8"),
        ("from=9999999-01-01", "from", ""),
        ("ip=1.2.3.4/99", "ip", ""),
        (f"q={'x' * 201}", "q", ""),
        ("range=99y", "range", ""),
    ],
)
def test_a_wrong_parameter_is_named(desk: Desk, query: str, parameter: str, hint: str) -> None:
    """What is misspelt, repeated or of another form is refused, never ignored."""
    problem = desk.problem(400, f"/api/v1/activities?{query}")
    assert problem["parameter"] == parameter
    assert hint in problem.get("hint", "")


def test_facets_and_histogram_come_with_the_page(desk: Desk) -> None:
    """One request has all that the page shows; each also stands alone, with the same counts."""
    for outcome in ("success", "success", "failure"):
        desk.add(event__outcome=outcome)
    both = desk.get("/api/v1/activities?include=facets,histogram&from=2026-11-20&to=2026-11-20")
    counts = {one["value"]: one["count"] for one in both["facets"]["outcome"]}
    assert (counts["success"], counts["failure"]) == (2, 1)
    assert sum(one["count"] for one in both["histogram"]["buckets"]) == 3
    assert sum(one["failed"] for one in both["histogram"]["buckets"]) == 1
    alone = desk.get("/api/v1/activities/facets?name=outcome&from=2026-11-20&to=2026-11-20")
    assert alone["facets"] == {"outcome": both["facets"]["outcome"]}
    histogram = desk.get("/api/v1/activities/histogram?from=2026-11-20&to=2026-11-20")
    assert histogram == both["histogram"]
    assert "facets" not in desk.get("/api/v1/activities")
    empty = desk.problem(400, "/api/v1/activities/facets?contains=")
    assert empty["parameter"] == "contains"


def test_one_entry_has_everything(desk: Desk) -> None:
    """Old and new value as they were sent, and all else that is stored."""
    made = desk.add(
        activity__old_value={"value": 20},
        activity__new_value={"size": {"disk": 40}},
        metadata={"ticket": "T-1"},
    )
    found = desk.get(f"/api/v1/activities/{made}")
    assert found["id"] == made
    assert found["activity"]["old_value"] == 20
    assert found["activity"]["new_value"] == {"size": {"disk": 40}}
    assert found["metadata"] == {"ticket": "T-1"}


def test_an_entry_of_others_is_not_there(desk: Desk) -> None:
    """What a reader may not see answers as what does not exist, whatever its id."""
    made = desk.add()
    assert desk.get(f"/api/v1/activities/{made}", "admin")["id"] == made
    hidden = desk.problem(404, f"/api/v1/activities/{made}", "stranger")
    missing = desk.problem(404, "/api/v1/activities/none", "stranger")
    assert hidden["detail"] == missing["detail"]
    for odd in ("x" * 600, "%00", "..%2f_search", "*", quote("{}")):
        assert desk.problem(404, f"/api/v1/activities/{odd}")["type"] == "/problems/not-found"


@pytest.mark.parametrize("path", ["activities", "cases", "processes", "proposals"])
def test_what_is_gone_is_said_to_who_would_see_it(desk: Desk, path: str) -> None:
    """Others are sent to somebody who may know; who sees everything hears that it is gone."""
    hint = {who: desk.problem(404, f"/api/v1/{path}/none", who)["hint"] for who in desk.people}
    assert hint.pop("admin") == GONE
    (same,) = set(hint.values())
    assert same.endswith("it can tell you its organization.")


def test_members_see_what_they_did_and_strangers_nothing(desk: Desk) -> None:
    """Without ``org:audit`` a list has one's own deeds alone; another's filter changes nothing."""
    desk.add()
    mine = desk.add(user__id=desk.people["member"])
    assert ids(desk.get(f"/api/v1/activities?organization={desk.a}", "member")) == [mine]
    assert ids(desk.get("/api/v1/activities", "member")) == [mine]
    assert ids(desk.get("/api/v1/activities", "stranger")) == []
    assert len(ids(desk.get("/api/v1/activities"))) == 2


@pytest.mark.parametrize("path", ["", "/recent"])
def test_own_deeds_are_found_by_their_organization(desk: Desk, path: str) -> None:
    """Also where one has no role any more: that value is offered, and names nothing unknown."""
    desk.add()
    mine = desk.add(user__id=desk.people["stranger"])
    (offered,) = desk.get("/api/v1/activities/facets?name=organization", "stranger")["facets"][
        "organization"
    ]
    assert (offered["value"], offered["count"]) == (desk.a, 1)
    assert ids(desk.get(f"/api/v1/activities{path}?organization={desk.a}", "stranger")) == [mine]
    desk.problem(403, f"/api/v1/activities{path}?organization={desk.b}", "stranger")


@pytest.mark.parametrize("path", ["", "/facets", "/histogram", "/recent", "/export"])
def test_an_organization_that_is_closed_is_forbidden(desk: Desk, path: str) -> None:
    """Naming an organization that one has nothing to do with: 403 with the permission's name."""
    desk.add()  # that there is something in it is told to nobody either
    extra = "&format=csv" if path == "/export" else ""
    for wrong in ("", "%20", "No%20Such", "%C5%81", "a%0D%0Ab", "a%22;b"):
        for who in ("stranger", "admin"):
            refused = desk.problem(
                400, f"/api/v1/activities{path}?organization={wrong}{extra}", who
            )
            assert refused["parameter"] == "organization"
    for organization in (desk.a, "no_such_organization"):
        url = f"/api/v1/activities{path}?organization={organization}{extra}"
        problem = desk.problem(403, url, "stranger")
        assert (problem["permission"], problem["organization"]) == ("org:audit", organization)


def test_a_trail_of_one_user_resource_or_organization(desk: Desk) -> None:
    """The address is a filter; further filters stack, and its own cannot be said twice."""
    wanted = desk.add(
        user__id="mara/1", activity__resource={"type": "server", "id": "eu/web 1", "name": "web"}
    )
    desk.add()
    for path in (
        "/api/v1/users/mara/1/activities",
        "/api/v1/users/mara%2F1/activities",
        f"/api/v1/resources/server/{quote('eu/web 1', safe='')}/activities",
        f"/api/v1/organizations/{desk.a}/activity-logs?resource_name=web",
    ):
        assert ids(desk.get(path)) == [wanted], path
    scaled = desk.add(activity__resource={"type": "deployments/scale", "id": "shop/web"})
    other = desk.add(activity__resource={"type": "deployments", "id": "scale/shop/web"})
    for type_, found in (("deployments%2Fscale", scaled), ("deployments/scale", other)):
        assert ids(desk.get(f"/api/v1/resources/{type_}/shop/web/activities")) == [found]
        assert ids(desk.get(f"/api/v1/resources/{type_}/shop%2Fweb/activities")) == [found]
    assert ids(desk.get("/api/v1/users/mara/1/activities?verb=delete")) == []
    url = f"/api/v1/organizations/{desk.a}/activity-logs?organization={desk.b}"
    assert desk.problem(400, url)["parameter"] == "organization"
    assert desk.problem(403, f"/api/v1/organizations/{desk.b}/activity-logs")["permission"]


@pytest.mark.parametrize("name", ["%20", "-", "%09", "%C2%A0"])
def test_an_address_that_names_nobody_shows_nothing(desk: Desk, name: str) -> None:
    """A blank, or the filters' word for "none", is no user and no resource: it shows not all."""
    desk.add()
    for path in (f"users/{name}", f"resources/server/{name}", f"resources/{name}/web"):
        for who in ("owner", "admin"):
            desk.problem(404, f"/api/v1/{path}/activities", who)
    for who in ("owner", "admin"):
        assert desk.ask(f"/api/v1/organizations/{name}/activity-logs", who).status_code in (
            400,
            404,
        )
    refused = desk.problem(400, "/api/v1/organizations/No%20Such/activity-logs", "admin")
    assert refused["parameter"] == "organization"


def test_recent_is_a_card(desk: Desk) -> None:
    """The 6 latest, of one organization where asked, at most 20."""
    wanted = fill(desk, 8)
    assert ids(desk.get("/api/v1/activities/recent")) == wanted[:6]
    one = desk.get(f"/api/v1/activities/recent?organization={desk.a}&count=1")
    assert ids(one) == wanted[:1]
    nowhere = desk.add(at=datetime.now(UTC), organization__id=None)
    none = desk.get("/api/v1/activities/recent?organization=-&count=20", "admin")
    assert nowhere in ids(none)
    assert not any("organization" in one for one in none["activities"])
    assert desk.problem(400, "/api/v1/activities/recent?count=21")["parameter"] == "count"


def test_an_unchanged_list_is_304_and_kept_by_nobody(desk: Desk) -> None:
    """The ETag changes with the entries and not with the time; ``no-store`` all along.

    Also when the new entry is on another page: the total is part of the answer.
    """
    fill(desk, 25)
    first = desk.ask("/api/v1/activities")
    assert first.headers["Cache-Control"] == "private, no-store"
    tag = {"If-None-Match": first.headers["ETag"]}
    again = desk.ask("/api/v1/activities", headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    desk.add(at=NOON - timedelta(days=1))
    changed = desk.ask("/api/v1/activities", headers=tag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_organizations_are_those_of_the_reader(desk: Desk) -> None:
    """With names, roles and permissions; a platform administrator has all that are known."""
    (mine,) = desk.get("/api/v1/organizations")["organizations"]
    assert (mine["id"], mine["name"], mine["roles"]) == (desk.a, "Acme", ["owner"])
    assert "org:audit" in mine["permissions"]
    assert desk.get("/api/v1/organizations", "stranger")["organizations"] == []
    every = desk.get("/api/v1/organizations", "admin")["organizations"]
    assert {one["id"] for one in every} == {desk.a, desk.b}


def test_the_catalogue_is_the_vocabulary(desk: Desk) -> None:
    """Every action with label, type and kind, and the kinds with their labels."""
    found = desk.get("/api/v1/catalogue", "stranger")
    by_name = {one["name"]: one for one in found["actions"]}
    assert by_name["server.create"]["label"] == "Create"
    assert by_name["server.create"]["verb"] in {one["name"] for one in found["verbs"]}
    assert by_name["server.create"]["type"] in found["types"]
