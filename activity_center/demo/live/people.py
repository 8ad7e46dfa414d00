"""A person of the demo who looks at live processes, and asks something of them."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

LOOK: Final = 0.5
"""Seconds between two looks."""


class Person:
    """Asks the sidecar with an API token.

    Args:
        page: the sidecar's address.
        token: of the person.
        pause: waits for some seconds; ``True``: the demo ends.
    """

    def __init__(self, page: str, token: str, pause: Callable[[float], bool]) -> None:
        self._address = urlsplit(page).netloc
        self._token = token
        self._pause = pause

    def see(self, process: str) -> dict[str, Any] | None:
        """Return a process as it is now, if it is live."""
        status, answer = self._send("GET", f"/api/v1/processes/live?process={quote(process)}")
        found = answer.get("processes") or [] if status == http.client.OK else []
        return found[0] if found else None

    def wait(
        self, process: str, condition: Callable[[dict[str, Any]], bool], seconds: float
    ) -> dict[str, Any] | None:
        """Return the process once a condition holds of it; ``None``: it did not in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.see(process)
            if found is not None and condition(found):
                return found
            if self._pause(LOOK):
                return None
        return None

    def ask(self, process: str, kind: str, reason: str) -> bool:
        """Ask to cancel, retry or clean up; whether it was taken down."""
        path = f"/api/v1/processes/{quote(process, safe='')}/{kind}"
        return self._send("POST", path, {"reason": reason})[0] == http.client.ACCEPTED

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One request; status 0 without an answer."""
        headers, data = {"Authorization": f"Bearer {self._token}"}, None
        if body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
            headers["Idempotency-Key"] = secrets.token_hex(16)
        connection = http.client.HTTPConnection(self._address, timeout=30)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, {}
        finally:
            connection.close()
        return answer.status, found if isinstance(found, dict) else {}
