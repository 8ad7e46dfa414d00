"""What is: every backing index of our streams, as its policy sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.setup.cluster import ask
from activity_center.streams import LENS_PATTERNS, LENSES
from activity_center.vocabulary import retention_classes

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_ALL: Final = {"expand_wildcards": "all"}


@dataclass(frozen=True, slots=True)
class Backing:
    """One backing index.

    Attributes:
        retention_class: by the stream's name; ``None``: the name holds no class of ours.
        organization: whose stream it is, if it is an organization's own.
        created: its creation.
        rolled: when writing went on to the next one; ``None``: it is the write index.
        documents: living ones, in primary shards.
        size: bytes of primary shards.
        segments: of the primary shard that has most of them.
        max_seq_no: of all primary shards together: any write raises it.
        read_only: whether it takes no writes.
        replicas: how many copies beside the primary it may have.
        complete: whether it is open and every primary shard answered: else nothing is done
            to it.
    """

    name: str
    stream: str
    retention_class: str | None
    organization: str | None
    uuid: str
    created: datetime
    rolled: datetime | None
    documents: int
    size: int
    segments: int
    max_seq_no: int
    read_only: bool
    replicas: int
    complete: bool

    @property
    def is_write_index(self) -> bool:
        """Whether new entries go there: it is never deleted."""
        return self.rolled is None


def read_backing(client: OpenSearch) -> list[Backing]:
    """Read all backing indices of the three lenses, stream by stream, oldest first."""
    patterns = ",".join(LENS_PATTERNS)
    streams = ask(client, "GET", f"/_data_stream/{patterns}").body["data_streams"]
    settings = ask(
        client, "GET", f"/{patterns}/_settings", params={"flat_settings": "true", **_ALL}
    ).body
    stats = ask(
        client,
        "GET",
        f"/{patterns}/_stats/docs,store,segments",
        params={"level": "shards", "forbid_closed_indices": "false", **_ALL},
    ).body["indices"]
    return [
        backing
        for stream in sorted(streams, key=lambda one: str(one["name"]))
        for backing in _stream(stream, settings, stats)
    ]


def split_name(stream: str) -> tuple[str | None, str | None]:
    """The retention class and the organization in a stream's name."""
    for lens in LENSES:
        rest = stream.removeprefix(f"activity-{lens}-")
        if rest == stream:
            continue
        for name in retention_classes():
            if rest == name:
                return name, None
            if rest.startswith(f"{name}-"):
                return name, rest[len(name) + 1 :]
    return None, None


def _stream(
    stream: Mapping[str, Any], settings: Mapping[str, Any], stats: Mapping[str, Any]
) -> Iterator[Backing]:
    names = [one["index_name"] for one in stream["indices"]]
    created = {name: _created(settings[name]) for name in names if name in settings}
    retention_class, organization = split_name(stream["name"])
    for position, name in enumerate(names):
        if name not in settings:
            continue  # made or deleted while this was read
        later = names[position + 1 :]
        flat = settings[name]["settings"]
        shards = [
            copy
            for copies in stats.get(name, {}).get("shards", {}).values()
            for copy in copies
            if copy["routing"]["primary"]
        ]
        yield Backing(
            name=name,
            stream=stream["name"],
            retention_class=retention_class,
            organization=organization,
            uuid=flat["index.uuid"],
            created=created[name],
            rolled=next(
                (max(created[one], created[name]) for one in later if one in created), None
            ),
            documents=sum(one["docs"]["count"] for one in shards),
            size=sum(one["store"]["size_in_bytes"] for one in shards),
            segments=max((one["segments"]["count"] for one in shards), default=0),
            max_seq_no=sum(one["seq_no"]["max_seq_no"] + 1 for one in shards),
            read_only=flat.get("index.blocks.write") == "true",
            replicas=_replicas(flat),
            complete=len(shards) == int(flat["index.number_of_shards"])
            and flat.get("index.verified_before_close") != "true",
        )


def _created(body: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(body["settings"]["index.creation_date"]) / 1000, UTC)


def _replicas(flat: Mapping[str, str]) -> int:
    """``auto_expand_replicas`` decides over ``number_of_replicas`` where it is set."""
    expand = flat.get("index.auto_expand_replicas", "false")
    if expand != "false":
        most = expand.split("-")[-1]
        return int(most) if most.isdigit() else 1_000
    return int(flat.get("index.number_of_replicas", 0))
