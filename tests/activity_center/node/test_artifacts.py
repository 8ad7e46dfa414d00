"""The pinned artifacts."""

from __future__ import annotations

import re

from activity_center.node.artifacts import pinned


def test_every_artifact_is_pinned_by_size_and_sha256() -> None:
    """No file is used that the repository has no SHA-256 of."""
    for artifact in pinned().needed(secure=True):
        assert re.fullmatch(r"[0-9a-f]{64}", artifact.sha256), artifact
        assert artifact.bytes > 10_000, artifact
        assert re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.]+(:zip)?", artifact.coordinates)


def test_file_names_in_the_cache_are_unique() -> None:
    """Two artifacts never share a file of the cache."""
    names = [artifact.filename for artifact in pinned().needed(secure=True)]
    assert len(names) == len(set(names))


def test_security_is_downloaded_only_on_demand() -> None:
    """A node without security fetches nothing of the security plugin."""
    plain = set(pinned().needed(secure=False))
    more = set(pinned().needed(secure=True)) - plain
    assert {artifact.name for artifact in more} == {"opensearch-security", "commons-collections4"}
    assert all(artifact.packaging == "jar" for artifact in plain - {pinned().server})
