"""What the tests of live processes under faults share: a node that is set up."""

from __future__ import annotations

from typing import Any

import pytest

from activity_center.setup import desired_state, install


@pytest.fixture(scope="session")
def node(opensearch: Any) -> Any:
    """The run's node, set up."""
    install(opensearch.client, desired_state())
    return opensearch
