"""A lock between processes that the operating system releases when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from activity_center.node.folders import make_folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock (``flock(2)``) on ``path``; wait for whoever holds it.

    The file is created and stays: removing it would let two processes hold "the" lock.
    """
    make_folder(path.parent)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
