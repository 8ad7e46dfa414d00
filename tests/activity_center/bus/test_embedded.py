"""What is the embedded bus's own: files, crashes of their processes, damage."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from activity_center.bus import open_reader, open_writer
from activity_center.config_processes import BusConfig
from activity_center.errors import BusUnavailable
from tests.activity_center.bus.servers import Follower, entries, positions

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


def test_damage(tmp_path: Path) -> None:
    """A file that is no database holds up no other stream, and its writer begins it anew."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    with closing(open_writer(config, "well")) as writer:
        writer.begin("e")
        writer.publish(("e", 0), entries(1))
    bad = tmp_path / "steps" / "bad.db"
    bad.write_bytes(b"no database" * 1000)
    with closing(open_reader(config)) as reader:
        follower = Follower(reader)
        assert positions(follower.read()) == [1]
        with pytest.raises(BusUnavailable) as caught:
            follower.read()
        assert str(bad) in str(caught.value)
        with closing(open_writer(config, "bad")) as writer:
            with pytest.raises(BusUnavailable):
                writer.state()
            writer.begin("e")
            writer.publish(("e", 0), entries(7))
        assert positions(follower.read_all()) == [7]


@pytest.mark.parametrize("left", [b"no database" * 1000, None, b""], ids=["other", "half", "empty"])
def test_damage_holds_up_no_start(tmp_path: Path, left: bytes | None) -> None:
    """Where the streams begin is told of all others; that a file is broken is said once, and it
    holds nothing from then on: nobody waits for what nobody can read."""
    config = BusConfig(folder=str(tmp_path / "steps"))
    for name in ("bad", "well"):
        with closing(open_writer(config, name)) as writer:
            writer.begin("e")
            writer.publish(("e", 0), entries(1))
    bad = tmp_path / "steps" / "bad.db"
    data = bad.read_bytes()
    bad.write_bytes(data[: len(data) // 2] if left is None else left)
    with closing(open_reader(config)) as reader:
        assert reader.first() == {"well": ("e", 1)}
        follower = Follower(reader)
        assert positions(follower.read()) == [1]
        if left != b"":
            with pytest.raises(BusUnavailable):
                follower.read()
        for _ in range(3):
            assert follower.read() == []
        with closing(open_writer(config, "well")) as writer:
            writer.publish(("e", 1), entries(2))
        assert positions(follower.read()) == [2]
