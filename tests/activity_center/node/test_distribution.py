"""The assembled OpenSearch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from activity_center.node.account import node_account
from activity_center.node.distribution import distribution
from activity_center.node.folders import cache_folder
from activity_center.node.progress import Silent


@pytest.fixture
def own_cache(opensearch: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache with the real downloads, and nothing assembled."""
    downloads = cache_folder() / "artifacts"
    cache = Path(os.environ["ACTIVITY_CENTER_STATE"]) / f"cache-{tmp_path.name}"
    cache.mkdir(mode=0o755)
    (cache / "artifacts").symlink_to(downloads)
    monkeypatch.setenv("ACTIVITY_CENTER_CACHE", str(cache))
    return cache


def test_it_is_whole_readable_and_ours(own_cache: Path) -> None:
    """Whatever the umask: modules are complete, scripts executable, nobody else may write."""
    before = os.umask(0o077)
    try:
        account = node_account()
        folder = distribution(account, Silent(), secure=False)
    finally:
        os.umask(before)
    assert {path.name for path in (folder / "modules").iterdir()} == {
        "lang-painless",
        "reindex",
        "transport-netty4",
    }
    descriptor = (folder / "modules/reindex/plugin-descriptor.properties").read_text()
    assert "classname=org.opensearch.index.reindex.ReindexModulePlugin\n" in descriptor
    assert account.can("-x", folder / "bin/opensearch")
    assert account.can("-r", folder / "modules/lang-painless/asm-9.7.jar")
    if account.uid is not None:
        assert not account.can("-w", folder / "lib")
    shutil.rmtree(own_cache)


def test_an_interrupted_assembly_is_made_anew(own_cache: Path) -> None:
    """Killed processes leave a partial folder, which is never taken for a whole one."""
    program = (
        "from activity_center.node.account import node_account\n"
        "from activity_center.node.distribution import distribution\n"
        "from activity_center.node.progress import Silent\n"
        "print(distribution(node_account(), Silent(), secure=False))\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
    distributions = own_cache / "distributions"
    while not list(distributions.glob(".*.partial/*/lib")):
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    assert not list(distributions.glob("opensearch-*"))
    runs = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = {run.communicate(timeout=120)[0].strip() for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    (folder,) = folders
    assert (Path(folder) / "lib").is_dir()
    assert not list(distributions.glob(".*.partial"))
    shutil.rmtree(own_cache)
