"""One stored activity as a stage of a chain, and the order of several.

Stored entries are checked already; still, what has the wrong shape here is not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from activity_center.agents.stage import STAGES, stage_of
from activity_center.processes.reading import moment, number, part, text

CALL_OF: Final = "call:"
"""Before a call's id: the id of a chain that has no other."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored activity.

    Attributes:
        source: the activity, as OpenSearch returns it.
        id: ``event.id``; one and the same entry has one ``event.hash`` as well.
        at: ``@timestamp``, microseconds since 1970.
        sequence: ``event.sequence``: orders the entries of one producer.
        producer: the sender that delivered it, and what the sender says made it.
        stage: see :func:`activity_center.agents.stage.stage_of`.
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
            stage=stage_of(event, ours),
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
    def received(self) -> int | None:
        """``event.ingested``, which the collector says and no sender."""
        return moment(part(self.source, "event"), "ingested")

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


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries in their order, each once.

    The clock orders; between entries of one producer its own sequence does, since a clock may
    be set back. So the order is the same in whatever order they arrived.
    """
    # A repeat may stand in another stream (docs/decisions/0001). With another hash it is another
    # entry: an id belongs to its source, and whoever else uses it must not remove this one.
    known: dict[tuple[str, str], Entry] = {}
    for one in sorted(entries, key=lambda one: (one.at, str(one.source))):
        known.setdefault((one.id, _hash(one)), one)
    stored = {id_ for id_, made in known if made}
    line = [one for (id_, made), one in known.items() if made or id_ not in stored]
    line.sort(key=_place)
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


def first_proposed(line: Sequence[Entry]) -> Entry | None:
    """Return the proposal that came in first: no later one takes its place, however dated.

    Args:
        line: entries of a chain, in order.
    """
    return first_received([one for one in line if one.stage == "proposed"])


def first_received(line: Sequence[Entry]) -> Entry | None:
    """Return the entry that came in first, of several at once the first in order."""
    # Without a time of receipt it is on its way still.
    return min(line, key=lambda one: (one.received is None, one.received or 0), default=None)


def _hash(one: Entry) -> str:
    return text(part(one.source, "event"), "hash")


def _place(one: Entry) -> tuple[int, int, str]:
    rank = STAGES.index(one.stage) if one.stage else len(STAGES)
    return one.at, rank, one.id


def _numbered(one: Entry) -> tuple[int, int, int, str]:
    return (one.sequence or 0, *_place(one))
