"""A sidecar of a test's own over the shared node; every answer is held against the document."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import yaml
from opensearchpy import OpenSearch
from werkzeug.test import TestResponse

from activity_center.config import Cluster, load
from sidecar_api.app import create_app
from tests.integration.process import TOKEN
from tests.sidecar_api.documented import conforms
from tests.sidecar_api.search.log import document as activity

HOST = "127.0.0.1:8600"
PROBLEM = "application/problem+json"


class Desk:
    """One application, its people and their tokens.

    ``admin`` sees all, ``owner`` may audit organization ``a``, ``member`` belongs to it,
    ``stranger`` to none.

    Args:
        folder: for configuration and keys.
        sidecar: further keys of the section ``sidecar``; ``${COLLECTOR_TOKEN}`` is there.
    """

    def __init__(self, folder: Path, cluster: Cluster, client: OpenSearch, **sidecar: Any) -> None:
        mark = uuid.uuid4().hex
        self.client = client
        self.a, self.b = f"a{mark}", f"b{mark}"
        self.people = {name: f"{name}-{mark}" for name in ("admin", "owner", "member", "stranger")}
        people: list[dict[str, Any]] = [
            {"id": self.people["admin"], "platform_roles": ["platform_admin"]},
            {"id": self.people["owner"], "organizations": {self.a: "owner"}},
            {"id": self.people["member"], "organizations": {self.a: "member"}},
            {"id": self.people["stranger"]},
        ]
        tokens = [
            {
                "name": name,
                "person": person,
                "token_sha256": hashlib.sha256(self.token(name).encode()).hexdigest(),
            }
            for name, person in self.people.items()
        ]
        self.document: dict[str, Any] = {
            "opensearch": {"url": cluster.url},
            "organizations": {self.a: {"name": "Acme"}, self.b: {}},
            "identity": {"people": people, "tokens": tokens},
            "sidecar": {"data_dir": str(folder / "sidecar"), **sidecar},
        }
        self.file = folder / "activity-center.yml"
        self.write()
        self.app = create_app(load(self.file, {"COLLECTOR_TOKEN": TOKEN}), client=client)

    def write(self) -> None:
        """Write the configuration file."""
        self.file.write_text(yaml.safe_dump(self.document))

    def token(self, name: str) -> str:
        """The API token of a person."""
        return f"token-of-{self.people[name]}"

    def add(self, **values: Any) -> str:
        """Store an activity as the collector does; return its id."""
        stored = activity(**{"organization__id": self.a, **values})
        lens = stored["activity"]["lens"]
        id_ = f"{self.a}-{stored['event']['id']}"
        lines = [{"create": {"_index": f"activity-{lens}-permanent", "_id": id_}}, stored]
        body = "\n".join(json.dumps(line) for line in lines) + "\n"
        answer = self.client.bulk(body=body, params={"refresh": "true"})
        assert not answer["errors"], answer["items"]
        return id_

    def ask(self, path: str, who: str = "owner", method: str = "GET", **rest: Any) -> TestResponse:
        """Ask, and check that the document says so; ``who`` empty: nobody."""
        headers = {"Host": HOST, **rest.pop("headers", {})}
        if who:
            headers["Authorization"] = f"Bearer {self.token(who)}"
        answer = self.app.test_client().open(
            path, method=method, headers=headers, buffered=True, **rest
        )
        conforms(
            method, path.partition("?")[0], answer.status_code, answer.content_type, answer.data
        )
        return answer

    def get(self, path: str, who: str = "owner", **rest: Any) -> dict[str, Any]:
        """Ask for JSON that must be there."""
        answer = self.ask(path, who, **rest)
        assert answer.status_code == 200, answer.text
        found = answer.get_json()
        assert isinstance(found, dict)
        return found

    def problem(self, status: int, path: str, who: str = "owner", **rest: Any) -> dict[str, Any]:
        """Ask for what must be refused with that status."""
        answer = self.ask(path, who, **rest)
        assert answer.status_code == status, answer.text
        return problem_of(answer)


def problem_of(answer: TestResponse) -> dict[str, Any]:
    """The problem document of an answer, in the one shape that all have (RFC 9457)."""
    assert answer.content_type == PROBLEM
    found = json.loads(answer.data)
    assert {"type", "title", "status", "detail", "instance"} <= set(found)
    assert found["status"] == answer.status_code
    assert found["type"].startswith("/problems/")
    assert found["instance"].startswith("urn:uuid:")
    assert found["detail"].strip()
    return dict(found)
