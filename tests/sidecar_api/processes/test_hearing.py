"""Who hears what is asked of a process, and for how long they may wait for it."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from sidecar_api.failures import RateLimited
from sidecar_api.processes.controls import Waiting
from sidecar_api.routes.controls import PEOPLE
from tests.integration.process import until
from tests.sidecar_api.processes.stage import Stage, at

if TYPE_CHECKING:
    import requests

    from tests.conftest import Node

PLATFORM: Final = "token-of-the-platform"
BOTH: Final = "token-of-the-backend"
ONE: Final = "token-of-a-program"


@pytest.fixture(scope="module")
def hall(calm_streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar that knows programs: of all, of both organizations, and of the first alone."""
    with Stage(calm_streams, tmp_path_factory.mktemp("hall")) as made:
        made.sidecar.document["senders"] = [
            {"name": name, "token_sha256": hashlib.sha256(token.encode()).hexdigest(), **more}
            for name, token, more in (
                ("platform", PLATFORM, {}),
                ("backend", BOTH, {"organizations": [made.a, made.b]}),
                ("program", ONE, {"organizations": [made.a]}),
            )
        ]
        made.start()
        yield made


def cancel(stage: Stage, process: str, organization: str) -> str:
    """Somebody of an organization asks to cancel its process; return the id of the control."""
    id_ = f"ctl_{process}_{organization}"
    control = {"id": id_, "kind": "cancel", "state": "requested", "expires_at": at(60)}
    person: dict[str, Any] = {"user__id": "usr_boss", "activity__lens": "audit"}
    entry = stage.steps.entry(process, "process.cancel", organization, **person)
    entry["activity"]["control"] = control
    if not organization:
        del entry["organization"]
    stage.steps.publish(entry)
    return id_


def begin(stage: Stage, process: str, organization: str) -> None:
    """A process that can be cancelled begins; empty: of no organization."""
    entry = stage.steps.entry(
        process, "process.started", organization, activity__process__controls=["cancel"]
    )
    if not organization:
        del entry["organization"]
    stage.steps.publish(entry)


def hear(stage: Stage, process: str, token: str, **query: Any) -> requests.Response:
    """Ask for what is open, with a token."""
    path = f"/api/v1/processes/{process}/controls"
    return stage.sidecar.get(path, token=token, params=query or None)


def ids(answer: requests.Response) -> list[str]:
    """The ids of what is open."""
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["controls"]]


def test_a_program_hears_of_its_own_organization_alone(hall: Stage, process: str) -> None:
    """Where two have a process of an id, who may send for both says which one is meant, and gets
    nothing until then; an empty one is that of none, whatever others call theirs."""
    for organization in (hall.a, hall.b, ""):
        begin(hall, process, organization)
    for organization in (hall.a, hall.b, ""):
        until(
            lambda one=organization: (
                hear(hall, process, PLATFORM, organization=one).status_code == 200
            ),
            why="it is not known",
        )
    asked = cancel(hall, process, hall.a)
    until(lambda: ids(hear(hall, process, BOTH, organization=hall.a)), why="not asked")
    assert ids(hear(hall, process, BOTH, organization=hall.a)) == [asked]
    assert ids(hear(hall, process, BOTH, organization=hall.b)) == []
    for token in (BOTH, PLATFORM):
        refused = hear(hall, process, token)
        assert (refused.status_code, refused.json()["parameter"]) == (400, "organization")
    assert ids(hear(hall, process, PLATFORM, organization="")) == []
    of_none = cancel(hall, process, "")
    assert ids(hear(hall, process, PLATFORM, organization="", wait=20)) == [of_none]
    assert ids(hear(hall, process, ONE)) == ids(hear(hall, process, ONE, organization=""))
    assert ids(hear(hall, process, ONE)) == [asked]
    assert hear(hall, process, ONE, organization=hall.b).status_code == 404


def test_who_could_hear_nothing_does_not_wait(hall: Stage, process: str) -> None:
    """A person is told at once that there is no such process, or none of theirs."""
    begin(hall, process, hall.a)
    until(lambda: hear(hall, process, ONE).status_code == 200, why="it is not known")
    path = "/api/v1/processes/{}/controls"
    for id_, who in (
        (process, "stranger"),
        (process, "other"),
        (process, "limited"),
        ("no-such", "owner"),
    ):
        answer = hall.get(path.format(id_), who, params={"wait": 30}, timeout=15)
        assert answer.status_code == 404


def test_people_who_wait_keep_no_program_out(hall: Stage, process: str) -> None:
    """Somebody who may control a process waits for it many times over: beyond half of the places
    they are refused, another person and a program are not."""
    begin(hall, process, hall.a)
    until(lambda: hear(hall, process, ONE).status_code == 200, why="it is not known")
    with contextlib.ExitStack() as held:
        for _ in range(PEOPLE // 2):
            one = held.enter_context(socket.create_connection(("127.0.0.1", hall.port)))
            one.sendall(
                f"GET /api/v1/processes/{process}/controls?wait=30 HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{hall.port}\r\n"
                f"Authorization: Bearer {hall.token('owner')}\r\n\r\n".encode()
            )
        mine = hall.token("owner")
        until(lambda: hear(hall, process, mine).status_code == 429, why="there is always room")
        assert hear(hall, process, mine).headers["Retry-After"] == "5"
        assert ids(hear(hall, process, hall.token("second"))) == []
        assert ids(hear(hall, process, ONE)) == []


def test_nobody_has_all_places() -> None:
    """One alone has half of them, the next half of the rest, and so on."""
    waiting = Waiting(12)
    with contextlib.ExitStack() as held:
        for who, most in (("a", 6), ("b", 3), ("c", 2), ("d", 1)):
            for _ in range(most):
                held.enter_context(waiting.place(who))
            with pytest.raises(RateLimited):
                held.enter_context(waiting.place(who))
    with waiting.place("a"):
        pass
