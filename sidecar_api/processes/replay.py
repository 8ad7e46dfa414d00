"""How a process went: what each entry of it changed, by the same fold as everything else.

A page that shows it needs to know no rule but the one by which deltas are taken over
(docs/process-stream.md, "A delta").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from sidecar_api.processes.guarded import folded

if TYPE_CHECKING:
    from activity_center.processes import Process

MOVES: Final = frozenset(
    {
        *("attempt", "attempts", "state", "stalled", "cleaned", "progress", "error"),
        *("started", "ended", "duration_ms", "receipt"),
    }
)
"""Members of a process that tell how it went; what it is, it is from its beginning to its end."""
_LISTS: Final = ("steps", "requests")


def replayed(entries: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what each entry changed, without output, which has its own times.

    Args:
        entries: of one process, in the order of their times.

    Yields:
        ``at`` (RFC 3339) and ``delta``; none for an entry that changed nothing of this.
    """
    process: Process | None = None
    for entry in entries:
        found = folded(process, entry)
        if found is None:
            continue
        process, delta = found
        said = delta.as_dict()
        made: dict[str, Any] = {name: said[name] for name in _LISTS if name in said}
        moved = {name: one for name, one in delta.process.items() if name in MOVES}
        renewed = [name for name in delta.renewed if name in _LISTS]
        made |= {"process": moved} if moved else {}
        made |= {"renewed": renewed} if renewed else {}
        if made:
            of = {"id": delta.id, "organization": delta.organization}
            yield {"at": entry["@timestamp"], "delta": of | made}
