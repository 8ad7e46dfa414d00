"""Broken records of a chunk, as they go to the rejected store."""

from __future__ import annotations

from collections.abc import Sequence

from collector.decode import Broken


def as_rejects(
    broken: Sequence[Broken], most: int, place: str, separator: bytes = b""
) -> list[tuple[bytes, str]]:
    """Return pairs of bytes and detail, all of a chunk's broken records in the order sent.

    The first ``most`` come one by one, the others together in one pair: each pair costs
    a file, and a hostile chunk has many.

    Args:
        broken: of one chunk, in the order sent.
        most: how many are kept alone, at least 1.
        place: stands before the record's number, for example ``"event"``.
        separator: goes between those that are kept together.
    """
    pairs = [
        (one.raw, f"{one.reason}: {one.detail} ({place} {one.index})") for one in broken[:most]
    ]
    rest = broken[most:]
    if rest:
        reason = rest[0].reason if len({one.reason for one in rest}) == 1 else "undecodable"
        words = f"{reason}: {len(rest)} more broken records ({place} {rest[0].index} and later)"
        pairs.append((separator.join([one.raw for one in rest]), words))
    return pairs
