"""Raw files of the rejected store, made durable many at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from collector.spool.files import sync_folder


def make_durable(paths: Iterable[Path]) -> None:
    """Sync files that were written, then each of their folders once.

    Written first and synced afterwards, they share the file system's journal commits.

    Raises:
        OSError: the disk failed; none of them may be relied on.
    """
    folders = set()
    for path in paths:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        folders.add(path.parent)
    for folder in folders:
        sync_folder(folder)
