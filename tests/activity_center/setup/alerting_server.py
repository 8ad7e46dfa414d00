"""A server that answers as the Alerting plugin: it keeps monitors, by the plugin's API.

As the real one does, it gives a monitor an id of its own, writes every default out, takes a
monitor in the place of exactly the version that is named, and has no index before the first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.json_server import json_server

MONITORS = "/_plugins/_alerting/monitors"


class Alerting:
    """The plugin's memory.

    Attributes:
        held: by id, as hits of its search.
        calls: method and path of each change, in order.
        there: whether the cluster has the plugin.
        allowed: whether the account may use it.
    """

    def __init__(self, written_out: Callable[[Any], Any]) -> None:
        self.url = ""
        self.held: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.there = self.allowed = True
        self._written_out = written_out
        self._seq = 0

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        """Status and body for a request."""
        if not self.there:
            reason = f"no handler found for uri [{path}] and method [{method}]"
            return 400, {"error": reason}
        if not self.allowed:
            return 403, {"error": {"type": "security_exception", "reason": "no permissions"}}
        if (method, path) == ("POST", f"{MONITORS}/_search"):
            if not self.held:
                return 404, {"error": {"type": "index_not_found_exception"}, "status": 404}
            return 200, {"hits": {"hits": [*self.held.values()]}}
        self.calls.append((method, path))
        if (method, path) == ("POST", MONITORS):
            return 201, self._keep(f"id-{len(self.held) + 1}", body)
        there = self.held.get(path.removeprefix(f"{MONITORS}/"))
        if method != "PUT" or there is None:
            return 404, {"error": {"type": "status_exception", "reason": "Monitor not found"}}
        if query.get("if_seq_no") != [str(there["_seq_no"])]:
            return 409, {"error": {"type": "version_conflict_engine_exception"}}
        return 200, self._keep(there["_id"], body)

    def _keep(self, id_: str, body: Any) -> dict[str, Any]:
        self._seq += 1
        kept = {**self._written_out(body), "schema_version": 8, "last_update_time": self._seq}
        self.held[id_] = {
            "_id": id_, "_seq_no": self._seq, "_primary_term": 1, "_source": kept,
        }  # fmt: skip
        return {"_id": id_, "_seq_no": self._seq, "_primary_term": 1, "monitor": kept}


@contextmanager
def serving(written_out: Callable[[Any], Any]) -> Iterator[Alerting]:
    """The server.

    Args:
        written_out: a body as the plugin gives it back.
    """
    plugin = Alerting(written_out)

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        return plugin.answer(
            method, parts.path, parse_qs(parts.query), json.loads(body) if body else None
        )

    with json_server(answer) as plugin.url:
        yield plugin
