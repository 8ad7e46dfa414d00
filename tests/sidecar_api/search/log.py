"""Documents of a test, in the real streams of the shared node, and a stand-in for a scope."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from activity_center.assets import data_folder
from activity_center.streams import ALERTS_STREAM, LENSES, REJECTED_STREAM, stream_name
from activity_center.vocabulary import actions
from sidecar_api.moments import written
from sidecar_api.search import Filters, Search

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When the documents of a test happened, unless they say otherwise."""


def put_templates(client: OpenSearch) -> None:
    """Put the index templates as they stand in the repository, and make the streams."""
    folder = data_folder("opensearch/templates")
    for file in sorted(folder.glob("component/*.json")):
        client.cluster.put_component_template(name=file.stem, body=json.loads(file.read_text()))
    for file in sorted(folder.glob("index/*.json")):
        client.indices.put_index_template(name=file.stem, body=json.loads(file.read_text()))
    streams = [stream_name(lens, "permanent") for lens in LENSES]
    for name in (*streams, REJECTED_STREAM, ALERTS_STREAM):
        try:
            client.indices.create_data_stream(name=name)
        except RequestError as wrong:
            if wrong.error != "resource_already_exists_exception":
                raise


def document(**values: Any) -> dict[str, Any]:
    """Make an activity; keywords are dotted names with ``__`` for the dot, ``at`` its time.

    ``None`` leaves a field out.
    """
    at = values.pop("at", NOON)
    id_ = values.pop("id", uuid.uuid4().hex)
    action = values.get("event__action", "server.update")
    known = actions().get(action)
    flat: dict[str, Any] = {
        "@timestamp": written(at) if isinstance(at, datetime) else at,
        "event__id": id_,
        "event__ingested": written(at) if isinstance(at, datetime) else at,
        "event__hash": uuid.uuid4().hex * 2,
        "event__action": action,
        "event__kind": "event",
        "event__outcome": "success",
        "event__type": list(known.event_type) if known else None,
        "activity__lens": known.lens if known else "audit",
        "activity__type": known.type if known else None,
        "activity__schema_version": 1,
        "activity__retention__class": "permanent",
        "ecs__version": "8.17.0",
        **values,
    }
    made: dict[str, Any] = {}
    for name, value in flat.items():
        if value is None:
            continue
        inner = made
        *parents, last = name.split("__")
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return made


class Anyone:
    """A wall that holds nothing back."""

    def query(self) -> dict[str, Any]:
        """The clause."""
        return {"match_all": {}}


@dataclass
class Log:
    """The documents of one test: they all bear an organization of its own.

    It is a scope as well: its wall is that organization.
    """

    client: OpenSearch
    organization: str = field(default_factory=lambda: f"t{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        self.search = Search(self.client)

    def query(self) -> dict[str, Any]:
        """The wall."""
        return {"term": {"organization.id": self.organization}}

    def add(
        self, *documents: Mapping[str, Any], stream: str = "", numbered: bool = False
    ) -> list[str]:
        """Store documents as the collector does; return their ids.

        Args:
            stream: another one than the lens's own.
            numbered: the ids tell equal ``event.id`` apart.
        """
        lines: list[str] = []
        ids: list[str] = []
        for one in documents:
            stored = copy.deepcopy(dict(one))
            stored.setdefault("organization", {}).setdefault("id", self.organization)
            lens = stored["activity"]["lens"]
            number = f"-{len(ids)}" if numbered else ""
            ids.append(f"{self.organization}-{stored['event']['id']}{number}")
            index = stream or f"activity-{lens}-permanent"
            lines.append(json.dumps({"create": {"_index": index, "_id": ids[-1]}}))
            lines.append(json.dumps(stored))
        for start in range(0, len(lines), 2000):
            body = "\n".join(lines[start : start + 2000]) + "\n"
            answer = self.client.bulk(body=body, params={"refresh": "true"})
            assert not answer["errors"], answer["items"][:3]
        return ids

    def found(self, now: datetime | None = None, **args: str | list[str]) -> set[str]:
        """Event ids of all that filters find; ``from_`` stands for ``from``."""
        page = self.search.page(self, filters(**args), size=100, as_of=now)
        assert page.total == len(page.activities)
        return ids(page.activities)


def filters(**args: str | list[str]) -> Filters:
    """Filters of parameters; ``from_`` stands for ``from``."""
    return Filters.parse(
        {
            name.rstrip("_"): [value] if isinstance(value, str) else value
            for name, value in args.items()
        }
    )


def ids(activities: Iterable[dict[str, Any]]) -> set[str]:
    """Their event ids."""
    return {one["event"]["id"] for one in activities}


def minutes(count: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)
