"""Which entries tell of one and the same execution.

A producer may tell of a result twice, in its own words and in ours (``agent.deploy`` and
``agent.proposal.executed``), and several producers may tell of one execution; a call id is one
call. So, call by call and sender by sender, in order: each ``executing`` begins an execution;
a result begins one if none has begun, or if the one that has begun already has a result of the
same action or of the other kind. Executions that two senders tell of are one where they overlap
in time, as far as two clocks can tell, and nothing was decided between their beginnings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from activity_center.agents.entry import Entry
from activity_center.agents.stage import RUNS

SKEW: Final = 5_000_000
"""Microseconds that the clocks of two machines may differ."""


def runs(entries: Sequence[Entry], decided: Sequence[int] = ()) -> list[list[Entry]]:
    """Return the executions, each as its entries in order, by when they began.

    Args:
        entries: of one chain, in order.
        decided: when something was decided that counts, microseconds since 1970.
    """
    found = [one for one in entries if one.stage in RUNS]
    calls = {one.call for one in found if one.call}
    # Who does not know the call's id means the only one that there is.
    only = next(iter(calls)) if len(calls) == 1 else ""
    told: dict[str, dict[str, list[list[Entry]]]] = defaultdict(dict)
    for one in found:
        own = told[one.call or only].setdefault(_teller(one), [])
        if not own or _begins(own[-1], one):
            own.append([])
        own[-1].append(one)
    order = {one.id: place for place, one in enumerate(entries)}
    result: list[list[Entry]] = []
    for tellers in told.values():
        parts = [run for own in tellers.values() for run in own]
        result += _joined(sorted(parts, key=lambda run: (run[0].at, order[run[0].id])), decided)
    ranked = [sorted(run, key=lambda one: order[one.id]) for run in result]
    return sorted(ranked, key=lambda run: order[run[0].id])


def _teller(one: Entry) -> str:
    """Who tells: the sender that is known, else what the entry says itself."""
    sender, provider = one.producer
    return sender or provider


def _joined(parts: list[list[Entry]], decided: Sequence[int]) -> list[list[Entry]]:
    """Join each to the first execution of others that it tells of too."""
    result: list[list[Entry]] = []
    for part in parts:
        for run in result:
            other = _teller(part[0]) not in map(_teller, run)
            if other and _overlap(run, part) and not _between(run, part, decided):
                run.extend(part)
                break
        else:
            result.append(list(part))
    return result


def _overlap(one: Sequence[Entry], other: Sequence[Entry]) -> bool:
    (begin, end), (start, stop) = _span(one), _span(other)
    return begin <= stop + SKEW and start <= end + SKEW


def _span(run: Sequence[Entry]) -> tuple[float, float]:
    """From when to when it ran; without a result it runs still."""
    ends = [one.at for one in run if one.stage != "executing"]
    return min(one.at for one in run), max(ends, default=float("inf"))


def _between(one: Sequence[Entry], other: Sequence[Entry], decided: Sequence[int]) -> bool:
    first, second = sorted((_span(one)[0], _span(other)[0]))
    return any(first + SKEW < at <= second for at in decided)


def _begins(run: list[Entry], one: Entry) -> bool:
    if one.stage == "executing":
        return True
    ends = [other for other in run if other.stage != "executing"]
    return any(other.stage != one.stage or other.action == one.action for other in ends)
