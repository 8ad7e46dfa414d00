"""What tests of alerts share: a node with our streams, activities, a receiver of webhooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opensearchpy import OpenSearch

from activity_center.alerting import Rule, load_rules
from activity_center.setup.cluster import ask
from activity_center.streams import ALERTS_STREAM

STREAMS = ("activity-audit-permanent", "activity-agent-permanent", "activity-rejected")
RULES = load_rules()


@dataclass(frozen=True, slots=True)
class Place:
    """The node, with what tests do to it."""

    url: str
    client: OpenSearch

    def record(self, *activities: Mapping[str, Any], stream: str = "audit") -> None:
        """Store activities in the permanent stream of a lens, searchable at once."""
        lines = []
        for one in activities:
            lines += [json.dumps({"create": {}}), json.dumps(one)]
        answer = ask(
            self.client,
            "POST",
            f"/activity-{stream}-permanent/_bulk",
            body="\n".join([*lines, ""]),
            params={"refresh": "true"},
        ).body
        assert not answer["errors"], answer

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts that are stored, oldest first."""
        ask(self.client, "POST", f"/{ALERTS_STREAM}/_refresh")
        body = {"size": 1000, "sort": [{"@timestamp": "asc"}]}
        hits = ask(self.client, "POST", f"/{ALERTS_STREAM}/_search", body=body).body["hits"]["hits"]
        return [hit["_source"] for hit in hits]


def rule(name: str, **changes: Any) -> Rule:
    """One of our rules, changed."""
    return replace(RULES[name], **changes)


def at(text: str) -> int:
    """ISO 8601 as Unix time in ms."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def failed_login(when: int, user: str = "mira", number: int = 0) -> dict[str, Any]:
    """A refused login at a time in Unix ms."""
    return {
        "@timestamp": datetime.fromtimestamp(when / 1000, UTC).isoformat(),
        "event": {"id": f"{user}-{when}-{number}", "action": "user.login_failed"},
        "user": {"name": user},
        "organization": {"id": "northwind"},
    }


class Receiver:
    """A webhook's receiver on loopback: keeps requests, answers what it is told to.

    Attributes:
        answers: status of the requests to come, in order; afterwards 200.
        got: (headers, body) of each request.
    """

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((received, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def blocked(place: Place) -> Iterator[None]:
    """Alerts cannot be written to meanwhile, as on a full disk."""
    ask(place.client, "PUT", f"/{ALERTS_STREAM}/_settings", body={"index.blocks.write": True})
    try:
        yield
    finally:
        ask(place.client, "PUT", f"/{ALERTS_STREAM}/_settings", body={"index.blocks.write": False})
