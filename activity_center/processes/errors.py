"""The errors that a process carries: each up to a bound, and all of its steps together too."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.processes import reading

LONGEST_MESSAGE: Final = 32_768
LONGEST_TRACE: Final = 65_536
"""Characters of an error that a process carries; its entry has the whole."""
LONGEST_CODE: Final = 1024
"""Characters of its type, and of its code."""
MOST_ERRORS: Final = 262_144
"""Characters of the errors of all steps of one attempt, the latest ones."""
BEGINNING: Final = 500
"""Characters of the message that are left of an older one."""
_LEAST: Final = 512
"""What an error counts at least, so that of many small ones not each has to be remembered. So
many are carried whole by their beginning anyway."""
Error = dict[str, Any]
_Place = tuple[int, int, str]


def error_of(activity: Mapping[str, Any]) -> Error | None:
    """Return the error of an entry, as long as a process carries it."""
    error = reading.part(activity, "error")
    message = reading.text(error, "message") or reading.text(
        reading.part(activity, "event"), "reason"
    )
    trace = reading.text(error, "stack_trace")
    kind, code = reading.text(error, "type"), reading.text(error, "code")
    if not (message or trace or kind or code):
        return None
    made = {
        "message": message[:LONGEST_MESSAGE],
        "type": kind[:LONGEST_CODE] or None,
        "code": code[:LONGEST_CODE] or None,
        "stack_trace": trace[:LONGEST_TRACE] or None,
    }
    return {**made, "whole": [one or "" for one in made.values()] == [message, kind, code, trace]}


def beginning_of(error: Error | None) -> Error | None:
    """Return what is carried of an error that is not among the latest."""
    if error is None or (len(error["message"]) <= BEGINNING and not error["stack_trace"]):
        return error
    return {
        **error,
        "message": error["message"][:BEGINNING],
        "stack_trace": None,
        "whole": False,
    }


@dataclass(slots=True)
class Errors:
    """Which errors are carried whole: the latest ones that fit into :data:`MOST_ERRORS`.

    Those count too whose step has gone on since. So which ones are whole does not depend on the
    order of the entries: one that is not whole never becomes it again.
    """

    _whole: list[tuple[_Place, str, int]] = field(default_factory=list)
    _size: int = 0
    _beyond: tuple[Any, ...] = ()

    def take(self, place: _Place, step: str, error: Error) -> list[tuple[_Place, str]]:
        """Note an error of a step; return place and step of those that are not whole any more.

        It may be itself.
        """
        if place <= self._beyond:
            return [(place, step)]
        at = bisect_left(self._whole, place, key=lambda one: one[0])
        if at < len(self._whole) and self._whole[at][0] == place:
            return []
        size = max(sum(len(one) for one in error.values() if isinstance(one, str)), _LEAST)
        self._whole.insert(at, (place, step, size))
        self._size += size
        gone: list[tuple[_Place, str]] = []
        while self._size > MOST_ERRORS:
            self._beyond, step, size = self._whole.pop(0)
            self._size -= size
            gone.append((self._beyond, step))
        return gone
