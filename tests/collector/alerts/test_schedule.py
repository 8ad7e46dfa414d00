"""Which windows are due: the same for everybody, none missed, late ones again."""

from __future__ import annotations

import itertools

from collector.alerts.schedule import CATCH_UP, LATE, again, due
from tests.collector.alerts.parts import at, rule

NOW = at("2026-11-24T13:05:23Z")
TICK = at("2026-11-24T13:05:00Z")
MINUTE = 60_000


def test_windows_end_at_the_same_times_for_everybody() -> None:
    """Whoever asks within a minute gets the same window, and none a second time."""
    one = rule("failed-logins-account")
    assert due(one, NOW, None) == [TICK]
    assert due(one, NOW, TICK - MINUTE) == [TICK]
    assert due(one, NOW, TICK) == []
    assert due(one, NOW, TICK + MINUTE) == []  # another one's clock is ahead


def test_what_was_missed_is_covered() -> None:
    """After a pause every moment lies in a window, with windows that overlap by half."""
    one = rule("failed-logins-account")  # ten minutes
    ends = due(one, NOW, TICK - 60 * MINUTE)
    assert ends[-1] == TICK
    assert ends[0] == TICK - 55 * MINUTE
    assert all(later - earlier <= 5 * MINUTE for earlier, later in itertools.pairwise(ends))


def test_a_long_pause_is_bounded() -> None:
    """What is longer ago than a day is not evaluated any more."""
    ends = due(rule("failed-logins-account"), NOW, TICK - 30 * CATCH_UP)
    assert ends[0] > TICK - CATCH_UP
    assert len(ends) == 288


def test_silence_is_judged_for_now_alone() -> None:
    """A source that was silent during a pause and speaks again is no news."""
    one = rule("source-silent")
    assert due(one, NOW, TICK - 20 * CATCH_UP) == [TICK]
    assert again(one, [TICK]) == []


def test_each_window_is_looked_at_again() -> None:
    """An hour later a window is looked at once more, at an end that is a multiple of ``every``."""
    assert again(rule("failed-logins-account"), [TICK]) == [TICK - LATE]
    odd = rule("failed-logins-account", every=7 * 60)
    (end,) = again(odd, [TICK - TICK % (7 * MINUTE)])
    assert end % (7 * MINUTE) == 0
