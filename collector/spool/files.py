"""Small file operations whose order matters for what survives a crash."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable: a synced file in it can else vanish by name."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents (mode 0700), each name durable."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def replace_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put ``data`` in the place of ``path`` (mode 0600), whole or not at all.

    Args:
        durable: also after a loss of power, before this returns.
    """
    draft = path.with_name(path.name + ".new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def boot_id() -> str:
    """Return what names this boot of the machine, or ``""`` where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def remove_folder(folder: Path) -> None:
    """Delete ``folder`` and what is in it; missing parts are no error."""
    shutil.rmtree(folder, ignore_errors=True)
