"""The bytes of an export: header, one line an entry, manifest; the same again for a resumption.

An export is told whole by what it is asked for: filters, format, what the reader may see, and
``as_of``. Asked again with the same, it has the same bytes; so a download that broke goes on by
writing all of it anew and sending what comes after the bytes that the client has. That costs
the server the whole export again and the network the rest alone, and needs nothing kept.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from activity_center.weights import BATCH_BYTES
from sidecar_api.export import csv, ndjson, ocsf
from sidecar_api.export.manifest import Tally
from sidecar_api.search import turns

PAGE: Final = 2500
"""Entries that are fetched at once, fewer of large ones; two pages are in memory."""
CHUNK: Final = 64 * 1024
"""Bytes that are sent at once, at least."""


@dataclass(frozen=True, slots=True)
class Format:
    """One form of export.

    Attributes:
        media: media type.
        suffix: of the file's name.
        header: what the file begins with.
        line: makes the line of an activity.
    """

    name: str
    media: str
    suffix: str
    header: bytes
    line: Callable[[Mapping[str, Any]], bytes]


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        one.name: one
        for one in (
            Format("csv", csv.MEDIA_TYPE, "csv", csv.HEADER, csv.line),
            Format("ndjson", ndjson.MEDIA_TYPE, "ndjson", b"", ndjson.line),
            Format("ocsf", ocsf.MEDIA_TYPE, "ocsf.ndjson", b"", ocsf.line),
        )
    }
)


def ahead(hits: Iterator[dict[str, Any]], first: int) -> Generator[dict[str, Any], None, None]:
    """Yield ``hits`` while a thread has the next page fetched and read already.

    Args:
        hits: page by page, :data:`PAGE` each.
        first: how many of the first page are left.
    """
    with ThreadPoolExecutor(
        1, "export", initializer=turns.reader.set, initargs=(turns.reader.get(),)
    ) as fetching:
        coming = fetching.submit(_some, hits, first)
        while page := coming.result():
            coming = fetching.submit(_some, hits, PAGE)
            yield from page


def _some(hits: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Take that many hits, or fewer where these weigh much; none at the end."""
    taken: list[dict[str, Any]] = []
    room = BATCH_BYTES
    for hit in islice(hits, count):
        taken.append(hit)
        room -= hit["_source"].get("activity", {}).get("size", 0)
        if room <= 0:
            break
    return taken


def written(
    form: Format, activities: Iterable[Mapping[str, Any]], tally: Tally, offset: int = 0
) -> Iterator[bytes]:
    """Yield the file from its byte ``offset`` on.

    Whatever ends ``activities`` early ends this without a manifest.

    Args:
        activities: as the API shows them, newest first.
        tally: counts and hashes the whole file, skipped bytes too.
    """
    skip = offset
    for chunk in _whole(form, activities, tally):
        if skip >= len(chunk):
            skip -= len(chunk)
            continue
        yield chunk[skip:] if skip else chunk
        skip = 0


def _whole(form: Format, activities: Iterable[Mapping[str, Any]], tally: Tally) -> Iterator[bytes]:
    parts: list[bytes] = [form.header]
    size = len(form.header)
    count = 0
    newest = oldest = None
    line = form.line
    for activity in activities:
        made = line(activity)
        parts.append(made)
        size += len(made)
        count += 1
        oldest = activity.get("@timestamp")
        newest = newest or oldest
        if size >= CHUNK:
            chunk = b"".join(parts)
            tally.add(chunk)
            tally.see(newest, oldest, count)
            parts, size, count = [], 0, 0
            yield chunk
            time.sleep(0)  # under gevent: other requests get their turn
    rest = b"".join(parts)
    tally.add(rest)
    tally.see(newest, oldest, count)
    yield rest + tally.close()


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``chunks`` as one gzip member (RFC 1952); its first bytes do not wait for more."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    first = True
    for chunk in chunks:
        packed = packer.compress(chunk)
        if first:
            packed += packer.flush(zlib.Z_SYNC_FLUSH)
            first = False
        if packed:
            yield packed
    yield packer.flush()
