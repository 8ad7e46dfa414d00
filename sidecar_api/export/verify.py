"""Whether a file is an export, whole and unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from sidecar_api.export import manifest as manifests

LONGEST: Final = 64 * 1024 * 1024
"""Bytes of a line; an activity has at most one MiB as it comes in."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a check.

    Attributes:
        whole: it is what was exported, to the last byte.
        reason: why not, in one sentence; empty if it is.
        manifest: what the file says of itself, if it does.
    """

    whole: bool
    reason: str
    manifest: dict[str, Any] | None


def verify(file: IO[bytes]) -> Verdict:
    """Read a file to its end, in memory of one line.

    Args:
        file: opened for reading bytes.
    """
    seen = hashlib.sha256()
    size = 0
    last = b""
    for line in _lines(file):
        seen.update(last)
        size += len(last)
        last = line
    found = manifests.read(last)
    if found is None:
        what = "it is empty" if not last else "its last line is no manifest"
        return Verdict(False, f"the file was cut off, or is no export: {what}", None)
    if not _closed(found, last):
        return Verdict(False, "the manifest was altered or cut off", found)
    if found.get("bytes") != size:
        wanted = found.get("bytes")
        return Verdict(False, f"{size} bytes stand before the manifest, not {wanted}", found)
    if found.get("sha256") != seen.hexdigest():
        return Verdict(False, "the bytes before the manifest were altered", found)
    return Verdict(True, "", found)


def _closed(manifest: dict[str, Any], last: bytes) -> bool:
    """Whether a manifest is one of ours, to the last byte of its line."""
    try:
        closed = manifest.get("check") == manifests.check(manifest)
        return closed and manifests.line(manifest) == last
    except TypeError:  # nested deeper than can be written
        return False


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST):
        yield line
