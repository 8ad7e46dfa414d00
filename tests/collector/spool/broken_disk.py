"""Make system calls of this process fail as a broken disk would (Linux, x86-64 and arm64).

A seccomp filter lets the kernel itself answer ``EIO`` to fdatasync, or ``EROFS`` to unlink.
It cannot be taken back, so it is for processes of their own. Run as a module, with a folder
and what breaks (``sync``, ``folder``, ``store``, ``read-only``), it appends before and after,
and prints what each append said.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
import time
from pathlib import Path

from activity_center.errors import ActivityCenterError
from collector.rejected import RejectedStore
from collector.spool import Spool
from tests.collector.spool.entries import entry, reject

_FDATASYNC = {"x86_64": 75, "aarch64": 83}[platform.machine()]
_FSYNC = {"x86_64": 74, "aarch64": 82}[platform.machine()]
_UNLINKAT = {"x86_64": 263, "aarch64": 35}[platform.machine()]
_UNLINK = {"x86_64": 87, "aarch64": 35}[platform.machine()]
_SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]
_SET_MODE_FILTER, _TSYNC = 1, 1
_NO_NEW_PRIVS = 38
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def fail_fdatasync(failing: int) -> None:
    """From now on fdatasync fails with EIO on the descriptor ``failing``, in all threads."""
    _filter(
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 0, 3, _FDATASYNC),
        (_LOAD, 0, 0, 16),
        (_JUMP_IF_EQUAL, 0, 1, failing),
        (_RETURN, 0, 0, _ERRNO | errno.EIO),
        (_RETURN, 0, 0, _ALLOW),
    )


def fail_fsync(*, fdatasync: bool) -> None:
    """From now on every fsync fails with EIO: of folders and, with ``fdatasync``, of all files."""
    _filter(
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 1, 0, _FSYNC),
        (_JUMP_IF_EQUAL, 0, 1, _FDATASYNC if fdatasync else _FSYNC),
        (_RETURN, 0, 0, _ERRNO | errno.EIO),
        (_RETURN, 0, 0, _ALLOW),
    )


def fail_unlink() -> None:
    """From now on no file can be removed: EROFS, as after a read-only remount."""
    _filter(
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 1, 0, _UNLINK),
        (_JUMP_IF_EQUAL, 0, 1, _UNLINKAT),
        (_RETURN, 0, 0, _ERRNO | errno.EROFS),
        (_RETURN, 0, 0, _ALLOW),
    )


def _filter(*instructions: tuple[int, int, int, int]) -> None:
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(_SECCOMP, _SET_MODE_FILTER, _TSYNC, ctypes.create_string_buffer(filter_)):
        raise OSError(ctypes.get_errno(), "seccomp")


def _say(spool: Spool, number: int) -> None:
    try:
        spool.append_now([entry(number)])
    except ActivityCenterError as wrong:
        print(number, type(wrong).__name__, spool.state, spool.ready, flush=True)
    else:
        print(number, "kept", spool.state, spool.ready, flush=True)


def _segment_handle(folder: Path) -> int:
    for handle in Path("/proc/self/fd").iterdir():
        try:
            target = handle.readlink()
        except OSError:
            continue
        if target.is_relative_to(folder) and target.suffix == ".segment":
            return int(handle.name)
    raise AssertionError("no segment is open")


def _broken_sync(spool: Spool, place: Path) -> None:
    _say(spool, 0)
    broken = _segment_handle(place)
    fail_fdatasync(broken)
    _say(spool, 1)
    # The next segment gets the same descriptor, which still fails, unless it is taken.
    _say(spool, 2)
    os.dup2(os.open("/dev/null", os.O_RDONLY), broken)
    _say(spool, 3)
    _say(spool, 4)


def _broken_folder(spool: Spool) -> None:
    """The first append makes a segment, whose name has to be durable too."""
    fail_fsync(fdatasync=False)
    _say(spool, 0)


def _broken_store(folder: Path) -> None:
    """What is rejected is acknowledged, so it is synced like what is accepted."""
    store = RejectedStore(folder / "rejected")
    for number in range(2):
        try:
            store.add([reject(number)])
        except ActivityCenterError as wrong:
            print(number, type(wrong).__name__, flush=True)
        else:
            print(number, "kept", flush=True)
        if not number:
            fail_fsync(fdatasync=True)


def _read_only(spool: Spool) -> None:
    """A segment that holds nothing yet, and then cannot be removed any more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, limits[1]))
    _say(spool, 0)
    fail_unlink()
    until = time.monotonic() + 30
    while spool.state == "full" and time.monotonic() < until:
        time.sleep(0.05)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    _say(spool, 1)
    _say(spool, 2)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if sys.argv[2] == "store":
        _broken_store(folder)
        sys.exit(0)
    under_test = Spool.open(folder, quota_bytes=1 << 20)
    if sys.argv[2] == "sync":
        _broken_sync(under_test, folder)
    elif sys.argv[2] == "folder":
        _broken_folder(under_test)
    else:
        _read_only(under_test)
    under_test.close()
