"""A stand-in for OpenSearch Dashboards that speaks its saved-objects API.

It follows ``src/core/server/saved_objects/`` of OpenSearch Dashboards 2.11: ``_find``,
``_bulk_get`` and ``_import`` with overwrite, errors per object, and 422 for what is of a later
version. Under ``/w/<id>/`` it is a workspace: what exists elsewhere gets a new id there.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

MAPPED = {
    "index-pattern": None,  # "dynamic": false
    "search": {
        "columns",
        "description",
        "hits",
        "kibanaSavedObjectMeta",
        "sort",
        "title",
        "version",
    },
    "query": {"title", "description", "query", "filters", "timefilter"},
    "visualization": {
        *("description", "kibanaSavedObjectMeta", "savedSearchRefName", "title"),
        *("uiStateJSON", "version", "visState"),
    },
    "dashboard": {
        *("description", "hits", "kibanaSavedObjectMeta", "optionsJSON", "panelsJSON"),
        *("refreshInterval", "timeFrom", "timeRestore", "timeTo", "title", "version"),
    },
}
LATEST = {
    "visualization": "7.10.0",
    "dashboard": "7.9.3",
    "search": "7.9.3",
    "index-pattern": "7.6.0",
}
TEXTS = {"visState", "uiStateJSON", "panelsJSON", "optionsJSON", "fields", "fieldFormatMap"}


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class FakeDashboards:
    """The server; ``objects`` is what it holds: (type, id) -> object with its workspace."""

    def __init__(self, password: str = "") -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.tenants: set[str | None] = set()
        self.imports = 0
        self.password = password
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.handle(self)

            def do_POST(self) -> None:
                fake.handle(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        try:
            status, answer = 200, self._answer(request, body)
        except Refusal as refused:
            status = refused.status
            answer = {"statusCode": status, "error": "refused", "message": refused.message}
        text = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> Json:
        self.tenants.add(request.headers.get("securitytenant"))
        login = base64.b64encode(f"admin:{self.password}".encode()).decode()
        if self.password and request.headers.get("Authorization") != f"Basic {login}":
            raise Refusal(401, "Unauthorized")
        parts = urlsplit(request.path)
        found = re.fullmatch(r"(?:/w/(\w+))?/api/saved_objects/(\w+)", parts.path)
        if found is None:
            raise Refusal(404, "Not Found")
        workspace, verb = found.groups()
        query = parse_qs(parts.query)
        if request.command == "GET" and verb == "_find":
            return self._find(query, workspace)
        if "osd-xsrf" not in request.headers:
            raise Refusal(400, "Request must contain the osd-xsrf header.")
        if verb == "_bulk_get":
            return {"saved_objects": [self._get(one) for one in json.loads(body)]}
        if verb == "_import":
            return self._import(request.headers["Content-Type"], body, query, workspace)
        raise Refusal(404, "Not Found")

    def _find(self, query: dict[str, list[str]], workspace: str | None) -> Json:
        size, page = int(query["per_page"][0]), int(query["page"][0])
        if size * page > 10_000:
            raise Refusal(400, "Result window is too large")
        fields = query["fields"]
        found = [
            {**one, "attributes": {k: v for k, v in one["attributes"].items() if k in fields}}
            for (type_, _), one in self.objects.items()
            if type_ in query["type"] and (workspace is None or one["workspace"] == workspace)
        ]
        return {"total": len(found), "saved_objects": found[size * (page - 1) : size * page]}

    def _get(self, asked: Json) -> Json:
        found = self.objects.get((asked["type"], asked["id"]))
        return found or {**asked, "error": {"statusCode": 404, "message": "Not found"}}

    def _import(
        self, kind: str, body: bytes, query: dict[str, list[str]], workspace: str | None
    ) -> Json:
        self.imports += 1
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.default).parsebytes(head + body)
        (part,) = message.iter_parts()
        if not str(part.get_filename()).endswith(".ndjson"):
            raise Refusal(400, "Invalid file extension")
        text = part.get_content()
        text = text if isinstance(text, str) else text.decode()
        sent = [json.loads(line) for line in text.splitlines() if line]
        for one in sent:
            for type_, version in one.get("migrationVersion", {}).items():
                if _number(version) > _number(LATEST.get(type_, "0")):
                    raise Refusal(
                        422,
                        f'Document "{one["id"]}" has property "{type_}" which belongs to a more '
                        f"recent version of OpenSearch Dashboards [{version}]. The last known "
                        f"version is [{LATEST.get(type_)}]",
                    )
        overwrite = query.get("overwrite") == ["true"]
        moved = {}
        for one in sent:
            there = self.objects.get((one["type"], one["id"]))
            if there is not None and there["workspace"] != workspace:
                moved[one["type"], one["id"]] = str(uuid.uuid4())
        results, errors = [], []
        names = {(one["type"], one["id"]) for one in sent}
        for one in sent:
            error = self._wrong(one, names, overwrite, workspace)
            told = {"type": one["type"], "id": one["id"], "meta": {}}
            if error:
                errors.append({**told, "error": error})
                continue
            id_ = moved.get((one["type"], one["id"]), one["id"])
            references = [
                {**each, "id": moved.get((each["type"], each["id"]), each["id"])}
                for each in one["references"]
            ]
            stored = {**one, "id": id_, "references": references, "workspace": workspace}
            self.objects[one["type"], id_] = stored
            results.append({**told, **({"destinationId": id_} if id_ != one["id"] else {})})
        answer: Json = {"success": not errors, "successCount": len(results)}
        return (
            answer
            | ({"successResults": results} if results else {})
            | ({"errors": errors} if errors else {})
        )

    def _wrong(
        self, one: Json, sent: set[tuple[str, str]], overwrite: bool, workspace: str | None
    ) -> Json | None:
        if one["type"] not in MAPPED:
            return {"type": "unsupported_type"}
        known = MAPPED[one["type"]]
        for name, value in one["attributes"].items():
            if known is not None and name not in known:
                message = (
                    f"mapping set to strict, dynamic introduction of [{name}] within "
                    f"[{one['type']}] is not allowed: strict_dynamic_mapping_exception"
                )
                return {"type": "unknown", "message": message, "statusCode": 400}
            if name in TEXTS and not isinstance(value, str):
                return {"type": "unknown", "message": f"{name} is no text", "statusCode": 400}
        missing = [
            each
            for each in one["references"]
            if each["type"] in ("index-pattern", "search")
            and (each["type"], each["id"]) not in sent
            and (each["type"], each["id"]) not in self.objects
        ]
        if missing:
            return {"type": "missing_references", "references": missing}
        there = self.objects.get((one["type"], one["id"]))
        if there is not None and there["workspace"] == workspace and not overwrite:
            return {"type": "conflict"}
        return None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
