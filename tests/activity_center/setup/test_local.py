"""``doctor`` on this machine: data folder, quota, spools left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import CollectorConfig
from activity_center.setup.doctor import Level, SpoolFolder
from activity_center.setup.doctor.local import check_data_dir, check_spools

GIB = 1024**3


def levels(config: CollectorConfig) -> dict[str, set[str]]:
    """Check -> levels of its findings."""
    found: dict[str, set[str]] = {}
    for one in check_data_dir(config):
        found.setdefault(one.check, set()).add(str(one.level))
    return found


def test_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    """No folder yet is fine where it can be made, and room is judged where it will be."""
    config = CollectorConfig(data_dir=str(tmp_path / "a" / "b"), quota_bytes=GIB // 1024)
    assert levels(config) == {"data folder": {"ok"}, "spool space": {"ok"}}


def test_a_good_folder(tmp_path: Path) -> None:
    """Ours, closed to others, with room."""
    tmp_path.chmod(0o700)
    config = CollectorConfig(data_dir=str(tmp_path), quota_bytes=GIB // 1024)
    assert levels(config) == {"data folder": {"ok"}, "spool space": {"ok"}}


def test_a_folder_open_to_others(tmp_path: Path) -> None:
    """Activities are nobody else's business: a warning with the command."""
    tmp_path.chmod(0o755)
    found = [*check_data_dir(CollectorConfig(data_dir=str(tmp_path), quota_bytes=1024))]
    assert found[0].level is Level.WARN
    assert f"chmod 700 {tmp_path}" == found[0].advice


def test_a_file_in_its_place(tmp_path: Path) -> None:
    """A file is no folder."""
    (tmp_path / "x").write_text("")
    assert levels(CollectorConfig(data_dir=str(tmp_path / "x"))) == {"data folder": {"fail"}}


def test_too_little_room(tmp_path: Path) -> None:
    """More quota than disk: senders would not be slowed before the disk is full."""
    tmp_path.chmod(0o700)
    config = CollectorConfig(data_dir=str(tmp_path), workers=64, quota_bytes=100_000 * GIB)
    assert levels(config)["spool space"] == {"warn"}


def test_what_is_in_the_spool_counts_as_used(tmp_path: Path) -> None:
    """Bytes already in the folder are not wanted a second time."""
    tmp_path.chmod(0o700)
    (tmp_path / "old").write_bytes(b"x" * 5000)
    config = CollectorConfig(data_dir=str(tmp_path), quota_bytes=5000)
    (found,) = [one for one in check_data_dir(config) if one.check == "spool space"]
    assert "0.0 GiB may still be written" in found.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try another user's rights")
def test_a_folder_of_another_user(tmp_path: Path) -> None:
    """As a user without rights on the folder the check fails, and names the owner."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o055)
    config = CollectorConfig(data_dir=str(folder), quota_bytes=1024)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        found = [[one.level, one.message] for one in check_data_dir(config)]
        os.write(writer, json.dumps(found).encode())
        os._exit(0)
    os.waitpid(child, 0)
    level, message = json.loads(os.read(reader, 65536))[0]
    assert level == "fail"
    assert "uid 65534" in message


def test_orphans_are_those_without_a_worker() -> None:
    """A folder beyond the number of workers with records and no owner, and only that."""

    def folder(index: int, *, undelivered: bool = True, owned: bool = False) -> SpoolFolder:
        return SpoolFolder(Path(f"worker-{index}"), index, 100, undelivered, owned)

    fine = [folder(0), folder(1), folder(2, undelivered=False), folder(3, owned=True)]
    (found,) = check_spools(fine, 2)
    assert found.level is Level.OK
    (found,) = check_spools([*fine, folder(5)], 2)
    assert found.level is Level.WARN
    assert "worker-5" in found.message
    assert "--workers 6" in found.advice


def test_spools_on_disk_by_command_line(empty: Any, tmp_path: Path) -> None:
    """With ``--config`` the collector's folders are looked at, and held ones are known."""
    import fcntl

    data = tmp_path / "data"
    for index in (0, 1, 2):
        segments = data / f"worker-{index}" / "segments"
        segments.mkdir(parents=True)
        (segments / f"{1:020d}.segment").write_bytes(b"x" * 1000)
        (data / f"worker-{index}" / "lock").touch()
    data.chmod(0o700)
    file = tmp_path / "activity-center.yml"
    file.write_text(f"collector: {{data_dir: {data}, quota: 1048576}}\n")
    with (data / "worker-2" / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = empty.run("doctor", "--json", "--config", str(file))
    spools = [
        one["message"] for one in json.loads(result.stdout)["findings"] if one["check"] == "spools"
    ]
    assert len(spools) == 1
    assert "worker-1" in spools[0]


def test_a_wrong_file_is_wrong_use(tmp_path: Path) -> None:
    """A configuration that cannot be read exits 2 and says why."""
    result = subprocess.run(
        [sys.executable, "-m", "activity_center", "doctor", "--config", str(tmp_path / "none.yml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 2
    assert "none.yml" in result.stderr
