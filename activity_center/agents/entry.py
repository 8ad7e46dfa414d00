"""One stored activity as a stage of a chain, and the order of several.

Stored entries are checked already; still, what has the wrong shape here is not there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activity_center.processes.reading import moment, number, part, text

STAGES: Final = (
    *("proposed", "approved", "denied", "cancelled", "expired"),
    *("executing", "completed", "failed"),
)
"""The stages of ``activity.proposal.stage``, as one follows another."""
DECISIONS: Final = frozenset({"approved", "denied", "cancelled", "expired"})
RUNS: Final = frozenset({"executing", "completed", "failed"})
OUTCOMES: Final[Mapping[str, str]] = {
    "approved": "approved",
    "edited": "approved",
    "auto_approved": "approved",
    "denied": "denied",
    "cancelled": "cancelled",
    "expired": "expired",
}
"""Outcome of a decision -> its stage."""
_WORDS: Final[Mapping[str, str]] = {
    **{one: one for one in STAGES},
    "created": "proposed",
    "edited": "approved",
    "executed": "completed",
    "applied": "completed",
}
"""Last word of an action -> stage, for a producer that knows no stages."""
_PROPOSALS: Final = re.compile(
    r"agent\.(proposal\.|ssh_|cost_recommendation\.)|agent\.tool\.denied"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored activity.

    Attributes:
        source: the activity, as OpenSearch returns it.
        id: ``event.id``; of two entries with one id the first counts.
        at: ``@timestamp``, microseconds since 1970.
        sequence: ``event.sequence``: orders the entries of one producer.
        producer: the sender that delivered it, and what the sender says made it.
        stage: of :data:`STAGES`, or empty: it belongs to the chain but moves it nowhere.
        proposal, call, case, organization: ids that join entries, or empty.
    """

    source: Mapping[str, Any]
    id: str
    at: int
    sequence: int | None
    producer: tuple[str, str]
    stage: str
    proposal: str
    call: str
    case: str
    organization: str

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> Entry:
        """Read one stored activity."""
        event, ours = part(source, "event"), part(source, "activity")
        return cls(
            source=source,
            id=text(event, "id"),
            at=moment(source, "@timestamp") or 0,
            sequence=number(event, "sequence"),
            producer=(text(ours, "sender"), text(event, "provider")),
            stage=_stage(event, ours),
            proposal=text(part(ours, "proposal"), "id"),
            call=text(part(source, "gen_ai", "tool", "call"), "id"),
            case=text(part(ours, "case"), "id"),
            organization=text(part(source, "organization"), "id"),
        )

    @property
    def ours(self) -> Mapping[str, Any]:
        """The group ``activity``."""
        return part(self.source, "activity")

    @property
    def action(self) -> str:
        """``event.action``."""
        return text(part(self.source, "event"), "action")

    @property
    def arguments(self) -> dict[str, Any] | None:
        """Parameters of the tool's call; ``None``: the entry does not say.

        What was too large for its field stands behind its dotted name, whole.
        """
        name = "gen_ai.tool.call.arguments"
        found = part(self.source, "gen_ai", "tool", "call").get("arguments")
        overflow = part(self.ours, "overflow")
        moved = {
            key.removeprefix(f"{name}.") or "value": value
            for key, value in overflow.items()
            if key.startswith(f"{name}.")
        }
        if name in overflow:
            moved["value"] = overflow[name]
        if not isinstance(found, dict):
            return moved or None
        return {**found, **moved}


def _stage(event: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    stage = text(part(ours, "proposal"), "stage")
    outcome = text(part(ours, "decision"), "outcome")
    if stage in DECISIONS or stage not in STAGES:
        # The outcome is the more exact word; a stage alone is enough.
        stage = OUTCOMES.get(outcome, stage) if outcome else stage
    if stage in STAGES:
        return stage
    action = text(event, "action")
    if not _PROPOSALS.match(action):
        return ""
    stage = _WORDS.get(re.split(r"[._]", action)[-1], "")
    failed = stage == "completed" and event.get("outcome") == "failure"
    return "failed" if failed else stage


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries in their order, each id once.

    The clock orders; between entries of one producer its own sequence does, since a clock may
    be set back. So the order is the same in whatever order they arrived.
    """
    # Of two entries with one id, which the collector never stores, always the same one counts.
    known: dict[str, Entry] = {}
    for one in sorted(entries, key=lambda one: (one.at, str(one.source))):
        known.setdefault(one.id, one)
    line = sorted(known.values(), key=_place)
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, one in enumerate(line):
        if one.sequence is not None:
            places[one.producer].append(index)
    result = list(line)
    for indexes in places.values():
        own = sorted((line[index] for index in indexes), key=_numbered)
        for index, one in zip(indexes, own, strict=True):
            result[index] = one
    return result


def _place(one: Entry) -> tuple[int, int, str]:
    rank = STAGES.index(one.stage) if one.stage else len(STAGES)
    return one.at, rank, one.id


def _numbered(one: Entry) -> tuple[int, int, int, str]:
    return (one.sequence or 0, *_place(one))
