"""Answers: what became of each event of a body, and what OTLP's senders read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from collector.decode import Decoded
from collector.receive import otlp
from collector.receive.http.problems import Problem
from collector.records import Receipt

_AGAIN: Final = frozenset({HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.REQUEST_TIMEOUT})
"""What a sender should send again: of OTLP's, only 429, 502, 503 and 504 make it do so."""


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


def otlp_answer(
    signal: otlp.Signal, decoded: Decoded, receipt: Receipt, *, is_json: bool
) -> web.Response:
    """Return 200 as OTLP has it: with the number of what is in the rejected store instead."""
    body = otlp.success(signal, decoded, receipt, is_json=is_json)
    return web.Response(body=body, content_type=otlp.JSON if is_json else otlp.PROTOBUF)


def otlp_refusal(problem: Problem, *, is_json: bool) -> web.Response:
    """Return the answer of a problem as OTLP has it."""
    words = f"{problem.detail}; {problem.hint}" if problem.hint else problem.detail
    response = web.Response(
        status=HTTPStatus.SERVICE_UNAVAILABLE if problem.status in _AGAIN else problem.status,
        body=otlp.status(words, is_json=is_json),
        content_type=otlp.JSON if is_json else otlp.PROTOBUF,
        headers=problem.headers,
    )
    if problem.close:
        response.force_close()
    return response
