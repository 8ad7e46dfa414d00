"""Which entries are of one chain: those with one proposal id, and those with its tool call.

Whoever can send can name any call. So a call belongs to whom it was claimed by first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from activity_center.agents.chain import Chain, read_chain
from activity_center.agents.entry import CALL_OF, Entry, first_received, ordered
from activity_center.agents.stage import DECISIONS


def read_chains(entries: Iterable[Mapping[str, Any]]) -> list[Chain]:
    """Read every chain out of stored activities, in order of their first entries.

    An entry without a proposal id joins the chain of its tool call: where its own sender names
    proposals for that call, the last one before it; else the one of whom the call was claimed by
    first, by a proposal or a decision. That may be a chain that knows its call alone. So nobody
    takes over a chain by proposing what is proposed already. What joins nothing and has no stage
    is no chain. An organization's ids are its own.
    """
    own: dict[str, list[Entry]] = defaultdict(list)
    for one in map(Entry.of, entries):
        own[one.organization].append(one)
    # Each organization alone: an id of one says nothing of another's entry with the same.
    found = [chain for several in own.values() for chain in _chains(ordered(several))]
    return sorted(found, key=lambda chain: (chain.begun, chain.id))


def _chains(line: list[Entry]) -> list[Chain]:
    """The chains of one organization.

    Args:
        line: its entries, in order.
    """
    chains: dict[str, list[Entry]] = defaultdict(list)
    calls: dict[str, list[Entry]] = defaultdict(list)
    for one in line:
        if one.proposal:
            chains[one.proposal].append(one)
        if one.call and (one.proposal or claims(one)):
            calls[one.call].append(one)
    own: dict[tuple[str, str], list[Entry]] = {}
    for one in line:
        if one.proposal or not one.call:
            continue
        asker = one.call, one.producer[0]
        if asker not in own:
            own[asker] = _named_for(calls[one.call], one.producer[0])
        before = [other.proposal for other in own[asker] if other.at <= one.at]
        later = own[asker][0].proposal if own[asker] else f"{CALL_OF}{one.call}"
        chains[before[-1] if before else later].append(one)
    return [
        read_chain(one.source for one in chain)
        for chain in chains.values()
        if any(one.proposal or one.stage for one in chain)
    ]


def claims(one: Entry) -> bool:
    """Whether an entry claims its call: it proposes it, or decides on it."""
    return one.stage == "proposed" or one.stage in DECISIONS


def _named_for(known: Sequence[Entry], sender: str) -> list[Entry]:
    """The entries whose proposals those of a sender join by a call; empty: they stay apart.

    Args:
        known: the entries of the call that name a proposal or claim the call, in order.
    """
    named = [one for one in known if one.proposal]
    own = [one for one in named if one.producer[0] == sender]
    first = first_received([one for one in known if claims(one)] or named)
    if own or first is None or not first.proposal:
        return own
    return [one for one in named if one.producer[0] == first.producer[0]]
