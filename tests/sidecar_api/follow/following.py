"""Watches of the live tail as tests open and read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activity_center.config import Cluster
from activity_center.config_sidecar import SidecarConfig
from sidecar_api.access import Access, Scope
from sidecar_api.follow import Event, Hub, Watch
from sidecar_api.reader import Grant, Reader
from sidecar_api.search import Filters, Search
from sidecar_api.search.newer import Place
from tests.sidecar_api.export.people import config_of
from tests.sidecar_api.search.log import Log, document

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ALL = Filters.parse({})


def owner(cluster: Cluster, log: Log, folder: Path) -> Scope:
    """What an owner of the log's organization may see."""
    config = config_of(cluster, log.organization, SidecarConfig(data_dir=str(folder)))
    reader = Reader(f"olga_{log.organization}", grants={log.organization: (Grant("owner"),)})
    return Access(config).scope(reader)


def quick(client: OpenSearch, **more: Any) -> Hub:
    """A hub that is not as patient as the real one."""
    return Hub(Search(client), **{"interval": 0.05, "heartbeat": 0.4, **more})


def now(**values: Any) -> dict[str, Any]:
    """An activity that is received at this moment."""
    return document(at=datetime.now(UTC), **values)


def said(events: Iterator[Event]) -> Event:
    """The next event but for beats."""
    return next(one for one in events if one.kind != "beat")


def take(watch: Watch, count: int, beats: int = 20, into: list[Event] | None = None) -> list[Event]:
    """The next events of a watch, but for beats; fewer when it is silent for so many beats.

    Args:
        into: they are put there, and are there too when the watch fails.
    """
    got: list[Event] = [] if into is None else into
    silent = 0
    for event in watch.events(lambda: True):
        if event.kind == "beat":
            silent += 1
        else:
            got.append(event)
        if len(got) >= count or silent >= beats:
            break
    return got


def names(events: list[Event]) -> list[str]:
    """Event ids of activities."""
    return [event.activity["event"]["id"] for event in events if event.activity]


def begun(watch: Watch) -> Place:
    """Where a watch that has got nothing yet would go on."""
    with closing(watch):
        for event in watch.events(lambda: True):
            return event.place
    raise AssertionError("the watch ended")
