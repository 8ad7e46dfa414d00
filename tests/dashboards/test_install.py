"""``activity-center install`` brings the dashboards along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from activity_center.dashboards import objects
from tests.dashboards.fake import FakeDashboards

if TYPE_CHECKING:
    from tests.conftest import OwnNode


@pytest.fixture
def fake() -> Iterator[FakeDashboards]:
    """An empty server of the test's own."""
    server = FakeDashboards()
    yield server
    server.close()


def install(url: str, *arguments: str, dashboards: str) -> subprocess.CompletedProcess[str]:
    """Run ``activity-center install``."""
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "install", *arguments],
        env={**os.environ, "OPENSEARCH_URL": url, "OPENSEARCH_DASHBOARDS_URL": dashboards},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_install_imports(
    own_node: Callable[..., OwnNode], fake: FakeDashboards, tmp_path: Path
) -> None:
    """With an address it imports, also when the cluster has all; a dry run imports nothing.

    The page's address is the configuration's; without an address of Dashboards the steps by
    hand are told, and an unreachable one is a failure after the cluster was set up.
    """
    url = own_node().url
    assert install(url, "--dry-run", dashboards=fake.url).returncode == 2
    assert not fake.objects
    first = install(url, "--yes", "--json", dashboards=fake.url)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["applied"] is True
    assert f"{len(objects())} objects created, 0 replaced" in first.stderr
    config = tmp_path / "activity-center.yml"
    config.write_text("sidecar: {public_url: 'https://audit.example'}\n")
    again = install(url, "--config", str(config), dashboards=fake.url)
    assert again.returncode == 0, again.stderr
    assert f"0 objects created, {len(objects())} replaced" in again.stderr
    assert "https://audit.example/audit" in json.dumps([*fake.objects.values()])
    without = install(url, dashboards="")
    assert without.returncode == 0
    assert "activity-center dashboards export" in without.stderr
    nowhere = install(url, dashboards="http://127.0.0.1:9")
    assert nowhere.returncode == 1
    assert "OPENSEARCH_DASHBOARDS_URL" in nowhere.stderr
