"""What an emitted event looks like on the wire."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from activity_center import Emitter

Sent = Callable[..., dict[str, Any]]


@pytest.fixture
def sent(forward: Any, emitter: Any, until: Any) -> Sent:
    """Return a function that emits once and gives what arrived."""
    server = forward()
    made: Emitter = emitter(
        server.url, organization="acme", service="shop", origin="api", queue_size=10
    )

    def emit(*args: Any, **said: Any) -> dict[str, Any]:
        before = len(server.messages)
        assert made.emit(*args, **said)
        until(lambda: len(server.messages) > before)
        event: dict[str, Any] = server.messages[-1][2]
        return event

    return emit


def test_the_ecs_form(sent: Sent) -> None:
    """Each argument stands where ECS, or our vocabulary, has it."""
    event = sent(
        "server.resize_disk",
        user={"id": "u1", "name": "ada"},
        resource=("server", "s1", "web-1"),
        outcome="success",
        old={"size": 20},
        new={"size": 40},
        reason="full",
        metadata={"ticket": 7},
        event_id="abc",
        sequence=3,
        **{"user.target.id": "u2", "source.ip": "192.0.2.1", "cloud": {"region": "eu"}},
    )
    del event["@timestamp"], event["event"]["timezone"]
    assert event == {
        "event": {
            "action": "server.resize_disk",
            "outcome": "success",
            "reason": "full",
            "id": "abc",
            "sequence": 3,
        },
        "user": {"id": "u1", "name": "ada", "target": {"id": "u2"}},
        "organization": {"id": "acme"},
        "service": {"name": "shop"},
        "source": {"ip": "192.0.2.1"},
        "cloud": {"region": "eu"},
        "activity": {
            "resource": {"type": "server", "id": "s1", "name": "web-1"},
            "origin": "api",
            "old_value": {"size": 20},
            "new_value": {"size": 40},
        },
        "metadata": {"ticket": 7},
    }


def test_defaults(sent: Sent) -> None:
    """Without arguments: a random id, local time with microseconds and offset."""
    event = sent("user.login")
    assert re.fullmatch(r"[0-9a-f]{32}", event["event"]["id"])
    stamp = event["@timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", stamp)
    assert stamp.endswith(event["event"]["timezone"])
    assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(minutes=1)
    assert "outcome" not in event["event"], "success is never claimed for the caller"
    assert "old_value" not in event["activity"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5))),
            "2026-01-02T03:04:05.000000-05:00",
        ),
        (0, "1970-01-01T00:00:00.000000+00:00"),
        (1.5, "1970-01-01T00:00:01.500000+00:00"),
        ("yesterday", "yesterday"),
        (1e300, 1e300),
    ],
)
def test_a_given_time_is_kept(sent: Sent, given: Any, expected: Any) -> None:
    """The collector judges a time; the emitter does not replace it."""
    assert sent("user.login", timestamp=given)["@timestamp"] == expected


def test_none_is_a_state(sent: Sent) -> None:
    """``new=None`` is recorded as null; only a missing argument is left out."""
    assert sent("x.y", new=None)["activity"]["new_value"] is None


def test_sequence_grows(sent: Sent) -> None:
    """Two events of one emitter are in order even within one microsecond."""
    first, second = sent("a.b"), sent("a.b")
    assert second["event"]["sequence"] > first["event"]["sequence"]


def test_forward_time_has_nanoseconds(forward: Any, emitter: Any, until: Any) -> None:
    """The entry's time is an EventTime (type 0, 8 bytes), not whole seconds; tag is ours."""
    server = forward()
    emitter(server.url).emit("a.b")
    until(lambda: server.messages)
    tag, when, _ = server.messages[0]
    assert tag == "activity.native"
    assert when.code == 0
    assert len(when.data) == 8


def test_replaced_values_are_listed_in_the_event(sent: Sent) -> None:
    """A reader sees that a text stands for something else."""
    event = sent("a.b", new={"handle": object()})
    assert event["activity"]["new_value"]["handle"].startswith("<unserializable builtins.object>")
    assert event["metadata"] == {"emitter_replaced": ["activity.new_value.handle"]}


@pytest.mark.parametrize("action", [None, 3, object(), "", "\ud800"])
def test_even_a_bad_action_never_raises(sent: Sent, action: Any) -> None:
    """The caller is never broken by its own mistake in logging."""
    assert "action" in sent(action)["event"]


def test_the_queue_takes_a_copy(forward: Any, emitter: Any, until: Any) -> None:
    """What the caller changes after emit() does not change the record."""
    server = forward()
    made = emitter(server.url)
    server.reading.clear()
    state = {"size": 1}
    made.emit("a.b", new=state)
    state["size"] = 2
    server.reading.set()
    until(lambda: server.messages)
    assert server.events[0]["activity"]["new_value"] == {"size": 1}
