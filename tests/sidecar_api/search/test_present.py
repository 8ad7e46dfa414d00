"""How a stored document is shown: unwrapped states, and whether its resource is gone."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from sidecar_api.search.present import activity
from tests.sidecar_api.search.log import NOON, Log, document, filters, minutes

SERVER = {"activity__resource__type": "server", "activity__resource__id": "s1"}


def test_bare_states_are_unwrapped() -> None:
    """A state stored as {"value": x} is x; any other stays; the hit is not changed."""
    stored = document(
        id="a",
        activity__old_value={"value": None},
        activity__new_value={"value": [1, {"value": 2}], "more": 1},
    )
    hit = {"_id": "doc", "_source": stored, "sort": [1]}
    before = copy.deepcopy(hit)
    made = activity(hit)
    assert hit == before
    assert made["id"] == "doc"
    assert made["activity"]["old_value"] is None
    assert made["activity"]["new_value"] == {"value": [1, {"value": 2}], "more": 1}
    assert made["event"] == stored["event"]
    assert (
        activity({"_id": "b", "_source": document(activity__new_value={"value": 3})})["activity"][
            "new_value"
        ]
        == 3
    )


def deleted(log: Log, wall: Any = None, as_of: datetime | None = None) -> dict[str, Any]:
    """Event id -> whether the resource is called deleted; absent where nothing is said."""
    page = log.search.page(wall or log, filters(), size=100, as_of=as_of)
    return {
        one["event"]["id"]: one["activity"]["resource"]["deleted"]
        for one in page.activities
        if "resource" in one["activity"]
    }


def test_deleted_by_the_latest_successful_creation_or_deletion(log: Log) -> None:
    """A failed deletion does not count, a later creation undoes one, an equal time is deletion."""

    def entry(id_: str, at: float, action: str, **values: Any) -> dict[str, Any]:
        made = {**SERVER, "activity__resource__id": id_[:2], **values}
        return document(id=id_, at=NOON + minutes(at), event__action=action, **made)

    log.add(
        entry("s1-made", 1, "server.create"),
        entry("s1-changed", 2, "server.update"),
        entry("s1-gone", 3, "server.delete"),
        entry("s2-gone", 1, "server.delete", event__outcome="failure"),
        entry("s3-gone", 1, "server.delete"),
        entry("s3-made", 2, "server.create"),
        entry("s4-made", 1, "server.create"),
        entry("s4-gone", 1, "server.delete"),
        entry("s5-gone", 1, "server.delete"),
        entry("s5-site", 1, "site.update", activity__resource__type="site"),
        document(id="none", event__action="user.login"),
        document(id="nameless", activity__resource__name="only a name"),
    )
    assert deleted(log) == {
        "s1-made": True,
        "s1-changed": True,
        "s1-gone": True,
        "s2-gone": False,
        "s3-gone": False,
        "s3-made": False,
        "s4-made": True,
        "s4-gone": True,
        "s5-gone": True,
        "s5-site": False,
        "nameless": False,
    }
    found = log.search.one(log, f"{log.organization}-s1-made")
    assert found is not None
    assert found["activity"]["resource"]["deleted"] is True


class Own:
    """A wall around what one person did."""

    def query(self) -> dict[str, Any]:
        return {"bool": {"filter": [{"term": {"user.id": self.id}}]}}

    def __init__(self, id_: str) -> None:
        self.id = id_


def test_a_deletion_behind_the_wall_is_not_told(log: Log) -> None:
    """Who may not see the deletion, or looks at an equal id elsewhere, is told of none."""
    me = f"me-{log.organization}"
    other = Log(log.client)
    log.add(document(id="mine", **SERVER, user__id=me))
    assert deleted(log, Own(me)) == {"mine": False}
    other.add(document(id="elsewhere", event__action="server.delete", **SERVER, user__id=me))
    assert deleted(log, Own(me)) == {"mine": False, "elsewhere": True}
    log.add(document(id="theirs", event__action="server.delete", **SERVER, user__id="someone"))
    assert deleted(log, Own(me)) == {"mine": False, "elsewhere": True}
    assert deleted(log) == {"mine": True, "theirs": True}


def test_a_page_with_a_hundred_resources(log: Log) -> None:
    """A full page of different resources, all deleted, is marked as a whole."""
    log.add(
        *(
            document(
                id=f"{n}",
                event__action="server.delete",
                activity__resource__type=f"kind{n % 7}",
                activity__resource__id=f"r{n}",
            )
            for n in range(100)
        )
    )
    marked = deleted(log)
    assert len(marked) == 100
    assert set(marked.values()) == {True}
