"""Peers for tests of controls: a collector and a sidecar over one bus, a webhook, programs."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests

from activity_center.emit import Cancelled, Emitter, Process
from activity_center.streams import LENS_PATTERNS
from tests.integration.process import Collector, sha256, until
from tests.integration.sidecar import Sidecar

if TYPE_CHECKING:
    from tests.conftest import Node

SECRET: Final = "key-of-the-webhook"
RECORDS: Final = "token-of-the-sidecar"
PEOPLE: Final = ("owner", "member", "stranger")


class Receiver(ThreadingHTTPServer):
    """A webhook.

    Attributes:
        statuses: of the next answers; then 204.
        got: (headers, body) of the requests so far.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Take)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/controls"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Take(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


class Place:
    """A collector and a sidecar over one bus, with people and programs of two organizations."""

    def __init__(self, node: Node, folder: Path) -> None:
        mark = uuid.uuid4().hex
        self.client = node.client
        self.a, self.b = f"a{mark}", f"b{mark}"
        self.receiver = Receiver()
        self.emitters: list[Emitter] = []
        senders: list[dict[str, Any]] = [
            {"name": "a", "token_sha256": sha256("program-a"), "organizations": [self.a]},
            {"name": "b", "token_sha256": sha256("program-b"), "organizations": [self.b]},
            {"name": "sidecar", "token_sha256": sha256(RECORDS), "may_assert": ["approver"]},
        ]
        self.collector = Collector(folder / "collector", node.cluster, senders=senders)
        self.collector.start()
        files = {"token": RECORDS, "secret": SECRET}
        for name, value in files.items():
            (folder / name).write_text(value)
            (folder / name).chmod(0o600)
        self.sidecar = Sidecar(
            folder / "sidecar",
            node.cluster,
            recording={"url": self.collector.url, "token_file": str(folder / "token")},
            rate_limit={"requests": 100_000},  # the tests poll
        )
        roles: dict[str, dict[str, str]] = {
            "owner": {self.a: "owner"},
            "member": {self.a: "member"},
            "stranger": {},
        }
        self.sidecar.document |= {
            "senders": senders,
            "organizations": {self.a: {}, self.b: {}},
            "bus": {"folder": str(self.collector.data_dir / "steps")},
            "channels": {
                "hooked": {
                    "webhook": {"url": self.receiver.url, "secret_file": str(folder / "secret")}
                }
            },
        }
        identity = self.sidecar.document["identity"]
        for who in PEOPLE:
            identity["people"].append({"id": f"{who}-{mark}", "organizations": roles[who]})
            digest = sha256(f"person-{who}")
            identity["tokens"].append(
                {"name": who, "person": f"{who}-{mark}", "token_sha256": digest}
            )
        self.mark = mark
        self.sidecar.start()

    def emitter(self, program: str = "a", *, hears: bool = True) -> Emitter:
        """An emitter of a program, which hears of controls or does not."""
        made = Emitter(
            self.collector.url,
            token=f"program-{program}",
            organization=self.a if program == "a" else self.b,
            controls_url=self.sidecar.url if hears else None,
        )
        self.emitters.append(made)
        return made

    def speaker(self) -> Emitter:
        """An emitter that speaks for people, as the sidecar does."""
        made = Emitter(self.collector.url, token=RECORDS)
        self.emitters.append(made)
        return made

    def requested(self, process: Process, kind: str, seconds: float, **more: int) -> str:
        """Somebody asked, and the time in which it must be taken is short; return its id."""
        id_ = f"ctl_{uuid.uuid4().hex}"
        emitter = self.speaker()
        emitter.emit(
            f"process.{kind}",
            user="usr_x",
            organization=self.a,
            activity={
                "process": {"id": process.id, "channel": "cloud-transfer", **more},
                "control": {
                    "id": id_,
                    "kind": kind,
                    "state": "requested",
                    "expires_at": datetime.now(UTC) + timedelta(seconds=seconds),
                },
            },
        )
        assert emitter.flush(10)
        return id_

    def ask(self, process: str, kind: str, **rest: Any) -> requests.Response:
        """Ask something of a process, as the owner unless somebody else."""
        key = rest.pop("key", uuid.uuid4().hex)
        return requests.post(
            f"{self.sidecar.url}/api/v1/processes/{process}/{kind}",
            headers={
                "Authorization": f"Bearer person-{rest.pop('who', 'owner')}",
                **({"Idempotency-Key": key} if key is not None else {}),
            },
            json=rest.pop("body", {}),
            timeout=30,
            **rest,
        )

    def see(self, process: str, who: str = "owner") -> dict[str, Any] | None:
        """A process as somebody sees it live."""
        path = f"/api/v1/processes/live?process={process}"
        answer = self.sidecar.get(path, token=f"person-{who}")
        assert answer.status_code == 200, answer.text
        found = answer.json()["processes"]
        return found[0] if found else None

    def wait(self, process: str, condition: Any) -> dict[str, Any]:
        """Wait until something holds of a process, and return it."""
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            found = self.see(process)
            seen[:] = [found] if found else []
            return found is not None and bool(condition(found))

        until(look, why=f"{process} did not become so")
        return seen[0]

    def controls(self, process: str, token: str, **query: Any) -> requests.Response:
        """Ask for open controls with a token."""
        return self.sidecar.get(
            f"/api/v1/processes/{process}/controls", token=token, params=query or None
        )

    def records(self, process: str, action: str) -> list[dict[str, Any]]:
        """Stored entries of a process with an action."""
        return self._found({"term": {"activity.process.id": process}}, action)

    def denials(self, who: str) -> list[dict[str, Any]]:
        """What the record holds of refusals of somebody."""
        return self._found({"term": {"user.id": f"{who}-{self.mark}"}}, "activity_log.denied")

    def _found(self, clause: dict[str, Any], action: str) -> list[dict[str, Any]]:
        index = ",".join(LENS_PATTERNS)
        self.client.indices.refresh(index=index)
        query = {"bool": {"filter": [clause, {"term": {"event.action": action}}]}}
        hits = self.client.search(index=index, body={"size": 100, "query": query})["hits"]["hits"]
        return [hit["_source"] for hit in hits]

    def close(self) -> None:
        """Stop everything."""
        for one in self.emitters:
            one.close(timeout=1)
        self.sidecar.__exit__()
        self.collector.kill()
        self.receiver.shutdown()
        self.receiver.server_close()


class Running:
    """A process that runs until it is let go, or cancelled."""

    def __init__(
        self,
        place: Place,
        channel: str = "git-deploy",
        *,
        program: str = "a",
        hears: bool = True,
        **options: Any,
    ) -> None:
        emitter = place.emitter(program, hears=hears)
        options.setdefault("controls", ["cancel"])
        self.process: Process = emitter.process(channel, "Deploy", steps=["Build"], **options)
        self.go = threading.Event()
        self.ended: list[BaseException | None] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.id = self.process.id

    def _run(self) -> None:
        try:
            with self.process, self.process.step("Build"):
                while not self.go.wait(0.02):
                    self.process.check()
        except Cancelled as wish:
            self.ended.append(wish)
        else:
            self.ended.append(None)

    def end(self) -> None:
        """Let it go to its end."""
        self.go.set()
        self._thread.join(10)
