"""The context manager and the decorator: outcome, duration, error, both states."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from activity_center import Emitter


@pytest.fixture
def heard(forward: Any, emitter: Any) -> tuple[Emitter, Callable[[], list[dict[str, Any]]]]:
    """Return an emitter, and a function that gives the events that arrived so far."""
    server = forward()
    made: Emitter = emitter(server.url)

    def events() -> list[dict[str, Any]]:
        assert made.flush(10)
        wanted = made.stats().sent
        while len(server.messages) < wanted:
            asyncio.run(asyncio.sleep(0.002))
        result: list[dict[str, Any]] = server.events
        return result

    return made, events


def test_success(heard: Any) -> None:
    """The end of the block is the success; the old state is the one before the block."""
    made, events = heard
    disk = {"size": 20}
    with made.action("server.resize_disk", resource=("server", "s1"), old=disk) as action:
        disk["size"] = 40
        action.new = disk
        action.metadata = {"steps": 1}
    (event,) = events()
    assert event["event"]["outcome"] == "success"
    assert event["event"]["duration"] > 0
    assert event["activity"]["old_value"] == {"size": 20}
    assert event["activity"]["new_value"] == {"size": 40}
    assert event["metadata"] == {"steps": 1}
    assert "error" not in event


def test_failure_is_recorded_and_raised(heard: Any) -> None:
    """The caller's own exception goes on, the same object, with the record beside it."""
    made, events = heard
    wrong = KeyError("x" * 5000)
    with pytest.raises(KeyError) as raised, made.action("server.create"):
        raise wrong
    assert raised.value is wrong
    (event,) = events()
    assert event["event"]["outcome"] == "failure"
    assert event["error"]["type"] == "KeyError"
    assert len(event["error"]["message"]) < 2100
    assert "test_failure_is_recorded_and_raised" in event["error"]["stack_trace"]


def test_a_huge_stack_is_bounded(heard: Any) -> None:
    """A recursion does not fill the log."""
    made, events = heard

    def dive(depth: int) -> None:
        if depth == 0:
            raise ValueError("y" * 100_000)
        dive(depth - 1)

    with pytest.raises(ValueError, match="y"), made.action("server.create"):
        dive(500)
    assert len(events()[0]["error"]["stack_trace"]) < 17_000


class Unprintable(Exception):
    """An error that has no text."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unprintable(), "failure"),
        (KeyboardInterrupt(), "failure"),
        (asyncio.CancelledError(), "failure"),
        (SystemExit(0), "success"),
        (SystemExit(3), "failure"),
        (GeneratorExit(), "unknown"),
    ],
)
def test_every_way_out_has_its_outcome(heard: Any, error: BaseException, outcome: str) -> None:
    """Also what is no Exception is recorded and goes on."""
    made, events = heard
    with pytest.raises(type(error)), made.action("server.create"):
        raise error
    assert events()[0]["event"]["outcome"] == outcome


def test_deny(heard: Any) -> None:
    """A refused attempt has ``event.type: denied``."""
    made, events = heard
    with made.action("server.delete") as action:
        action.deny("needs server:delete")
    (event,) = events()
    assert event["event"]["type"] == ["denied"]
    assert event["event"]["outcome"] == "failure"
    assert event["event"]["reason"] == "needs server:delete"


def test_decorated_function(heard: Any) -> None:
    """Resource from the arguments, new state from the result; name and signature stay."""
    made, events = heard

    @made.record(
        "server.create", resource=lambda name, **_: ("server", name), new=lambda made: made
    )
    def create(name: str, size: int = 1) -> dict[str, Any]:
        """Create it."""
        return {"name": name, "size": size}

    assert create("web", size=2) == {"name": "web", "size": 2}
    assert create.__name__ == "create"
    assert list(inspect.signature(create).parameters) == ["name", "size"]
    (event,) = events()
    assert event["activity"]["resource"] == {"type": "server", "id": "web"}
    assert event["activity"]["new_value"] == {"name": "web", "size": 2}


def test_a_failing_lambda_does_not_break_the_call(heard: Any) -> None:
    """It is counted; the event goes without that part."""
    made, events = heard

    @made.record("a.b", resource=lambda: 1 / 0, new=lambda result: result.missing)
    def work() -> int:
        return 7

    assert work() == 7
    (event,) = events()
    assert "resource" not in event.get("activity", {})
    assert made.stats().errors == 2


def test_decorated_coroutine_and_method(heard: Any) -> None:
    """A coroutine function stays one; each call is one event, also when it fails."""
    made, events = heard

    class Service:
        @made.record("site.create", resource=lambda self, name: ("site", name))
        async def create(self, name: str) -> str:
            await asyncio.sleep(0)
            if name == "bad":
                raise LookupError(name)
            return name

    assert inspect.iscoroutinefunction(Service.create)

    async def main() -> list[Any]:
        service = Service()
        return await asyncio.gather(
            *(service.create(name) for name in ("a", "bad", "b")), return_exceptions=True
        )

    results = asyncio.run(main())
    assert results[0] == "a"
    assert isinstance(results[1], LookupError)
    assert sorted(
        (event["activity"]["resource"]["id"], event["event"]["outcome"]) for event in events()
    ) == [("a", "success"), ("b", "success"), ("bad", "failure")]


def test_decorated_generators(heard: Any) -> None:
    """One event when the generator ends; send, throw and the returned value go through."""
    made, events = heard

    @made.record("backup.create", new=lambda result: result)
    def steps() -> Iterator[Any]:
        got = yield 1
        try:
            yield got
        except LookupError:
            yield "caught"
        return "done"

    running = steps()
    assert [next(running), running.send("sent"), running.throw(LookupError())] == [
        1,
        "sent",
        "caught",
    ]
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert ended.value.value == "done"
    (event,) = events()
    assert event["event"]["outcome"] == "success"
    assert event["activity"]["new_value"] == "done"
    early = steps()
    next(early)
    early.close()
    assert events()[-1]["event"]["outcome"] == "unknown"


def test_decorated_async_generator(heard: Any) -> None:
    """The same for asynchronous ones: asend, athrow, aclose, and errors from within."""
    made, events = heard
    closed = []

    @made.record("backup.create")
    async def steps(fail: bool) -> AsyncIterator[Any]:
        try:
            got = yield 1
            try:
                yield got
            except LookupError:
                yield "caught"
            if fail:
                raise ValueError("broken")
        finally:
            closed.append(fail)

    assert inspect.isasyncgenfunction(steps)

    async def main() -> None:
        running: Any = steps(False)
        assert await running.__anext__() == 1
        assert await running.asend("sent") == "sent"
        assert await running.athrow(LookupError()) == "caught"
        assert [item async for item in running] == []
        with pytest.raises(ValueError, match="broken"):
            assert [item async for item in steps(True)] == [1, None]
        early: Any = steps(False)
        await early.__anext__()
        await early.aclose()

    asyncio.run(main())
    assert [event["event"]["outcome"] for event in events()] == ["success", "failure", "unknown"]
    assert closed == [False, True, False]
