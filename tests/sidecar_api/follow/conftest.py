"""A log to follow, and who may see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sidecar_api.access import Scope
from sidecar_api.follow import hub
from tests.sidecar_api.follow.following import owner
from tests.sidecar_api.search.log import Log

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture
def scope(opensearch: Node, log: Log, tmp_path: Path) -> Scope:
    """What the organization's owner may see."""
    return owner(opensearch.cluster, log, tmp_path)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watches look more often whether it is time for a beat."""
    monkeypatch.setattr(hub, "_STEP", 0.1)
