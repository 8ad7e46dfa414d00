"""Which entries are of one chain: those with one proposal id, and those with its tool call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from activity_center.agents.chain import Chain, read_chain
from activity_center.agents.entry import Entry, ordered


def read_chains(entries: Iterable[Mapping[str, Any]]) -> list[Chain]:
    """Read every chain out of stored activities, in order of their first entries.

    An entry without a proposal id joins the chain of its tool call; where a call was proposed
    more than once, the last one proposed before it. What joins nothing and has no stage is no
    chain. An organization's ids are its own.
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
    chains: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    calls: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for one in line:
        if one.proposal:
            chains["", one.proposal].append(one)
            if one.call:
                calls[one.call].append((one.at, one.proposal))
    for one in line:
        if one.proposal or not one.call:
            continue
        known = calls.get(one.call, [])
        before = [proposal for at, proposal in known if at <= one.at]
        joined = before[-1] if before else known[0][1] if known else ""
        if joined:
            chains["", joined].append(one)
        else:
            chains["call", one.call].append(one)
    return [
        read_chain(one.source for one in chain)
        for (kind, _), chain in chains.items()
        if not kind or any(one.stage for one in chain)
    ]
