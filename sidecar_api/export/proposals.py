"""Proposals as a file: evidence of one, or of a period.

NDJSON has a line ``{"proposal": ...}`` for each chain, with what is said of it, and after it a
line ``{"entry": ...}`` for each of its entries. CSV has a row for each chain, whose last column
is all of it as JSON. Both end with a manifest (:mod:`sidecar_api.export.manifest`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from sidecar_api.agents.chains import Read
from sidecar_api.agents.judging import Judge
from sidecar_api.export import csv, ndjson
from sidecar_api.export.manifest import Tally
from sidecar_api.search.present import activity

FORMS: Final[Mapping[str, str]] = {"csv": csv.MEDIA_TYPE, "ndjson": ndjson.MEDIA_TYPE}
"""Form -> media type."""
AT_ONCE: Final = 20
"""Chains that are read at once, whole."""
COLUMNS: Final[tuple[str, ...]] = (
    "proposed_at",
    "id",
    "state",
    "judgement.verdict",
    "judgement.violation",
    "judgement.explanation",
    "organization.id",
    "organization.name",
    "case",
    "agent.id",
    "agent.name",
    "agent.version",
    "agent.provider",
    "agent.model",
    "tool.name",
    "impact.level",
    "action",
    "target.type",
    "target.id",
    "target.name",
    "initiator.id",
    "initiator.name",
    "initiator.full_name",
    "rationale",
    "expires_at",
    "decided_at",
    "decision.outcome",
    "decision.source",
    "decision.scope",
    "decision.reason",
    "decision.confirmation",
    "decision.auth_method",
    "decision.mfa",
    "decision.authenticated",
    "decision.approver.id",
    "decision.approver.name",
    "decision.approver.full_name",
    "decision.approver.roles",
    "wait_ms",
    "policy.id",
    "policy.version",
    "started_at",
    "ended_at",
    "proposed.arguments",
    "proposed.digest",
    "decision.digest",
    "execution.arguments",
    "execution.digest",
    "execution.output",
    "execution.error",
    "complete",
    "entries",
    "whole",
)
"""``decision`` and ``execution`` are the last ones; ``whole`` is the chain, whole, as JSON."""
_HEADER: Final = ",".join(csv.cell(name) for name in COLUMNS).encode() + csv.END

Row = Mapping[str, Any]


def written(form: str, reads: Iterable[Read], judge: Judge, tally: Tally) -> Iterator[bytes]:
    """Yield the file, a chain at a time.

    Whatever ends ``reads`` early ends this without a manifest.

    Args:
        form: of :data:`FORMS`.
        reads: chains with their entries whole, newest first.
        tally: of the same form; counts and hashes the file.
    """
    if form == "csv":
        yield _told(tally, _HEADER)
    for read in reads:
        row = judge.row(read)
        chunk = _line(row) if form == "csv" else _lines(row, read)
        times = [str(hit["_source"].get("@timestamp") or "") for hit in read.hits]
        tally.see(max(times), row["proposed_at"] or times[0], 1)
        yield _told(tally, chunk)
        time.sleep(0)  # under gevent: other requests get their turn
    yield tally.close()


def _told(tally: Tally, chunk: bytes) -> bytes:
    tally.add(chunk)
    return chunk


def _lines(row: Row, read: Read) -> bytes:
    lines = [orjson.dumps({"proposal": row}, option=orjson.OPT_APPEND_NEWLINE)]
    for hit in read.hits:
        lines.append(orjson.dumps({"entry": activity(hit)}, option=orjson.OPT_APPEND_NEWLINE))
    return b"".join(lines)


def _line(row: Row) -> bytes:
    decided, ran = row["decisions"], row["executions"]
    parts = {
        **row,
        "decision": decided[-1] if decided else {},
        "execution": ran[-1] if ran else {},
        "whole": row,
    }
    return ",".join(csv.cell(_at(parts, name)) for name in COLUMNS).encode() + csv.END


def _at(row: Any, name: str) -> Any:
    for part in name.split("."):
        row = row.get(part) if isinstance(row, Mapping) else None
    return row
