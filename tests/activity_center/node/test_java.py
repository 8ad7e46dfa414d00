"""The Java that runs the node."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from activity_center.errors import NodeError
from activity_center.node.account import node_account
from activity_center.node.java import heap_bytes, java_home


@pytest.mark.parametrize(("heap", "size"), [("128m", 134217728), ("2g", 2147483648)])
def test_heap_sizes(heap: str, size: int) -> None:
    """Sizes are written as Java writes them."""
    assert heap_bytes(heap) == size


@pytest.mark.parametrize("heap", ["", "0m", "64m", "1", "1k", "-1g", "1 g", "1g -XX:+X", "1G"])
def test_other_heap_sizes_are_refused(heap: str) -> None:
    """Nothing but a size gets onto Java's command line."""
    with pytest.raises(NodeError, match="size of the heap"):
        heap_bytes(heap)


def test_a_java_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OPENSEARCH_JAVA_HOME is honoured, and refused with a clear message when empty."""
    monkeypatch.setenv("OPENSEARCH_JAVA_HOME", str(tmp_path))
    with pytest.raises(NodeError, match="there is no bin/java"):
        java_home(node_account())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
def test_java_in_roots_home_is_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Java that the node's account cannot reach is copied to where it can."""
    account = node_account()
    private = tmp_path / "private"
    for folder in ("bin", "lib"):
        (private / "jdk" / folder).mkdir(parents=True)
    (private / "jdk/bin/java").write_text("#!/bin/sh\n")
    (private / "jdk/bin/java").chmod(0o700)
    (private / "jdk/lib/modules").write_text("")
    (private / "jdk/release").write_text('JAVA_VERSION="25"\n')
    private.chmod(0o700)
    assert not account.can("-r", private / "jdk/release")
    monkeypatch.setenv("OPENSEARCH_JAVA_HOME", str(private / "jdk"))

    monkeypatch.setenv("ACTIVITY_CENTER_CACHE", str(private / "cache"))
    with pytest.raises(NodeError, match="cannot run Java"):
        java_home(account)

    state = Path(os.environ["ACTIVITY_CENTER_STATE"])
    monkeypatch.setenv("ACTIVITY_CENTER_CACHE", str(state / f"cache-{tmp_path.name}"))
    home = java_home(account)
    assert home != private / "jdk"
    assert account.can("-x", home / "bin/java")
    assert account.can("-r", home / "lib/modules")
    assert java_home(account) == home
