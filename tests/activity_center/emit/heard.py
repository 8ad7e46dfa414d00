"""An emitter of long-running operations, and what arrives of it."""

from __future__ import annotations

from typing import Any

from activity_center import Emitter
from activity_center.processes import apply
from activity_center.vocabulary import actions

STEPS = ("Check DNS", "Order certificate", "Install certificate")
TOKEN = "token-of-the-producer"


class Heard:
    """An emitter over Forward, and what arrived of it."""

    def __init__(self, forward: Any, emitter: Any, until: Any, **options: Any) -> None:
        self._server = forward()
        self._until = until
        self.emitter: Emitter = emitter(
            self._server.url, organization="northwind", token=TOKEN, **options
        )

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far."""
        assert self.emitter.flush(10)
        wanted = self.emitter.stats().sent
        self._until(lambda: len(self._server.messages) >= wanted)
        found: list[dict[str, Any]] = self._server.events
        return found

    def actions(self) -> list[str]:
        """Their actions, without the common beginning."""
        return [one["event"]["action"].removeprefix("process.") for one in self.events]

    def of(self, action: str) -> list[dict[str, Any]]:
        """Events of an action."""
        return [one for one in self.events if one["event"]["action"] == action]

    def folded(self) -> dict[str, Any]:
        """What the fold makes of them."""
        return folded(self.events)


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the process that events fold to; the lens is the catalogue's."""
    process = None
    for event in events:
        lens = actions()[event["event"]["action"]].lens
        stored = {**event, "activity": {**event["activity"], "lens": lens}}
        result = apply(process, stored)
        process = result[0] if result else process
    assert process is not None
    return process.as_dict()


class AcmeError(Exception):
    """An error with a code of its own."""

    code = "urn:ietf:params:acme:error:connection"
