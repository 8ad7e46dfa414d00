"""Gzip within bounds.

A gzip stream reaches 1032 bytes out for one in, so output is asked for in pieces and
counted. Members that follow each other are one stream (RFC 1952, section 2.2): Fluentd
compresses each write into a chunk on its own.
"""

from __future__ import annotations

import io
import zlib
from typing import Final

from isal import igzip, isal_zlib

from collector.decode.result import Limits, Unreadable

_PIECE: Final = 1024**2


def inflate(data: bytes, limits: Limits) -> bytes:
    """Return the decompressed bytes of one or more gzip members.

    Raises:
        Unreadable: ``undecodable`` for what is not gzip, is cut short or fails its checksum;
            ``too_large`` beyond ``limits.inflated_bytes`` or ``limits.ratio``.
    """
    pieces: list[bytes] = []
    size = 0
    most = max(limits.ratio_floor, limits.ratio * len(data))
    try:
        with igzip.open(io.BytesIO(data), "rb") as stream:  # type: ignore[no-untyped-call]
            while piece := stream.read(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > limits.inflated_bytes:
                    raise Unreadable(
                        "too_large",
                        f"gzip of {len(data)} bytes holds more than {limits.inflated_bytes}",
                        hint="send smaller chunks",
                    )
                if size > most:
                    raise Unreadable(
                        "too_large",
                        f"gzip of {len(data)} bytes unpacks to more than {limits.ratio} times that",
                        hint="send it uncompressed if it is genuine",
                    )
    except (OSError, EOFError, zlib.error, isal_zlib.error) as wrong:  # type: ignore[misc]
        raise Unreadable("undecodable", f"not whole gzip: {wrong}") from wrong
    return b"".join(pieces)
