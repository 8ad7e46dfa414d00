"""Stored entries of processes, of organizations of a test's own."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from opensearchpy import OpenSearch

from sidecar_api.access import Scope
from sidecar_api.access.scope import Reach
from sidecar_api.processes.history import History
from sidecar_api.processes.history_query import Wanted
from sidecar_api.reader import Reader
from tests.sidecar_api.search.log import NOON, document, minutes


@dataclass
class Past:
    """The stored processes of one test.

    Attributes:
        mark: in the ids of all that is stored here.
        organization: the organization of entries that name none.
    """

    client: OpenSearch
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    organization: str = ""

    def __post_init__(self) -> None:
        self.organization = f"o{self.mark}"
        self.history = History(self.client)
        self._waiting: list[str] = []
        self._sequence = 0

    def add(
        self, action: str, process: str, *, at: datetime | float = 0, **values: Any
    ) -> dict[str, Any]:
        """Add an entry; it is stored with the next :meth:`store`.

        Args:
            process: its id; the mark is put before it.
            at: minutes after noon, or the moment.
        """
        self._sequence += 1
        moment = at if isinstance(at, datetime) else NOON + minutes(at)
        fields: dict[str, Any] = {
            "organization__id": self.organization,
            "activity__process__id": self.id(process),
            "activity__process__attempt": 1,
            "event__sequence": self._sequence,
            "user__id": f"{self.mark}-anna",
            **values,
        }
        made = document(at=moment, event__action=action, **fields)
        lens = made["activity"]["lens"]
        head = {"create": {"_index": f"activity-{lens}-permanent", "_id": made["event"]["id"]}}
        self._waiting += [json.dumps(head), json.dumps(made)]
        return made

    def run(self, process: str, *ends: str, at: float = 0, **values: Any) -> None:
        """Add a process with an attempt for each of ``ends``; ``running``: it has no end.

        Each attempt takes a minute, and the next one begins in the minute after.
        """
        for number, end in enumerate(ends, 1):
            said = {**values, "activity__process__attempt": number}
            begin = "process.started" if number == 1 else "process.retried"
            self.add(begin, process, at=at, activity__process__state="running", **said)
            if end != "running":
                self.add(f"process.{end}", process, at=at + 1, **said)
            at += 2

    def store(self) -> None:
        """Store what was added, and make it searchable."""
        size = 1000
        for start in range(0, len(self._waiting), size):
            body = "\n".join(self._waiting[start : start + size]) + "\n"
            answer = self.client.bulk(body=body)
            assert not answer["errors"], answer["items"][:2]
        self._waiting = []
        self.client.indices.refresh(index="activity-process-permanent,activity-audit-permanent")

    def id(self, process: str) -> str:
        """The whole id of a process."""
        return f"{self.mark}-{process}"

    def member(self, **limits: frozenset[str]) -> Scope:
        """Who may watch the organization, or a part of it."""
        return Scope(Reader(f"{self.mark}-bert"), watching=(Reach(self.organization, **limits),))

    def stranger(self, name: str = "carl") -> Scope:
        """Somebody without a role."""
        return Scope(Reader(f"{self.mark}-{name}"))

    def names(
        self, scope: Scope | None = None, *, number: int = 1, size: int = 25, **wanted: Any
    ) -> list[str]:
        """Ids of a page without the mark, newest first."""
        found = self.history.page(
            scope or self.member(), Wanted(**wanted), number=number, size=size
        )
        return [row["id"].removeprefix(f"{self.mark}-") for row in found.processes]


def later(count: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=count)
