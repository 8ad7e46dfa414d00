"""What is the embedded bus's own: files, crashes of their processes, damage."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from activity_center.bus import Gap, Published, open_reader, open_writer
from activity_center.bus.embedded import EmbeddedReader, _remove
from activity_center.bus.stream_file import MENDED_SECONDS
from activity_center.config_processes import BusConfig
from activity_center.errors import BusUnavailable
from tests.activity_center.bus.servers import Follower, entries, positions

NO_DATABASE = b"no database" * 1000

WRITER = """
import sys
from activity_center.bus import open_writer
from activity_center.config_processes import BusConfig

writer = open_writer(BusConfig(folder=sys.argv[1]), "s")
if not writer.state()[0]:
    writer.begin("e")
last = writer.state()[1]
while True:
    last += 1
    writer.publish(("e", last - 1), [(last, b"%d" % last)])
    print(last, flush=True)
"""


def test_kill_9_of_the_writer(tmp_path: Path) -> None:
    """What a writer said is there is there after kill -9, each once and in order, for a reader
    that was there all the time and for a new one."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    said = 0
    with closing(open_reader(config)) as reader:
        follower = Follower(reader)
        for _ in range(3):
            process = subprocess.Popen(
                [sys.executable, "-c", WRITER, config.folder], stdout=subprocess.PIPE
            )
            assert process.stdout
            for _ in range(200):
                said = int(process.stdout.readline())
            follower.read()
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
        follower.read_all()
        there = positions(follower.items)
        assert len(there) >= said and there == [*range(1, len(there) + 1)]
        with closing(open_reader(config)) as other:
            assert positions(Follower(other).read_all()) == there


def test_nobody_else_may_read(tmp_path: Path) -> None:
    """The folder is 0700: steps hold what their producers printed."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    with closing(open_writer(config, "s")) as writer:
        writer.begin("e")
    assert stat.S_IMODE((tmp_path / "steps").stat().st_mode) == 0o700


def test_a_file_in_the_place_of_another(tmp_path: Path) -> None:
    """A file that took a former one's name while nobody looked is another one: it is read from
    its beginning, and whoever had read the former one is told of a gap first."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    with closing(open_reader(config)) as reader:
        follower = Follower(reader)
        with closing(open_writer(config, "s")) as writer:
            writer.begin("e1")
            writer.publish(("e1", 0), entries(1, 2))
            assert positions(follower.read()) == [1, 2]
            _remove(tmp_path / "steps" / "s.db")
            writer.begin("e2")
            writer.publish(("e2", 0), entries(1, 2, 3))
        assert follower.read() == [
            Gap("s", "e2"),
            *(Published("s", "e2", number, body) for number, body in entries(1, 2, 3)),
        ]
        assert positions(Follower(reader).read()) == [1, 2, 3]
        assert reader.first() == {"s": ("e2", 1)}


def _damaged(config: BusConfig, left: bytes | None = NO_DATABASE) -> Path:
    """Two streams with an entry each, of which ``bad`` is damaged; ``None``: cut in half."""
    for name in ("bad", "well"):
        with closing(open_writer(config, name)) as writer:
            writer.begin("e")
            writer.publish(("e", 0), entries(1))
    bad = Path(config.folder) / "bad.db"
    data = bad.read_bytes()
    bad.write_bytes(data[: len(data) // 2] if left is None else left)
    return bad


def test_damage(tmp_path: Path) -> None:
    """A file that is no database is named as what cannot be read, for as long as it is so, and
    holds up no other stream; its writer begins it anew, and then all is read."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    bad = _damaged(config)
    with closing(open_reader(config)) as reader:
        follower = Follower(reader)
        assert reader.trouble is None
        assert [item.stream for item in follower.read()] == ["well"]
        for _ in range(2):
            assert follower.read() == []
            assert reader.trouble is not None
            assert (reader.trouble.where, bool(reader.trouble.hint)) == (str(bad), True)
        with closing(open_writer(config, "bad")) as writer:
            with pytest.raises(BusUnavailable):
                writer.state()
            writer.begin("e2")
            writer.publish(("e2", 0), entries(7))
        assert positions(follower.read_all()) == [7]
        assert reader.trouble is None


def test_damage_that_is_mended(tmp_path: Path) -> None:
    """A file that holds again what it held is read on as if nothing had been, and one that
    somebody removed is none that cannot be read."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    with closing(open_writer(config, "s")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), entries(1, 2))
    file = tmp_path / "steps" / "s.db"
    whole = file.read_bytes()
    for mended in (True, False):
        file.write_bytes(NO_DATABASE)
        with closing(open_reader(config)) as reader:
            follower = Follower(reader, {"s": ("e", 1)})
            assert (follower.read(), reader.trouble is None) == ([], False)
            assert (reader.first(), reader.trouble is None) == ({}, False)
            if mended:
                file.write_bytes(whole)
                assert (reader.first(), reader.trouble) == ({"s": ("e", 1)}, None)
                assert (positions(follower.read()), reader.trouble) == ([2], None)
            else:
                file.unlink()
                assert (reader.first(), reader.trouble) == ({}, None)
                assert (follower.read(), reader.trouble) == ([], None)


@pytest.mark.parametrize("left", [NO_DATABASE, None, b""], ids=["other", "half", "empty"])
def test_damage_holds_up_no_start(tmp_path: Path, left: bytes | None) -> None:
    """Where the streams begin is told of all others, and that one cannot be asked is said by
    that answer too; a file without anything is none that cannot be read."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    bad = _damaged(config, left)
    with closing(open_reader(config)) as reader:
        assert reader.first() == {"well": ("e", 1)}
        assert (reader.trouble and reader.trouble.where) == (str(bad) if left != b"" else None)
        follower = Follower(reader)
        assert [item.stream for item in follower.read()] == ["well"]
        assert (reader.trouble is None) == (left == b"")


def test_nobody_waits_for_what_nobody_mends(tmp_path: Path) -> None:
    """A collector that lives begins a damaged file anew within seconds: one that stays damaged is
    nobody's, and what it does not say is no trouble any more. It is still looked at: when it is
    mended its entries come, and when it is damaged once more it is waited for again."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    bad = _damaged(config)
    with closing(open_reader(config)) as reader:
        assert isinstance(reader, EmbeddedReader)
        follower = Follower(reader)
        follower.read_all()
        assert reader.trouble is not None
        _let_pass(reader, "bad")
        for _ in range(2):
            assert (follower.read(), reader.trouble) == ([], None)
            assert (reader.first(), reader.trouble) == ({"well": ("e", 1)}, None)
        with closing(open_writer(config, "well")) as writer:
            writer.publish(("e", 1), entries(2))
        assert (positions(follower.read()), reader.trouble) == ([2], None)
        with closing(open_writer(config, "other")) as writer:
            writer.begin("e")
            writer.publish(("e", 0), entries(5))
        bad.write_bytes((tmp_path / "steps" / "other.db").read_bytes())
        found = {(item.stream, item.epoch) for item in follower.read_all()}
        assert (found, reader.trouble) == ({("bad", "e"), ("other", "e")}, None)
        reader._files["bad"].close()  # as after an error of the disk
        bad.write_bytes(NO_DATABASE)
        assert (follower.read(), reader.trouble is None) == ([], False)


def _let_pass(reader: EmbeddedReader, stream: str) -> None:
    """As long as a damaged file is waited for, and nobody writes it."""
    file = reader._files[stream]
    assert file._failed_at is not None
    file._failed_at -= MENDED_SECONDS + 1
    assert not file.left_alone  # it has just been written
    long_ago = time.time() - MENDED_SECONDS - 1
    os.utime(file._path, (long_ago, long_ago))


def test_a_bad_page_in_a_living_file(tmp_path: Path) -> None:
    """What stands before it is read; of what stands behind it is said that it cannot be, as long
    as the collector writes on."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    file = tmp_path / "steps" / "s.db"
    with closing(open_writer(config, "s")) as writer, closing(open_reader(config)) as reader:
        writer.begin("e")
        place = writer.publish(("e", 0), [(n, b"x" * 3000) for n in range(1, 401)])
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with file.open("r+b") as opened:
            opened.seek(file.stat().st_size // 2 // 4096 * 4096)
            opened.write(b"\xff" * 4096)
        follower = Follower(reader)
        found = positions(follower.read_all())
        assert 100 < len(found) < 300 and found == [*range(1, len(found) + 1)]
        assert follower.read() == []
        assert reader.trouble is not None and str(file) in str(reader.trouble)
        assert isinstance(reader, EmbeddedReader)
        reader._files["s"]._failed_at = time.monotonic() - MENDED_SECONDS - 1
        writer.publish(place, entries(401))
        assert (follower.read(), reader.trouble is None) == ([], False)


def test_a_file_that_is_removed_while_it_is_read(tmp_path: Path) -> None:
    """As a collector removes its own when it is damaged: it holds nothing, and no trouble."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    with closing(open_writer(config, "s")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), entries(1))
    with closing(open_reader(config)) as reader:
        assert isinstance(reader, EmbeddedReader)
        reader._look()
        (tmp_path / "steps" / "s.db").unlink()
        assert (reader._files["s"].read(None), reader._files["s"].first()) == ([], None)
