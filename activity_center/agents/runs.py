"""Which entries tell of one and the same execution.

A producer may tell of a result twice, in its own words and in ours (``agent.deploy`` and
``agent.proposal.executed``), and several producers may tell of one execution; a call id is one
call. So, call by call and producer by producer, in order: each ``executing`` begins an execution;
a result begins one if none has begun, or if the one that has begun already has a result of the
same action or of the other kind. The n-th execution of each producer is the same one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest

from activity_center.agents.entry import RUNS, Entry


def runs(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the executions, each as its entries in order, by when they began.

    Args:
        entries: of one chain, in order.
    """
    found = [one for one in entries if one.stage in RUNS]
    calls = {one.call for one in found if one.call}
    # Who does not know the call's id means the only one that there is.
    only = next(iter(calls)) if len(calls) == 1 else ""
    told: dict[str, dict[tuple[str, str], list[list[Entry]]]] = defaultdict(dict)
    for one in found:
        own = told[one.call or only].setdefault(one.producer, [])
        if not own or _begins(own[-1], one):
            own.append([])
        own[-1].append(one)
    order = {one.id: place for place, one in enumerate(entries)}
    result = []
    for producers in told.values():
        for parts in zip_longest(*producers.values(), fillvalue=()):
            run = [one for part in parts for one in part]
            result.append(sorted(run, key=lambda one: order[one.id]))
    return sorted(result, key=lambda run: order[run[0].id])


def _begins(run: list[Entry], one: Entry) -> bool:
    if one.stage == "executing":
        return True
    ends = [other for other in run if other.stage != "executing"]
    return any(other.stage != one.stage or other.action == one.action for other in ends)
