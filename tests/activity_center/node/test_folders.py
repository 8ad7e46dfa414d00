"""Where the node's files are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from activity_center.errors import NodeError
from activity_center.node.folders import cache_folder, node_folder, state_folder


def test_variables_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ACTIVITY_CENTER_CACHE and ACTIVITY_CENTER_STATE name the folders themselves."""
    monkeypatch.setenv("ACTIVITY_CENTER_CACHE", str(tmp_path / "c"))
    monkeypatch.setenv("ACTIVITY_CENTER_STATE", str(tmp_path / "s"))
    assert cache_folder() == tmp_path / "c"
    assert node_folder("a").root == tmp_path / "s" / "nodes" / "a"


def test_root_keeps_out_of_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node's account cannot enter root's home; users follow XDG."""
    for variable in ("ACTIVITY_CENTER_CACHE", "ACTIVITY_CENTER_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    if os.geteuid() == 0:
        assert cache_folder() == Path("/var/cache/activity-center")
        assert state_folder() == Path("/var/lib/activity-center")
    else:
        assert cache_folder() == Path.home() / ".cache/activity-center"
        assert state_folder() == Path.home() / ".local/state/activity-center"


def test_xdg_moves_a_users_folders_and_not_roots(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """XDG_CACHE_HOME and XDG_STATE_HOME are a user's; root's may be of whoever used sudo."""
    for kind in ("CACHE", "STATE"):
        monkeypatch.delenv(f"ACTIVITY_CENTER_{kind}", raising=False)
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    found = (cache_folder(), state_folder())
    if os.geteuid() == 0:
        assert found == (Path("/var/cache/activity-center"), Path("/var/lib/activity-center"))
    else:
        assert found == tuple(tmp_path / one / "activity-center" for one in ("CACHE", "STATE"))


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a" * 64, "a b", ".a"])
def test_a_name_never_leaves_the_folder(name: str) -> None:
    """A node's name is one plain folder name; wipe can remove nothing else."""
    with pytest.raises(NodeError, match="cannot be the name of a node"):
        node_folder(name)
