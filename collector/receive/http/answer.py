"""The answer to a body that was read: what became of each event."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from collector.decode import Decoded
from collector.records import Receipt


def items(decoded: Decoded, receipt: Receipt) -> list[dict[str, Any]]:
    """Return one item per event, in the order sent.

    Accepted: ``id``, or ``ids`` where one record gave several activities. Rejected:
    ``reason``, ``detail`` and the ``path`` of the offending value. Ignored: ``detail``.
    """
    made: list[dict[str, Any]] = []
    for index, ids in enumerate(receipt.ids):
        reject = receipt.rejected.get(index)
        if reject is not None:
            made.append(_rejected(reject.reason, reject.detail, reject.path))
        elif index in receipt.ignored:
            made.append({"status": "ignored", "detail": receipt.ignored[index]})
        elif len(ids) == 1:
            made.append({"status": "accepted", "id": ids[0]})
        else:
            made.append({"status": "accepted", "ids": ids})
    for broken in decoded.broken:  # in ascending order, so each finds its place
        made.insert(broken.index, _rejected(broken.reason, broken.detail, ""))
    return made


def _rejected(reason: str, detail: str, path: str) -> dict[str, Any]:
    return {"status": "rejected", "reason": reason, "detail": detail, "path": path}


def answer(decoded: Decoded, receipt: Receipt) -> web.Response:
    """Return 200: everything is durable, as an activity or in the rejected store."""
    made = items(decoded, receipt)
    counts = {"accepted": 0, "rejected": 0, "ignored": 0}
    for item in made:
        counts[item["status"]] += 1
    return web.Response(
        body=orjson.dumps({**counts, "items": made}), content_type="application/json"
    )
