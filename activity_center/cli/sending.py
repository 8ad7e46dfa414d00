"""Records to a running collector over HTTP: what ``ingest`` and ``rejected replay`` share."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import click

from activity_center.address import is_loopback
from activity_center.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    from http.client import HTTPConnection

_TIMEOUT: Final = 60.0
_LONGEST_WAIT: Final = 10.0
_AGAIN: Final = (429, 502, 503, 504)


class CollectorClient:
    """A running collector, over one kept-alive connection.

    Args:
        url: ``https://host:port``, or ``http://`` on loopback.
        token: bearer token of a sender.
        ca: PEM file of the collector's authority; empty: the system's authorities.
        source: name of the source mapping.
        retry_for: seconds to go on when the collector is full or away.

    Raises:
        ConfigError: the address is none, or the token would travel unencrypted.
    """

    def __init__(self, url: str, token: str, ca: str, source: str, retry_for: float) -> None:
        try:
            self._url = urlsplit(url)
            self._port = self._url.port
        except ValueError as wrong:
            raise ConfigError(f"not an address: {wrong}", where=url) from wrong
        self._token = token
        self._ca = ca
        self._path = f"/v1/activities?source={quote(source)}"
        self._retry_for = retry_for
        self._connection: HTTPConnection | None = None
        self._check()

    def _check(self) -> None:
        url = self._url
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError("not http://host:port or https://host:port", where=url.geturl())
        if url.scheme == "http" and not is_loopback(url.hostname):
            raise ConfigError(
                "the token would travel unencrypted", where=url.geturl(), hint="use https://"
            )

    def _connect(self) -> HTTPConnection:
        import http.client
        import ssl

        host, port = self._url.hostname or "", self._port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port or 80, timeout=_TIMEOUT)
        try:
            context = ssl.create_default_context(cafile=self._ca or None)
        except OSError as wrong:
            raise ConfigError(f"cannot read the CA: {wrong.strerror}", where=self._ca) from wrong
        return http.client.HTTPSConnection(host, port or 443, timeout=_TIMEOUT, context=context)

    def post(self, body: bytes) -> list[dict[str, Any]]:
        """Send NDJSON until the collector answers that it is durable.

        Returns:
            What became of each line.

        Raises:
            ClusterError: it refuses, or does not take it for ``retry_for`` seconds.
        """
        packed = gzip.compress(body, 1)
        deadline = time.monotonic() + self._retry_for
        pause = 0.25
        while True:
            wrong, wait = "", None
            try:
                status, retry_after, answer = self._request(packed)
                if status == 200:
                    items: list[dict[str, Any]] = json.loads(answer)["items"]
                    return items
                if status not in _AGAIN:
                    raise self._refused(status, answer)
                wrong, wait = f"HTTP {status}", retry_after
            except (OSError, ValueError, KeyError) as failed:
                self.close()
                wrong = _words(failed)
            pause = min(_LONGEST_WAIT, 2 * pause)
            wait = pause if wait is None else min(_LONGEST_WAIT, wait)
            if time.monotonic() + wait > deadline:
                raise ClusterError(
                    f"not taken for {self._retry_for:.0f} s: {wrong}",
                    where=self._url.geturl(),
                    hint="is the collector running, and OpenSearch behind it?",
                )
            time.sleep(wait)

    def _request(self, packed: bytes) -> tuple[int, float | None, bytes]:
        from http.client import HTTPException

        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
        }
        if self._connection is None:
            self._connection = self._connect()
        try:
            self._connection.request("POST", self._path, packed, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except HTTPException as wrong:  # a connection that the other side has closed
            raise OSError(f"no HTTP answer: {type(wrong).__name__}") from wrong
        after = response.getheader("Retry-After", "")
        if response.will_close:
            self.close()
        return response.status, float(after) if after.isdigit() else None, answer

    def _refused(self, status: int, answer: bytes) -> ClusterError:
        try:
            problem = json.loads(answer)
            detail, hint = str(problem["detail"]), problem.get("hint")
        except (ValueError, KeyError, TypeError):
            detail, hint = "not the answer of a collector", "see collector.http in the config"
        return ClusterError(f"HTTP {status}: {detail}", where=self._url.geturl(), hint=hint)

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _words(failed: Exception) -> str:
    if isinstance(failed, OSError):
        return failed.strerror or str(failed) or type(failed).__name__
    return "the answer is not readable"


def collector_url(url: str | None, config_file: str | None) -> str:
    """Return the collector's URL: given, or the first HTTP listener of the configuration.

    Raises:
        ConfigError: the configuration is wrong or has no HTTP listener.
        click.UsageError: neither is given.
    """
    if url:
        return url
    if not config_file:
        raise click.UsageError("--config FILE or --url URL is needed: where is the collector?")
    from activity_center.config import load

    listeners = load(config_file).collector.http
    if not listeners:
        raise ConfigError(
            "there is no HTTP listener to send to",
            where=config_file,
            hint="add one under collector.http, or give --url",
        )
    host, _, port = listeners[0].bind.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    return f"{'https' if listeners[0].tls else 'http'}://{host}:{port}"
