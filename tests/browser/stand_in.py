"""A stand-in for the API, for what the real one does not show on demand.

It speaks the contract of ``/api/v1`` over a list of activities in memory and registers the
real shell, filters and catalogue with the real security headers. Tests set :attr:`StandIn.answers`
to make a path slow, wrong or forbidden.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from activity_center import vocabulary
from sidecar_api.headers import HEADERS
from sidecar_api.routes import catalogue, filters, pages
from sidecar_api.search.facets import OTHER_LABEL
from tests.sidecar_api.documented import conforms

Activity = dict[str, Any]


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do not."""


API = "/api/v1/"
RETRY_AFTER = 12
"""Seconds that a 429 asks to wait."""
CSRF = "token"
SIMPLE: dict[str, Callable[[Activity], Any]] = {
    "action": lambda a: a["event"]["action"],
    "verb": lambda a: _verb(a["event"]["action"]),
    "source": lambda a: a["activity"].get("origin"),
    "outcome": lambda a: a["event"]["outcome"],
    "type": lambda a: a["activity"].get("type"),
    "organization": lambda a: a.get("organization", {}).get("id"),
    "lens": lambda a: a["activity"].get("lens"),
    "actor": lambda a: a.get("user", {}).get("id"),
    "resource_id": lambda a: a["activity"].get("resource", {}).get("id"),
    "project": lambda a: a["activity"].get("project"),
    "ip": lambda a: a.get("source", {}).get("ip"),
}


def _verb(action: str) -> str | None:
    known = vocabulary.actions().get(action)
    return known.verb if known else None


def since() -> str | None:
    """From when on the request asks."""
    if span := {"24h": 1, "7d": 7, "30d": 30}.get(request.args.get("range", "")):
        return _iso(datetime.now(UTC) - timedelta(days=span))
    return request.args.get("from")


class StandIn:
    """The server.

    Attributes:
        activities: what the record holds, newest first.
        answers: path -> what is answered instead: ``(status, problem document)``.
        delays: path -> seconds before the answer.
        held: path -> what is waited for before the answer.
        retry_after: what an answer 429 says of when to come again.
        platform_roles: of the reader.
        signed_in: whether ``/me`` knows the reader.
        trail: whether the reader's roles open anything of it there.
        lenses: what of it they open then.
        told: id of an organization -> what ``/me`` tells of that one otherwise.
        permissions: of the reader in every organization; there is one where nothing is recorded.
        export: makes the answer to an export.
        opened: ids of the entries that were asked for, each time.
        faithful: whether what it answers must be as the API's document has it; not so where a test
            puts what no closed value allows into every field.
        wrong: where it was not.
    """

    def __init__(self, activities: list[Activity], permissions: Sequence[str] = ()) -> None:
        self.activities = activities
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.delays: dict[str, float] = {}
        self.held: dict[str, threading.Event] = {}
        self.retry_after = RETRY_AFTER
        self.platform_roles: list[str] = []
        self.signed_in = True
        self.trail = True
        self.lenses = ["agent", "audit", "process"]
        self.told: dict[str, dict[str, Any]] = {}
        self.permissions = ["org:audit", "org:audit:export", *permissions]
        self.export: Callable[[], Response] = lambda: Response(b"")
        self.opened: list[str] = []
        self.faithful = True
        self.wrong: list[str] = []
        self._streams: list[queue.Queue[Activity]] = []
        self.server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, self._app(), threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        # It looks that often whether it is to stop.
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop the server; fail for what it answered otherwise than the API does."""
        self.server.shutdown()
        assert not (self.faithful and self.wrong), "\n".join(self.wrong)

    def happen(self, activity: Activity) -> None:
        """Add an activity and tell everybody who follows."""
        self.activities.insert(0, activity)
        for follower in self._streams:
            follower.put(activity)

    def forget(self) -> None:
        """Tell everybody who follows that more was missed than can be caught up with."""
        for follower in self._streams:
            follower.put({})

    def slowly(self, part: bytes, times: int = 100) -> Iterator[bytes]:
        """Yield ``part`` now and then."""
        for _ in range(times):
            yield part
            time.sleep(0.3)

    def _matching(self, skip: str = "") -> list[Activity]:
        found = self.activities
        for name, read in SIMPLE.items():
            wanted = request.args.getlist(name)
            if wanted and name != skip:
                found = [one for one in found if read(one) in wanted]
        text = request.args.get("q", "").casefold()
        if text:
            found = [one for one in found if text in json.dumps(one, ensure_ascii=False).casefold()]
        limits = {"from": since(), "to": request.args.get("to")}
        if limits["from"]:
            found = [one for one in found if one["@timestamp"] >= limits["from"]]
        if limits["to"]:
            found = [one for one in found if one["@timestamp"] < limits["to"]]
        return found

    def _histogram(self) -> dict[str, Any]:
        days: dict[str, list[int]] = {}
        for one in self._matching():
            day = days.setdefault(one["@timestamp"][:10], [0, 0])
            day[0] += 1
            day[1] += one["event"]["outcome"] == "failure"
        listed = sorted(days)
        end = (
            _iso(datetime.fromisoformat(f"{listed[-1]}T00:00:00+00:00") + timedelta(days=1))
            if listed
            else None
        )
        return {
            "interval": "1d",
            "from": f"{listed[0]}T00:00:00.000Z" if listed else None,
            "to": end,
            "buckets": [
                {"at": f"{day}T00:00:00.000Z", "count": days[day][0], "failed": days[day][1]}
                for day in listed
            ],
        }

    def _list(self) -> Response:
        found = self._matching()
        size = int(request.args.get("size", 25))
        number = int(request.args.get("cursor") or request.args.get("page") or 1)
        start = (number - 1) * size
        shown = found[start : start + size]
        return jsonify(
            {
                "activities": shown,
                "page": {
                    "number": number,
                    "size": size,
                    "total": len(found),
                    "from": start + 1 if shown else 0,
                    "to": start + len(shown),
                    "as_of": _iso(datetime.now(UTC)),
                    "next": str(number + 1),
                    "previous": str(number - 1),
                },
                "histogram": self._histogram(),
            }
        )

    def _facets(self) -> Response:
        made = {}
        for name in request.args.getlist("name"):
            counts = (
                Counter(SIMPLE[name](one) for one in self._matching(name)) if name in SIMPLE else {}
            )
            part = request.args.get("contains", "").casefold()
            counts = {v: n for v, n in counts.items() if v and part in v.casefold()}
            listed = Counter(counts).most_common(50)
            made[name] = [{"value": v, "count": n, "label": v} for v, n in listed]
            if rest := sum(counts.values()) - sum(n for _, n in listed):
                made[name].append({"value": None, "count": rest, "label": OTHER_LABEL})
        return jsonify({"facets": made})

    def _stream(self) -> Iterator[str]:
        mine: queue.Queue[Activity] = queue.Queue()
        self._streams.append(mine)
        yield ": hello\n\n"
        while True:
            try:
                one = mine.get(timeout=0.5)
            except queue.Empty:
                yield ": still here\n\n"
                continue
            if not one:
                yield "event: reset\ndata: {}\n\n"
                continue
            yield f"event: activity\nid: {one['id']}\ndata: {json.dumps(one)}\n\n"

    def _me(self) -> tuple[Response, int] | Response:
        if not self.signed_in:
            ways = [
                {"kind": "oidc", "label": "Continue with Northwind", "href": "/oidc/login"},
                {"kind": "development", "people": [{"id": "usr_mk", "full_name": "Mira Kovač"}]},
                {"kind": "token"},
            ]
            problem = {"title": "Sign in first", "status": 401, "sign_in": ways}
            return jsonify(problem), 401
        names = {
            one["organization"]["id"]: one["organization"].get("name", "")
            for one in self.activities
            if one.get("organization")
        } or {"northwind": "Northwind Labs"}
        return jsonify(
            {
                "reader": {
                    "id": "usr_mk",
                    "name": "mira",
                    "full_name": "Mira Kovač",
                    "email": "mira@northwind.example",
                    "platform_roles": self.platform_roles,
                    "provider": "oidc",
                    "session": True,
                },
                "organizations": [
                    {
                        "id": one,
                        "name": name,
                        "roles": ["admin"],
                        "permissions": self.permissions,
                        "lenses": self.lenses if self.trail else [],
                        "trail": self.trail,
                        "processes": "process:view" in self.permissions,
                        **self.told.get(one, {}),
                    }
                    for one, name in sorted(names.items())
                ],
                "csrf": CSRF,
                "limits": {"requests": 600, "exports": 10},
                "sign_in": [],
            }
        )

    def _app(self) -> Flask:
        app = Flask("stand_in", static_folder=None)
        for real in (pages, filters, catalogue):
            app.register_blueprint(real.blueprint)

        @app.after_request
        def real_headers(response: Response) -> Response:
            response.headers.update(HEADERS)
            return response

        @app.after_request
        def as_documented(response: Response) -> Response:
            if response.status_code < 300 and response.is_json and request.path.startswith(API):
                try:
                    conforms(
                        request.method,
                        request.path,
                        response.status_code,
                        response.content_type,
                        response.data,
                    )
                except AssertionError as wrong:
                    self.wrong.append(str(wrong))
            return response

        @app.before_request
        def interfere() -> tuple[Response, int, dict[str, str]] | None:
            time.sleep(self.delays.get(request.path, 0))
            if held := self.held.get(request.path):
                held.wait(30)
            if request.path in self.answers:
                status, problem = self.answers[request.path]
                headers = {"Retry-After": str(self.retry_after)} if status == 429 else {}
                return jsonify({"status": status, **problem}), status, headers
            return None

        @app.get("/api/v1/activities")
        @app.get("/api/v1/organizations/<organization>/activity-logs")
        def activities(organization: str = "") -> Response:
            return self._list()

        @app.get("/api/v1/activities/facets")
        def facets() -> Response:
            return self._facets()

        @app.get("/api/v1/activities/histogram")
        def histogram() -> Response:
            return jsonify(self._histogram())

        @app.get("/api/v1/activities/recent")
        def recent() -> Response:
            return jsonify({"activities": self.activities[: int(request.args.get("count", 6))]})

        @app.get("/api/v1/activities/stream")
        def stream() -> Response:
            return Response(self._stream(), content_type="text/event-stream")

        @app.get("/api/v1/activities/export")
        def export() -> Response:
            made = self.export()
            named = f'attachment; filename="activities-all.{request.args["format"]}"'
            made.headers["Content-Disposition"] = named
            return made

        @app.get("/api/v1/activities/<path:id_>")
        def entry(id_: str) -> Response | tuple[Response, int]:
            self.opened.append(id_)
            found = [each for each in self.activities if each["id"] == id_]
            return jsonify(found[0]) if found else (jsonify({"status": 404}), 404)

        @app.get("/api/v1/me")
        def me() -> tuple[Response, int] | Response:
            return self._me()

        return app


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
