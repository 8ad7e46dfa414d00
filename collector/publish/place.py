"""The file that says how far the step bus is: beside the spool's cursor, and like it.

Written in place and not synced: kill -9 loses nothing of it. After a loss of power it may be
an old one; then the bus refuses what it has, and what the spool no longer has is a new epoch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import zlib
from pathlib import Path
from typing import Final

import msgspec
import structlog

from activity_center.errors import ConfigError
from collector.normalize.key_file import read_or_make

_log = structlog.get_logger(__name__)

FILE: Final = "published"
ID_FILE: Final = "bus.id"
"""In the data folder: random bytes of its own."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.-]")


class Progress(msgspec.Struct, frozen=True):
    """How far publishing has come.

    Attributes:
        stream: our name on the bus.
        epoch: empty: none was begun.
        position: of the last entry that the bus confirmed in it.
        place: everything below it is confirmed, or is not for the bus.
    """

    stream: str = ""
    epoch: str = ""
    position: int = 0
    place: int = 0


class PlaceFile:
    """The file in a worker's spool folder. One thread writes, others may read ``value``.

    Args:
        folder: of the worker's spool; it may not be there yet.

    Attributes:
        value: what was read, then what was last noted.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._handle = -1
        self.value = Progress()
        with contextlib.suppress(OSError):
            self.value = _decode(self._path.read_bytes())
        if not self.value.stream:
            self.value = Progress(stream=stream_name(folder))

    def followed(self) -> int:
        """Return from where on the spool's segments are needed."""
        return self.value.place

    def note(self, *, epoch: str, position: int, place: int) -> None:
        """Write it down. If that fails the file is removed: then a new epoch begins."""
        self.value = Progress(self.value.stream, epoch, position, place)
        line = msgspec.json.encode(self.value)
        data = b"%b\n%08x\n" % (line, zlib.crc32(line))
        try:
            if self._handle < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                self._handle = os.open(self._path, flags, 0o600)
            if os.pwrite(self._handle, data, 0) != len(data):
                raise OSError("not all of it was written")
        except OSError as wrong:
            _log.warning("place not saved", file=str(self._path), error=str(wrong))
            self.close()
            with contextlib.suppress(OSError):
                self._path.unlink()

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def stream_name(folder: Path) -> str:
    """Return the name on the bus of the worker whose spool is ``folder``.

    The host's name, what tells data folders apart, and the worker's number: several collectors
    can share a bus, and be at the same path of a host of the same name, each in a cluster or a
    namespace of its own. It is kept with the place, so it outlives a change of the host's name.
    """
    host = _UNSAFE.sub("-", socket.gethostname())[:64] or "host"
    return f"{host}-{_digits(folder.parent)}-{folder.name.rpartition('-')[2]}"


def _digits(data: Path) -> str:
    """Return six digits that are a data folder's own.

    They are of a random file that is made once in it. Where that cannot be, they are of its
    path: then another folder of the same path may have the same.
    """
    try:
        own = read_or_make(data / ID_FILE)
    except ConfigError:
        own = str(data.absolute()).encode()
    return hashlib.sha256(own).hexdigest()[:6]


def _decode(data: bytes) -> Progress:
    """A damaged file says nothing; what follows the checksum is left from a longer one."""
    line, _, rest = data.partition(b"\n")
    if not rest.startswith(b"%08x\n" % zlib.crc32(line)):
        return Progress()
    try:
        return msgspec.json.decode(line, type=Progress)
    except msgspec.DecodeError:
        return Progress()
