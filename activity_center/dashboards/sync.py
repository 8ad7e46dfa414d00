"""Bringing our objects into a Dashboards, and telling what differs there.

Ours are known by their ids. An import into a workspace gives new ids to what already exists
in another one (OpenSearch Dashboards issue 12620), so there an object is ours when its
description ends with our marker and its title is ours; what people copied has another title
or stands beside ours, and is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from activity_center.dashboards.build import PAGE, marker
from activity_center.dashboards.bundle import ORDER, decode, encode, ndjson
from activity_center.dashboards.remote import Dashboards
from activity_center.errors import ClusterError

Json = dict[str, Any]
Key = tuple[str, str]
Ids = Mapping[Key, str]

_IGNORED: Final = ("fields", "version", "hits")
"""Attributes that Dashboards writes itself: the fields it found, and counters."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One of our objects and how it stands there.

    Attributes:
        there: its id there; empty where it is missing.
        differences: paths below ``attributes``, or ``references``.
    """

    type: str
    id: str
    title: str
    state: Literal["same", "changed", "missing"]
    there: str = ""
    differences: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """For ``--json``."""
        return {
            "type": self.type,
            "id": self.id,
            "title": self.title,
            "state": self.state,
            "there": self.there or None,
            "differences": list(self.differences),
        }


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did; ``created`` and ``replaced`` are numbers of objects."""

    created: int
    replaced: int


def look_up(server: Dashboards, ours: Sequence[Json]) -> dict[Key, str]:
    """Return the ids there of those of our objects that are there."""
    wanted = {
        (one["type"], one["attributes"]["title"], marker(one["id"])): (one["type"], one["id"])
        for one in ours
    }
    own, moved = set(wanted.values()), dict[Key, str]()
    found: dict[Key, str] = {}
    for one in server.find(ORDER):
        if (one["type"], one["id"]) in own:
            found[one["type"], one["id"]] = one["id"]
            continue
        attributes = one.get("attributes", {})
        mark = str(attributes.get("description", "")).rpartition(" ")[2]
        key = wanted.get((one["type"], attributes.get("title", ""), mark))
        if key is not None:  # of several the same one each time
            moved[key] = min(moved.get(key, one["id"]), one["id"])
    return moved | found


def renamed(one: Json, ids: Ids) -> Json:
    """Return an object with the ids that ours have there, also in links of text panels."""
    attributes = one["attributes"]
    state = attributes.get("visState", {})
    if state.get("type") == "markdown":
        text = state["params"]["markdown"]
        for (type_, id_), there in ids.items():
            if type_ == "search":
                text = text.replace(f"#/view/{id_})", f"#/view/{there})")
        state = {**state, "params": {**state["params"], "markdown": text}}
        attributes = {**attributes, "visState": state}
    references = [
        {**each, "id": ids.get((each["type"], each["id"]), each["id"])}
        for each in one["references"]
    ]
    there = ids.get((one["type"], one["id"]), one["id"])
    return {**one, "id": there, "attributes": attributes, "references": references}


def compare(server: Dashboards, ours: Sequence[Json], page: str = PAGE) -> list[Compared]:
    """Tell of each of our objects whether it is there, and as we ship it.

    Args:
        page: address of the Activity Center page that the links should lead to.
    """
    ids = look_up(server, ours)
    keys = [(type_, there) for (type_, _), there in ids.items()]
    stored = {(one["type"], one["id"]): decode(one) for one in server.get(keys)}
    told = []
    for one in ours:
        there = ids.get((one["type"], one["id"]), "")
        title = one["attributes"]["title"]
        if (one["type"], there) not in stored:
            told.append(Compared(one["type"], one["id"], title, "missing"))
            continue
        wanted = decode(encode(renamed(one, ids), page))
        paths = tuple(_differences(wanted, stored[one["type"], there]))
        state: Literal["same", "changed"] = "changed" if paths else "same"
        told.append(Compared(one["type"], one["id"], title, state, there, paths))
    return told


def import_all(server: Dashboards, ours: Sequence[Json], page: str = PAGE) -> Imported:
    """Import our objects over those of ours that are there.

    Raises:
        ClusterError: some were refused; each with its reason.
    """
    before = look_up(server, ours)
    ids = dict(before)
    for _ in range(2):
        bundle = [encode(renamed(one, ids), page) for one in ours]
        sent = {
            (one["type"], one["id"]): (one["type"], our["id"])
            for one, our in zip(bundle, ours, strict=True)
        }
        answer = server.import_(ndjson(bundle))
        if not answer.get("success"):
            raise _refused(server, answer)
        moved = {
            sent[one["type"], one["id"]]: one["destinationId"]
            for one in answer.get("successResults", [])
            if one.get("destinationId") not in (None, one["id"])
            and (one["type"], one["id"]) in sent
        }
        if not moved:
            break
        ids |= moved  # links in text panels know the new ids only in a second round
    return Imported(created=len(ours) - len(before), replaced=len(before))


def _differences(wanted: Json, there: Json) -> list[str]:
    found = []
    for path in _paths(wanted["attributes"], there["attributes"], ""):
        if path.split(".")[0] not in _IGNORED:
            found.append(path)

    def key(one: Json) -> tuple[str, ...]:
        return (one["name"], one["type"], one["id"])

    if sorted(map(key, wanted["references"])) != sorted(map(key, there.get("references", []))):
        found.append("references")
    return found


def _paths(wanted: Any, there: Any, above: str) -> list[str]:
    """Paths at which two values differ; a list that differs in length is one difference."""
    if wanted == there:
        return []
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        keys = sorted({*wanted, *there})
        pairs = [(f"{above}{key}.", wanted.get(key), there.get(key)) for key in keys]
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        both = zip(wanted, there, strict=True)
        pairs = [(f"{above}{place}.", *pair) for place, pair in enumerate(both)]
    else:
        return [above.rstrip(".")]
    return [path for place, one, other in pairs for path in _paths(one, other, place)]


def _refused(server: Dashboards, answer: Json) -> ClusterError:
    lines = []
    for one in answer.get("errors", []):
        error = one.get("error", {})
        reason = error.get("message") or error.get("type", "unknown")
        if error.get("type") == "missing_references":
            missing = [f"{each['type']}/{each['id']}" for each in error.get("references", [])]
            reason = f"missing references: {', '.join(missing)}"
        lines.append(f"{one.get('type')}/{one.get('id')}: {' '.join(str(reason).split())[:300]}")
    count = len(lines)
    return ClusterError(
        f"{count} of the objects were refused\n  " + "\n  ".join(lines[:20]),
        where=server.url,
        hint="the others were imported; it is safe to import again",
    )
