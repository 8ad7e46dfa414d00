"""An export says itself whether it is whole."""

from __future__ import annotations

import csv as reader
import gzip
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidecar_api.export import manifest
from sidecar_api.export.columns import COLUMNS
from sidecar_api.export.manifest import Tally
from sidecar_api.export.verify import verify
from sidecar_api.export.write import FORMATS, gzipped, written
from sidecar_api.failures import Unavailable
from tests.sidecar_api.export.test_ocsf import full

AS_OF = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
FILTERS = [("action", 'a "quoted", one'), ("organization", "northwind")]


def entries(count: int) -> list[dict[str, Any]]:
    """So many activities, newest first."""
    made = []
    for number in range(count, 0, -1):
        one = full("server.update")
        one |= {"id": f"e{number}", "@timestamp": f"2026-11-24T13:00:{number:02}.000Z"}
        made.append(one)
    return made


def whole(form: str, count: int = 5) -> bytes:
    """A whole export."""
    return b"".join(written(FORMATS[form], entries(count), Tally(form, FILTERS, AS_OF)))


def is_whole(content: bytes) -> bool:
    """What ``verify`` says of a file."""
    return verify(io.BytesIO(content)).whole


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_whole_file(form: str, count: int) -> None:
    """The manifest has filter, count, times, size and hash, and verification agrees."""
    content = whole(form, count)
    verdict = verify(io.BytesIO(content))
    assert (verdict.whole, verdict.reason) == (True, "")
    said = verdict.manifest
    assert said is not None
    assert said["format"] == form
    assert said["filter"] == [list(one) for one in FILTERS]
    assert said["count"] == count
    assert said["first"] == ("2026-11-24T13:00:01.000Z" if count else None)
    assert said["last"] == (f"2026-11-24T13:00:0{count}.000Z" if count else None)
    assert said["as_of"] == "2026-11-24T14:00:00.000Z"
    assert said["complete"] is True


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_times_are_those_of_the_whole_file(form: str) -> None:
    """First and last are of all entries, also where they are written in many pieces."""
    content = whole(form, 59)
    assert len(content) > 2 * 64 * 1024
    said = verify(io.BytesIO(content)).manifest
    assert said is not None
    assert said["count"] == 59
    assert (said["first"], said["last"]) == (
        "2026-11-24T13:00:01.000Z",
        "2026-11-24T13:00:59.000Z",
    )


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_cut_is_seen_at_every_line(form: str) -> None:
    """A file cut at any line's end, or a byte beside it, is not whole."""
    content = whole(form)
    ends = [place + 1 for place, byte in enumerate(content) if byte == 0x0A]
    cuts = {end + aside for end in ends for aside in (-2, -1, 0, 1)} | {0}
    for cut in cuts - {len(content), len(content) + 1}:
        assert not is_whole(content[:cut]), cut


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_changed_byte_is_seen(form: str) -> None:
    """Any byte of a file, the manifest's too, that is another one is found."""
    content = whole(form, 2)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x01
        assert not is_whole(bytes(changed)), place


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_added_removed_and_swapped_lines_are_seen(form: str) -> None:
    """A line more, a line less, two in another order, something after the end: not whole."""
    content = whole(form)
    lines = content.splitlines(keepends=True)
    assert not is_whole(b"".join([lines[0], lines[1], *lines[1:]]))
    assert not is_whole(b"".join([lines[0], *lines[2:]]))
    assert not is_whole(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert not is_whole(content + lines[1])
    assert not is_whole(content + lines[-1])
    assert not is_whole(content + b"\n")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"no export\n",
        b'{"manifest": 1}\n',
        b'{"manifest": {}}\n',
        b'{"manifest": {"format": "csv"}}\n',
        b'"#manifest","{""a"":1}"\r\n',
        b'"#manifest",\r\n',
        b'{"manifest": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}\n",
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_what_is_no_export_is_told(content: bytes) -> None:
    """Anything else is answered with a reason, never with an error."""
    verdict = verify(io.BytesIO(content))
    assert not verdict.whole and verdict.reason


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (whole("csv")[:-200], "go on with the download"),
        (b"", "go on with the download"),
        (gzip.compress(whole("ndjson"))[:-20], "go on with the download"),
        (whole("csv").replace(b"13:00:02", b"13:00:22", 1), "do not rely on it"),
        (whole("ndjson").replace(b"13:00:02", b"13:00", 1), "do not rely on it"),
        (gzip.compress(whole("csv").replace(b"13:00:02", b"13:00:22", 1)), "do not rely on it"),
        (gzip.compress(whole("csv"))[:10] + b"\xff" * 40, "do not rely on it"),
        (b"# A readme\n", "name a file that was exported"),
        (b"\x7fELF\x00\n", "name a file that was exported"),
    ],
    ids=[
        "cut",
        "empty",
        "cut gz",
        "altered",
        "shorter",
        "altered gz",
        "broken gz",
        "text",
        "binary",
    ],
)
def test_the_next_step_is_that_of_the_case(tmp_path: Path, content: bytes, hint: str) -> None:
    """To go on with a download helps what was cut off, and neither what was altered nor what is
    no export; the command says it, whatever it was given, by name or through a pipe."""
    file = tmp_path / "file"
    file.write_bytes(content)
    done = command(str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"hint: {hint}" in done.stderr
    assert command("-", content).stderr == done.stderr


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_compressed_export_is_read(form: str, tmp_path: Path) -> None:
    """What was stored as it came with ``Accept-Encoding: gzip`` is the same export."""
    file = tmp_path / "export.gz"
    file.write_bytes(gzip.compress(whole(form)))
    done = command(str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"whole: 5 activities as {form}, ")
    assert command("-", file.read_bytes()).stdout == done.stdout


def command(name: str, content: bytes = b"") -> subprocess.CompletedProcess[str]:
    """``activity-center export verify`` of a file."""
    done = subprocess.run(
        [sys.executable, "-m", "activity_center", "export", "verify", name],
        input=content,
        capture_output=True,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_the_manifest_of_a_csv_is_a_row_like_the_others() -> None:
    """A reader of CSV gets rows of one width; the last has ``#manifest`` and JSON."""
    rows = list(reader.reader(io.StringIO(whole("csv").decode(), newline=""), strict=True))
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert rows[-1][0] == "#manifest" and set(rows[-1][2:]) == {""}
    assert json.loads(rows[-1][1])["count"] == len(rows) - 2


@pytest.mark.parametrize("form", ["ndjson", "ocsf"])
def test_the_manifest_of_lines_is_a_line_of_its_own_kind(form: str) -> None:
    """Every line is a JSON object; the last alone has ``manifest``, and nothing else."""
    lines = [json.loads(line) for line in whole(form).splitlines()]
    assert [list(one) == ["manifest"] for one in lines] == [False] * 5 + [True]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_going_on_from_any_byte_gives_the_same_file(form: str) -> None:
    """What one has and what comes from there on are together the file, byte by byte."""
    content = whole(form, 60)
    assert len(content) > 2 * 64 * 1024
    for offset in (0, 1, 7, 65_535, 65_536, 70_000, 131_080, len(content) - 3, len(content)):
        tally = Tally(form, FILTERS, AS_OF)
        rest = b"".join(written(FORMATS[form], entries(60), tally, offset))
        assert content[:offset] + rest == content


def test_what_breaks_off_has_no_manifest() -> None:
    """A failure in the middle ends the file without a manifest, and is not swallowed."""

    def breaking() -> Any:
        yield from entries(50)
        raise Unavailable("gone")

    got = []
    with pytest.raises(Unavailable):
        for chunk in written(FORMATS["ndjson"], breaking(), Tally("ndjson", FILTERS, AS_OF)):
            got.append(chunk)
    assert got and b'"manifest"' not in b"".join(got)


def test_compressed_it_is_the_same() -> None:
    """gzip of an export is that export, and its first bytes can be read before the rest."""
    import zlib

    content = whole("csv", 60)
    chunks = list(gzipped([content[:1000], content[1000:]]))
    opened = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert opened.decompress(chunks[0]) == content[:1000]
    assert opened.decompress(b"".join(chunks[1:])) == content[1000:] and opened.eof


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "export", "verify", *arguments],
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_the_command(tmp_path: Path) -> None:
    """``export verify`` ends with 0 for a whole file and 1 for another, and says why."""
    content = whole("csv")
    file = tmp_path / "export.csv"
    file.write_bytes(content)
    good = run(str(file))
    assert good.returncode == 0 and b"whole: 5 activities as csv" in good.stdout
    file.write_bytes(content[:-100])
    bad = run(str(file))
    assert bad.returncode == 1 and b"cut off" in bad.stderr
    told = run("-", "--json", given=content)
    assert told.returncode == 0 and json.loads(told.stdout)["manifest"]["count"] == 5
    assert json.loads(run("-", "--json", given=b"x").stdout)["whole"] is False


def test_verification_needs_no_server() -> None:
    """The check loads neither Flask nor a client of OpenSearch."""
    code = "import sidecar_api.export.verify, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sidecar_api.export.verify" in loaded and not {"flask", "opensearchpy"} & loaded


def test_manifests_read_back() -> None:
    """The manifest's line of each format reads back to what was written."""
    for form in FORMATS:
        last = whole(form).splitlines(keepends=True)[-1]
        found = manifest.read(last)
        assert found is not None and manifest.line(found) == last
