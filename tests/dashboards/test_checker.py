"""The checker itself: broken objects, each with the message that it must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from activity_center import dashboards
from activity_center.assets import data_folder
from activity_center.dashboards import check
from activity_center.dashboards.description import read
from activity_center.dashboards.expand import expand
from activity_center.errors import VocabularyError

Json = dict[str, Any]

BROKEN = Path(__file__).with_name("broken")
BASE: list[Json] = json.loads((BROKEN / "base.json").read_text(encoding="utf-8"))
CASES = sorted(file for file in BROKEN.glob("*.json") if file.stem != "base")


def test_the_base_is_sound() -> None:
    """The objects that the broken ones replace have no finding, so each finding is the case's."""
    assert check(BASE) == []


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_each_broken_object_is_found(file: Path) -> None:
    """A broken object, alone among sound ones, gives its message and no other."""
    case = json.loads(file.read_text(encoding="utf-8"))
    broken = case["object"]
    others = [one for one in BASE if one["type"] != broken["type"]]
    found = check([*others, broken])
    assert [text.startswith(case["message"]) for text in found] == [True], found


def test_two_with_one_id_or_title() -> None:
    """An id, and a title of what people choose by title, stands once."""
    search = next(one for one in BASE if one["type"] == "search")
    assert f"search/{search['id']}: stands 2 times" in check([*BASE, search])
    assert "search: the title 'Audit Logs' stands 2 times" in check([*BASE, search])


def test_a_rule_that_does_not_exist() -> None:
    """On the alerts' pattern a query may name only rules that there are."""
    ours = dashboards.objects()
    query = next(one for one in ours if one["id"] == "activity-center-collector-health-backlog")
    source = query["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]["query"]
    source["query"] = source["query"].replace("backlog-rising", "backlog-falling")
    assert check(ours) == [
        "visualization/activity-center-collector-health-backlog: the query asks for "
        "rule.id: backlog-falling, a value that it never has"
    ]


@pytest.mark.parametrize(
    ("query", "findings"),
    [
        ("not metadata.stage: begun", 0),
        ("metadata.count > 5", 1),
        ("metadata.stage: be*", 1),
        ("metadatum.stage: begun", 1),
    ],
)
def test_one_value_below_a_flat_object(query: str, findings: int) -> None:
    """What a producer said besides can be asked for one value; numbers there compare as words."""
    ours = dashboards.objects()
    chart = next(one for one in ours if one["id"] == "activity-center-compliance-exports")
    chart["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]["query"]["query"] = query
    assert len(check(ours)) == findings


def test_our_own_have_no_finding() -> None:
    """The objects that we ship are sound."""
    assert check(dashboards.objects()) == []


def test_the_files_are_what_the_description_gives() -> None:
    """``dashboards/objects/`` is up to date: activity-center generate."""
    folder = data_folder("dashboards/objects")
    there = {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8")
        for file in folder.rglob("*.json")
    }
    assert there == dict(dashboards.outputs())


def described(folder: Path, board: str) -> None:
    """Write a description with one dashboard."""
    (folder / "boards").mkdir()
    for name in ("patterns", "searches", "queries"):
        (folder / f"{name}.yml").write_text("{}")
    (folder / "boards" / "one.yml").write_text(board)


@pytest.mark.parametrize(
    ("board", "message"),
    [
        ("- a list", "one.yml: not a mapping"),
        ("title: [", "one.yml: not readable as YAML"),
        ("{title: One, description: D, search: s, page: /, colour: red}", "'colour'"),
        ("{title: One, description: D, page: /}", "'search'"),
    ],
)
def test_a_wrong_description_is_told_with_its_place(
    tmp_path: Path, board: str, message: str
) -> None:
    """A key too many or too few in the description is our error with file and name."""
    described(tmp_path, board)
    with pytest.raises(VocabularyError) as raised:
        read(tmp_path)
    assert message in str(raised.value) and "one" in str(raised.value)


def test_a_chart_needs_a_search_and_a_value_that_exist(tmp_path: Path) -> None:
    """A board without its search, and a value that no aggregation gives, are told."""
    described(tmp_path, "{title: One, description: D, search: gone, page: /}")
    with pytest.raises(VocabularyError, match=r"boards/one\.yml: there is no search gone"):
        dashboards.build(read(tmp_path))
    told = "{title: S, description: D, pattern: p, columns: [message]}"
    (tmp_path / "searches.yml").write_text(f"gone: {told}")
    chart = "{id: c, title: C, kind: metric, label: l, page: /, value: {middle: event.duration}}"
    (tmp_path / "boards" / "one.yml").write_text(
        f"{{title: One, description: D, search: gone, page: /, charts: [{chart}]}}"
    )
    with pytest.raises(VocabularyError, match="no such value"):
        dashboards.build(read(tmp_path))


def test_a_chart_that_leads_nowhere(tmp_path: Path) -> None:
    """A chart leads into the page: to the same entries, or to something near."""
    chart = "{id: c, title: C, kind: metric, label: l}"
    described(tmp_path, f"{{title: One, description: D, search: s, page: /, charts: [{chart}]}}")
    told = "{title: S, description: D, pattern: p, columns: [message]}"
    (tmp_path / "searches.yml").write_text(f"s: {told}")
    with pytest.raises(VocabularyError, match=r"c: has neither page nor near"):
        dashboards.build(read(tmp_path))


def test_placeholders_stand_for_actions() -> None:
    """``{{verb …}}`` and ``{{critical}}`` give the catalogue's actions; another is refused."""
    assert "user.role_change or " in expand("event.action: {{verb permit}}")
    assert "workspace.terminate" in expand("event.action: {{critical}}")
    with pytest.raises(VocabularyError, match="stands for no action"):
        expand("event.action: {{verb permitt}}")


def test_a_file_that_is_no_object(tmp_path: Path) -> None:
    """A file that cannot be read, or is of no known type, is told with its name."""
    folder = tmp_path / "query"
    folder.mkdir()
    for text in ("{", "[]", '{"type": "canvas"}'):
        (folder / "a.json").write_text(text)
        with pytest.raises(VocabularyError, match=r"a\.json"):
            dashboards.objects(tmp_path)
