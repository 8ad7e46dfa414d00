"""Nobody is told of a process outside their rights: on no way, in no message, at no moment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.process import until
from tests.sidecar_api.processes.peer import Peer, Poller, Stream, Told
from tests.sidecar_api.processes.stage import Stage

WAYS = ("websocket", "sse", "polling")


@dataclass
class Scene:
    """Processes of all kinds of owners; every text of each bears the mark of its own.

    Attributes:
        marks: name -> mark, which is also the process's id.
    """

    stage: Stage
    marks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = ("a", "a_lab", "a_srv", "a_child", "a_moves", "b", "nobodys", "b_own", "same")
        self.marks = {name: f"m{uuid.uuid4().hex[:10]}" for name in names}

    def fields(self, name: str) -> tuple[str, dict[str, Any]]:
        """Organization and further fields of a process."""
        stage, mark = self.stage, self.marks[name]
        said: dict[str, Any] = {"activity__project": f"{mark} project", "message": f"{mark} text"}
        said["activity__process__channel"] = "ssl"
        said["activity__process__name"] = f"{mark} name"
        organization = {"b": stage.b, "b_own": stage.b, "nobodys": ""}.get(name, stage.a)
        if name == "a_lab":
            said["activity__workspace"] = "lab"
        elif name == "a_moves":
            said["activity__workspace"] = "office"
        elif name == "a_srv":
            said["activity__resource"] = {"type": "server", "id": "srv", "name": f"{mark} server"}
        elif name == "a_child":
            parent = {"type": "server", "id": "srv", "name": "srv"}
            said["activity__resource"] = {"type": "site", "id": mark, "parent": parent}
        elif name == "b_own":
            said["user__id"] = stage.id("limited")
        return organization, said

    def begin(self) -> None:
        """Begin all of them, and one more of the same id in the other organization."""
        for name in self.marks:
            organization, said = self.fields(name)
            self.stage.steps.start(self.marks[name], organization, **said)
        _, said = self.fields("b")
        self.stage.steps.start(self.marks["same"], self.stage.b, **said)

    def go_on(self, number: int) -> None:
        """Something happens to each, of every kind of message."""
        steps = self.stage.steps
        for name, mark in self.marks.items():
            organization, said = self.fields(name)
            steps.publish(
                steps.entry(
                    mark,
                    "process.step.failed",
                    organization,
                    **said,
                    activity__step={"id": f"{mark}s", "name": f"{mark} step", "index": 0},
                    error={"message": f"{mark} went wrong"},
                ),
                steps.entry(
                    mark,
                    "process.output",
                    organization,
                    **said,
                    activity__output={"stream": "stdout", "offset": 0, "text": f"{mark} line\n"},
                ),
                steps.entry(
                    mark,
                    "process.cancel",
                    organization,
                    **said,
                    activity__control={"id": f"{mark}c{number}", "kind": "cancel"},
                ),
            )
            steps.move(mark, organization, number)


SEES = {
    "admin": {"a", "a_lab", "a_srv", "a_child", "a_moves", "b", "nobodys", "b_own", "same"},
    "owner": {"a", "a_lab", "a_srv", "a_child", "a_moves", "same"},
    "other": {"b", "b_own", "same"},
    "limited": {"a_lab", "a_srv", "a_child", "b_own"},
    "auditor": set[str](),
    "stranger": set[str](),
}


def client(stage: Stage, way: str, who: str) -> Any:
    """Who watches on that way."""
    return {"websocket": Peer, "sse": Stream, "polling": Poller}[way](stage, who)


@pytest.fixture(scope="module")
def told(stage: Stage) -> Iterator[tuple[Scene, dict[tuple[str, str], Told]]]:
    """Every reader on every way, before and while it all happens."""
    scene = Scene(stage)
    scene.begin()
    until(lambda: stage.sees(scene.marks["same"], "admin") is not None)
    clients = {(way, who): client(stage, way, who) for way in WAYS for who in SEES}
    for one in clients.values():
        one.until(lambda one=one: bool(one.said) and "snapshot" in one.kinds())
    scene.go_on(1)
    organization, said = scene.fields("a_moves")
    moved = {**said, "activity__workspace": "lab"}
    mark = scene.marks["a_moves"]
    stage.steps.publish(stage.steps.entry(mark, "process.progress", organization, **moved))
    # One for each that tells when all before it has come.
    ends = {who: f"end-{who}-{uuid.uuid4().hex[:8]}" for who in SEES}
    for who, id_ in ends.items():
        stage.steps.start(id_, stage.b, user__id=stage.id(who))
    for (_, who), one in clients.items():
        one.until(lambda one=one, who=who: one.shows(ends[who]) is not None)
    yield scene, clients
    for one in clients.values():
        if isinstance(one, Peer | Stream):
            one.__exit__()


@pytest.mark.parametrize("who", [*SEES])
@pytest.mark.parametrize("way", WAYS)
def test_what_each_reader_is_told(
    told: tuple[Scene, dict[tuple[str, str], Told]], way: str, who: str
) -> None:
    """By a role in the organization, within its workspaces and resources, and what one began
    oneself; of all else not even a name, an id or a line of output."""
    scene, clients = told
    found = clients[way, who]
    visible = SEES[who] | ({"a_moves"} if who == "limited" else set())
    for name, mark in scene.marks.items():
        shown = [key for key in found.processes if key[1] == mark]
        if name in visible:
            assert shown, (name, "is missing")
            if name not in ("same", "a_moves"):
                assert f"{mark} went wrong".encode() in found.raw
                assert f"{mark} line".encode() in found.raw
        else:
            assert mark.encode() not in found.raw, (name, "leaked")


@pytest.mark.parametrize("way", WAYS)
def test_the_same_id_in_two_organizations(
    told: tuple[Scene, dict[tuple[str, str], Told]], way: str
) -> None:
    """They are two processes; who may watch one of them is told of that one alone."""
    scene, clients = told
    stage, id_ = scene.stage, scene.marks["same"]
    for who, organizations in (
        ("owner", {stage.a}),
        ("other", {stage.b}),
        ("admin", {stage.a, stage.b}),
    ):
        found = {key[0] for key in clients[way, who].processes if key[1] == id_}
        assert found == organizations


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_into_ones_part(
    told: tuple[Scene, dict[tuple[str, str], Told]], way: str
) -> None:
    """A process that moves into one's workspace comes whole from then on, with what it was
    before as its state, and nothing of it came earlier."""
    scene, clients = told
    mark = scene.marks["a_moves"]
    found = clients[way, "limited"]
    first = next(one for one in found.changes if one["id"] == mark)
    assert first["process"]["workspace"] == "lab"
    assert found.shows(mark) == clients[way, "owner"].shows(mark)


def test_what_leaves_ones_part(stage: Stage) -> None:
    """A process that moves out of one's workspace is taken away, also from who comes back, and
    told no further: what happens to it then is not for this reader."""
    id_ = f"m{uuid.uuid4().hex[:10]}"
    said = {"activity__process__name": id_}
    stage.steps.start(id_, stage.a, activity__workspace="lab", **said)
    with Peer(stage, "limited") as gone:
        gone.until(lambda: gone.shows(id_) is not None)
    with Peer(stage, "limited") as peer, Stream(stage, "limited") as stream:
        for one in (peer, stream):
            one.until(lambda one=one: one.shows(id_) is not None)
        stage.steps.publish(
            stage.steps.entry(id_, "process.progress", stage.a, activity__workspace="office"),
            stage.steps.entry(
                id_, "process.progress", stage.a, activity__process__name="hidden-name"
            ),
        )
        stage.steps.start(f"{id_}-end", stage.a, activity__workspace="lab")
        for one in (peer, stream):
            one.until(lambda one=one: one.shows(f"{id_}-end") is not None)
            assert b"hidden-name" not in one.raw
            assert b"office" not in one.raw
            assert one.resets == ["rights"]
            assert one.shows(id_) is None
    assert stage.sees(id_, "limited") is None
    with Peer(stage, "limited", after=peer) as again:
        assert again.hello["recovered"] is True
        assert b"hidden-name" not in again.raw
    with Peer(stage, "limited", after=gone) as again:
        assert again.hello["recovered"] is False
        again.until(lambda: again.shows(f"{id_}-end") is not None)
        assert again.shows(id_) is None
