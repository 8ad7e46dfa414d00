"""The line of readers for what one at a time may have."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sidecar_api.failures import Unavailable
from sidecar_api.line import Line


def test_one_at_a_time_and_readers_in_turn() -> None:
    """Whoever asks for many turns at once has the second one behind those who came between."""
    line, had, inside = Line(30), list[str](), threading.Lock()

    def ask(reader: str) -> None:
        with line.turn(reader):
            assert inside.acquire(blocking=False)
            had.append(reader)
            time.sleep(0.02)
            inside.release()

    end = time.monotonic() + 10
    with ThreadPoolExecutor(4) as pool:
        with line.turn("first"):
            asked = [pool.submit(ask, one) for one in ("greedy", "greedy", "greedy", "patient")]
            while "greedy" not in line or "patient" not in line:
                assert time.monotonic() < end
                time.sleep(0.01)
        for one in asked:
            one.result()
    assert sorted(had) == ["greedy", "greedy", "greedy", "patient"]
    assert "patient" in had[:2]


@pytest.mark.parametrize("reader", ["first", "second"])
def test_who_waits_too_long_is_told_and_leaves_the_line(reader: str) -> None:
    """Behind others, and behind themselves; whoever comes next is not kept by it."""
    line = Line(0.05)
    with line.turn("first"):
        with pytest.raises(Unavailable) as told, line.turn(reader):
            pytest.fail("it had its turn")
        assert told.value.headers == {"Retry-After": "5"}
    with line.turn("third"):
        pass


def test_a_turn_that_fails_is_over() -> None:
    """The next one has theirs."""
    line = Line(0.05)
    with pytest.raises(ZeroDivisionError), line.turn("first"):
        raise ZeroDivisionError
    with line.turn("second"):
        pass
