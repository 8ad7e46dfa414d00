"""Processes are recognized by more than their number."""

from __future__ import annotations

import os
import subprocess
import sys

from activity_center.node.process import Process, end, identify, is_alive, spawn, wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print(flush=True); time.sleep(60)",
]


def test_a_living_process_is_itself() -> None:
    """The same process always has the same identity."""
    me = identify(os.getpid())
    assert me is not None
    assert me == identify(os.getpid())
    assert is_alive(me)


def test_a_number_that_now_belongs_to_another_is_left_alone() -> None:
    """A recorded pid that the system has given to another process is not signalled."""
    other = subprocess.Popen(SLEEP)
    try:
        stale = Process(other.pid, "an earlier start")
        assert not is_alive(stale)
        end(stale, grace=0)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_ended_process_is_gone() -> None:
    """A zombie, ended but not yet reaped, does not count as running."""
    popen = subprocess.Popen(SLEEP)
    process = identify(popen.pid)
    assert process is not None
    os.kill(popen.pid, 9)
    assert wait_until(lambda: not is_alive(process), 10)
    popen.wait()


def test_end_kills_what_does_not_listen() -> None:
    """After the grace period a process that ignores SIGTERM is killed."""
    popen = subprocess.Popen(STUBBORN, stdout=subprocess.PIPE)
    assert popen.stdout is not None
    popen.stdout.readline()
    process = spawn(popen)
    assert process is not None
    end(process, grace=0.3)
    assert not is_alive(process)
    popen.stdout.close()
