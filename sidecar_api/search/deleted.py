"""Whether the resource of an entry is gone by now: computed when read, since an entry never
changes and cannot learn it.

Asked is the reader's own part of the log, behind the same wall as everything else: one who may
not see the deletion is not told of it. Resources are told apart by organization, type and id.
"""

from __future__ import annotations

from typing import Any, Final

from opensearchpy import OpenSearch

from activity_center.clauses import any_of
from sidecar_api.search.ask import search
from sidecar_api.search.clauses import ORGANIZATION, TRAIL, in_organization

Key = tuple[str, str, str]
_TYPE: Final = "activity.resource.type"
_ID: Final = "activity.resource.id"


def mark(client: OpenSearch, wall: dict[str, Any], activities: list[dict[str, Any]]) -> None:
    """Set ``activity.resource.deleted`` on activities that name a resource.

    A resource is deleted when its latest successful creation or deletion is a deletion; both
    in the same millisecond count as deleted. Without an id nobody can tell: false.

    Args:
        wall: the reader's clause.
        activities: a page; changed in place.
    """
    keys = {key for one in activities if (key := _key(one))}
    gone = _gone(client, wall, keys) if keys else set()
    for one in activities:
        resource = _resource(one)
        if resource is not None:
            marked = {**resource, "deleted": _key(one) in gone}
            one["activity"] = {**one["activity"], "resource": marked}


def _gone(client: OpenSearch, wall: dict[str, Any], keys: set[Key]) -> set[Key]:
    latest = {
        name: {"filter": {"term": {"event.type": kind}}, "aggs": {"at": _AT}}
        for name, kind in (("deleted", "deletion"), ("created", "creation"))
    }
    by_id = {"terms": {"field": _ID, "size": len(keys)}, "aggs": latest}
    by_type = {"terms": {"field": _TYPE, "size": len(keys)}, "aggs": {"ids": by_id}}
    answer = search(
        client,
        {
            "size": 0,
            "track_total_hits": False,
            "query": {
                "bool": {
                    "filter": [
                        wall,
                        TRAIL,
                        {"terms": {"event.type": ["creation", "deletion"]}},
                        {"term": {"event.outcome": "success"}},
                        any_of(*(_exactly(key) for key in sorted(keys))),
                    ]
                }
            },
            "aggs": {
                "organizations": {
                    "terms": {"field": ORGANIZATION, "size": len(keys), "missing": ""},
                    "aggs": {"types": by_type},
                }
            },
        },
    )
    found: set[Key] = set()
    if "aggregations" not in answer:  # no index at all
        return found
    for organization in answer["aggregations"]["organizations"]["buckets"]:
        for kind in organization["types"]["buckets"]:
            for one in kind["ids"]["buckets"]:
                deleted, created = one["deleted"]["at"]["value"], one["created"]["at"]["value"]
                if deleted is not None and (created is None or deleted >= created):
                    found.add((organization["key"], kind["key"], one["key"]))
    return found


_AT: Final = {"max": {"field": "@timestamp"}}


def _exactly(key: Key) -> dict[str, Any]:
    organization, kind, id_ = key
    return {
        "bool": {
            "filter": [
                in_organization(organization),
                {"term": {_TYPE: kind}},
                {"term": {_ID: id_}},
            ]
        }
    }


def _resource(one: dict[str, Any]) -> dict[str, Any] | None:
    ours = one.get("activity")
    resource = ours.get("resource") if isinstance(ours, dict) else None
    return resource if isinstance(resource, dict) else None


def _key(one: dict[str, Any]) -> Key | None:
    resource = _resource(one) or {}
    organization = (one.get("organization") or {}).get("id") or ""
    kind, id_ = resource.get("type"), resource.get("id")
    if isinstance(organization, str) and isinstance(kind, str) and isinstance(id_, str):
        return organization, kind, id_
    return None
