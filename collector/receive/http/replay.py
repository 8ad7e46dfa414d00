"""Records that come again, with what their first transport said of them.

``POST /v1/activities?form=replay[&source=NAME][&tag=TAG]``: each line (or element) is
``{"record": RECORD, "time": TIME}``. ``TIME`` is the transport's Unix time in ns at first
receipt, or ``null``; ``TAG`` the Forward tag. Both are part of what identifies a record
without an id, so that replayed it is the event that it would have been then
(docs/decisions/0001). A sender can assert no more by this than over Forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from collector.receive.http.problems import Problem
from collector.records import Batch

PARAMETERS: Final = frozenset({"form", "tag"})
_FORM: Final = "replay"
_MEMBERS: Final = {"record", "time"}


def open_replay(query: Mapping[str, str], batch: Batch) -> None:
    """Take the records of a replayed ``batch`` out of their envelopes; leave other batches.

    Raises:
        Problem: 400; a line or the query is of another form.
    """
    form, tag = query.get("form"), query.get("tag")
    if form is None and tag is None:
        return
    if form != _FORM:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "unknown-form",
            "form=replay is the only one, and tag=TAG goes with it",
        )
    for number, line in enumerate(batch.records, 1):
        if not _is_envelope(line):
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "not-replayed",
                f'line {number} is not {{"record": ..., "time": nanoseconds or null}}',
            )
    lines = cast(list[dict[str, Any]], batch.records)
    batch.times = [line["time"] for line in lines]
    batch.records = [line["record"] for line in lines]
    batch.tag = tag or ""


def _is_envelope(line: Any) -> bool:
    if type(line) is not dict or line.keys() != _MEMBERS:
        return False
    time = line["time"]
    return time is None or (type(time) is int and time.bit_length() < 64)
