"""Play the workload: over Fluent Forward by fluent-logger, and over HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from fluent.sender import EventTime, FluentSender  # type: ignore[import-untyped]

from activity_center.demo.stack import Stack
from activity_center.demo.workload import Event
from activity_center.errors import ActivityCenterError

HTTP_EVENTS: Final = 200
"""Events of one request."""
_ATTEMPTS: Final = 4
"""Of sending: the collector closes connections that idle, and may be starting again."""
_PAUSE: Final = 0.25
"""Seconds before the second attempt; doubled before each further one."""


@dataclass(slots=True)
class Played:
    """What was sent.

    Attributes:
        sent: number of events.
        answered: ``_id`` of the documents of events that have no id of their own.
    """

    sent: int = 0
    answered: list[str] = field(default_factory=list)


class Player:
    """Sends events to a collector; Forward events at once, HTTP events in requests.

    Events of sources that know no id go by HTTP, whose answers name the documents.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._senders: dict[str, FluentSender] = {}
        self._waiting: dict[tuple[str, str], list[Event]] = {}
        self._connection = http.client.HTTPConnection("127.0.0.1", stack.http_port, timeout=30)
        self.played = Played()

    def play(self, events: Iterable[Event], advance: Callable[[int], None]) -> None:
        """Send all; ``advance`` is called with the number of events sent.

        Raises:
            ActivityCenterError: the collector does not take them.
        """
        for event in events:
            if event.transport == "forward" and event.id is not None:
                self._forward(event)
            else:
                waiting = self._waiting.setdefault((event.sender, event.source), [])
                waiting.append(event)
                if len(waiting) >= HTTP_EVENTS:
                    self._post(event.sender, event.source)
            self.played.sent += 1
            advance(1)
        self.flush()

    def flush(self) -> None:
        """Send what waits for a request to fill."""
        for sender, source in list(self._waiting):
            self._post(sender, source)

    def close(self) -> None:
        """Close the connections."""
        for sender in self._senders.values():
            sender.close()
        self._connection.close()

    def _forward(self, event: Event) -> None:
        sender = self._senders.get(event.tag)
        if sender is None:
            sender = self._senders[event.tag] = FluentSender(
                event.tag,
                host="127.0.0.1",
                port=self._stack.forward_port,
                forward_packet_error=False,
            )
        when = EventTime(event.time.timestamp())
        for attempt in range(_ATTEMPTS):
            # The library connects again by itself. An event that went twice is stored once:
            # only those with an id come this way.
            if sender.emit_with_time(None, when, event.record):
                return
            time.sleep(_PAUSE * 2**attempt)
        log = self._stack.collector.log
        raise ActivityCenterError(f"Forward: {sender.last_error}", where=str(log))

    def _post(self, sender: str, source: str) -> None:
        events = self._waiting.pop((sender, source))
        body = b"\n".join(json.dumps(event.record).encode() for event in events)
        headers = {
            "Authorization": f"Bearer {self._stack.tokens[sender]}",
            "Content-Type": "application/x-ndjson",
        }
        while True:
            status, retry_after, text = self._request(f"?source={source}", body, headers)
            if status != 503:
                break
            time.sleep(retry_after)  # the spool is full: that is how it slows senders down
        if status != 200:
            raise ActivityCenterError(
                f"HTTP answered {status}: {text.decode(errors='replace')[:500]}",
                where=self._stack.url,
            )
        for event, item in zip(events, json.loads(text)["items"], strict=True):
            if event.id is None and item["status"] == "accepted":
                self.played.answered.extend(item.get("ids") or [item["id"]])

    def _request(
        self, query: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, float, bytes]:
        """Return status, seconds to wait, and body of the answer.

        Sent again on a new connection when there was no answer. That is safe: an event with
        an id is stored once; of one without, no answer names a document, so only the document
        of the repetition is looked for.
        """
        wrong: Exception | None = None
        for attempt in range(_ATTEMPTS):
            try:
                self._connection.request("POST", f"/v1/activities{query}", body, headers)
                answer = self._connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as failed:
                self._connection.close()  # the next request opens it
                wrong = failed
                time.sleep(_PAUSE * 2**attempt if attempt else 0)
                continue
            return answer.status, float(answer.headers.get("Retry-After", "1")), text
        raise ActivityCenterError(
            f"the collector does not answer: {wrong or 'unknown'}",
            where=self._stack.url,
            hint=f"see its log: {self._stack.collector.log}",
        ) from wrong
