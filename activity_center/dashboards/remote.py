"""OpenSearch Dashboards: its saved-objects API, as far as we need it.

Requests go to ``<url>/api/saved_objects/``; ``osd-xsrf`` is what Dashboards asks of every
client that is no browser. A URL that ends in ``/w/<id>`` is a workspace's.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from activity_center.config import Cluster
from activity_center.connection import cluster_from_environment
from activity_center.errors import ClusterError, ConfigError

Json = dict[str, Any]

VARIABLE: Final = "OPENSEARCH_DASHBOARDS_URL"
_PAGE_SIZE: Final = 1000
_MOST_OBJECTS: Final = 10_000
"""As many as ``_find`` can page through."""
_MOST_BYTES: Final = 64 * 1024 * 1024
_SECONDS: Final = 60


def dashboards_from_environment(environment: Mapping[str, str] | None = None) -> Cluster | None:
    """Return address and login of Dashboards; ``None`` when its variable is not set.

    The login is OpenSearch's (``OPENSEARCH_USERNAME``, …): Dashboards passes it on.

    Args:
        environment: default ``os.environ``.

    Raises:
        ConfigError: the variables contradict each other or are incomplete.
    """
    values = dict(os.environ if environment is None else environment)
    url = values.get(VARIABLE, "")
    if not url:
        return None
    if url.startswith("http:"):
        values.pop("OPENSEARCH_CA", None)  # it is OpenSearch's, which may speak TLS alone
    try:
        return cluster_from_environment({**values, "OPENSEARCH_URL": url})
    except ConfigError as wrong:
        where = VARIABLE if wrong.where == "OPENSEARCH_URL" else wrong.where
        raise ConfigError(wrong.message, where=where, hint=wrong.hint) from wrong


class Dashboards:
    """A Dashboards server.

    Args:
        server: address, login and CA.
        tenant: where the objects live when the security plugin has tenants; without the
            header an import would go to the caller's private one.
    """

    def __init__(self, server: Cluster, tenant: str = "global") -> None:
        self.url = server.url
        self._parts = urlsplit(server.url)
        self._context = _tls(server) if self._parts.scheme == "https" else None
        self._headers = {"osd-xsrf": "true", "securitytenant": tenant}
        if server.api_token:
            self._headers["Authorization"] = f"Bearer {server.api_token}"
        elif server.username:
            login = f"{server.username}:{server.password}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"

    def find(self, types: Iterable[str]) -> Iterator[Json]:
        """Yield type, id, title and description of every object of these types.

        Raises:
            ClusterError: there are more than can be paged through, or it refuses.
        """
        asked = [("type", one) for one in types]
        fields = [("fields", "title"), ("fields", "description")]
        seen = 0
        for page in range(1, _MOST_OBJECTS // _PAGE_SIZE + 1):
            numbers = [("per_page", str(_PAGE_SIZE)), ("page", str(page))]
            answer = self._ask("GET", f"_find?{urlencode([*asked, *fields, *numbers])}")
            found = answer.get("saved_objects", [])
            yield from found
            seen += len(found)
            if seen >= answer.get("total", 0) or not found:
                return
        raise ClusterError(
            f"it holds more than {_MOST_OBJECTS} saved objects, so ours cannot be looked up",
            where=self.url,
            hint="import the file of activity-center dashboards export by hand",
        )

    def get(self, keys: Iterable[tuple[str, str]]) -> list[Json]:
        """Return whole objects by type and id; those that are not there are left out."""
        asked = [{"type": type_, "id": id_} for type_, id_ in keys]
        if not asked:
            return []
        answer = self._ask("POST", "_bulk_get", json.dumps(asked).encode(), "application/json")
        return [one for one in answer.get("saved_objects", []) if "error" not in one]

    def import_(self, text: str) -> Json:
        """Import NDJSON over what is there; return the answer, which may tell of errors."""
        boundary = uuid.uuid4().hex
        head = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="file"; filename="activity-center.ndjson"\r\n'
            "Content-Type: application/ndjson\r\n\r\n"
        )
        body = f"{head}{text}\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return self._ask("POST", "_import?overwrite=true", body, kind)

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Json:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        target = f"{self._parts.path.rstrip('/')}/api/saved_objects/{path}"
        connection = self._connection()
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            text = answer.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as wrong:
            cause = getattr(wrong, "strerror", None) or wrong
            raise ClusterError(
                f"Dashboards cannot be reached: {cause}",
                where=self.url,
                hint=f"is {VARIABLE} right, and is Dashboards running there?",
            ) from wrong
        finally:
            connection.close()
        if answer.status != 200:
            raise self._refused(answer.status, text)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or len(text) > _MOST_BYTES:
            raise ClusterError("the answer is not Dashboards'", where=self.url, hint=_ADDRESS)
        return found

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=_SECONDS)
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._context)

    def _refused(self, status: int, text: bytes) -> ClusterError:
        try:
            told = json.loads(text)["message"]
        except (ValueError, KeyError, TypeError):
            told = text.decode(errors="replace")
        said = " ".join(str(told).split())[:300]
        hint = _ADDRESS
        if status in (301, 302, 303, 307, 308, 401):
            said, hint = "a login is needed", "set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD"
        elif status == 403:
            hint = "the account may not write saved objects of this tenant or workspace"
        elif status == 422:
            hint = "the objects need Dashboards 2.11 or later"
        return ClusterError(f"Dashboards answered {status}: {said}", where=self.url, hint=hint)


_ADDRESS: Final = f"is {VARIABLE} the address of Dashboards, with its base path if it has one?"


def _tls(server: Cluster) -> ssl.SSLContext:
    """The system's authorities, and OpenSearch's own beside them."""
    context = ssl.create_default_context()
    if server.ca:
        try:
            context.load_verify_locations(server.ca)
        except (OSError, ssl.SSLError) as wrong:
            raise ConfigError(
                "cannot be used as a certificate authority", where=server.ca
            ) from wrong
    return context
