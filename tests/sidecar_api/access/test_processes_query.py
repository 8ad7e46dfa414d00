"""Who may watch a process: the rule for one entry, and the clause that finds them, are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from activity_center.processes import apply
from tests.sidecar_api.access.conftest import Table, stored

DOCUMENT = yaml.safe_load((Path(__file__).parent / "table.yml").read_text())


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """The document with its dotted names taken apart, as the collector stores it."""
    made: dict[str, Any] = {}
    for name, value in flat.items():
        place = made
        *path, last = name.split(".")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return made


@pytest.mark.parametrize("name", DOCUMENT["readers"])
def test_rule_and_clause_agree(table: Table, name: str) -> None:
    """A search finds the entries that the reader may watch, one by one, and no other."""
    scope = table.scope(name)
    watched = {id_ for id_, one in table.activities.items() if scope.watches(nested(stored(one)))}
    assert table.found(scope.processes_query()) == watched


@pytest.mark.parametrize("name", DOCUMENT["readers"])
def test_a_process_is_watched_like_its_entry(table: Table, name: str) -> None:
    """Of a process that was folded from one entry the rule says what it says of the entry."""
    scope = table.scope(name)
    for id_, one in table.activities.items():
        entry = nested(stored(one))
        entry["event"]["action"] = "process.started"
        entry["activity"] |= {"lens": "process", "process": {"id": id_}}
        found = apply(None, entry)
        assert found is not None
        assert scope.watches(found[0].as_dict()) == scope.watches(entry), id_


def test_the_table_has_both(table: Table) -> None:
    """Roles and limits open what they say; a role without process:view and a stranger nothing."""

    def found(name: str) -> frozenset[str]:
        return table.found(table.scope(name).processes_query())

    assert {"a_output", "a_start", "a_lab"} <= found("viewer")
    assert not any(name.startswith("b_") for name in found("owner"))
    assert found("billing") == found("stranger") == frozenset()
    assert "a_part" in found("lab_and_srv") and "a_start" not in found("lab_and_srv")
    assert "m_asked" in found("mira") and "m_agreed" not in found("mira")
    assert "m_for_other" not in found("mira")  # she acted, somebody else asked for it
    assert not any(name.startswith("s_") for name in found("withheld_all"))
    assert found("platform") == frozenset(table.activities)
