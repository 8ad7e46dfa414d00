"""Names of data streams."""

from __future__ import annotations

import pytest

from activity_center.streams import stream_name, stream_of


@pytest.mark.parametrize("organization", [None, "northwind"])
def test_the_stream_of_a_backing_index(organization: str | None) -> None:
    """``.ds-<stream>-<generation>`` is an index of that stream, also of an organization's own."""
    stream = stream_name("agent", "standard-30d", organization)
    assert stream_of(f".ds-{stream}-000012") == stream
