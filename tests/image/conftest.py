"""A node with the streams, where the image's processes deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture(scope="session")
def streams(opensearch: Node) -> Node:
    """The shared node with templates and streams."""
    put_templates(opensearch.client)
    return opensearch
