"""The routes of the history: rights, hostile parameters, pages, and one process."""

from __future__ import annotations

from typing import Any

import pytest

from activity_center.processes import merge
from sidecar_api.routes import history
from tests.sidecar_api.desk import Desk, problem_of
from tests.sidecar_api.hostile import SYNTAX
from tests.sidecar_api.processes.past import Past

NAMES = ("organization", "server", "cloud_account", "target", "initiator", "channel", "q")


@pytest.fixture
def past(desk: Desk) -> Past:
    """Two processes in organization a, one of them begun by the member, and one in b."""
    made = Past(desk.client)
    made.organization = desk.a
    made.run("one", "failed", "completed")
    made.run("mine", "running", at=5, user__id=desk.people["member"])
    made.organization = desk.b
    made.run("theirs", "completed", at=6)
    made.run("begun", "completed", at=7, user__id=desk.people["stranger"])
    made.store()
    made.organization = desk.a
    return made


def test_who_is_shown_what(desk: Desk, past: Past) -> None:
    """A role shows its organization, everybody sees what they began, the platform sees all."""
    for who, seen in {
        "owner": {"one", "mine"},
        "member": {"one", "mine"},
        "stranger": {"begun"},
        "admin": {"one", "mine", "theirs", "begun"},
    }.items():
        for name in ("one", "mine", "theirs", "begun"):
            for rest in ("", "/entries", "/replay", "/output"):
                answer = desk.ask(f"/api/v1/processes/{past.id(name)}{rest}", who)
                assert answer.status_code == (200 if name in seen else 404), (who, name, rest)
        organizations = {None} if who == "stranger" else {desk.a, *([desk.b] * (who == "admin"))}
        found: set[str] = set()
        for organization in organizations:
            query = f"?organization={organization}" if organization else ""
            rows = desk.get(f"/api/v1/processes{query}", who)["processes"]
            found |= {one["id"].removeprefix(f"{past.mark}-") for one in rows}
        assert found == seen


def test_an_organization_without_a_role(desk: Desk, past: Past) -> None:
    """It is refused, the same whether or not there is such an organization."""
    for organization in (desk.b, "never_heard_of"):
        problem = desk.problem(403, f"/api/v1/processes?organization={organization}", "owner")
        assert problem["permission"] == "process:view"


def test_nobody(desk: Desk, past: Past) -> None:
    """Who is not recognized gets nothing."""
    for path in (
        "",
        f"/{past.id('one')}",
        f"/{past.id('one')}/entries",
        f"/{past.id('one')}/replay",
        f"/{past.id('one')}/output",
    ):
        desk.problem(401, f"/api/v1/processes{path}", "")


def test_a_page(desk: Desk, past: Past) -> None:
    """Newest first, with what a pager needs."""
    found = desk.get(f"/api/v1/processes?organization={desk.a}")
    assert [one["id"] for one in found["processes"]] == [past.id("mine"), past.id("one")]
    assert found["page"] == {
        "number": 1, "size": 25, "total": 2, "approximate": False, "from": 1, "to": 2,
    }  # fmt: skip
    beyond = desk.get(f"/api/v1/processes?organization={desk.a}&page=2&size=50")
    assert (beyond["processes"], beyond["page"]["from"]) == ([], 0)
    done = desk.get(f"/api/v1/processes?organization={desk.a}&state=done&state=cancelled")
    assert [one["id"] for one in done["processes"]] == [past.id("one")]


def test_one_process(desk: Desk, past: Past) -> None:
    """It is folded from its entries; replay and output have their pages."""
    path = f"/api/v1/processes/{past.id('one')}"
    found = desk.get(path)
    assert found["whole"] is True
    assert (found["process"]["state"], found["process"]["attempt"]) == ("done", 2)
    entries = desk.get(f"{path}/entries")
    actions = [one["event"]["action"] for one in entries["entries"]]
    assert actions == ["process.started", "process.failed", "process.retried", "process.completed"]
    assert entries["next"] is None
    assert desk.get(f"{path}/output") == {"output": [], "next": None}


def test_a_replay_is_what_the_fold_did(desk: Desk, past: Past) -> None:
    """Taken over one after the other, its deltas lead to the process as it is; each moment of an
    entry that changed something is there once, and nothing that says what the process is: that
    holds from its beginning to its end."""
    path = f"/api/v1/processes/{past.id('one')}"
    found = desk.get(f"{path}/replay")
    assert found["whole"] is True
    states, now = [], {}
    for frame in found["frames"]:
        now = merge(now, frame["delta"])
        states.append((now["attempt"], now["state"]))
    assert states == [(1, "running"), (1, "failed"), (2, "running"), (2, "done")]
    assert [one["at"] for one in found["frames"]] == [
        one["@timestamp"] for one in desk.get(f"{path}/entries")["entries"]
    ]
    whole = desk.get(path)["process"]
    for member in {*now} - {"output"}:
        assert now[member] == whole[member], member
    assert not {"name", "initiator", "target", "workspace", "organization"} & {*now}


def test_a_long_replay(desk: Desk, past: Past) -> None:
    """Signs of life do not fill it; the first one after a silence is in it, for that ended the
    silence. What is too long for it is cut, and it says so."""
    past.add("process.started", "long", at=0)
    for at in range(1, 4):
        past.add("process.heartbeat", "long", at=at)
    past.add("process.stalled", "long", at=4)
    for at in range(5, 8):
        past.add("process.heartbeat", "long", at=at)
    past.add("process.completed", "long", at=9)
    past.store()
    found = desk.get(f"/api/v1/processes/{past.id('long')}/replay")
    moved = [one["delta"]["process"].get("stalled") for one in found["frames"]]
    assert (moved, found["whole"]) == ([False, True, False, None], True)
    assert past.history.replay((past.organization, past.id("long")), most=0) == ([], False)


def test_a_replay_waits_for_others_and_not_forever(desk: Desk, past: Past) -> None:
    """Who waits too long is told when to come again; afterwards it is made."""
    path = f"/api/v1/processes/{past.id('one')}/replay"
    with history.replaying.turn("somebody"):
        answer = desk.ask(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert problem_of(answer)["detail"].startswith("Others are being answered")
    assert desk.get(path)["whole"] is True


def test_what_people_asked_tells_a_watcher_no_address(desk: Desk, past: Past) -> None:
    """Its entry is of the audit trail: who watches has what a replay needs, who may read the trail
    there, or did it, has all of it; what the program said is the same to all."""
    asker = {
        "source__ip": "203.0.113.7",
        "user_agent__original": "Firefox",
        "session__id": "ses_1",
        "user__email": "boss@example.com",
        "user__name": "boss",
        "activity__token": {"name": "laptop"},
    }
    for who, at in (("stranger", 3), ("member", 4)):
        control = {"id": f"ctl_{at}", "kind": "cleanup", "expires_at": "2026-11-24T12:05:00Z"}
        said = {"user__id": desk.people[who], "activity__control": control, **asker}
        past.add("process.cleanup", "one", at=at, event__reason="full", **said)
    past.add("process.heartbeat", "one", at=5, source__ip="203.0.113.9")
    past.store()
    path = f"/api/v1/processes/{past.id('one')}/entries"

    def asked(who: str) -> list[dict[str, Any]]:
        *_, first, second, alive = desk.get(path, who)["entries"]
        assert alive["source"]["ip"] == "203.0.113.9"
        return [first, second]

    whole = asked("owner")
    assert whole == asked("admin")
    assert [one["source"]["ip"] for one in whole] == ["203.0.113.7"] * 2
    bare, mine = asked("member")
    event = ("id", "kind", "action", "outcome", "reason", "sequence")
    ours = ("lens", "retention", "schema_version", "process", "control")
    assert mine == whole[1]
    full = whole[0]
    assert bare == {
        "id": full["id"],
        "@timestamp": full["@timestamp"],
        "ecs": full["ecs"],
        "event": {name: full["event"][name] for name in event},
        "organization": {"id": desk.a},
        "user": {"id": desk.people["stranger"], "name": "boss"},
        "activity": {name: full["activity"][name] for name in ours},
    }


def test_places_in_output_and_entries_belong_to_the_reader(desk: Desk, past: Past) -> None:
    """next of one answer goes on; for another reader, process or step it is refused."""
    for number in range(40):
        said = {"text": "x" * 32_000, "stream": "stdout", "offset": number * 32_000}
        past.add("process.output", "one", at=8 + number / 100, activity__output=said)
    past.store()
    path = f"/api/v1/processes/{past.id('one')}/output"
    first = desk.get(path)
    second = desk.get(f"{path}?from={first['next']}")
    assert second["next"] is None
    offsets = [one["offset"] for one in first["output"] + second["output"]]
    assert offsets == [number * 32_000 for number in range(40)]
    for wrong in (
        f"{path}?from={first['next']}x",
        f"{path}?from={first['next']}&step=a",
        f"{path}?from={first['next']}&attempt=1",
        f"/api/v1/processes/{past.id('mine')}/output?from={first['next']}",
    ):
        assert desk.problem(400, wrong)["parameter"] == "from"
    assert desk.problem(400, f"{path}?from={first['next']}", "admin")["parameter"] == "from"
    assert desk.problem(400, f"{path.replace('output', 'entries')}?after={first['next']}")


def test_the_same_id_in_two_organizations(desk: Desk, past: Past) -> None:
    """Who sees both has to say which one is meant; who sees one is not told of the other."""
    past.organization = desk.b
    past.run("one", "failed", at=3)
    past.store()
    path = f"/api/v1/processes/{past.id('one')}"
    for rest in ("", "/entries", "/replay", "/output"):
        assert desk.problem(400, path + rest, "admin")["parameter"] == "organization"
        assert desk.ask(path + rest, "owner").status_code == 200
    for organization, state in ((desk.a, "done"), (desk.b, "failed")):
        found = desk.get(f"{path}?organization={organization}", "admin")["process"]
        assert (found["organization"]["id"], found["state"]) == (organization, state)
    desk.problem(404, f"{path}?organization={desk.b}", "owner")


@pytest.mark.parametrize("name", NAMES)
def test_hostile_values(desk: Desk, past: Past, name: str) -> None:
    """Whatever stands in a parameter finds nothing that it does not name, and breaks nothing."""
    for value in SYNTAX:
        answer = desk.app.test_client().get(
            "/api/v1/processes",
            query_string={name: value},
            buffered=True,
            headers={
                "Host": "127.0.0.1:8600",
                "Authorization": f"Bearer {desk.token('owner')}",
            },
        )
        assert answer.status_code in (200, 400, 403), (value, answer.text)
        if answer.status_code == 200 and not any(part in past.mark for part in value.split()):
            assert answer.get_json()["processes"] == [], value


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("state=stuck", "state"),
        ("state=", "state"),
        ("page=0", "page"),
        ("page=401", "page"),
        ("page=1.5", "page"),
        ("size=26", "size"),
        ("size=-1", "size"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-11-02&to=2026-11-01T00:00:00Z", "to"),
        ("q=", "q"),
        ("q=%20", "q"),
        ("q=a+b+c+d+e+f+g+h+i", "q"),
        ("server=", "server"),
        ("server=a&server=b", "server"),
        ("statee=done", "statee"),
        ("organization=", "organization"),
        ("organization=*", "organization"),
    ],
)
def test_wrong_parameters(desk: Desk, query: str, parameter: str) -> None:
    """What cannot be meant is refused and named; nothing is guessed."""
    assert desk.problem(400, f"/api/v1/processes?{query}")["parameter"] == parameter


@pytest.mark.parametrize("rest", ["", "/entries", "/replay", "/output"])
def test_ids_that_are_none(desk: Desk, past: Past, rest: str) -> None:
    """An id finds that one process, in its own spelling, or none."""
    for id_ in ("*", "x" * 300, past.id("one").upper(), f"{past.id('one')}%20", "%00", "a%2Fb"):
        desk.problem(404, f"/api/v1/processes/{id_}{rest}")


def test_an_id_with_a_slash(desk: Desk, past: Past) -> None:
    """Ids are the producers' own: one with a slash is found like others."""
    past.run("a/b c", "completed")
    past.store()
    path = f"/api/v1/processes/{past.mark}-a%2Fb%20c"
    assert desk.get(path)["process"]["state"] == "done"
    assert len(desk.get(f"{path}/entries")["entries"]) == 2
