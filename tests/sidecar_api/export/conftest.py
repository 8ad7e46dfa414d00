"""A sidecar in this process over a log of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from activity_center.config_sidecar import RateLimit, Recording, SidecarConfig
from sidecar_api.app import create_app
from tests.sidecar_api.export.people import config_of
from tests.sidecar_api.search.log import Log

if TYPE_CHECKING:
    from flask import Flask
    from opensearchpy import OpenSearch

    from tests.conftest import Node

MakeApp = Callable[..., "Flask"]


@pytest.fixture
def make_app(opensearch: Node, log: Log, tmp_path: Path) -> MakeApp:
    """Make a sidecar whose people are of the log's organization."""

    def make(
        *,
        recording: Recording | None = None,
        roles: dict[str, str] | None = None,
        client: OpenSearch | None = None,
    ) -> Flask:
        sidecar = SidecarConfig(
            data_dir=str(tmp_path / "sidecar"),
            recording=recording or Recording(),
            rate_limit=RateLimit(requests=100_000),
        )
        config = config_of(opensearch.cluster, log.organization, sidecar, roles)
        return create_app(config, client=client)

    return make


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """A sidecar that records nowhere."""
    return make_app()
