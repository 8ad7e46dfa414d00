"""Until when the silence of a producer is normal, by the clock of who receives its entries.

A producer names its lease as a moment of its own clock, and clocks differ. What it says is how
long from the entry on; that counts from when the entry was received (``event.ingested``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from activity_center.processes import reading

DEFAULT_LEASE: Final = timedelta(hours=1)
"""Silence that is normal of a producer that names no lease, after each thing that it says."""
LONGEST: Final = timedelta(days=30) // reading.MICROSECOND
"""How long a lease may be to count from the receipt. One that is longer, or over before its own
entry, is no span that can be moved: the moment counts as it was said."""


def received(activity: Mapping[str, Any]) -> int | None:
    """Return when an entry was received, microseconds since 1970; ``None``: it does not say."""
    return reading.moment(reading.part(activity, "event"), "ingested")


def lease_of(activity: Mapping[str, Any]) -> int | None:
    """Return until when its producer may be silent after an entry, microseconds since 1970."""
    lease = reading.moment(reading.part(activity, "activity", "process"), "lease")
    at, came = reading.moment(activity, "@timestamp"), received(activity)
    if lease is None or at is None or came is None or not 0 <= lease - at <= LONGEST:
        return lease
    return came + lease - at
