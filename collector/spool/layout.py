"""Every path and every byte format of the spool: the only module that knows them.

::

    <data_dir>/worker-0/
        lock                               flock of the process that owns the folder
        cursor                             JSON line, then its CRC-32 in hexadecimal
        rechecks                           ids to be looked for again, one JSON line a group
        published                          how far the step bus is (collector/publish/place.py)
        segments/00000000000000000001.segment
        quarantine/<segment>-<offset>-<length>.bin
        parked/<stream>/{cursor,segments/}  what one stream refuses, in the same format

A segment (all integers little-endian)::

    header  magic 8 | version u32 | first position u64 | created ns u64 | crc u32
    record  magic 4 | payload length u32 | position u64 | payload crc u32 |
            time ms i64 | text length u16 | header crc u32 | payload
    payload text (UTF-8: stream LF id LF hash LF sender), then the document

A record's header carries a checksum of its own, so that a damaged length is
noticed and the reader can look for the next header. It cannot mistake a document
for one: documents are UTF-8, and 0xFF, with which the magic begins, never occurs in UTF-8.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from struct import error as struct_error
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from isal import isal_zlib

from activity_center.errors import SpoolFailed
from collector.records import Entry

Record = tuple[int, int, Entry]
"""(position, bytes on disk, entry). A plain tuple: one is made per event."""

VERSION: Final = 1
SEGMENT_MAGIC: Final = b"\xffACSPOOL"
RECORD_MAGIC: Final = b"\xff\xfeAC"
_SEGMENT: Final = Struct("<8sIQQ")
_RECORD: Final = Struct("<4sIQIqH")
_CRC: Final = Struct("<I")
SEGMENT_HEADER_BYTES: Final = _SEGMENT.size + _CRC.size
RECORD_HEADER_BYTES: Final = _RECORD.size + _CRC.size
_CHECKED: Final = _RECORD.size
_WHOLE: Final = Struct(_RECORD.format + "I")
_new: Final = tuple.__new__
"""Half the time of calling a NamedTuple's class; some are made per event."""
MAX_PAYLOAD: Final = 16 * 1024 * 1024
"""Bytes. An event is at most 1 MiB when it comes in; more is a damaged length."""

LOCK: Final = "lock"
CURSOR: Final = "cursor"
RECHECKS: Final = "rechecks"
SEGMENTS: Final = "segments"
QUARANTINE: Final = "quarantine"
PARKED: Final = "parked"
_WORKER: Final = "worker-"
_SUFFIX: Final = ".segment"


class RecordHeader(NamedTuple):
    """The checked header of a record; lengths in bytes, time in Unix ms."""

    length: int
    position: int
    crc: int
    time: int
    text: int


class Cursor(msgspec.Struct, frozen=True):
    """How far delivery has come.

    Attributes:
        position: everything below it is delivered, rejected or parked.
        taken: nothing from here on was ever sent.
        boot: the boot of the machine in which this was written: it is not synced, so
            after a loss of power ``taken`` may be older than the truth.
        generations: stream -> backing index that took writes when the oldest
            undelivered record was first sent, at the earliest.
    """

    position: int = 0
    taken: int = 0
    boot: str = ""
    generations: dict[str, str] = {}


def worker_folder(root: Path, index: int) -> Path:
    """Return the spool folder of worker ``index`` below ``root``."""
    return root / f"{_WORKER}{index}"


def worker_index(folder: Path) -> int | None:
    """Return the number in the name of a worker's folder; ``None`` for other names."""
    number = folder.name.removeprefix(_WORKER)
    return int(number) if folder.name.startswith(_WORKER) and number.isdecimal() else None


def segment_name(first: int) -> str:
    """Return the file name of the segment whose first position is ``first``."""
    return f"{first:020d}{_SUFFIX}"


def segment_first(path: Path) -> int | None:
    """Return the first position from a segment's file name; ``None`` for other files."""
    number = path.name.removesuffix(_SUFFIX)
    return int(number) if path.name.endswith(_SUFFIX) and number.isdecimal() else None


def quarantine_name(first: int, start: int, end: int) -> str:
    """Return the file name for damaged bytes ``[start, end)`` of segment ``first``."""
    return f"{first:020d}-{start}-{end - start}.bin"


def parked_folder(folder: Path, stream: str) -> Path:
    """Return the folder for what ``stream`` refuses."""
    return folder / PARKED / quote(stream, safe="")


def parked_stream(folder: Path) -> str:
    """Return the stream whose refused records are in ``folder``."""
    return unquote(folder.name)


def encode_segment_header(first: int, created: int) -> bytes:
    """Return the header of a segment; ``created`` is Unix time in ns."""
    head = _SEGMENT.pack(SEGMENT_MAGIC, VERSION, first, created)
    return head + _CRC.pack(zlib.crc32(head))


def decode_segment_header(data: bytes) -> tuple[int, int] | None:
    """Return (first position, created ns), or ``None`` when the header is damaged.

    Raises:
        SpoolFailed: the segment is of a version that this release does not read.
    """
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    magic, version, first, created = _SEGMENT.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _SEGMENT.size)
    if magic != SEGMENT_MAGIC or crc != zlib.crc32(data[: _SEGMENT.size]):
        return None
    if version != VERSION:
        raise SpoolFailed(
            f"the segment is of version {version}; this release reads version {VERSION}",
            hint="start the release that wrote it and let it drain",
        )
    return first, created


def encode_records(position: int, entries: Sequence[Entry]) -> tuple[bytes, list[Record]]:
    """Encode ``entries`` as records with consecutive positions from ``position`` on.

    Returns:
        The bytes to append, and the same as :data:`Record` tuples.

    Raises:
        SpoolFailed: an entry is beyond what the format holds (16 MiB; 65,535 bytes of names).
    """
    pack, header_crc, payload_crc, crc_pack = _RECORD.pack, zlib.crc32, isal_zlib.crc32, _CRC.pack
    parts: list[bytes] = []
    records: list[Record] = []
    keep = records.append
    try:
        for entry in entries:
            stream, id_, time, hash_, body, sender = entry
            text = f"{stream}\n{id_}\n{hash_}\n{sender}".encode()
            names = len(text)
            length = names + len(body)
            head = pack(
                RECORD_MAGIC, length, position, payload_crc(body, header_crc(text)), time, names
            )
            parts += (head, crc_pack(header_crc(head)), text, body)
            keep((position, length + RECORD_HEADER_BYTES, entry))
            position += 1
    except (struct_error, UnicodeError) as wrong:
        raise SpoolFailed(f"entry {id_[:80]!r} does not fit the spool's format: {wrong}") from wrong
    blob = b"".join(parts)
    if len(blob) > MAX_PAYLOAD:
        for _, size, entry in records:
            if size - RECORD_HEADER_BYTES > MAX_PAYLOAD:
                raise SpoolFailed(f"entry {entry.id[:80]!r} has {size} bytes, over {MAX_PAYLOAD}")
    return blob, records


def decode_record_header(data: bytes, offset: int) -> RecordHeader | None:
    """Return the header at ``offset``, or ``None`` when there is none or it is damaged."""
    if len(data) - offset < RECORD_HEADER_BYTES or not data.startswith(RECORD_MAGIC, offset):
        return None
    _, length, position, crc, time, text, header_crc = _WHOLE.unpack_from(data, offset)
    if header_crc != zlib.crc32(data[offset : offset + _CHECKED]):
        return None
    if length > MAX_PAYLOAD or text > length:
        return None
    return _new(RecordHeader, (length, position, crc, time, text))


def decode_entry(header: RecordHeader, payload: bytes) -> Entry | None:
    """Return the entry, or ``None`` when the payload does not fit its checksum."""
    _, _, crc, time, text = header
    if isal_zlib.crc32(payload) != crc:
        return None
    try:
        stream, id_, hash_, sender = payload[:text].decode().split("\n", 3)
    except ValueError:
        return None
    return _new(Entry, (stream, id_, time, hash_, payload[text:], sender))


def encode_cursor(cursor: Cursor) -> bytes:
    """Return the content of the cursor file."""
    line = msgspec.json.encode(cursor)
    return b"%b\n%08x\n" % (line, zlib.crc32(line))


def decode_cursor(data: bytes) -> Cursor:
    """Return the cursor; a damaged one is the beginning (delivery repeats, and loses nothing).

    What follows the checksum is left from a longer one.
    """
    line, _, rest = data.partition(b"\n")
    if not rest.startswith(b"%08x\n" % zlib.crc32(line)):
        return Cursor()
    try:
        return msgspec.json.decode(line, type=Cursor)
    except msgspec.DecodeError:
        return Cursor()
