"""Times of producers become UTC; the claimed offset is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.normalize.timestamps import Moment, from_nanoseconds, parse

INSTANT = 1_700_000_000_123


@pytest.mark.parametrize(
    ("value", "text", "offset"),
    [
        ("2023-11-14T22:13:20.123Z", "2023-11-14T22:13:20.123000Z", ""),
        ("2023-11-15T00:13:20.123+02:00", "2023-11-14T22:13:20.123000Z", "+02:00"),
        ("2023-11-14T16:43:20.123-05:30", "2023-11-14T22:13:20.123000Z", "-05:30"),
        ("2023-11-14 22:13:20.123", "2023-11-14T22:13:20.123000Z", ""),
        ("2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456Z", ""),
        (1_700_000_000.123, "2023-11-14T22:13:20.123000Z", ""),
        (1_700_000_000_123, "2023-11-14T22:13:20.123000Z", ""),
        (1_700_000_000_123_000, "2023-11-14T22:13:20.123000Z", ""),
        (1_700_000_000_123_000_000, "2023-11-14T22:13:20.123000Z", ""),
        ("1700000000123", "2023-11-14T22:13:20.123000Z", ""),
        ("1700000000.123", "2023-11-14T22:13:20.123000Z", ""),
    ],
)
def test_known_forms(value: object, text: str, offset: str) -> None:
    """ISO 8601 and Unix time in s, ms, µs and ns name the same instant."""
    assert parse(value) == Moment(INSTANT, text, offset)


@pytest.mark.parametrize(
    "value",
    ["yesterday", "", "20231114", "١٧٠٠٠٠٠٠٠٠", "9" * 65, float("nan"), float("inf"), 10**30, True,
     None, [], {}, "0001-01-01T00:00:00+23:59", "-1e400"],
)  # fmt: skip
def test_what_names_no_time(value: object) -> None:
    """Anything else is no time, and never raises."""
    assert parse(value) is None


@given(
    st.datetimes(datetime(1971, 1, 2), datetime(9998, 1, 1)),
    st.integers(-1439, 1439),
)
def test_offsets_name_the_same_instant(naive: datetime, minutes: int) -> None:
    """Any offset gives the instant that UTC gives, to the microsecond."""
    moment = naive.replace(tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    here, there = parse(moment.isoformat()), parse(elsewhere.isoformat())
    assert here is not None
    assert there is not None
    assert (here.ms, here.text) == (there.ms, there.text)
    assert datetime.fromisoformat(here.text) == moment


@given(st.integers(-(2**62), 2**62))
def test_transport_time(unix: int) -> None:
    """Nanoseconds of the transport become milliseconds, rounded down."""
    assert from_nanoseconds(unix).ms == unix // 1_000_000
