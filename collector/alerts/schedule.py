"""Which windows of a rule are due.

Windows end at multiples of the rule's ``every`` since 1970, so that everybody who evaluates
looks at the same ones. What was missed is looked at afterwards, in steps of half a window:
whatever lasts no longer than that stands whole in one of them. Each window is looked at a
second time an hour later, for activities that arrived late.
"""

from __future__ import annotations

from typing import Final

from activity_center.alerting import Rule

LATE: Final = 3_600_000
"""Milliseconds after which a window is looked at again."""
CATCH_UP: Final = 86_400_000
"""Milliseconds: what was missed longer ago is not looked at."""
_ONCE: Final = ("silence", "figure")


def due(rule: Rule, now: int, last: int | None) -> list[int]:
    """Return the ends of the windows to evaluate, the newest last; none: not yet.

    Args:
        now: Unix time in ms.
        last: end of the newest window that was evaluated, if any.
    """
    every, half = rule.every * 1000, rule.window * 500
    tick = now - now % every
    if last is None or rule.kind in _ONCE:
        return [] if last is not None and last >= tick else [tick]
    if last >= tick:
        return []
    step = max(every, half - half % every)
    begin = max(last, tick - CATCH_UP)
    return [*range(begin + step, tick, step), tick]


def again(rule: Rule, ends: list[int]) -> list[int]:
    """Return the windows of an hour earlier, which late activities may have changed."""
    if rule.kind in _ONCE:
        return []
    every = rule.every * 1000
    return [(end - LATE) // every * every for end in ends]
