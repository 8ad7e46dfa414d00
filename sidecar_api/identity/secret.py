"""The sidecar's own key: 32 random bytes in a file that its user alone can read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from activity_center.errors import ConfigError

FILE: Final = "secret.key"
SIZE: Final = 32


def load(folder: Path) -> bytes:
    """Return the key of ``sidecar.data_dir``; it is made when missing.

    Of several processes that make it at the same time one wins, and all get that one's.

    Raises:
        ConfigError: it cannot be made or read, others could read it, or it is damaged.
    """
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(SIZE + 1)
    except OSError as wrong:
        raise ConfigError(
            f"the sidecar's key cannot be kept here: {wrong.strerror}",
            where=str(path),
            hint="sidecar.data_dir names a folder that this account may write to",
        ) from wrong
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            "others could read the sidecar's key",
            where=str(path),
            hint="remove it, and a new one is made: everybody has to sign in again",
        )
    if len(key) != SIZE:
        raise ConfigError(
            f"is no key of {SIZE} bytes", where=str(path), hint="remove it, and a new one is made"
        )
    return key


def _make(path: Path) -> None:
    """Write beside it, then link: the name appears with the whole key, and never twice."""
    beside = path.with_name(f".{FILE}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        beside.unlink()
