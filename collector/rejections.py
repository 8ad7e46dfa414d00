"""A rejected record as a searchable document of the stream ``activity-rejected``.

The rejected store (:mod:`collector.rejected`) keeps the original; this is the copy that
auditors find. The record stands in it as text, so that it cannot be refused again.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

from activity_center.streams import REJECTED_STREAM
from activity_center.vocabulary import ECS_VERSION
from collector.normalize.identity import document_id
from collector.normalize.timestamps import from_nanoseconds
from collector.records import Entry, Reject

MAX_RECORD: Final = 256 * 1024
"""A longer record is shown by size and hash alone; ``rejected show`` has it whole."""


def rejected_entry(reject: Reject) -> Entry:
    """Return the entry of ``reject`` for the stream ``activity-rejected``.

    Its id hangs on what was rejected and why, so a repeat is found once.
    """
    content = reject.record if reject.record is not None else (reject.raw or b"")
    sha256 = hashlib.sha256(content).hexdigest()
    _id = document_id("rejected", reject.sender, f"{reject.reason}\0{reject.path}\0{sha256}")
    moment = from_nanoseconds(reject.received)
    rejected: dict[str, Any] = {
        "reason": reject.reason,
        "sender": reject.sender,
        "size": len(content),
        "sha256": sha256,
    }
    for name, value in (("path", reject.path), ("source", reject.source), ("tag", reject.tag)):
        if value:
            rejected[name] = value.encode("utf-8", "backslashreplace").decode()[:1024]
    if reject.record is not None and len(reject.record) <= MAX_RECORD:
        rejected["record"] = reject.record.decode("utf-8", "backslashreplace")
    digest = hashlib.sha256(_id.encode()).hexdigest()
    document = {
        "@timestamp": moment.text,
        "ecs": {"version": ECS_VERSION},
        "error": {"message": reject.detail.encode("utf-8", "backslashreplace").decode()},
        "event": {
            "action": "activity.rejected",
            "hash": digest,
            "id": _id,
            "ingested": moment.text,
            "kind": "pipeline_error",
            "outcome": "failure",
        },
        "rejected": rejected,
    }
    body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return Entry(REJECTED_STREAM, _id, moment.ms, digest, body, reject.sender)
