"""A stand-in for the live processes: snapshot, deltas and controls over all three ways.

It speaks the protocol of ``docs/process-stream.md``. Tests let processes happen with
:meth:`Processes.happen`, shut ways, cut connections and lose what was kept.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from socket import SHUT_WR
from typing import Any

from flask import Flask, Response, jsonify, request
from simple_websocket import ConnectionClosed

from activity_center.processes import merge
from sidecar_api.processes.replay import replayed
from tests.browser.process_samples import Process, iso, row
from tests.browser.stand_in import CSRF, Activity, StandIn, since
from tests.browser.web_socket import WebSocket

CHANNELS = {
    "server-provisioning": ("Server provisioning", "server"),
    "ssl": ("SSL certificate", "lock"),
    "cloud-transfer": ("Cloud transfer", "cloud"),
    "git-deploy": ("Git deployment", "git-branch"),
}


class Processes(StandIn):
    """The server.

    Attributes:
        processes: what is live, by id.
        shut: of ``websocket``, ``sse``, ``polling``: what does not get through.
        kept: deltas that are kept for those who come back; emptied, nobody recovers.
        past: what the operation history has.
        entries, pieces: of one process: what happened, and its output.
        connected: sockets that were opened, in all.
        heard: what was said on them, in all.
        last_word: code and reason with which they are closed.
        stale_since: since when it cannot read what is new; see :meth:`stale`.
        more: whether a snapshot says that there are more.
        silent: whether it gives no sign of life any more.
        hello: what its first word says otherwise.
        controls: what was asked: (path, idempotency key, body).
        meant: of which organization, each time.
    """

    def __init__(self, *listed: Process, activities: list[Activity] | None = None) -> None:
        self.processes = {one["id"]: one for one in listed}
        self.past: list[Process] = []
        self.entries: list[dict[str, Any]] = []
        self.pieces: list[dict[str, Any]] = []
        self.piece_size = 1_000_000
        self.shut: set[str] = set()
        self.kept: list[dict[str, Any]] = []
        self.number = 0
        self.epoch = "e1"
        self.connected = 0
        self.heard: list[str] = []
        self.stale_since: str | None = None
        self.more = False
        self.silent = False
        self.hello: dict[str, Any] = {}
        self.last_word = (1001, "going away")
        self.controls: list[tuple[str, str, dict[str, Any]]] = []
        self.meant: list[str] = []
        self._sockets: set[WebSocket] = set()
        self._cuts = 0
        self._moved = threading.Condition()
        super().__init__(activities or [], ["process:view", "process:control"])

    def happen_to(self, id_: str, **delta: Any) -> None:
        """Let a delta happen to a process: members are those of the protocol."""
        with self._moved:
            change = {"id": id_, "organization": "northwind", **delta}
            self.processes[id_] = merge(self.processes.get(id_), change)
            self.number += 1
            message = {"type": "delta", "epoch": self.epoch, "offset": str(self.number)}
            self.kept.append({**message, "changes": [change]})
            self._moved.notify_all()

    def begin(self, made: Process) -> None:
        """A new process begins."""
        output = {**made["output"], "kept": 100}
        rest = {k: v for k, v in made.items() if k not in ("steps", "output", "requests")}
        lines = output.pop("lines")
        self.happen_to(
            made["id"],
            process=rest,
            steps=made["steps"],
            lines=lines,
            output=output,
            requests=made["requests"],
        )

    def cut(self) -> None:
        """Close all sockets as a server that goes away does."""
        with self._moved:
            self._cuts += 1
            self._moved.notify_all()
        self.wait_until(lambda: not self._sockets)

    def forget(self) -> None:
        """Lose what was kept: who comes back is sent everything anew."""
        with self._moved:
            self.kept.clear()
            self.epoch = f"e{uuid.uuid4().hex[:6]}"

    def stale(self, since: str | None) -> None:
        """From now on what is new cannot be read; ``None``: it can again."""
        with self._moved:
            self.stale_since = since
            self._moved.notify_all()

    def _stale(self) -> dict[str, Any]:
        return {} if self.stale_since is None else {"stale_since": self.stale_since}

    def _signs(self) -> list[dict[str, Any]]:
        return [] if self.silent else [{"type": "ping", "at": iso(), **self._stale()}]

    def _place(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "offset": str(self.number)}

    def _snapshot(self) -> dict[str, Any]:
        listed = [one for one in self.processes.values() if self._fits(one)]
        made = {"type": "snapshot", **self._place(), "processes": listed}
        return {**made, "cut": True} if self.more else made

    def _fits(self, one: Process) -> bool:
        channel = (request.view_args or {}).get("channel") or request.args.get("channel")
        wanted = request.args.get("organization", "")
        return (
            (not channel or one["channel"] == channel)
            and (not wanted or one["organization"]["id"] == wanted)
            and request.args.get("process", one["id"]) == one["id"]
        )

    def _from(self, epoch: str | None, offset: str | None) -> int | None:
        """Number from which on somebody goes on; ``None``: from a snapshot."""
        if not offset or not offset.isdigit() or epoch != self.epoch:
            return None
        kept = [int(one["offset"]) for one in self.kept]
        if int(offset) == self.number or (kept and kept[0] <= int(offset) + 1):
            return int(offset)
        return None

    def _after(self, number: int) -> list[dict[str, Any]]:
        found = []
        for one in self.kept:
            if int(one["offset"]) > number:
                changes = [c for c in one["changes"] if self._fits(self.processes[c["id"]])]
                found.append({**one, "changes": changes})
        return found

    def _listen(self, socket: WebSocket) -> None:
        with self._moved:  # whatever cuts from here on cuts this one too
            cuts = self._cuts
            self.connected += 1
            self._sockets.add(socket)
        came = request.args.get("offset")
        at = self._from(request.args.get("epoch"), came)
        recovered = None if not came else at is not None
        hello = {"type": "hello", "version": 1, "heartbeat": 15, "recovered": recovered}
        try:
            socket.send(json.dumps({**hello, "at": iso(), **self._stale(), **self.hello}))
            if at is None:
                at = self.number
                socket.send(json.dumps(self._snapshot()))
            epoch, stale = self.epoch, self.stale_since
            while socket.connected and self._cuts == cuts:
                with self._moved:
                    self._moved.wait_for(
                        lambda at=at, was=(epoch, cuts, stale): (
                            self.number > at or (self.epoch, self._cuts, self.stale_since) != was
                        ),
                        0.3,
                    )
                    messages = self._after(at)
                    if self.epoch != epoch:
                        epoch = self.epoch
                        messages = [{"type": "reset", "reason": "gap"}, self._snapshot()]
                    at, stale = self.number, self.stale_since
                for one in [*messages, *self._signs()]:
                    socket.send(json.dumps(one))
                while (said := socket.receive(timeout=0)) is not None:
                    self.heard.append(said)
        except ConnectionClosed:
            pass
        finally:
            self._sockets.discard(socket)
            # The server for development would write an answer of HTTP after the last frame.
            with suppress(OSError, ConnectionClosed):
                socket.close(*self.last_word)
            with suppress(OSError):
                socket.sock.shutdown(SHUT_WR)

    def _events(self) -> Iterator[str]:
        epoch, _, offset = request.headers.get("Last-Event-ID", "").partition(":")
        at = self._from(epoch, offset)

        def event(message: dict[str, Any], place: dict[str, Any] | None = None) -> str:
            reached = place or message
            id_ = f"id: {reached['epoch']}:{reached['offset']}\n" if "offset" in reached else ""
            return f"event: {message['type']}\n{id_}data: {json.dumps(message)}\n\n"

        yield "retry: 5000\n: open\n\n"
        if at is None:
            at = self.number
            yield event(self._snapshot())
        else:
            yield event({"type": "delta", **self._place(), "changes": []})
        epoch = self.epoch
        stale: str | None = None
        while "sse" not in self.shut:
            with self._moved:
                self._moved.wait_for(
                    lambda at=at, was=(epoch, stale): (
                        self.number > at or (self.epoch, self.stale_since) != was
                    ),
                    0.3,
                )
                messages = self._after(at)
                if self.epoch != epoch:
                    epoch = self.epoch
                    messages = [{"type": "reset", "reason": "gap"}, self._snapshot()]
                at, stale, place = self.number, self.stale_since, self._place()
            for one in messages:
                yield event(one)
            for one in self._signs():
                yield event(one, place)

    def _live(self) -> Response:
        epoch, _, offset = request.args.get("since", "").partition(":")
        at = self._from(epoch, offset)
        answer: dict[str, Any] = {
            **self._place(),
            "at": iso(),
            "recovered": None if not offset else at is not None,
            "processes": None,
            "changes": [],
            "wait": 1,
        }
        if at is None:
            answer |= {k: v for k, v in self._snapshot().items() if k in ("processes", "cut")}
        else:
            answer["changes"] = [c for one in self._after(at) for c in one["changes"]]
        return jsonify({**answer, **self._stale()})

    def _history(self) -> Response:
        found = [*self.past]
        read = {
            "state": lambda p: "stalled" if p["stalled"] else p["state"],
            "channel": lambda p: p["channel"],
            "server": lambda p: (p["server"] or {}).get("name"),
            "cloud_account": lambda p: (p["cloud_account"] or {}).get("name"),
        }
        for name, of in read.items():
            if wanted := request.args.get(name):
                found = [one for one in found if of(one) == wanted]
        if text := request.args.get("q", "").casefold():
            found = [one for one in found if text in one["name"].casefold()]
        if begin := since():
            found = [one for one in found if one["started"] >= begin]
        size, number = int(request.args["size"]), int(request.args["page"])
        start = (number - 1) * size
        shown = [row(one) for one in found[start : start + size]]
        page = {
            "number": number,
            "size": size,
            "total": len(found),
            "from": start + 1 if shown else 0,
            "to": start + len(shown),
            "approximate": False,
        }
        return jsonify({"processes": shown, "page": page})

    def _control(self, process_: str, kind: str) -> tuple[Response, int]:
        wanted = request.args.get("organization")
        found = [
            one
            for one in self.processes.values()
            if one["id"] == process_
            and wanted in (None, one["organization"]["id"], one["organization"]["id"] or "-")
        ]
        if len(found) != 1:
            said = {"title": "Several organizations have it", "detail": "Say which one."}
            return jsonify({"status": 400, **said}), 400
        self.meant.append(wanted or "")
        key = request.headers["Idempotency-Key"]
        assert request.headers["X-CSRF-Token"] == CSRF
        self.controls.append((f"{process_}/{kind}", key, request.get_json()))
        asked = {
            "id": f"ctl_{key[:8]}",
            "kind": kind,
            "attempt": found[0]["attempt"],
            "state": "requested",
            "by": {"id": "usr_mk", "name": "Mira Kovač"},
            "at": iso(),
            "expires_at": iso(-60),
            "reason": request.get_json().get("reason"),
            "answer": None,
        }
        return jsonify({"request": asked}), 202

    def _app(self) -> Flask:
        app = super()._app()

        @app.before_request
        def shut() -> tuple[Response, int] | None:
            name = {"/api/v1/processes/stream": "sse", "/api/v1/processes/live": "polling"}.get(
                request.path, "websocket" if request.path.startswith("/ws/") else ""
            )
            if name in self.shut:
                return jsonify({"title": "Not through here", "status": 502}), 502
            return None

        @app.get("/ws/processes", websocket=True)
        @app.get("/ws/processes/<channel>", websocket=True)
        def listen(channel: str = "") -> Response:
            protocol = ["activity-center.processes.v1"]
            self._listen(WebSocket(request.environ, subprotocols=protocol))
            return Response()

        @app.get("/api/v1/processes/stream")
        def events() -> Response:
            made = self._events()
            context = request.environ

            def within() -> Iterator[str]:
                with app.request_context(context):
                    yield from made

            return Response(within(), content_type="text/event-stream")

        @app.get("/api/v1/processes/live")
        def live() -> Response:
            return self._live()

        @app.get("/api/v1/channels")
        def channels() -> Response:
            listed = [
                {"name": name, "label": label, "description": "", "icon": icon, "steps": []}
                for name, (label, icon) in CHANNELS.items()
            ]
            return jsonify({"channels": listed})

        @app.get("/api/v1/processes")
        def history() -> Response:
            return self._history()

        @app.get("/api/v1/processes/<process_>")
        def one(process_: str) -> tuple[Response, int] | Response:
            known = {one["id"]: one for one in self.past} | self.processes
            if process_ not in known:
                return jsonify({"title": "There is no such process", "status": 404}), 404
            return jsonify({"process": known[process_], "whole": True})

        @app.get("/api/v1/processes/<process_>/replay")
        def replay(process_: str) -> Response:
            return jsonify({"frames": [*replayed(self.entries)], "whole": True})

        @app.get("/api/v1/processes/<process_>/output")
        def output(process_: str) -> Response:
            start, room = int(request.args.get("from", 0)), self.piece_size
            wanted = request.args.get("step", "")
            pieces = [one for one in self.pieces if wanted in ("", one["step"])]
            listed = []
            while start < len(pieces) and room > 0:
                listed.append({"attempt": 1, "at": None, **pieces[start]})
                room -= len(pieces[start]["text"])
                start += 1
            following = str(start) if start < len(pieces) else None
            return jsonify({"output": listed, "next": following})

        @app.post("/api/v1/processes/<process_>/<kind>")
        def control(process_: str, kind: str) -> tuple[Response, int]:
            return self._control(process_, kind)

        return app

    def wait_until(self, true: Any) -> None:
        """Return when something has come to be true."""
        deadline = time.monotonic() + 15
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.05)
