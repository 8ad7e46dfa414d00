"""Key files of the collector: made once, whole or not at all, and read by their owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from activity_center.errors import ConfigError

KEY_BYTES: Final = 32


def read_or_make(file: Path) -> bytes:
    """Return the key in ``file``, which is made (0600, in a folder 0700) when it is missing.

    Raises:
        ConfigError: the key cannot be read or made, or is too short.
    """
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(file)
        key = file.read_bytes()
    except OSError as wrong:
        raise ConfigError(
            f"cannot read or make the key: {wrong.strerror}", where=str(file)
        ) from wrong
    if len(key) < KEY_BYTES:
        raise ConfigError(f"the key has fewer than {KEY_BYTES} bytes", where=str(file))
    return key


def _create(file: Path) -> None:
    """Write a new key so that it exists whole or not at all, also with several workers."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, file)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
