"""The bytes of the spool."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.records import Entry
from collector.spool import layout
from collector.spool.layout import Cursor

TEXT = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)
ENTRIES = st.builds(
    Entry,
    TEXT,
    TEXT,
    st.integers(-(2**63), 2**63 - 1),
    TEXT,
    st.binary(max_size=300),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


@given(st.lists(ENTRIES, max_size=5), st.integers(1, 2**60))
def test_what_is_encoded_is_decoded(entries: list[Entry], position: int) -> None:
    """Every entry comes back as it was, with its position and size."""
    blob, records = layout.encode_records(position, entries)
    offset, found = 0, []
    while offset < len(blob):
        header = layout.decode_record_header(blob, offset)
        assert header is not None
        stop = offset + layout.RECORD_HEADER_BYTES + header.length
        entry = layout.decode_entry(header, blob[offset + layout.RECORD_HEADER_BYTES : stop])
        assert entry is not None
        found.append((header.position, stop - offset, entry))
        offset = stop
    assert found == records
    assert [record[2] for record in records] == entries


@given(st.integers(0, 2**63), st.dictionaries(TEXT, TEXT, max_size=3), st.data())
def test_a_damaged_cursor_is_the_beginning(
    position: int, generations: dict[str, str], data: st.DataObject
) -> None:
    """A cursor file is believed whole or not at all."""
    cursor = Cursor(position, position + 3, "boot", generations)
    content = layout.encode_cursor(cursor)
    assert layout.decode_cursor(content + b"left from before") == cursor
    at = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    assert layout.decode_cursor(bytes(flipped)) == Cursor()
    assert layout.decode_cursor(content[:at]) == Cursor()


def test_the_magic_cannot_occur_in_a_document() -> None:
    """No event can hold bytes that look like a record: 0xFF is not in UTF-8."""
    assert layout.RECORD_MAGIC[0] == 0xFF
    for code in range(0, 0x110000, 97):
        if not 0xD800 <= code <= 0xDFFF:
            assert b"\xff" not in chr(code).encode()
