"""A sidecar that is asked for decisions, and an emitter whose agents ask it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from activity_center.emit import Agent
from tests.activity_center.emit.heard import Heard

MIRA = {"id": "usr_mk", "name": "mira", "email": "mira@northwind.example", "roles": ["admin"]}
PARAMS = {"server": "srv_204", "size_gb": 160}
JONAS = {"id": "usr_jo", "name": "jonas", "full_name": "Jonas Osei"}


def wish(agent: Agent, **more: Any) -> Any:
    """A proposal to resize a disk."""
    said = {"impact": "destructive", "target": ("server", "srv_204", "api-prod-2")} | more
    return agent.propose("resize_disk", PARAMS, initiator=JONAS, **said)


def stages(heard: Heard) -> list[str]:
    """The stages of all entries so far."""
    return [one["activity"]["proposal"]["stage"] for one in heard.events]


class Sidecar(ThreadingHTTPServer):
    """Answers ``GET /api/v1/proposals/{id}`` as the sidecar does.

    Attributes:
        answers: what is answered, one a request, the last again and again: a status, a text
            that is the body, or a proposal.
        paths, tokens: of the requests so far.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[Any] = [404]
        self.paths: list[str] = []
        self.tokens: list[str | None] = []
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def decide(self, outcome: str, **said: Any) -> None:
        """Somebody decides."""
        self.answers = [decided(outcome, **said)]


def decided(
    outcome: str, *, authenticated: bool = True, shown: Any = None, **said: Any
) -> dict[str, Any]:
    """Return a proposal of the API with one decision."""
    decision = {
        "outcome": outcome,
        "source": "user",
        "scope": "once",
        "reason": None,
        "approver": MIRA,
        "authenticated": authenticated,
        "arguments": None,
        **said,
    }
    return {"state": outcome, "proposed": {"arguments": shown}, "decisions": [decision]}


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sidecar

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.tokens.append(self.headers["Authorization"])
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        status = answer if isinstance(answer, int) else 200
        body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""
