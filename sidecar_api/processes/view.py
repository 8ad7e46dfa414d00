"""Who watches what: the same rights and the same filter are one view, and one group."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sidecar_api.search.filters import NONE

if TYPE_CHECKING:
    from sidecar_api.access import Reach, Scope, Subject
    from sidecar_api.processes.ring import Change


@dataclass(frozen=True, slots=True)
class View:
    """What somebody watches: by which rights, and which part of it they asked for.

    Attributes:
        everything: nothing is hidden (``platform:audit``).
        watching: what roles with ``process:view`` show.
        reader: id of the one reader whose own processes show too; empty: of nobody, so that
            readers with the same roles share one view.
        channel, organization, process: the part that is wanted; empty: all. The organization may
            be ``NONE``: what has none.
    """

    everything: bool
    watching: tuple[Reach, ...]
    reader: str = ""
    channel: str = ""
    organization: str = ""
    process: str = ""

    @classmethod
    def of(
        cls, scope: Scope, *, channel: str = "", organization: str = "", process: str = ""
    ) -> View:
        """The view of a reader, as yet without the processes that only they may see."""
        watching = () if scope.everything else tuple(sorted(set(scope.watching), key=_order))
        return cls(scope.everything, watching, "", channel, organization, process)

    def sees(self, subject: Subject, channel: str, process: str) -> bool:
        """Whether a process shows in it."""
        return self.wants(subject, channel, process) and (
            self.by_role(subject) or bool(self.reader and subject.initiator == self.reader)
        )

    def loses(self, changes: Iterable[Change]) -> bool:
        """Whether a process showed in it, and does not any more since one of the changes."""
        return any(
            one.former is not None
            and self.sees(one.former, one.channel, one.process)
            and not self.sees(one.subject, one.channel, one.process)
            for one in changes
        )

    def wants(self, subject: Subject, channel: str, process: str) -> bool:
        """Whether a process is of the part that is wanted, whoever may see it."""
        return (
            (not self.channel or channel == self.channel)
            and (not self.organization or (subject.organization or NONE) == self.organization)
            and (not self.process or process == self.process)
        )

    def by_role(self, subject: Subject) -> bool:
        """Whether a role shows a process."""
        return self.everything or any(one.covers(subject) for one in self.watching)

    def with_own(self, reader: str) -> View:
        """The same, with what this reader began themselves."""
        return replace(self, reader=reader)

    def binding(self) -> bytes:
        """What an offset of it is bound to: under other rights it is of no use."""
        limits = [_order(one) for one in self.watching]
        parts = [self.everything, limits, self.channel, self.organization, self.process]
        return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).digest()


def _order(one: Reach) -> tuple[str, list[str], list[str], bool, bool]:
    return (
        one.organization,
        sorted(one.workspaces or ()),
        sorted(one.resources or ()),
        one.workspaces is None,
        one.resources is None,
    )
