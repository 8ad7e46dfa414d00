"""The plan: functions over a policy, facts and a date."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from activity_center.policies import policies
from collector.retention import Archive, Backing, deletion, forecast, next_step
from collector.retention.facts import split_name

DAY = timedelta(days=1)
BORN = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = policies()["standard-90d"]
HOT = Backing(
    name=".ds-activity-audit-standard-90d-000001",
    stream="activity-audit-standard-90d",
    retention_class="standard-90d",
    organization=None,
    uuid="u",
    created=BORN,
    rolled=None,
    documents=1000,
    size=1 << 20,
    segments=5,
    max_seq_no=1000,
    read_only=False,
    replicas=1,
    complete=True,
)
ROLLED = replace(HOT, rolled=BORN + 10 * DAY)
WARM = replace(ROLLED, read_only=True, segments=1)
COPY = Archive(HOT.name, "u", "r", "s", max_seq_no=1000, documents=1000, proven="2026-03-12")
ARCHIVED = replace(WARM, replicas=0)


def at(day: float) -> datetime:
    """So many days after the index was made."""
    return BORN + day * DAY


@pytest.mark.parametrize(
    ("backing", "archive", "day", "tier", "action", "due"),
    [
        (HOT, None, 3, "hot", "rollover", 10),
        (HOT, None, 12, "hot", "rollover", 10),
        (replace(HOT, size=30 << 30), None, 3, "hot", "rollover", 3),
        (replace(HOT, documents=50_000_000), None, 3, "hot", "rollover", 3),
        (replace(HOT, documents=0), None, 400, "hot", "rollover", None),
        (ROLLED, None, 10.5, "hot", "read_only", 11),
        (ROLLED, None, 12, "warm", "read_only", 12),
        (replace(ROLLED, read_only=True), None, 12, "warm", "force_merge", 12),
        (replace(WARM, replicas=2), None, 12, "warm", "replica_count", 12),
        (WARM, None, 12, "warm", "snapshot", 70),
        (WARM, None, 71, "archive", "snapshot", 71),
        (WARM, COPY, 71, "archive", "replica_count", 71),
        (ARCHIVED, COPY, 71, "archive", "delete", 100),
        (ARCHIVED, COPY, 100, "delete", "delete", 100),
        # Without a proven copy it is never further than the archive, whatever its age.
        (ARCHIVED, None, 4000, "archive", "snapshot", 4000),
        (ARCHIVED, replace(COPY, documents=None), 4000, "archive", "snapshot", 4000),
        (ARCHIVED, replace(COPY, uuid="other"), 4000, "archive", "snapshot", 4000),
        (replace(ARCHIVED, max_seq_no=1001), COPY, 4000, "archive", "snapshot", 4000),
        # Not closed after all: closed first, though it is past everything.
        (replace(ARCHIVED, read_only=False), COPY, 4000, "warm", "read_only", 4000),
    ],
)
def test_what_comes_next(
    backing: Backing, archive: Archive | None, day: float, tier: str, action: str, due: float | None
) -> None:
    """The state follows from facts and date alone, and so does the next step."""
    step = next_step(POLICY, backing, archive, at(day))
    assert step.action is not None
    assert (step.tier, step.action.kind) == (tier, action)
    assert step.due == (None if due is None else at(due))


def test_the_write_index_is_never_deleted() -> None:
    """However old it is: it rolls over first, and the days count from then."""
    for name, policy in policies().items():
        old = replace(HOT, retention_class=name, created=BORN - 5000 * DAY)
        step, done = forecast(policy, old, None, BORN, BORN + 0.5 * DAY)
        assert [action.kind for _, _, action in done] == ["rollover"]
        assert step.tier == "hot"


def test_forecast_of_a_life() -> None:
    """Each step once, on its day; gone in the end, and not a day before."""
    step, done = forecast(POLICY, HOT, None, BORN, at(1000))
    assert [((when - BORN) / DAY, action.kind) for when, _, action in done] == [
        (10, "rollover"),
        (11, "read_only"),
        (11, "force_merge"),
        (70, "snapshot"),
        (70, "replica_count"),
        (100, "delete"),
    ]
    assert step.tier == "gone"
    assert forecast(POLICY, HOT, None, BORN, at(99.9))[0].tier == "archive"
    assert forecast(POLICY, HOT, None, BORN, at(100))[0].tier == "gone"
    assert deletion(POLICY, HOT) == deletion(POLICY, ROLLED) == at(100)


def test_permanent_is_for_good() -> None:
    """Nothing ever follows the warm tier."""
    step, done = forecast(policies()["permanent"], HOT, None, BORN, at(100_000))
    assert step.tier == "warm"
    assert step.action is None
    assert "delete" not in {action.kind for _, _, action in done}
    assert deletion(policies()["permanent"], ROLLED) is None


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("activity-audit-permanent", ("permanent", None)),
        ("activity-agent-standard-30d-northwind", ("standard-30d", "northwind")),
        ("activity-process-billing-7y", ("billing-7y", None)),
        ("activity-audit-permanently", (None, None)),
        ("activity-audit-gone", (None, None)),
        ("activity-rejected", (None, None)),
    ],
)
def test_class_and_organization_of_a_stream(
    stream: str, expected: tuple[str | None, str | None]
) -> None:
    """The name says both; another name has no class."""
    assert split_name(stream) == expected
