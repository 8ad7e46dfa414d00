"""Import, comparison and export against a server that speaks Dashboards' API."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from activity_center.cli.dashboards import after_install, command
from activity_center.config import Cluster
from activity_center.dashboards import objects
from activity_center.dashboards.remote import Dashboards
from activity_center.dashboards.sync import compare, import_all
from activity_center.errors import ClusterError
from tests.dashboards.fake import FakeDashboards

Json = dict[str, Any]
OURS = objects()


@pytest.fixture
def fake() -> Iterator[FakeDashboards]:
    """An empty server of the test's own."""
    server = FakeDashboards()
    yield server
    server.close()


def run(url: str, *arguments: str, **variables: str) -> Result:
    """Call ``activity-center dashboards`` for a server."""
    told = {"OPENSEARCH_DASHBOARDS_URL": url, **variables}
    return CliRunner().invoke(command, [*arguments], env=told)


def states(server: Dashboards) -> set[str]:
    """The states in which our objects are."""
    return {one.state for one in compare(server, OURS)}


def test_import_then_nothing_differs(fake: FakeDashboards) -> None:
    """After an import everything is there as shipped; a second one changes nothing."""
    assert run(fake.url, "diff").exit_code == 2
    first = run(fake.url, "import", "--json")
    assert first.exit_code == 0, first.output
    assert json.loads(first.output) == {"created": len(OURS), "replaced": 0}
    assert run(fake.url, "diff").exit_code == 0
    before = copy.deepcopy(fake.objects)
    assert json.loads(run(fake.url, "import", "--json").output)["replaced"] == len(OURS)
    assert fake.objects == before
    assert fake.tenants == {"global"}


def test_diff_names_what_was_changed(fake: FakeDashboards) -> None:
    """A changed attribute, a changed reference and a missing object are told; own notes are not."""
    run(fake.url, "import")
    fake.objects["search", "activity-center-audit-logs"]["attributes"]["columns"] = ["message"]
    chart = fake.objects["visualization", "activity-center-security-logins"]
    chart["attributes"]["visState"] = chart["attributes"]["visState"].replace(
        "event.outcome", "user.id"
    )
    chart["references"][0]["id"] = "activity-center-everything"
    pattern = fake.objects["index-pattern", "activity-center-activities"]
    pattern["attributes"]["fields"] = '[{"name": "event.action"}]'
    pattern["updated_at"] = "2026-11-24T13:02:31Z"
    del fake.objects["query", "activity-center-billing"]
    done = run(fake.url, "diff", "--json")
    assert done.exit_code == 2
    told = {one["id"]: one for one in json.loads(done.output)["objects"] if one["state"] != "same"}
    assert {id_: one["state"] for id_, one in told.items()} == {
        "activity-center-audit-logs": "changed",
        "activity-center-security-logins": "changed",
        "activity-center-billing": "missing",
    }
    assert told["activity-center-audit-logs"]["differences"] == ["columns"]
    assert "references" in told["activity-center-security-logins"]["differences"]
    shown = run(fake.url, "diff").output
    assert "~ search         activity-center-audit-logs  columns" in shown
    assert "+ query          activity-center-billing" in shown


def test_ours_are_replaced_and_copies_kept(fake: FakeDashboards) -> None:
    """An upgrade replaces what is ours, however changed, and leaves people's copies alone."""
    run(fake.url, "import")
    ours = fake.objects["dashboard", "activity-center-security"]
    mine = copy.deepcopy(ours) | {"id": "mine"}
    mine["attributes"]["timeFrom"] = "now-1y"
    fake.objects["dashboard", "mine"] = mine  # the same title and description
    ours["attributes"]["title"] = "renamed by somebody"
    run(fake.url, "import")
    assert fake.objects["dashboard", "mine"] == mine
    assert ours is not fake.objects["dashboard", "activity-center-security"]
    title = fake.objects["dashboard", "activity-center-security"]["attributes"]["title"]
    assert title == "Activity Center: security"


def test_a_workspace_gets_no_duplicates(fake: FakeDashboards) -> None:
    """Where Dashboards gives new ids (a workspace), ours are found again and replaced.

    OpenSearch Dashboards issue 12620: importing twice with overwrite made everything double.
    """
    run(fake.url, "import")
    url = f"{fake.url}/w/team"
    assert json.loads(run(url, "import", "--json").output) == {"created": len(OURS), "replaced": 0}
    assert len(fake.objects) == 2 * len(OURS)
    assert run(url, "diff").exit_code == 0
    again = json.loads(run(url, "import", "--json").output)
    assert again == {"created": 0, "replaced": len(OURS)}
    assert len(fake.objects) == 2 * len(OURS)
    assert run(url, "diff").exit_code == 0
    there = {key: one for key, one in fake.objects.items() if one["workspace"] == "team"}
    for one in there.values():
        assert not one["id"].startswith("activity-center-")
        for reference in one["references"]:
            assert (reference["type"], reference["id"]) in there
        state = one["attributes"].get("visState", "")
        for link in [part.split(")")[0] for part in state.split("discover#/view/")[1:]]:
            assert ("search", link) in there, one["attributes"]["title"]


def test_a_copy_in_a_workspace_is_kept(fake: FakeDashboards) -> None:
    """In a workspace a copy under another title is not taken for ours."""
    run(fake.url, "import")
    url = f"{fake.url}/w/team"
    run(url, "import")
    (ours,) = [
        one
        for one in fake.objects.values()
        if one["workspace"] == "team" and one["attributes"]["title"] == "Audit Logs"
    ]
    mine = copy.deepcopy(ours) | {"id": "0mine"}
    mine["attributes"]["title"] = "Audit Logs (mine)"
    fake.objects["search", "0mine"] = mine
    run(url, "import")
    assert fake.objects["search", "0mine"] == mine


def test_a_later_version_is_refused_with_its_reason(fake: FakeDashboards) -> None:
    """422: the server's words reach the person, and nothing is imported."""
    server = Dashboards(Cluster(url=fake.url))
    later = copy.deepcopy(OURS)
    later[-1]["migrationVersion"]["dashboard"] = "9.0.0"
    with pytest.raises(ClusterError, match=r"answered 422: .*more recent version.*\[9\.0\.0\]"):
        import_all(server, later)
    assert not fake.objects


def test_refusals_are_told_object_by_object(fake: FakeDashboards) -> None:
    """What one object is refused for is told with its name; the others are there."""
    server = Dashboards(Cluster(url=fake.url))
    broken = copy.deepcopy(OURS)
    chart = next(one for one in broken if one["type"] == "visualization" and one["references"])
    chart["attributes"]["colour"] = "red"
    search = next(one for one in broken if one["type"] == "search")
    search["references"][0]["id"] = "nowhere"
    with pytest.raises(ClusterError) as raised:
        import_all(server, broken)
    told = str(raised.value)
    assert "2 of the objects were refused" in told
    assert (
        f"visualization/{chart['id']}: mapping set to strict, dynamic introduction of [colour]"
        in told
    )
    assert f"search/{search['id']}: missing references: index-pattern/nowhere" in told
    assert len(fake.objects) == len(OURS) - 2


def test_links_lead_to_the_page_that_was_named(fake: FakeDashboards) -> None:
    """--page-url is in every link, and a diff with another one finds them changed."""
    page = "https://audit.example"
    run(fake.url, "import", "--page-url", page)
    text = json.dumps([*fake.objects.values()])
    assert f"{page}/audit" in text and "127.0.0.1:8600" not in text
    assert run(fake.url, "diff", "--page-url", page).exit_code == 0
    assert run(fake.url, "diff").exit_code == 2


@pytest.mark.parametrize(
    "address", ["audit.example", "https://a.example/x", 'https://a"b', "ftp://a"]
)
def test_an_address_that_cannot_be_meant(address: str) -> None:
    """A page address with a path, or none at all, is refused in words."""
    done = run("", "export", "--page-url", address)
    assert done.exit_code != 0
    assert "is no address of a page" in str(done.exception)


def test_export_is_what_import_sends(fake: FakeDashboards, tmp_path: Path) -> None:
    """The exported NDJSON, imported by hand, is what the command imports."""
    file = tmp_path / "all.ndjson"
    assert run("", "export", "--output", str(file)).exit_code == 0
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines == json.loads(run("", "export", "--json").output)
    answer = Dashboards(Cluster(url=fake.url)).import_(file.read_text(encoding="utf-8"))
    assert answer["success"] and answer["successCount"] == len(OURS)
    assert states(Dashboards(Cluster(url=fake.url))) == {"same"}


def test_a_login_is_asked_for_and_used() -> None:
    """Without the login the hint names the variables; with it everything works; it is not shown."""
    fake = FakeDashboards(password="only-a-test")
    try:
        done = run(fake.url, "diff")
        assert "a login is needed" in str(done.exception)
        assert "OPENSEARCH_USERNAME" in str(done.exception)
        login = {"OPENSEARCH_USERNAME": "admin", "OPENSEARCH_PASSWORD": "only-a-test"}
        assert run(fake.url, "import", **login).exit_code == 0
        wrong = login | {"OPENSEARCH_PASSWORD": "not-this-one"}
        done = run(fake.url, "diff", **wrong)
        assert "not-this-one" not in str(done.exception) + done.output
    finally:
        fake.close()


def test_what_is_no_dashboards(fake: FakeDashboards) -> None:
    """An address without a server, or with another one, is told with the next step."""
    done = run("http://127.0.0.1:9", "import")
    assert "cannot be reached" in str(done.exception)
    assert "OPENSEARCH_DASHBOARDS_URL" in str(done.exception)
    done = run(f"{fake.url}/base", "import")
    assert "answered 404" in str(done.exception) and "base path" in str(done.exception)
    done = run("", "import")
    assert "OPENSEARCH_DASHBOARDS_URL: is not set" in str(done.exception)


def test_install_imports_or_says_how(fake: FakeDashboards, monkeypatch: pytest.MonkeyPatch) -> None:
    """``install`` imports when the variable is set, with the page of the configuration."""
    monkeypatch.delenv("OPENSEARCH_DASHBOARDS_URL", raising=False)
    assert "activity-center dashboards export" in after_install(None)
    assert not fake.objects
    monkeypatch.setenv("OPENSEARCH_DASHBOARDS_URL", fake.url)
    assert (
        after_install("https://audit.example")
        == f"dashboards: {len(OURS)} objects created, 0 replaced"
    )
    assert "https://audit.example/audit" in json.dumps([*fake.objects.values()])


def test_more_objects_than_can_be_looked_up(fake: FakeDashboards) -> None:
    """With over 10,000 objects ours cannot all be found: it says so instead of doubling them."""
    for number in range(10_001):
        fake.objects["query", str(number)] = {
            **{"type": "query", "id": str(number), "attributes": {}, "references": []},
            "workspace": None,
        }
    done = run(fake.url, "import")
    assert "more than 10000 saved objects" in str(done.exception)
    assert fake.imports == 0
