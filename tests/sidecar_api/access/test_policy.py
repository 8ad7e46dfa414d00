"""Who sees what: the table, asked of a real OpenSearch, and what may be done with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.assets import data_folder
from sidecar_api.access import Access, Scope
from sidecar_api.failures import Forbidden
from sidecar_api.reader import Grant, Reader
from tests.sidecar_api.access.conftest import Table, configuration

DOCUMENT = yaml.safe_load((Path(__file__).parent / "table.yml").read_text())
EXPORT = "org:audit:export"


@pytest.mark.parametrize("name", DOCUMENT["readers"])
def test_the_table(table: Table, name: str) -> None:
    """A reader sees the activities that the table gives them, and no other."""
    assert table.found(table.scope(name).query()) == table.cells[name]


def test_every_reader_and_every_activity_is_in_the_table(table: Table) -> None:
    """Each reader has a line; each activity is seen by somebody but the platform's admins."""
    assert list(table.cells) == list(table.readers)
    seen = frozenset().union(
        *(some for name, some in table.cells.items() if not table.scope(name).everything)
    )
    hidden = {name for name, one in table.activities.items() if name not in seen}
    assert hidden == {
        name
        for name, one in table.activities.items()
        if name in ("a_output", "a_lab_out", "o_output", "m_key_92", "h_agent")
        or name in ("m_denied_beta", "m_denied_none")
        or (one.get("org") in (None, "beta") and not name.startswith(("m_", "USR", "star")))
    }


def test_nothing_is_scored(table: Table) -> None:
    """The clause filters and never ranks, wherever it is put in a body."""
    for name in ("lab_or_srv", "two", "open_mira"):
        answer = table.client.search(
            index=table.index,
            body={"query": table.scope(name).query(), "track_scores": True, "sort": ["_doc"]},
        )
        assert {hit["_score"] for hit in answer["hits"]["hits"]} == {0.0}


def walk(clause: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value of a clause."""
    if isinstance(clause, dict):
        for key, value in clause.items():
            yield key, value
            yield from walk(value)
    elif isinstance(clause, list):
        for one in clause:
            yield from walk(one)


@pytest.mark.parametrize("name", DOCUMENT["readers"])
def test_exact_terms_on_exact_fields(table: Table, name: str) -> None:
    """Values stand in ``term`` and ``terms`` alone, on fields that are keyword and keep case."""
    component = data_folder("opensearch/templates") / "component" / "activity-mappings.json"
    mapping = json.loads(component.read_text())["template"]["mappings"]
    kinds = {"bool", "filter", "should", "must_not", "minimum_should_match"}
    leaves = {"term", "terms", "range", "match_all", "match_none"}
    for key, value in walk(table.scope(name).query()):
        if key in ("term", "terms"):
            (path,) = value
            found = mapping
            for part in path.split("."):
                found = found["properties"][part]
            assert found["type"] == "keyword" and "normalizer" not in found, path
            kinds.add(path)
        elif key == "range":
            assert value == {"@timestamp": {"lt": "now-90d/d"}}
            kinds |= {"@timestamp", "lt"}
        assert key in kinds | leaves, key


def test_the_clause_is_a_fingerprint(table: Table) -> None:
    """The same rights give the same clause, in whatever order they are told, and others another."""
    one, other = Grant("auditor", workspaces=frozenset("ab")), Grant("owner")
    orders = [
        {"acme": (one, other), "open": (one,), "beta": (other,)},
        {"beta": (other,), "open": (one,), "acme": (other, one)},
    ]
    clauses = {
        json.dumps(table.access.scope(Reader("usr_x", grants=some)).query()) for some in orders
    }
    assert len(clauses) == 1
    rights: dict[str, set[frozenset[str]]] = {}
    for name, seen in table.cells.items():
        rights.setdefault(json.dumps(table.scope(name).query()), set()).add(seen)
    assert all(len(some) == 1 for some in rights.values())
    assert not re.search(r"20\d\d-", "".join(rights))


def test_many_organizations_are_one_clause(table: Table) -> None:
    """Somebody with the same role in 5000 organizations can still ask (clauses are limited)."""
    grants = {f"org{number}": (Grant("owner"),) for number in range(5000)}
    scope = table.access.scope(Reader("usr_m", grants={**grants, "acme": (Grant("owner"),)}))
    assert table.found(scope.query()) == table.cells["mira_owns"]


@pytest.mark.parametrize(
    ("name", "organizations"),
    [
        ("nobody", ()),
        ("mira", ()),
        ("viewer", ()),
        ("unknown", ()),
        ("no_such_id", ()),
        ("owner", ("acme",)),
        ("of_nothing", ("acme",)),
        ("in_lab", ("acme",)),
        ("open_member", ("open",)),
        ("withheld_all", ()),
        ("two", ("acme", "open")),
        ("platform", ()),
    ],
)
def test_organizations(table: Table, name: str, organizations: tuple[str, ...]) -> None:
    """The organizations whose trail opens, sorted; own deeds alone open none."""
    assert table.scope(name).organizations == organizations


@pytest.mark.parametrize(
    ("name", "permission", "organization", "allowed"),
    [
        ("owner", "org:audit", "acme", True),
        ("owner", "org:audit", "beta", False),
        ("owner", "org:audit", None, True),
        ("owner", "platform:audit", None, False),
        ("billing", EXPORT, "acme", True),
        ("billing", "process:view", "acme", False),
        ("viewer", "process:view", "acme", True),
        ("viewer", "org:audit", None, False),
        ("controller", "agent:approve", "acme", True),
        ("withheld_not", "process:control", "strict", True),
        ("in_lab", EXPORT, "acme", False),
        ("climber", "platform:audit", None, False),
        ("climber", "platform:audit", "acme", False),
        ("no_platform", "platform:audit", None, False),
        ("no_platform", "org:audit", None, False),
        ("no_such_id", "org:audit", "*", False),
        ("unknown", "org:audit", "acme", False),
        ("open_member", "org:audit", "open", False),
        ("platform", "platform:audit", None, True),
        ("platform", "org:audit", "acme", True),
        ("platform", EXPORT, None, True),
        ("platform", "process:control", "acme", False),
        ("platform", "no:such", None, False),
    ],
)
def test_permissions(
    table: Table, name: str, permission: str, organization: str | None, allowed: bool
) -> None:
    """A role gives its permissions where it is held; those of the platform come from its own."""
    scope = table.scope(name)
    assert scope.may(permission, organization) is allowed
    if organization is not None and permission != "platform:audit":
        assert (permission in scope.permissions(organization)) is allowed
    if allowed:
        scope.require(permission, organization)
        return
    with pytest.raises(Forbidden) as caught:
        scope.require(permission, organization)
    members = {"permission": permission} | ({"organization": organization} if organization else {})
    assert caught.value.members == members


@pytest.mark.parametrize(
    ("name", "organizations", "same_as"),
    [
        ("platform", [], "platform"),
        ("owner", [], "owner"),
        ("billing", ["acme"], "billing"),
        ("mira", [], "mira"),
        ("mira", ["beta", "-"], "mira"),
        ("lab_and_srv", [], "lab_and_srv"),
        ("open_mira", ["acme"], "mira"),
        ("two", ["acme"], "owner"),
        ("withheld_agent", ["strict"], "withheld_agent"),
        ("withheld_not", [], "withheld_not"),
    ],
)
def test_what_an_export_reaches(
    table: Table, name: str, organizations: list[str], same_as: str
) -> None:
    """An export reaches what its reader may export in the named organizations, and own deeds."""
    scope = table.scope(name).for_export(organizations)
    assert table.found(scope.query()) == table.cells[same_as]


@pytest.mark.parametrize(
    ("name", "organizations", "missing"),
    [
        ("in_lab", [], "acme"),
        ("in_lab", ["acme"], "acme"),
        ("open_mira", [], "open"),
        ("open_member", ["acme", "open"], "open"),
        ("two", [], "open"),
        ("lab_and_all", ["acme"], "acme"),
        ("half_viewer", ["half"], "half"),
    ],
)
def test_what_is_seen_and_may_not_be_exported(
    table: Table, name: str, organizations: list[str], missing: str
) -> None:
    """An export of less than the screen shows is refused, with what would be needed."""
    with pytest.raises(Forbidden) as caught:
        table.scope(name).for_export(organizations)
    assert caught.value.members == {"permission": EXPORT, "organization": missing}


def test_own_deeds_can_always_be_exported(table: Table) -> None:
    """Whoever asks for themselves alone may export all that they see of it, and nothing else."""
    for name in ("open_mira", "withheld_all", "member", "mira"):
        scope = table.scope(name).for_export([], own=True)
        assert table.found(scope.query()) == table.cells["mira"]
    trail = {"m_login_92", "m_denied_acme"}  # an auditor sees them in the organization's trail
    for role in ("owner", "auditor"):
        scope = table.access.scope(Reader("usr_m", grants={"acme": (Grant(role),)}))
        mine = table.found(scope.for_export(["acme"], own=True).query())
        assert mine == table.cells["mira"] | trail
    nobody = table.access.scope(Reader("", grants={"acme": (Grant("owner"),)}))
    assert table.found(nobody.for_export([], own=True).query()) == frozenset()


@pytest.mark.parametrize(
    ("small", "large", "covered"),
    [
        (Grant("owner", workspaces=frozenset("a")), Grant("owner"), True),
        (Grant("auditor", workspaces=frozenset("a")), Grant("owner", frozenset("ab")), True),
        (Grant("auditor", workspaces=frozenset("abc")), Grant("owner", frozenset("ab")), False),
        (Grant("auditor", resources=frozenset("a")), Grant("owner", frozenset("a")), False),
        (Grant("auditor"), Grant("owner", frozenset("a")), False),
        (Grant("auditor"), Grant("owner"), True),
    ],
)
def test_one_role_exports_what_another_shows(
    table: Table, small: Grant, large: Grant, covered: bool
) -> None:
    """A role without export stands in no way where another role exports the same."""
    scope = table.access.scope(Reader("usr_x", grants={"acme": (small, large)}))
    if covered:
        assert scope.for_export(["acme"]).organizations == ("acme",)
        return
    with pytest.raises(Forbidden):
        scope.for_export(["acme"])


def test_a_refused_export_names_all_that_are_closed_to_it(table: Table) -> None:
    """Each of them learns of the try."""
    grants = {one: (Grant("auditor"),) for one in ("acme", "globex")}
    scope = table.access.scope(Reader("usr_x", grants={**grants, "initech": (Grant("owner"),)}))
    for named in ([], ["globex", "acme", "initech"]):
        with pytest.raises(Forbidden) as refused:
            scope.for_export(named)
        assert refused.value.closed == ("acme", "globex")


def test_the_right_to_export_adds_up(table: Table) -> None:
    """A role with ``org:audit:export`` alone lets one export what one's other roles show there."""
    exporter, auditor = Grant("exporter"), Grant("auditor")
    lab = Grant("exporter", workspaces=frozenset({"lab"}))

    def exported(organization: str, *grants: Grant) -> frozenset[str]:
        scope = table.access.scope(Reader("usr_x", grants={organization: grants}))
        return table.found(scope.for_export([organization]).query())

    assert exported("acme", exporter, auditor) == table.cells["owner"]
    assert exported("open", exporter) == table.cells["open_member"]
    assert exported("acme", lab, Grant("auditor", frozenset({"lab"}))) == table.cells["in_lab"]
    with pytest.raises(Forbidden):
        exported("acme", lab, auditor)


HOSTILE = st.one_of(
    st.sampled_from(
        [
            "*",
            "?",
            "usr_?",
            "usr_*",
            '"',
            '"}}]}}',
            '"},{"match_all":{}',
            "${user.name}",
            "${attr.internal.organization}",
            "usr_m\u200b",
            "usr_m ",
            " usr_m",
            "USR_m",
            "usr_ｍ",
            "υsr_m",
            "usr_m\x00",
            "\x00",
            "\ud800",
            "usr_m\udfff",
            "x" * 256,
            "x" * 40_000,
            "😀" * 256,
            "usr_m OR usr_o",
            "/.*/",
            "_exists_",
            "now-1d",
            "-",
        ]
    ),
    st.text(max_size=256),
    st.text(alphabet=st.characters(categories=["Cs"]), max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(id_=HOSTILE, organization=HOSTILE, part=HOSTILE, role=HOSTILE)
def test_hostile_ids_open_nothing(
    table: Table, id_: str, organization: str, part: str, role: str
) -> None:
    """No id, organization, workspace, resource or role widens what is seen by its spelling."""
    own = {name for name, one in table.activities.items() if id_ and one.get("user") == id_}
    owner = Grant("owner")
    limited = Grant("owner", workspaces=frozenset({part}), resources=frozenset({part}))
    scope = table.access.scope(
        Reader(
            id_,
            platform_roles=frozenset({role}),
            grants={organization: (owner,), "acme": (limited, Grant(role))},
        )
    )
    assert table.found(scope.query()) == own


def test_what_is_no_text_is_nobody(table: Table) -> None:
    """A lone surrogate, which OpenSearch reads as U+FFFD, finds nothing under that name."""
    limited = Grant("owner", workspaces=frozenset({"\ud800"}), resources=frozenset({"\ud800"}))
    scope = table.access.scope(Reader("\ud800", grants={"beta": (limited,)}))
    assert table.found(scope.query()) == frozenset()


def test_the_policy_reads_the_configuration_anew(table: Table) -> None:
    """Another configuration is another policy: nothing is kept from one to the next."""
    document = {"roles": {"member": ["org:audit"], "owner": []}, "organizations": {}}
    access = Access(configuration(document))

    def sees(role: str) -> Scope:
        return access.scope(Reader("usr_x", grants={"acme": (Grant(role),)}))

    assert table.found(sees("member").query()) == table.cells["owner"]
    assert table.found(sees("owner").query()) == frozenset()
