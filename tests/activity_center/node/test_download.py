"""The download: what is kept is what was pinned, whatever happens on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from activity_center.errors import NodeError
from activity_center.node.artifacts import Artifact
from activity_center.node.download import fetch
from activity_center.node.folders import cache_folder
from activity_center.node.process import wait_until
from activity_center.node.progress import Silent

CONTENT = os.urandom(200_000)


class Mirror(Protocol):
    """The fixture of this folder's conftest."""

    files: dict[str, bytes]
    requests: list[str]
    cut: int

    @property
    def release(self) -> threading.Event: ...

    offer: Callable[..., Artifact]


class Count:
    """Listens to the progress."""

    def __init__(self) -> None:
        self.totals: list[int | None] = []
        self.done = 0

    def step(self, text: str, total: int | None = None) -> None:
        self.totals.append(total)

    def advance(self, amount: int) -> None:
        self.done += amount


def test_a_download_is_verified_and_kept(mirror: Mirror) -> None:
    """A second fetch takes the file from the cache and asks nobody."""
    artifact = mirror.offer("part", CONTENT)
    count = Count()
    assert fetch([artifact], count)[artifact].read_bytes() == CONTENT
    assert fetch([artifact], Silent())[artifact].read_bytes() == CONTENT
    assert len(mirror.requests) == 1
    assert (count.totals, count.done) == ([len(CONTENT)], len(CONTENT))


@pytest.mark.parametrize("damage", [CONTENT[:1000], CONTENT[:-1] + b"x", b""])
def test_a_damaged_cache_file_is_fetched_again(mirror: Mirror, damage: bytes) -> None:
    """A file of the cache is used only while its SHA-256 is right."""
    artifact = mirror.offer("part", CONTENT[:-1] + b"y")
    path = fetch([artifact], Silent())[artifact]
    path.write_bytes(damage)
    assert fetch([artifact], Silent())[artifact].read_bytes() == CONTENT[:-1] + b"y"
    assert len(mirror.requests) == 2


def test_wrong_content_is_refused(mirror: Mirror) -> None:
    """What the repository serves in place of the pinned file is never kept."""
    artifact = mirror.offer("part", CONTENT, served=CONTENT[:-1] + b"\0")
    with pytest.raises(NodeError, match="not the pinned") as refused:
        fetch([artifact], count := Count())
    assert "ACTIVITY_CENTER_MAVEN_URL" in str(refused.value)
    assert not list((cache_folder() / "artifacts").iterdir())
    assert not (cache_folder() / "downloads").exists()
    assert count.done == 0


def test_a_file_that_is_not_there_is_named(mirror: Mirror) -> None:
    """The message names the artifact."""
    artifact = mirror.offer("part", CONTENT)
    mirror.files.clear()
    with pytest.raises(NodeError, match=r"org\.example:part:1\.0"):
        fetch([artifact], Silent())


def test_a_cut_connection_is_tried_again(mirror: Mirror) -> None:
    """A connection that ends half way costs an attempt, not the download."""
    artifact = mirror.offer("part", CONTENT)
    mirror.cut = 1
    count = Count()
    assert fetch([artifact], count)[artifact].read_bytes() == CONTENT
    assert count.done == len(CONTENT)


def test_the_local_maven_repository_is_used_when_it_is_right(mirror: Mirror) -> None:
    """A file that Maven fetched before is taken if its SHA-256 is right, and copied."""
    good = mirror.offer("good", CONTENT)
    bad = mirror.offer("bad", CONTENT + b"!")
    for artifact in (good, bad):
        local = Path(os.environ["M2_REPO"], "org/example", artifact.name, "1.0")
        local.mkdir(parents=True)
        (local / artifact.filename).write_bytes(CONTENT)
    files = fetch([good, bad], Silent())
    assert files[good].read_bytes() == CONTENT
    assert files[bad].read_bytes() == CONTENT + b"!"
    assert [path.rpartition("/")[2] for path in mirror.requests] == ["bad-1.0.jar"]
    assert Path(os.environ["M2_REPO"], "org/example/good/1.0/good-1.0.jar").exists()


def _fetcher(artifact: Artifact) -> subprocess.Popen[bytes]:
    program = (
        "from activity_center.node.artifacts import Artifact\n"
        "from activity_center.node.download import fetch\n"
        "from activity_center.node.progress import Silent\n"
        f"fetch([Artifact({artifact.coordinates!r}, {artifact.bytes}, {artifact.sha256!r})],"
        " Silent())\n"
    )
    return subprocess.Popen([sys.executable, "-c", program])


def test_a_killed_download_resumes(mirror: Mirror) -> None:
    """A process killed half way through a file leaves nothing that looks whole."""
    first, second = mirror.offer("first", CONTENT), mirror.offer("second", CONTENT * 2)
    fetch([first], Silent())
    mirror.release.clear()
    downloader = _fetcher(second)
    incoming = cache_folder() / "downloads" / "org/example/second/1.0/second-1.0.jar"
    assert wait_until(lambda: incoming.exists() and incoming.stat().st_size > 0, 30)
    downloader.kill()
    downloader.wait()
    mirror.release.set()
    assert incoming.stat().st_size < second.bytes
    files = fetch([first, second], Silent())
    assert files[second].read_bytes() == CONTENT * 2
    assert [path.rpartition("/")[2] for path in mirror.requests] == [
        "first-1.0.jar",
        "second-1.0.jar",
        "second-1.0.jar",
    ]


def test_two_processes_download_once(mirror: Mirror) -> None:
    """Processes that need the same file at once wait for each other."""
    artifact = mirror.offer("part", CONTENT)
    mirror.release.clear()
    downloaders = [_fetcher(artifact) for _ in range(3)]
    assert wait_until(lambda: bool(mirror.requests), 30)
    mirror.release.set()
    assert [downloader.wait(60) for downloader in downloaders] == [0, 0, 0]
    assert len(mirror.requests) == 1
