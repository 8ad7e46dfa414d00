"""The values that stages of the collector hand to each other.

receive -> :class:`Batch` -> process -> :class:`Entry` and :class:`Reject` -> spool -> deliver;
the sender is answered from the :class:`Receipt`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from activity_center.processes import AUDITED

MAX_EVENT_BYTES: Final = 1024 * 1024
"""Largest event, as sent and as stored; larger ones are refused (``too_large``)."""

REASONS: Final[dict[str, str]] = {
    "undecodable": "the bytes are not valid JSON or MessagePack",
    "not_an_object": "the record is not an object",
    "too_large": "the event is larger than 1 MiB",
    "too_deep": "the event is nested deeper than 100 levels and cannot be placed",
    "bad_number": "an integer beyond 64 bit, or a number that is not finite",
    "bad_text": "a lone surrogate or other text that is not Unicode",
    "no_source": "no source mapping takes this record",
    "source_not_allowed": "this sender may not send for that source",
    "organization_not_allowed": "this sender may not send for that organization",
    "invalid": "the activity breaks the schema",
    "id_conflict": "another event is stored under the same id",
    "refused": "OpenSearch refused the document",
    "internal": "a defect of the collector met this record",
    "spool_corrupt": "bytes in the spool were damaged on disk",
}
"""Closed list of reasons; the key is stored and counted, the text is for people."""

CONTROLS: Final = frozenset(AUDITED)
"""Actions of the audit lens that are about a running process: its watchers see them live."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: one credential and what it may send.

    Attributes:
        name: from the configuration; label of metrics and part of rejected records.
        sources: names of the source mappings it may use; ``None`` means all.
        organizations: the organizations it may send for; ``None`` means all.
        may_assert: claims that are believed from this sender, for example ``"approver"``.
        quota_bytes: its share of the spool, in bytes.
    """

    name: str
    sources: frozenset[str] | None = None
    organizations: frozenset[str] | None = None
    may_assert: frozenset[str] = frozenset()
    quota_bytes: int | None = None

    @property
    def only_organization(self) -> str | None:
        """The organization that a missing ``organization.id`` becomes."""
        if self.organizations is not None and len(self.organizations) == 1:
            return next(iter(self.organizations))
        return None


@dataclass(slots=True)
class Batch:
    """Decoded records of one sender, in the order received.

    Attributes:
        records: decoded values (``dict`` if the sender is well-behaved).
        times: Unix time in ns per record, or ``None`` where the transport gave none.
        source: a source mapping named by the transport (query, listener, option), or
            ``None``: routed by tag and by the mappings' own tests.
        tag: the Forward tag, else ``""``.
        received: Unix time of receipt in ns.
        size: bytes on the wire after decompression; 0 where unknown.
    """

    sender: Sender
    records: list[Any]
    times: list[int | None] | None = None
    source: str | None = None
    tag: str = ""
    received: int = 0
    size: int = 0


class Entry(NamedTuple):
    """One normalized activity on its way to OpenSearch.

    Attributes:
        stream: the data stream.
        id: the document's ``_id``: at most 64 characters of ``[A-Za-z0-9_-]``.
        time: ``@timestamp`` as Unix time in ms.
        hash: ``event.hash``: hex SHA-256 of the canonical bytes.
        body: the document as JSON, one line, no line feed.
        sender: the name of the sender, for its quota.
    """

    stream: str
    id: str
    time: int
    hash: str
    body: bytes
    sender: str


class Reject(NamedTuple):
    """One record that was refused: kept whole, redacted, with the reason.

    Attributes:
        reason: a key of :data:`REASONS`.
        detail: words for a person; never holds a secret.
        path: JSON pointer of the offending value, or ``""``.
        record: the redacted record as JSON, or ``None`` where bytes did not decode.
        raw: undecodable bytes (kept in a 0600 file, never sent on), or ``None``.
        sender: the name of the sender.
        source: the source mapping, or ``""``.
        tag: the Forward tag, or ``""``.
        received: Unix time of receipt in ns.
        time: the transport's time of the record, Unix ns, or ``None``.
    """

    reason: str
    detail: str
    path: str
    record: bytes | None
    raw: bytes | None
    sender: str
    source: str
    tag: str
    received: int
    time: int | None = None


class Control(Entry):
    """An entry of :data:`CONTROLS`: it is published too, although it is of the audit lens."""

    __slots__ = ()


@dataclass(slots=True)
class Receipt:
    """What became of a batch.

    Attributes:
        accepted: number of activities made durable (one record can give several).
        ids: per record the ids of its activities; empty where rejected or ignored.
        sources: per record the name of its source mapping; empty where none takes it.
        rejected: record index -> its :class:`Reject`.
        ignored: record index -> the mapping's reason for not keeping it.
    """

    accepted: int = 0
    ids: list[list[str]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    rejected: dict[int, Reject] = field(default_factory=dict)
    ignored: dict[int, str] = field(default_factory=dict)


Accept = Callable[[Batch], Awaitable[Receipt]]
"""What a receiver calls. Returns when all is durable.

Raises:
    SpoolFull: wait ``retry_after`` seconds; nothing of the batch was taken.
    SpoolFailed: stop acknowledging.
"""

AcceptSoon = Callable[[Batch, Callable[[Exception | None], None]], bool]
"""What a receiver may call instead: costs no task and no future; huge batches are not taken.

Returns whether the batch was taken. If so, the function given is called later: with ``None``
when all is durable, else with what :data:`Accept` raises.
"""

RejectBytes = Callable[[Sender, Sequence[tuple[bytes, str]]], Awaitable[None]]
"""What a receiver calls for bytes that do not decode: (sender, pairs of bytes and detail).

All of one chunk or body come in one call and become durable together, or none of them.

Raises:
    SpoolFull: wait ``retry_after`` seconds; none of them was taken.
    SpoolFailed: stop acknowledging.
"""
