"""Removing an organization: its entries in every stream, whatever their age.

What the law keeps (legal classes) stays until it is due. Snapshots cannot be changed: a
tombstone is written down before anything is deleted, and applied to each copy that is
restored before it opens. Killed in the middle, it is run again: what is gone is not counted
twice, and an index that was left open for writing is noted, and closed by whoever works next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.answers import whole
from activity_center.errors import ClusterError
from activity_center.policies import Policy
from activity_center.setup.cluster import BAD_REQUEST, NOT_FOUND, ask
from activity_center.setup.lease import Lease
from activity_center.streams import (
    ALERTS_STREAM,
    ORGANIZATION_ID,
    REJECTED_STREAM,
    STATE_INDEX,
    stream_of,
)
from activity_center.vocabulary import retention_classes
from collector.retention.archive import LONG, RESTORED, Check, present
from collector.retention.engine import LEASE, block, close_again
from collector.retention.facts import Backing, read_backing, split_name
from collector.retention.plan import deletion
from collector.retention.record import Recorder
from collector.retention.rejected import rejected_of
from collector.retention.state import Tombstone, save_tombstone, tombstones

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_ROUNDS: Final = 5
"""Times that an index is gone over: deliveries on their way may add entries meanwhile."""


@dataclass(frozen=True, slots=True)
class Share:
    """An organization's entries in one index.

    Attributes:
        legal: the law keeps them.
        until: from when on the index is deleted; ``None``: never by age.
    """

    backing: Backing
    documents: int
    legal: bool
    until: datetime | None


OnShare = Callable[[Share, int, int], None]
"""(index about to be cleared, its number from 1, number of indices)."""


def shares(client: OpenSearch, policies: Mapping[str, Policy], organization: str) -> list[Share]:
    """Where an organization's entries are; indices without any are left out.

    Raises:
        ClusterError: not an organization's id; or an answer that is not whole.
    """
    _check_id(organization)
    classes = retention_classes()
    found = []
    for one in read_backing(client):
        documents = count_of(client, one.name, organization)
        if not documents:
            continue
        name = one.retention_class
        legal = name is not None and classes[name].legal
        policy = policies.get(name or "")
        until = deletion(policy, one) if policy else None
        found.append(Share(one, documents, legal, until))
    return found


def remove(
    client: OpenSearch,
    policies: Mapping[str, Policy],
    organization: str,
    *,
    wait: float = 120.0,
    on_share: OnShare | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Tombstone:
    """Delete an organization's entries, except what the law keeps; safe to run again.

    Returns:
        The tombstone: what was deleted, over all runs, and what is kept, stream by stream.

    Raises:
        ClusterError: not all could be deleted: run it again; what is gone stays gone.
    """
    _check_id(organization)
    with Lease(client, LEASE, index=STATE_INDEX, wait=wait, on_wait=on_wait) as lease:
        close_again(client)
        now = datetime.now(UTC).isoformat()
        before = tombstones(client).get(organization)
        stone = replace(before, done="") if before else Tombstone(organization, now)
        work = _Removal(client, stone, lease.confirm)
        for _ in range(_ROUNDS):  # deliveries on their way may add entries to any stream
            found = shares(client, policies, organization)
            going = [one for one in found if not one.legal]
            for number, share in enumerate(going, 1):
                if on_share:
                    on_share(share, number, len(going))
                one = share.backing
                work.clear(one.name, one.stream, closed=one.read_only)
            for name in _others(client):
                work.clear(name, name, closed=name.startswith(RESTORED))
            work.clear_rejected()
            found = shares(client, policies, organization)
            if all(one.legal for one in found):
                break
        else:
            raise _still_there(organization)
        kept: Counter[str] = Counter()
        for share in found:
            kept[share.backing.stream] += share.documents
        stone = replace(work.stone, done=datetime.now(UTC).isoformat(), kept=dict(kept))
        deleted = sum(stone.deleted.values())
        Recorder(client).record(
            "retention.organization_removed",
            # Of who came again and was removed again there is another one.
            f"{organization}:{stone.removed}:{deleted}",
            name=organization,
            message=f"{deleted} entries of {organization} were deleted, "
            f"{sum(stone.kept.values())} are kept by law",
            facts={"deleted": stone.deleted, "kept": stone.kept},
        )
        save_tombstone(client, stone)
        return stone


class _Removal:
    """Clears index after index, and keeps the tombstone up to date."""

    def __init__(self, client: OpenSearch, stone: Tombstone, check: Check) -> None:
        self.stone = stone
        self._client = client
        self._check = check
        save_tombstone(client, stone)

    def clear(self, index: str, stream: str, *, closed: bool) -> None:
        """Open an index if need be, clear it, and close it again."""
        client, organization = self._client, self.stone.organization
        if not count_of(client, index, organization):
            return
        self._check()
        if closed:
            self._save(replace(self.stone, opened=(index,)))
            block(client, index, closed=False)
        try:
            gone = _delete(client, index, _of(organization), organization, self._check)
        finally:
            if closed:
                block(client, index, closed=True)
                self._save(replace(self.stone, opened=()))
        self._count(stream, gone)

    def clear_rejected(self) -> None:
        """Delete the rejected records that name the organization."""
        organization = self.stone.organization
        for ids in rejected_of(self._client, organization):
            query = {"ids": {"values": ids}}
            gone = _delete(self._client, REJECTED_STREAM, query, organization, self._check)
            self._count(REJECTED_STREAM, gone)

    def _count(self, stream: str, gone: int) -> None:
        deleted = Counter(self.stone.deleted)
        deleted[stream] += gone
        self._save(replace(self.stone, deleted=dict(deleted)))

    def _save(self, stone: Tombstone) -> None:
        self.stone = stone
        save_tombstone(self._client, stone)


def bury(client: OpenSearch, index: str, stones: Iterable[Tombstone], check: Check) -> int:
    """Delete the entries of removed organizations from a restored copy; return how many.

    An organization that came again under the same id keeps what arrived after its removal; one
    whose removal is under way keeps nothing.

    Args:
        check: called before each deletion.
    """
    deleted = 0
    for one in stones:
        later = [{"range": {"event.ingested": {"gt": one.done}}}] if one.done else []
        query = {"bool": {"filter": [_of(one.organization)], "must_not": later}}
        deleted += _delete(client, index, query, one.organization, check)
    return deleted


def count_of(client: OpenSearch, index: str, organization: str) -> int:
    """Entries of an organization in an index.

    Raises:
        IncompleteAnswer: not every shard answered.
    """
    return _count(client, index, _of(organization))


def _count(client: OpenSearch, index: str, query: Mapping[str, Any]) -> int:
    answer = ask(client, "POST", f"/{index}/_refresh", allow=(BAD_REQUEST,), timeout=LONG)
    if not answer.ok:
        raise ClusterError(
            f"it cannot be searched: {answer.why}",
            where=index,
            hint=f"POST {index}/_open, or delete it if it has served; then run it again",
        )
    body = ask(client, "POST", f"/{index}/_count", body={"query": query}).body
    whole(body, f"{index}/_count")
    return int(body["count"])


def _check_id(organization: str) -> None:
    if not ORGANIZATION_ID.fullmatch(organization):
        raise ClusterError(
            f"{organization!r} cannot be an organization's id",
            hint=f"ids match {ORGANIZATION_ID.pattern}",
        )


def _others(client: OpenSearch) -> Iterator[str]:
    """What else holds an organization's entries: copies from the archive, and alerts."""
    classes = retention_classes()
    for name in present(client):
        retention_class, _ = split_name(stream_of(name.removeprefix(RESTORED)))
        if retention_class is not None and not classes[retention_class].legal:
            yield name
    if ask(client, "GET", f"/_data_stream/{ALERTS_STREAM}", allow=(NOT_FOUND,)).ok:
        yield ALERTS_STREAM


def _delete(
    client: OpenSearch, index: str, query: Mapping[str, Any], organization: str, check: Check
) -> int:
    """Delete by query until none is left; return how many."""
    deleted = 0
    for _ in range(_ROUNDS):
        if not _count(client, index, query):
            return deleted
        check()
        body = ask(
            client,
            "POST",
            f"/{index}/_delete_by_query",
            params={"refresh": "true", "conflicts": "proceed"},
            body={"query": query},
            timeout=LONG,
        ).body
        deleted += int(body.get("deleted", 0))
        if body.get("failures") or body.get("timed_out"):
            raise ClusterError(
                f"not all entries could be deleted: {str(body.get('failures'))[:200]}",
                where=f"{index}/_delete_by_query",
                hint="run it again; what is gone stays gone",
            )
    if _count(client, index, query):
        raise _still_there(organization, index)
    return deleted


def _still_there(organization: str, where: str | None = None) -> ClusterError:
    return ClusterError(
        f"entries of {organization} are still there, or new ones keep coming",
        where=where,
        hint="take the organization out of the configuration first, then run it again",
    )


def _of(organization: str) -> dict[str, Any]:
    return {"term": {"organization.id": organization}}
