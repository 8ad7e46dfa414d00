"""Exported OCSF events, checked by the published rules (see ``ocsf_rules``)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from activity_center.generate.tree import Tree, tree
from activity_center.vocabulary import actions, fields, ocsf
from sidecar_api.export.ocsf import event
from tests.sidecar_api.export.ocsf_rules import broken


def _example(node: Tree) -> dict[str, Any]:
    made = {}
    for name, child in node.children.items():
        if child.field is None:
            made[name] = _example(child)
        else:
            made[name] = child.field.example
    return made


def full(action: str) -> dict[str, Any]:
    """An activity with every field of the vocabulary."""
    made = _example(tree(fields().values()))
    known = actions()[action]
    made["event"] |= {
        "action": action,
        "type": list(known.event_type),
        "severity": known.severity,
        "outcome": known.outcome or "success",
    }
    return {"id": made["event"]["id"], **made}


def bare(action: str) -> dict[str, Any]:
    """An activity with what every one has, and no more."""
    return {
        "id": "e1",
        "@timestamp": "2026-11-24T13:02:31.418Z",
        "event": {"id": "e1", "action": action, "outcome": "unknown", "kind": "event"},
        "activity": {"lens": "audit", "schema_version": 1},
    }


@pytest.mark.parametrize("action", sorted(actions()))
def test_every_action_of_the_catalogue_is_a_valid_event(action: str) -> None:
    """With all fields and with hardly any, an action's event breaks no rule of its class."""
    assert broken(event(full(action))) == []
    assert broken(event(bare(action))) == []


ACTOR, TARGET, AGENT = "usr_mk", "usr_jo", "agt_ops"


@pytest.mark.parametrize(
    ("action", "outcome", "number", "name", "status", "user"),
    [
        ("user.login", "success", 300201, "Logon", (1, "Success"), ACTOR),
        ("user.login_failed", "failure", 300201, "Logon", (2, "Failure"), ACTOR),
        ("user.logout", "success", 300202, "Logoff", (1, "Success"), ACTOR),
        ("user.impersonate", "success", 300207, "Account Switch", (1, "Success"), TARGET),
        ("user.create", "success", 300701, "Create", (1, "Success"), TARGET),
        ("user.update", "unknown", 300702, "Update", (0, "Unknown"), TARGET),
        ("user.delete", "success", 300703, "Delete", (1, "Success"), TARGET),
        ("user.locked", "success", 300706, "Lock", (1, "Success"), TARGET),
        ("user.change_password", "failure", 300708, "Password Change", (2, "Failure"), TARGET),
        ("user.role_change", "success", 300716, "Assign Roles", (1, "Success"), TARGET),
        ("org.remove_member", "success", 300604, "Remove User", (1, "Success"), TARGET),
        ("role.create", "success", 300801, "Create", (1, "Success"), None),
        (
            "admin.role_permission.revoke",
            "success",
            300805,
            "Remove Privileges",
            (1, "Success"),
            None,
        ),
        ("server.create", "success", 600301, "Create", (1, "Success"), None),
        ("server.start", "failure", 600303, "Update", (2, "Failure"), None),
        ("activity_log.denied", "failure", 600302, "Read", (2, "Failure"), None),
        ("api_token.revoke", "success", 600304, "Delete", (1, "Success"), None),
        ("agent.proposal.denied", "success", 600399, None, (1, "Success"), None),
        ("alert.fired", "success", 200401, "Create", (1, "New"), None),
    ],
)
def test_what_each_kind_of_action_is(
    action: str,
    outcome: str,
    number: int,
    name: str | None,
    status: tuple[int, str],
    user: str | None,
) -> None:
    """Class, activity, status, the user it is about, who did it, tenant and correlation, for each
    kind of action, written out from OCSF 1.9.0's own tables: not read from our mapping."""
    activity = full(action)
    activity["event"]["outcome"] = outcome
    made = event(activity)
    assert (made["class_uid"], made["activity_id"]) == divmod(number, 100)
    assert (made["type_uid"], made["category_uid"]) == (number, number // 100_000)
    assert made["activity_name"] == (name or action)
    assert (made["status_id"], made["status"]) == status
    about = made["users"][0] if number // 100 == 3006 else made.get("user")
    assert (about or {}).get("uid") == user
    assert made["metadata"]["tenant_uid"] == "northwind"
    assert made["metadata"]["correlation_uid"] == activity["activity"]["case"]["id"]
    if number // 100 != 2004:
        assert made["actor"]["user"]["uid"] == ACTOR
        assert made["actor"]["session"]["uid"] == activity["session"]["id"]
        assert made["ai_agent"]["uid"] == AGENT


@pytest.mark.parametrize(
    ("types", "activity_id"),
    [(["creation"], 1), (["access"], 2), (["change"], 3), (["deletion"], 4), ([], 99)],
)
def test_an_action_that_is_not_in_the_catalogue(types: list[str], activity_id: int) -> None:
    """It is API activity, what it did follows from event.type, and its name is told."""
    activity = bare("acme.frobnicate")
    activity["event"]["type"] = types
    made = event(activity)
    assert (made["class_uid"], made["activity_id"]) == (6003, activity_id)
    assert made["metadata"]["event_code"] == "acme.frobnicate"
    assert broken(made) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user.email", "no address at all"),
        ("user.email", "müller@exämple.org"),
        ("user.email", "a b@c.d"),
        ("http.request.method", "BREW"),
        ("event.severity", 17),
        ("event.severity", -1),
        ("user", "mira"),
        ("event.start", "yesterday"),
        ("url.path", ""),
    ],
)
def test_odd_values_make_no_invalid_event(field: str, value: Any) -> None:
    """What a class has no room for is left in unmapped, and the event is valid."""
    activity = full("server.create")
    *parents, leaf = field.split(".")
    node = activity
    for part in parents:
        node = node[part]
    node[leaf] = value
    assert broken(event(activity)) == []


def test_what_it_says() -> None:
    """Numbers, time, people, request and resource of one event, by OCSF's own table."""
    made = event(full("server.delete"))
    assert made["type_uid"] == 600304
    assert made["time"] == 1795525351418
    assert (made["severity_id"], made["severity"]) == (4, "High")
    assert (made["status_id"], made["status"]) == (1, "Success")
    assert made["actor"]["user"]["uid"] == "usr_mk"
    assert made["actor"]["user"]["org"] == {"uid": "northwind", "name": "Northwind Labs"}
    assert made["src_endpoint"]["ip"] == "203.0.113.24"
    assert made["http_request"]["http_method"] == "POST"
    assert made["resources"] == [{"uid": "srv_204", "name": "api-prod-2", "type": "server"}]
    assert made["ai_agent"]["uid"] == "agt_ops"
    assert made["metadata"]["uid"] == full("server.delete")["id"]
    assert made["metadata"]["original_time"]


def test_nothing_is_lost() -> None:
    """Old and new value, changes, metadata and all else without a place are in unmapped."""
    left = event(full("server.update"))["unmapped"]
    assert left["activity"]["old_value"] == {"plan": "premium"}
    assert left["activity"]["changes"][0]["field"] == "plan"
    assert left["metadata"] == {"backup_type": "full"}
    assert left["user"]["target"]["id"] == "usr_jo"
    assert left["labels"] == {"tier": "gold"}


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    """Path of each value that is no object -> the value."""
    if not isinstance(node, dict):
        return {path[1:]: node}
    return {k: v for name, one in node.items() for k, v in leaves(one, f"{path}.{name}").items()}


@pytest.mark.parametrize("action", ["server.update", "user.login", "alert.fired", "role.create"])
def test_what_is_not_in_the_event_is_in_unmapped(action: str) -> None:
    """Each value of an entry with every field, in its form: times are milliseconds, an outcome is
    a status, a severity a level."""
    entry = full(action)
    made = event(entry)
    left = leaves(made["unmapped"])
    told = [one for name, one in leaves(made).items() if not name.startswith("unmapped.")]
    for name, value in leaves(entry).items():
        if name in left:
            assert left[name] == value
        elif name in ("event.start", "event.end", "event.ingested", "@timestamp"):
            assert datetime.fromisoformat(value).timestamp() * 1000 // 1 in told, name
        elif name == "event.outcome":
            assert str(value).capitalize() in told
        elif name == "event.severity":
            assert value + 1 == made["severity_id"]
        else:
            assert value in told, name


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("user.full_name", {"user": {"full_name": "Mira Kovač"}}),
        ("organization.name", {"organization": {"id": "acme", "name": "Acme"}}),
        ("url.domain", {"url": {"domain": "panel.example", "query": "a=1"}}),
        ("url.query", {"url": {"domain": "panel.example", "query": "a=1"}}),
        ("event.severity", {"event": {"severity": 17}}),
        ("event.outcome", {"event": {"outcome": "partial"}}),
        ("@timestamp", {"@timestamp": "yesterday"}),
    ],
)
def test_a_value_that_its_place_does_not_take_is_kept(name: str, group: dict[str, Any]) -> None:
    """A name without a user, a part of an address, a number that is no level."""
    entry = bare("server.update")
    for key, one in group.items():
        entry[key] = {**entry.get(key, {}), **one} if isinstance(one, dict) else one
    made = event(entry)
    assert broken(made) == []
    assert leaves(made["unmapped"])[name] == leaves(entry)[name]


def test_numbers_are_those_of_the_mapping() -> None:
    """The catalogue is mapped whole, and a type's number is class and activity together."""
    assert set(ocsf.kinds()) == set(actions())
    for kind in ocsf.kinds().values():
        assert kind.type_uid == kind.class_uid * 100 + kind.activity_id
        assert kind.class_uid // 1000 == kind.category_uid


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"time": "2026"}, "time"),
        ({"severity_id": 17}, "severity_id"),
        ({"invented": 1}, "invented"),
        ({"metadata": {"version": "1.9.0", "product": {}}}, "metadata.product"),
        ({"actor": {"user": {}}}, "actor.user"),
        ({"src_endpoint": {"ip": "not an address"}}, "src_endpoint.ip"),
        ({"activity_name": "Frobnicate"}, "activity_name"),
    ],
)
def test_the_rules_bite(wrong: dict[str, Any], words: str) -> None:
    """The published rules find what is wrong in an event."""
    assert any(words in one for one in broken({**event(full("server.update")), **wrong}))


@pytest.mark.parametrize("missing", ["metadata", "type_uid", "api", "actor", "src_endpoint"])
def test_the_rules_miss_what_is_required(missing: str) -> None:
    """The published rules find a required attribute that is not there."""
    made = event(full("server.update"))
    del made[missing]
    assert broken(made)
