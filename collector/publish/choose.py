"""Which activities are published: all of the process lens, and controls of processes."""

from __future__ import annotations

from typing import Any, Final

import orjson

from activity_center.streams import stream_name
from collector.records import CONTROLS, Control, Entry

_PROCESS: Final = stream_name("process", "")
_AUDIT: Final = stream_name("audit", "")
_MAYBE: Final = b'"process.'
_MOST: Final = 10_000
"""Streams that are remembered: there are some for each organization with its own."""


class Choice:
    """Says of entries whether they are published; remembers what streams are of the lens."""

    def __init__(self) -> None:
        self._streams: dict[str, bool] = {}

    def fresh(self, entry: Entry) -> bool:
        """Whether an entry that was just made is published. Costs next to nothing."""
        wanted = self._streams.get(entry[0])
        if wanted is None:
            wanted = self._learn(entry[0])
        return wanted or type(entry) is Control

    def stored(self, entry: Entry) -> bool:
        """Whether an entry that was read from disk is published: its text alone tells."""
        if self.fresh(entry):
            return True
        stream, body = entry.stream, entry.body
        return stream.startswith(_AUDIT) and _MAYBE in body and _action(body) in CONTROLS

    def _learn(self, stream: str) -> bool:
        if len(self._streams) >= _MOST:
            self._streams.clear()
        wanted = self._streams[stream] = stream.startswith(_PROCESS)
        return wanted


def _action(body: bytes) -> Any:
    try:
        return orjson.loads(body)["event"]["action"]
    except (ValueError, KeyError, TypeError):
        return None
