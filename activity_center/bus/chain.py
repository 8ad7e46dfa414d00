"""Each entry names the one before it: so a reader sees that something between is gone."""

from __future__ import annotations

from collections.abc import Iterable

from activity_center.bus import Gap, Place, Published

Row = tuple[int, int, bytes]
"""(position, position of the one before it or 0, body)."""


def begin_at(after: Place | None, epoch: str) -> int:
    """Return the position behind which a stream that is in ``epoch`` is to be read."""
    return after[1] if after is not None and after[0] == epoch else 0


def chained(
    stream: str, epoch: str, after: Place | None, rows: Iterable[Row]
) -> list[Published | Gap]:
    """Return ``rows`` as entries, with a :class:`Gap` wherever something is missing.

    Args:
        stream: whose they are.
        epoch: of the stream now.
        after: where its reader is; ``None``: nowhere yet.
        rows: what comes behind :func:`begin_at`.
    """
    found: list[Published | Gap] = []
    last: int | None = None
    if after is not None:
        if after[0] == epoch:
            last = after[1]
        else:
            found.append(Gap(stream, epoch))
    for position, previous, body in rows:
        if last is not None and previous > last:
            found.append(Gap(stream, epoch))
        found.append(Published(stream, epoch, position, body))
        last = position
    return found
