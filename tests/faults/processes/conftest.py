"""A node of each test of live processes under faults.

What other tests store just then would look to a starting sidecar like entries that its bus still
owes, and it would send everybody everything anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from activity_center.setup import desired_state, install


@pytest.fixture
def node(own_node: Callable[..., Any]) -> Any:
    """A node that is set up."""
    made = own_node()
    install(made.client, desired_state())
    return made
