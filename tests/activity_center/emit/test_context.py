"""What surrounds an action is carried on, and never mixed up."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from activity_center import Emitter
from activity_center.emit.context import current, merge


@pytest.fixture
def quiet(free_port: int, emitter: Any) -> Emitter:
    """Return an emitter whose events go nowhere."""
    made: Emitter = emitter(f"forward://127.0.0.1:{free_port}", queue_size=100)
    return made


def test_inner_context_adds_and_overrides(quiet: Emitter) -> None:
    """Fields merge leaf by leaf; leaving restores what was before."""
    with quiet.context(user="u1", source_ip="192.0.2.1", **{"trace.id": "t"}):
        with quiet.context(source_ip="192.0.2.2", case_id="c1"):
            assert current() == {
                "user": {"id": "u1"},
                "source": {"ip": "192.0.2.2"},
                "trace": {"id": "t"},
                "activity": {"case": {"id": "c1"}},
            }
        assert current()["source"] == {"ip": "192.0.2.1"}
    assert current() == {}


def test_one_person_is_never_mixed_with_another() -> None:
    """Naming another user drops the name and roles of the first; a target alone does not."""
    ada = {"user": {"id": "u1", "name": "ada", "roles": ["admin"]}}
    assert merge(ada, {"user": {"id": "u2"}}) == {"user": {"id": "u2"}}
    assert merge(ada, {"user": {"target": {"id": "u3"}}}) == {
        "user": {"id": "u1", "name": "ada", "roles": ["admin"], "target": {"id": "u3"}}
    }
    one = {"activity": {"resource": {"type": "server", "id": "s1", "name": "web"}}}
    assert merge(one, {"activity": {"resource": {"id": "s2"}}}) == {
        "activity": {"resource": {"id": "s2"}}
    }


def test_threads_and_tasks_have_their_own(quiet: Emitter) -> None:
    """One context object, entered from many threads and tasks at once, leaks nowhere."""
    shared = quiet.context(user="u1")
    seen: list[Any] = []

    def work() -> None:
        seen.append(dict(current()))
        with shared:
            seen.append(dict(current()))
        seen.append(dict(current()))

    with shared:
        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(map(str, seen)) == sorted(map(str, [{}, {"user": {"id": "u1"}}, {}] * 5))

    async def task(name: str) -> None:
        async with quiet.context(user=name):
            await asyncio.sleep(0)
            assert current() == {"user": {"id": name}}

    async def both() -> None:
        await asyncio.gather(*(task(f"u{number}") for number in range(10)))
        assert current() == {}

    asyncio.run(both())


def test_an_abandoned_async_generator_does_not_break(quiet: Emitter) -> None:
    """Leaving a context elsewhere than it was entered neither raises nor changes others."""

    async def numbers() -> Any:
        with quiet.context(user="inner"):
            yield 1
            yield 2

    async def main() -> None:
        generator = numbers()
        await asyncio.create_task(generator.__anext__())
        with quiet.context(user="outer"):
            await generator.aclose()
            assert current() == {"user": {"id": "outer"}}

    asyncio.run(main())


def test_the_user_source_is_asked_late_and_guarded(forward: Any, emitter: Any, until: Any) -> None:
    """It may answer, know nobody, raise, or emit itself: each event is sent."""
    server = forward()
    made = emitter(server.url)
    answers: list[Any] = ["u1", {"id": 2, "name": "bo"}, None]

    def source() -> Any:
        made.emit("asked")
        if not answers:
            raise LookupError("no session")
        return answers.pop(0)

    with made.context(user_source=source):
        for number in range(4):
            made.emit(f"number.{number}")
        made.emit("number.4", user="given")
    until(lambda: len(server.messages) >= 9)
    users = {
        event["event"]["action"]: event.get("user")
        for event in server.events
        if event["event"]["action"] != "asked"
    }
    assert users == {
        "number.0": {"id": "u1"},
        "number.1": {"id": 2, "name": "bo"},
        "number.2": None,
        "number.3": None,
        "number.4": {"id": "given"},
    }
    assert made.stats().errors == 2  # the LookupError twice: numbers 3 and 4
