"""Places in the step bus, and the offset that a client holds of them.

A place is how far one stream of one collector was read. An offset has those of all streams. It
is sealed: positions would tell how much others write. It is bound to rights and filter, and not
to a sidecar: any of them, also one that was started anew, can go on from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sidecar_api.cursors import Sealer
from sidecar_api.failures import BadRequest

NOWHERE: Final = 0
"""Position before the first of a stream."""
NO_PLACE: Final[Mapping[str, int]] = {"": NOWHERE}
"""Places that nobody can go on from: there is no such line."""


def line_of(stream: str, epoch: str) -> str:
    """Return the short name of one stream's positions: they begin anew with its epoch."""
    return hashlib.blake2b(f"{stream}\0{epoch}".encode(), digest_size=6).hexdigest()


class Places:
    """How far each stream was read.

    Attributes:
        of: name of :func:`line_of` -> position.
        epoch: changes when any stream's positions begin anew.
    """

    def __init__(self) -> None:
        self.of: dict[str, int] = {}
        self._lines: dict[str, tuple[str, str]] = {}  # stream -> epoch, line
        self.epoch = _digest(self._lines)

    def line(self, stream: str, epoch: str) -> str:
        """Return the line of a stream; a new epoch takes the former one's place."""
        known = self._lines.get(stream)
        if known is not None and known[0] == epoch:
            return known[1]
        if known is not None:
            self.of.pop(known[1], None)
        line = line_of(stream, epoch)
        self._lines[stream] = (epoch, line)
        self.epoch = _digest(self._lines)
        return line

    def after(self) -> dict[str, tuple[str, int]]:
        """Return the places as the bus takes them."""
        return {
            stream: (epoch, self.of[line])
            for stream, (epoch, line) in self._lines.items()
            if line in self.of
        }


class Offsets:
    """Seals and opens offsets.

    Args:
        secret: of the sidecar, the same in every worker.
    """

    def __init__(self, secret: bytes) -> None:
        self._sealer = Sealer(secret, "processes", "offset")

    def seal(self, places: Mapping[str, int], binding: bytes) -> str:
        """Return the offset of ``places`` for those who see what ``binding`` says."""
        return self._sealer.seal(places, binding)

    def open(self, offset: str, binding: bytes) -> dict[str, int] | None:
        """Return the places of an offset; ``None``: it is none, or one of other rights."""
        try:
            found: Any = self._sealer.open(offset, binding)
        except BadRequest:
            return None
        return found if isinstance(found, dict) else None


def _digest(lines: Mapping[str, tuple[str, str]]) -> str:
    text = ",".join(sorted(line for _, line in lines.values()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
