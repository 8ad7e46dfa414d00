"""The values of the metrics."""

from __future__ import annotations

from activity_center.streams import LENSES, REJECTED_STREAM, stream_name
from activity_center.vocabulary import retention_classes
from collector.figures import parked


def test_no_organization_is_a_label() -> None:
    """What is parked is told by lens and class; streams of organizations count with the shared
    one, also of one whose name looks like a part of a class."""
    shared = [stream_name(lens, name) for lens in LENSES for name in retention_classes()]
    own = [f"{stream}-{organization}" for stream in shared for organization in ("acme", "30d")]
    counts = dict.fromkeys([*shared, *own, REJECTED_STREAM], 2)
    assert parked(counts) == {(name,): 6.0 for name in shared} | {(REJECTED_STREAM,): 2.0}
