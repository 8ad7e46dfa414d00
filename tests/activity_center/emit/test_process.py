"""Whole programs: import size, exit, fork, multiprocessing, gunicorn, gevent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from activity_center import Emitter

ROOT = Path(__file__).parents[3]


def run(code: str, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program of its own and return how it ended."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_the_import_is_small() -> None:
    """The import loads the standard library alone, of it no network client; an emitter
    loads what its address needs and no more.
    """
    done = run(
        """
        import sys
        before = set(sys.modules)
        from activity_center import Emitter
        network = {"http", "ssl", "asyncio", "email", "gzip", "multiprocessing"}
        def loaded():
            names = {name.partition(".")[0] for name in set(sys.modules) - before}
            names = {name for name in names if "cython" not in name}  # msgpack's runtime
            print(*sorted(names - set(sys.stdlib_module_names)), *sorted(names & network))
        Emitter
        loaded()
        Emitter("http://127.0.0.1:1", token="t")
        loaded()
        Emitter()
        loaded()
        """
    )
    assert done.stdout.splitlines() == [
        "activity_center",
        "activity_center email gzip http ssl",
        "activity_center fluent msgpack email gzip http ssl",
    ], done.stderr


def test_queued_events_are_sent_at_exit(forward: Any, until: Any) -> None:
    """A short program that emits and ends loses nothing; also when it ends by an error."""
    for ending in ("", "raise SystemExit(3)", "1/0"):
        server = forward()
        code = """
        import sys
        from activity_center import Emitter
        emitter = Emitter(sys.argv[1])
        for number in range(300):
            emitter.emit("a.b", metadata={"n": number})
        """
        run(textwrap.dedent(code) + ending, server.url)
        until(lambda server=server: len(server.messages) == 300)


def test_exit_does_not_hang_when_nobody_listens(free_port: int) -> None:
    """The end of the program waits exit_timeout at most, and says what was lost."""
    done = run(
        """
        import sys
        from activity_center import Emitter
        emitter = Emitter(sys.argv[1], exit_timeout=0.1)
        for number in range(3):
            emitter.emit("a.b")
        """,
        f"forward://127.0.0.1:{free_port}",
        timeout=20,
    )
    assert done.returncode == 0
    assert "3 activities were not sent" in done.stderr


@pytest.mark.parametrize("scheme", ["forward", "http"])
def test_fork(scheme: str, forward: Any, collector: Any, until: Any) -> None:
    """A child has an empty queue and its own thread and connection; the parent's lives on."""
    server = forward() if scheme == "forward" else collector()
    done = run(
        """
        import os, sys
        from activity_center import Emitter
        emitter = Emitter(sys.argv[1])
        emitter.emit("parent.before")
        assert emitter.flush(20)
        emitter.emit("parent.maybe.queued")
        children = []
        for number in range(3):
            child = os.fork()
            if not child:
                assert emitter.stats().emitted == 0
                emitter.emit(f"child.{number}")
                assert emitter.flush(20), emitter
                sys.exit(0)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        emitter.emit("parent.after")
        assert emitter.close(20)
        assert emitter.stats().errors == 0, emitter
        """,
        server.url,
    )
    assert done.returncode == 0, done.stderr
    until(lambda: len(server.events) >= 6)
    assert sorted(event["event"]["action"] for event in server.events) == [
        "child.0",
        "child.1",
        "child.2",
        "parent.after",
        "parent.before",
        "parent.maybe.queued",
    ]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_children_flush_too(method: str, forward: Any, until: Any) -> None:
    """They end without atexit; the emitter's queue is sent nevertheless."""
    server = forward()
    program = Path(__file__).with_name("multiprocessing_program.py")
    subprocess.run(
        [sys.executable, str(program), method, server.url],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    until(lambda: len(server.messages) == 200)


def test_a_signal_handler_may_emit(forward: Any, until: Any) -> None:
    """Also when the signal comes in the middle of emit(): no deadlock, nothing lost."""
    server = forward()
    done = run(
        """
        import signal, sys
        from activity_center import Emitter
        emitter = Emitter(sys.argv[1])
        signals = 0
        def handler(*_):
            global signals
            signals += 1
            emitter.emit("from.handler")
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for number in range(3000):
            emitter.emit("from.main")
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert emitter.close(30)
        assert signals > 10
        stats = emitter.stats()
        assert stats.sent == 3000 + signals, (stats, signals)
        """,
        server.url,
    )
    assert done.returncode == 0, done.stderr


def test_a_signal_handler_may_emit_while_the_thread_is_started(forward: Any) -> None:
    """The first event starts it: a second one from within would send everything twice."""
    server = forward()
    done = run(
        """
        import random, signal, sys, threading
        from activity_center import Emitter
        def threads():
            return [one for one in threading.enumerate() if one.name == "activity-center-emitter"]
        def handler(*_):
            emitter.emit("from.handler")
            signals.append(emitter._courier._thread is None)
        signals = []
        signal.signal(signal.SIGALRM, handler)
        for number in range(1000):
            emitter = Emitter(sys.argv[1])
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 0.0004))
            emitter.emit("from.main")
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert len(threads()) == 1
            count = emitter.stats().emitted
            assert emitter.close(30)
            assert emitter.stats().sent == count, emitter.stats()
            for one in threads():
                one.join()
        assert any(signals)  # some came before the thread was there
        """,
        server.url,
    )
    assert done.returncode == 0, done.stderr


def test_a_start_that_is_broken_off_is_made_up_for(forward: Any) -> None:
    """A handler that raises, as a time limit does: the next event starts the thread."""
    server = forward()
    done = run(
        """
        import random, signal, sys
        from activity_center import Emitter
        class TimeIsUp(BaseException):
            pass
        def handler(*_):
            raise TimeIsUp
        signal.signal(signal.SIGALRM, handler)
        broken = 0
        for number in range(1000):
            emitter = Emitter(sys.argv[1])
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 0.0004))
                emitter.emit("first")
                signal.setitimer(signal.ITIMER_REAL, 0)
            except TimeIsUp:
                broken += emitter._courier._thread is None
            emitter.emit("second")
            assert emitter._courier._thread is not None
            assert emitter.close(30), (number, emitter.stats())
            assert emitter.stats().sent >= 1 and not emitter.stats().queued, emitter.stats()
        assert broken
        """,
        server.url,
    )
    assert done.returncode == 0, done.stderr


APPLICATION = """
import os, sys
from activity_center import Emitter
emitter = Emitter(os.environ["EMIT_TO"])
emitter.emit("master.loaded", metadata={"pid": os.getpid()})

def application(environ, start_response):
    emitter.emit("request", metadata={"pid": os.getpid()})
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_gunicorn_prefork(
    kind: str, forward: Any, until: Any, free_port: int, tmp_path: Path
) -> None:
    """With --preload the emitter is made before the fork; each worker sends on its own."""
    server = forward()
    (tmp_path / "program.py").write_text(APPLICATION)
    environment = {
        **os.environ,
        "EMIT_TO": server.url,
        "PYTHONPATH": str(ROOT),
    }
    gunicorn = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "program:application", "--preload"),
            *("--worker-class", kind, "--workers", "2", "--bind", f"127.0.0.1:{free_port}"),
            *("--no-control-socket", "--graceful-timeout", "1", "--log-level", "error"),
        ],
        cwd=tmp_path,
        env=environment,
    )
    try:

        def asked() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        until(asked)
        for _ in range(20):
            assert asked()
    finally:
        gunicorn.terminate()
        gunicorn.wait(timeout=30)
    until(lambda: sum(event["event"]["action"] == "request" for event in server.events) >= 21)
    pids = {event["metadata"]["pid"] for event in server.events}
    assert gunicorn.pid in pids
    assert len(pids) >= 2
    ids = [event["event"]["id"] for event in server.events]
    assert len(ids) == len(set(ids)), "no worker sends the master's events again"


def test_gevent_is_not_blocked(free_port: int) -> None:
    """Under gevent the sender is a greenlet: while it waits, the others run."""
    done = run(
        """
        from gevent import monkey
        monkey.patch_all()
        import gevent, sys
        from activity_center import Emitter
        emitter = Emitter(sys.argv[1], exit_timeout=0)
        emitter.emit("a.b")
        ticks = []
        def tick():
            for _ in range(20):
                ticks.append(1)
                gevent.sleep(0.005)
        ticker = gevent.spawn(tick)
        assert not emitter.flush(0.5)
        assert len(ticks) == 20, ticks
        """,
        f"forward://127.0.0.1:{free_port}",
    )
    assert done.returncode == 0, done.stderr


def test_the_emitter_is_a_public_name() -> None:
    """``from activity_center import Emitter`` is the way in."""
    import activity_center

    assert activity_center.Emitter is Emitter
