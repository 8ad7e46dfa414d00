"""A server that answers as OpenSearch with Index State Management: a real node behind it.

What ISM keeps (policies, which index follows which) is kept here, by the plugin's API; every
other request goes on to the node. As the real one does, it adds defaults to policies, counts
versions, gives policies to new indices by ``ism_template``, and moves nobody by itself.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PREFIX = "/_plugins/_ism"


class Ism:
    """The plugin's memory."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.url = ""
        self.policies: dict[str, dict[str, Any]] = {}
        self.managed: dict[str, dict[str, Any]] = {}
        self.puts: list[str] = []
        self._seq = 0
        self._known: set[str] = set()
        self.notice()

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        verb, _, name = path.removeprefix(PREFIX).strip("/").partition("/")
        if verb == "policies" and method == "GET" and not name:
            return 200, {"policies": list(self.policies.values())}
        if verb == "policies" and method == "GET":
            found = self.policies.get(name)
            return (200, found) if found else (404, {"error": {"reason": "Policy not found"}})
        if verb == "policies" and method == "PUT":
            return self._put(name, query, body)
        if verb == "explain":
            return 200, {one: self._explain(one) for one in name.split(",")}
        names = name.split(",")
        if verb == "remove":
            for one in names:
                self.managed.pop(one, None)
            return 200, {"updated_indices": len(names), "failures": False, "failed_indices": []}
        failed = []
        for one in names:
            there = self.managed.get(one, {}).get("policy_id")
            if (verb == "add") == bool(there):
                reason = "already has a policy" if there else "is not managed"
                failed.append({"index_name": one, "reason": f"This index {reason}"})
                continue
            self.managed[one] = {
                "policy_id": body["policy_id"],
                "policy_seq_no": self.policies[body["policy_id"]]["_seq_no"],
            }
        return 200, {
            "updated_indices": len(names) - len(failed),
            "failures": bool(failed),
            "failed_indices": failed,
        }

    def notice(self) -> None:
        """What the plugin does when an index is made: the template's policy is attached."""
        streams = json.load(urllib.request.urlopen(f"{self.behind}/_data_stream"))["data_streams"]
        there = {index["index_name"]: one["name"] for one in streams for index in one["indices"]}
        for index in there.keys() - self._known:
            for id_, policy in self.policies.items():
                templates = policy["policy"]["ism_template"] or []
                listed = [one for each in templates for one in each["index_patterns"]]
                if any(fnmatchcase(there[index], pattern) for pattern in listed):
                    self.managed[index] = {"policy_id": id_, "policy_seq_no": policy["_seq_no"]}
        self._known = set(there)

    def _put(self, name: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        there = self.policies.get(name)
        given = query.get("if_seq_no")
        if bool(there) != bool(given) or (there and given != [str(there["_seq_no"])]):
            return 409, {"error": {"reason": "version conflict"}}
        self._seq += 1
        policy = deepcopy(body["policy"])
        policy |= {"policy_id": name, "schema_version": 21, "error_notification": None}
        policy["last_updated_time"] = 1_700_000_000_000 + self._seq
        for template in policy.get("ism_template", []):
            template["last_updated_time"] = policy["last_updated_time"]
        for state in policy["states"]:
            for action in state["actions"]:
                action["retry"] = {"count": 3, "backoff": "exponential", "delay": "1m"}
                if "rollover" in action:
                    action["rollover"]["copy_alias"] = False
        self.policies[name] = {
            "_id": name,
            "_version": self._seq,
            "_seq_no": self._seq,
            "_primary_term": 1,
            "policy": policy,
        }
        self.puts.append(name)
        return 200, self.policies[name]

    def _explain(self, index: str) -> dict[str, Any]:
        facts = self.managed.get(index)
        setting = "index.plugins.index_state_management.policy_id"
        if facts is None:
            return {setting: None, "enabled": None}
        return {setting: facts["policy_id"], "index": index, "enabled": True, **facts}


@contextmanager
def serving(behind: str) -> Iterator[Ism]:
    """The server, in front of the node at ``behind``."""
    ism = Ism(behind)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            path = urlsplit(self.path)
            if path.path.startswith(PREFIX):
                body = json.loads(raw) if raw else None
                status, answer = ism.answer(self.command, path.path, parse_qs(path.query), body)
                self._send(status, json.dumps(answer).encode())
                return
            request = urllib.request.Request(
                behind + self.path, data=raw or None, method=self.command
            )
            request.add_header("Content-Type", "application/json")
            try:
                with urllib.request.urlopen(request, timeout=120) as answered:
                    body = answered.read()
                if self.command in ("PUT", "POST"):
                    ism.notice()
                self._send(answered.status, body)
            except urllib.error.HTTPError as wrong:
                self._send(wrong.code, wrong.read())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

        def log_message(self, *_arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ism.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ism
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
