"""Chains as the API shows them: with what is said of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from activity_center.agents import Judgement, Policies, Verdict, judge, verdicts
from activity_center.agents.kept import kept_since
from sidecar_api.agents.chains import MOST_BYTES, MOST_ENTRIES, Chains, Read
from sidecar_api.agents.places import Place
from sidecar_api.agents.query import Wanted

MOST_JUDGED: Final = 2000
"""Chains that are judged for one page of a verdict, or for one answer about agents."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of chains, newest first.

    Attributes:
        rows: see :meth:`Judge.row`.
        total: how many there are.
        approximate: there may be more or fewer than ``total``.
        first: number of the first row, from 1.
        last: where the next page begins; ``None``: there is none.
        looked: of how many a verdict was looked for, and among how many; ``None``: of none.
    """

    rows: list[Row]
    total: int
    approximate: bool
    first: int
    last: Place | None
    looked: tuple[int, int] | None


class Judge:
    """Judges chains at one moment.

    Args:
        now: as of when; default now.
    """

    def __init__(self, policies: Policies, now: datetime | None = None) -> None:
        self.policies = policies
        self.now = now or datetime.now(UTC)

    def of(self, read: Read) -> Judgement:
        """Return what is said of a chain."""
        kept = kept_since(read.chain, self.now)
        found = judge(read.chain, self.policies, now=self.now, kept_since=kept)
        if read.cut and not found.verdict.violation:
            # What was not read may be a denial, or a run.
            return replace(found, verdict=_unread())
        return found

    def row(self, read: Read, judgement: Judgement | None = None) -> Row:
        """Return a chain as the API shows it."""
        row = read.chain.as_dict()
        row["complete"] = row["complete"] and read.whole
        row["judgement"] = (judgement or self.of(read)).as_dict()
        return _shortened(row) if read.lean else row


def _unread() -> Verdict:
    """The verdict on a chain of more entries than are read."""
    return replace(
        verdicts()["unknown"],
        explanation=f"More than {MOST_ENTRIES:,} stages of it are recorded, or more than "
        f"{MOST_BYTES // 1024**2} MiB, and not all were read.",
        what_to_do="See who sent so many: each entry names its sender.",
    )


def page(
    chains: Chains,
    places: list[Place],
    wanted: Wanted,
    judge: Judge,
    *,
    number: int,
    size: int,
    after: Place | None,
    as_of: datetime,
    more: bool,
) -> Found:
    """Return a page of the chains at these places.

    Without a verdict that is wanted the page's own chains alone are read. With one, chains are
    judged from the newest on until the page is full, :data:`MOST_JUDGED` at most: then the
    answer says so, and its cursor goes on behind the last one that was looked at.

    Args:
        number: of the page, from 1; ignored beside ``after``.
        after: the place behind which it begins.
        more: there are chains beyond these places.
    """
    left = [one for one in places if after is None or one.order > after.order]
    begin = len(places) - len(left) if after is not None else (number - 1) * size
    if wanted.verdicts:
        skip = 0 if after is not None else begin
        return _of_verdict(chains, left, wanted, judge, skip=skip, size=size, as_of=as_of)
    mine = left[:size] if after is not None else left[begin : begin + size]
    read = chains.read([one.key for one in mine], as_of, lean=True)
    fitting = [one for one in read if not wanted.states or one.chain.state in wanted.states]
    last = mine[-1] if mine and mine[-1] != places[-1] else None
    rows = [judge.row(one) for one in fitting]
    return Found(rows, len(places), more or len(fitting) < len(mine), begin + 1, last, None)


def _of_verdict(
    chains: Chains,
    places: list[Place],
    wanted: Wanted,
    judge: Judge,
    *,
    skip: int,
    size: int,
    as_of: datetime,
) -> Found:
    rows: list[Row] = []
    found = looked = 0
    by_key = {one.key: one for one in places}
    last: Place | None = None
    full = False
    for read in chains.walk((one.key for one in places[:MOST_JUDGED]), as_of):
        last = by_key[read.key]
        looked += 1
        judgement = judge.of(read)
        if judgement.kinds.isdisjoint(wanted.verdicts):
            continue
        if wanted.states and read.chain.state not in wanted.states:
            continue
        found += 1
        if found > skip:
            rows.append(judge.row(read, judgement))
            full = len(rows) == size
        if full:
            break
    ended = last is None or last == places[-1]
    return Found(rows, found, not ended, skip + 1, None if ended else last, (looked, len(places)))


def _shortened(row: Row) -> Row:
    """Leave out what may be long: the chain itself has it."""
    parts = [*(row[name] for name in ("proposed",) if row[name]), *row["decisions"]]
    for part in (*parts, *row["executions"]):
        for name in ("arguments", "output", "error"):
            if name in part:
                part[name] = None
    for finding in row["judgement"]["findings"]:
        finding.pop("difference", None)
    return {**row, "partial": True}
