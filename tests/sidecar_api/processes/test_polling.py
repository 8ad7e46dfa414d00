"""The same for who can keep no connection open: asking again and again, by a real sidecar."""

from __future__ import annotations

import pytest

from tests.integration.process import until
from tests.sidecar_api.processes.peer import Poller
from tests.sidecar_api.processes.stage import Stage


def test_all_at_first_then_what_changed(stage: Stage, process: str) -> None:
    """Each change comes in one answer, once; where nothing happened there is none; what the
    client makes of it is what is shown."""
    stage.steps.start(process, stage.a)
    client = Poller(stage, process=process)
    until(lambda: client.ask().shows(process) is not None)
    for number in range(1, 40):
        stage.steps.move(process, stage.a, number)
        if number % 7 == 0:
            client.ask()
    until(lambda: client.ask().at(process) == 39)
    assert client.moves == [*range(1, 40)]
    assert client.ask().shows(process) == stage.sees(process)
    assert client.said[-1]["changes"] == []
    assert set(client.recovered[1:]) == {True}
    first = client.kinds().index("delta")
    assert set(client.kinds()[first:]) == {"delta"}


@pytest.mark.parametrize("since", ["x", "x:y", "a:" + "b" * 4000])
def test_a_place_that_is_none(stage: Stage, process: str, since: str) -> None:
    """``recovered`` is false, and all there is comes with it."""
    stage.steps.start(process, stage.a)
    until(lambda: stage.sees(process) is not None)
    said = stage.poll(since=since, process=process)
    assert said["recovered"] is False
    assert [one["id"] for one in said["processes"]] == [process]


def test_a_place_of_others(stage: Stage, process: str) -> None:
    """A place of other rights, or of another part, is none; one of the same rights is one."""
    stage.steps.start(process, stage.a)
    until(lambda: stage.sees(process) is not None)
    mine = stage.poll()
    place = f"{mine['epoch']}:{mine['offset']}"
    assert stage.poll(since=place)["recovered"] is True
    assert stage.poll("second", since=place)["recovered"] is True
    assert stage.poll("other", since=place)["recovered"] is False
    assert stage.poll(since=place, organization=stage.a)["recovered"] is False


def test_who_may_not(stage: Stage) -> None:
    """The refusals of the API."""
    path = "/api/v1/processes/live"
    assert stage.get(path, "").status_code == 401
    assert stage.get(path, "stranger", params={"organization": stage.a}).status_code == 403
    assert stage.get(path, params={"organization": stage.b}).status_code == 403
    assert stage.get(path, params={"since": "x" * 5000}).status_code == 400


def test_a_member_without_such_a_role_sees_their_own(stage: Stage, process: str) -> None:
    """Who may watch nobody else's processes may name their organization, live and in the history
    alike, and sees what they began."""
    own = f"{process}-own"
    stage.steps.start(process, stage.a)
    stage.steps.start(own, stage.a, user__id=stage.id("auditor"))
    until(lambda: stage.sees(own) is not None)
    found = stage.poll("auditor", organization=stage.a)["processes"]
    assert [one["id"] for one in found] == [own]
    for path in ("/api/v1/processes/live", "/api/v1/processes"):
        for who, status in (("auditor", 200), ("stranger", 403), ("other", 403)):
            answer = stage.get(path, who, params={"organization": stage.a})
            assert answer.status_code == status, (path, who)


def test_the_channels(stage: Stage) -> None:
    """Who is signed in may know which kinds of processes there are, with their usual steps."""
    assert stage.get("/api/v1/channels", "").status_code == 401
    found = stage.get("/api/v1/channels", "stranger").json()["channels"]
    names = {one["name"] for one in found}
    assert {"ssl", "git-deploy", "docker-app-deploy", "cloud-transfer", "pqc-activation"} <= names
    assert all(one["label"] and one["steps"] for one in found)


def test_what_has_no_organization_is_polled_by_a_dash(stage: Stage, process: str) -> None:
    """Of several processes with one id that one alone; who has no right there may ask too."""
    stage.steps.start(process, stage.a)
    stage.steps.start(process, "")
    everywhere = Poller(stage, "admin", process=process)
    until(lambda: len(everywhere.ask().processes) == 2)
    nowhere = Poller(stage, "admin", process=process, organization="-").ask()
    assert [*nowhere.processes] == [("", process)]
    assert not Poller(stage, "owner", organization="-").ask().processes
