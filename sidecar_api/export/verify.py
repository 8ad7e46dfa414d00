"""Whether a file is an export, whole and unchanged."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from sidecar_api.export import manifest as manifests

LONGEST: Final = 64 * 1024 * 1024
"""Bytes of a line; an activity has at most one MiB as it comes in."""
_GZIP: Final = b"\x1f\x8b"
"""How what is compressed begins (RFC 1952, section 2.3.1)."""
_BEGINNINGS: Final = (b'"', b"{")
"""How a CSV and lines of JSON begin."""
_GO_ON: Final = "go on with the download (docs/export.md), or export it again"
_AGAIN: Final = "do not rely on it: compare it with the file as it was sent, or export it again"
_ANOTHER: Final = "name a file that was exported as CSV, NDJSON or OCSF; it may be a .gz"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a check.

    Attributes:
        whole: it is what was exported, to the last byte.
        reason: why not, in one sentence; empty if it is.
        hint: what to do then; empty if it is.
        manifest: what the file says of itself, if it does.
    """

    whole: bool
    reason: str
    manifest: dict[str, Any] | None
    hint: str = ""


def verify(file: IO[bytes]) -> Verdict:
    """Read a file to its end, in memory of one line.

    Args:
        file: opened for reading bytes; may be compressed by gzip.
    """
    held = io.BufferedReader(file)  # type: ignore[type-var]
    try:
        if held.peek(2)[:2] != _GZIP:
            return _verdict(held)
        with gzip.GzipFile(fileobj=held) as plain:
            return _verdict(plain)
    except EOFError:
        return Verdict(False, "the compressed file was cut off", None, _GO_ON)
    except (gzip.BadGzipFile, zlib.error):
        return Verdict(False, "the compressed file was altered, or is none", None, _AGAIN)
    finally:
        held.detach()


def _verdict(file: io.BufferedIOBase) -> Verdict:
    seen = hashlib.sha256()
    size = 0
    first = last = b""
    for line in _lines(file):
        first = first or line
        seen.update(last)
        size += len(last)
        last = line
    found = manifests.read(last)
    if found is None:
        if first and not first.startswith(_BEGINNINGS):
            return Verdict(False, "the file is no export", None, _ANOTHER)
        what = "it is empty" if not last else "its last line is no manifest"
        return Verdict(False, f"the file was cut off, or is no export: {what}", None, _GO_ON)
    if not _closed(found, last):
        return Verdict(False, "the manifest was altered or cut off", found, _AGAIN)
    if found.get("bytes") != size:
        wanted = found.get("bytes")
        return Verdict(
            False, f"{size} bytes stand before the manifest, not {wanted}", found, _AGAIN
        )
    if found.get("sha256") != seen.hexdigest():
        return Verdict(False, "the bytes before the manifest were altered", found, _AGAIN)
    return Verdict(True, "", found)


def _closed(manifest: dict[str, Any], last: bytes) -> bool:
    """Whether a manifest is one of ours, to the last byte of its line."""
    try:
        closed = manifest.get("check") == manifests.check(manifest)
        return closed and manifests.line(manifest) == last
    except TypeError:  # nested deeper than can be written
        return False


def _lines(file: io.BufferedIOBase) -> Iterator[bytes]:
    while line := file.readline(LONGEST):
        yield line
