"""Fetch artifacts from Maven repositories into our cache; only what matches is kept.

``ACTIVITY_CENTER_MAVEN_URL`` names a mirror to use instead of the public repository.
The user's local Maven repository (``M2_REPO``) is looked into first.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activity_center.errors import NodeError
from activity_center.node.artifacts import Artifact
from activity_center.node.folders import cache_folder, make_folder
from activity_center.node.lock import locked
from activity_center.node.progress import Progress

if TYPE_CHECKING:
    from jgo.maven import MavenContext

ATTEMPTS: Final = 3
_READ: Final = 1024 * 1024


def fetch(artifacts: Iterable[Artifact], progress: Progress) -> dict[Artifact, Path]:
    """Return a verified file for each artifact, downloading what is missing or damaged.

    Files arrive in ``downloads/`` and are renamed into ``artifacts/`` once their SHA-256
    is right, so a download that was cut leaves nothing that looks whole. Processes that
    fetch at the same time wait for each other.

    Raises:
        NodeError: an artifact cannot be had, or is not what was pinned.
    """
    wanted = tuple(artifacts)
    store = cache_folder() / "artifacts"
    try:
        with locked(cache_folder() / "downloads.lock"):
            make_folder(store)
            missing = [
                artifact
                for artifact in wanted
                if not is_intact(store / artifact.filename, artifact)
            ]
            total = sum(artifact.bytes for artifact in missing)
            if missing:
                progress.step(f"Downloading {len(missing)} files of OpenSearch", total)
            for artifact in missing:
                _fetch_one(artifact, store / artifact.filename, progress)
    except OSError as wrong:
        raise NodeError(
            f"cannot write downloads: {wrong.strerror}", where=str(wrong.filename or store)
        ) from wrong
    return {artifact: store / artifact.filename for artifact in wanted}


def is_intact(file: Path, artifact: Artifact) -> bool:
    """Whether ``file`` is there and has the pinned size and SHA-256."""
    try:
        if file.stat().st_size != artifact.bytes:
            return False
        digest = hashlib.sha256()
        with file.open("rb") as content:
            while block := content.read(_READ):
                digest.update(block)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == artifact.sha256


def _fetch_one(artifact: Artifact, target: Path, progress: Progress) -> None:
    from requests import RequestException

    # The resolver only logs a wrong checksum; we refuse it and say so ourselves.
    logging.getLogger("jgo").addHandler(logging.NullHandler())
    incoming = cache_folder() / "downloads"
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(2 ** (attempt - 1))
        # A partial file of an interrupted run would be taken for the whole one.
        shutil.rmtree(incoming, ignore_errors=True)
        counted = _Counted(progress)
        try:
            found = _resolve(artifact, incoming, counted, local=attempt == 0)
        except (RequestException, RuntimeError) as wrong:
            # RuntimeError: jgo's answer to anything but 200.
            problem = f"{type(wrong).__name__}: {wrong}"
            counted.settle(0)
            continue
        if not is_intact(found, artifact):
            counted.settle(0)
            problem = (
                f"got {found.stat().st_size} bytes that are not the pinned"
                f" {artifact.bytes} bytes with SHA-256 {artifact.sha256}"
            )
            continue
        if not found.is_relative_to(incoming):
            arrived = incoming / artifact.filename
            incoming.mkdir(exist_ok=True)
            found = Path(shutil.copyfile(found, arrived))
        found.chmod(0o644)
        found.replace(target)
        counted.settle(artifact.bytes)
        shutil.rmtree(incoming, ignore_errors=True)
        return
    shutil.rmtree(incoming, ignore_errors=True)
    raise NodeError(
        f"could not download {artifact.coordinates} in {ATTEMPTS} attempts: {problem}",
        hint="check the network and run it again: what is there already is kept;"
        " ACTIVITY_CENTER_MAVEN_URL names a mirror, OPENSEARCH_URL a cluster of your own",
    )


class _Counted:
    """Counts the bytes of one attempt, so that those of a failed one can be taken back."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    def advance(self, amount: int) -> None:
        self._done += amount
        self._progress.advance(amount)

    def settle(self, amount: int) -> None:
        """Make it ``amount`` bytes in the end."""
        self.advance(amount - self._done)


def _resolve(artifact: Artifact, incoming: Path, counted: _Counted, *, local: bool) -> Path:
    path: Path = (
        _context(incoming, counted, local=local)
        .project(artifact.group, artifact.name)
        .at_version(artifact.version)
        .artifact(packaging=artifact.packaging)
        .resolve()
    )
    return path


def _context(incoming: Path, counted: _Counted, *, local: bool) -> MavenContext:
    try:
        from jgo.constants import default_maven_repo
        from jgo.maven import MavenContext, PythonResolver
    except ModuleNotFoundError as missing:
        raise NodeError(
            f"the download needs the package {missing.name}",
            hint="pip install 'activity-center[demo]'",
        ) from missing

    @contextmanager
    def report(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield counted.advance

    mirror = os.environ.get("ACTIVITY_CENTER_MAVEN_URL")
    return MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=incoming,
        local_repos=[default_maven_repo()] if local else [],
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
        timeout=120,
    )
