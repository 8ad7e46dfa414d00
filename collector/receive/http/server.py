"""An HTTP listener: our own form, and OTLP.

aiohttp's low-level server: one route needs no router, and a request costs about 70 us.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from activity_center.config import HttpListener
from activity_center.errors import SpoolFailed, SpoolFull
from collector.decode import Decoded, Unreadable, decode_json, inflate
from collector.receive.address import spell
from collector.receive.broken import as_rejects
from collector.receive.counters import HttpCounters
from collector.receive.credentials import Credentials
from collector.receive.http import request as requests
from collector.receive.http.answer import answer, otlp_answer, otlp_refusal
from collector.receive.http.body import Bodies, too_large
from collector.receive.http.door import Door
from collector.receive.http.problems import Problem, wait
from collector.receive.http.replay import open_replay
from collector.receive.otlp import SIGNALS, Body, decode
from collector.receive.receiver import Receiver
from collector.records import Batch, Receipt, Sender

_log: Final = structlog.get_logger("collector.receive.http")

_LINGER: Final = 2.0
"""Seconds that the rest of a body is read after an early answer."""
_FLUSH: Final = 0.5
"""Seconds that a peer gets to read its last answer."""
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


class _Busy(asyncio.Protocol):
    """Turns a connection away when all are taken.

    It stays a moment: closed at once, with the request unread, the kernel would reset
    it, and the peer might never see the answer.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.write(_BUSY)
            asyncio.get_running_loop().call_later(_FLUSH, transport.close)


class HttpServer(Receiver[HttpListener]):
    """Serves one HTTP address; arguments as of :class:`Receiver`.

    Attributes:
        counters: what happened so far.
    """

    def _set_up(self) -> None:
        self.counters = HttpCounters()
        self._bodies = Bodies(self.limits, self.connection_limits, self.budget)
        self._web: web.Server | None = None
        self._busy: set[object] = set()  # protocols with a request under way
        self._quiet: dict[RequestHandler, float] = {}
        self._requests: Counter[str] = Counter()  # under way, by sender
        self._taking = 0  # requests whose bodies are whole, and that are not answered yet
        self._stopping = False

    # -- life ------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            ConfigError: the address cannot be had, or a TLS file is wrong.
        """
        self._web = Door(
            self._handle,
            self.counters,
            self._refused,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=self.connection_limits.idle_timeout,
            lingering_time=_LINGER,
            debug=False,
        )
        await super().start()

    async def stop(self, timeout: float) -> bool:
        """Take no new requests, answer those under way, close.

        Args:
            timeout: seconds to wait for those.

        Returns:
            Whether all that were whole were answered: of a body that its sender did not finish,
            nothing is taken and nothing is left behind.
        """
        self._stopping = True
        self._close_address()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self.counters.open_requests and loop.time() < deadline:
            await asyncio.sleep(0.01)
        done = not self._taking
        if self._web is not None:
            self._web.pre_shutdown()  # those that idle
            await self._web.shutdown(_FLUSH)
        await self._end()
        return done

    def reload(self, credentials: Credentials) -> None:
        """Use other senders from the next request on."""
        self.credentials = credentials

    def _protocol(self) -> asyncio.BaseProtocol:
        if self._web is None or len(self._web.connections) >= self.connection_limits.connections:
            self.counters.refused_connections += 1
            return _Busy()
        return self._web()

    async def _sweep(self) -> None:
        """Close connections that neither finish a request head nor send one.

        aiohttp has a time-out between requests, but none for the first one's head.
        """
        limit = self.connection_limits.idle_timeout
        while self._web is not None:
            await asyncio.sleep(min(1.0, limit / 4))
            now = time.monotonic()
            quiet, self._quiet = self._quiet, {}
            for connection in list(self._web.connections):
                if connection in self._busy:
                    continue
                since = self._quiet[connection] = quiet.get(connection, now)
                if now - since > limit and connection.transport is not None:
                    self.counters.timeouts += 1
                    connection.transport.abort()

    # -- requests --------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        counters = self.counters
        counters.requests += 1
        counters.open_requests += 1
        protocol = request.protocol
        self._busy.add(protocol)
        try:
            response = await self._post(request)
        except Problem as problem:
            self._count(problem.status)
            response = _refusal(request, problem)
        except Exception:
            _log.exception("request failed: error in the collector", **self._details(request))
            counters.failures += 1
            failed = Problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "internal",
                "the collector failed; its log says how",
                hint="send the request again: an event that has an id or a time is stored once",
            )
            response = _refusal(request, failed)
        finally:
            counters.open_requests -= 1
            self._busy.discard(protocol)
            self._quiet.pop(protocol, None)
        if self._stopping:
            response.force_close()
        return response

    def _refused(self, request: web.BaseRequest) -> None:
        """Count bytes that are no HTTP, and say so without them."""
        self.counters.protocol_errors += 1
        _log.warning("connection closed: not HTTP", **self._details(request))

    def _count(self, status: HTTPStatus) -> None:
        counters = self.counters
        if status == HTTPStatus.UNAUTHORIZED:
            counters.auth_failures += 1
        elif status == HTTPStatus.REQUEST_TIMEOUT:
            counters.timeouts += 1
        elif status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            counters.held += 1
        else:
            counters.protocol_errors += 1

    async def _post(self, request: web.BaseRequest) -> web.StreamResponse:
        source = requests.route(request)
        try:
            sender = requests.authenticate(request, self.credentials)
        except Problem as problem:
            _log.warning("request refused", detail=problem.detail, **self._details(request))
            raise
        if source is not None and sender.sources is not None and source not in sender.sources:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "source-not-allowed",
                f"sender {sender.name} may not send for source {source[:100]!r}",
                hint="see sources of the sender in activity-center.yml",
                close=True,
            )
        is_otlp = request.path in SIGNALS
        other = requests.is_otlp_json(request) if is_otlp else requests.is_lines(request)
        gzip = requests.is_gzip(request)
        if self._requests[sender.name] >= self.connection_limits.requests:
            raise wait(
                "too-many-requests",
                "too many requests of this sender are under way",
                1,
                HTTPStatus.TOO_MANY_REQUESTS,
            )
        self._requests[sender.name] += 1
        try:
            async with self._bodies.read(request) as body:
                self.counters.bytes += len(body)
                self._taking += 1
                try:
                    return await self._take(request, sender, source, body, other, gzip)
                finally:
                    self._taking -= 1
        finally:
            self._requests[sender.name] -= 1

    async def _take(
        self,
        request: web.BaseRequest,
        sender: Sender,
        source: str | None,
        body: bytes,
        other: bool,
        gzip: bool,
    ) -> web.Response:
        """Make a body durable.

        Args:
            other: its second form: lines of JSON, or OTLP in JSON.
        """
        received, signal = time.time_ns(), SIGNALS.get(request.path)
        try:
            plain = inflate(body, self.limits) if gzip else body
            if signal is None:
                decoded = decode_json(plain, self.limits, lines=other)
            else:
                decoded = await _in_turns(decode(Body(plain, other), signal, self.limits))
        except Unreadable as refused:
            raise await self._unreadable(request, sender, body, refused) from refused
        self.counters.records += len(decoded.records)
        self.counters.broken_records += len(decoded.broken)
        self.budget.take(decoded.weight)
        try:
            batch = Batch(
                sender=sender,
                records=decoded.records,
                times=decoded.times,
                source=source,
                received=received,
                size=decoded.size,
            )
            if signal is None:
                open_replay(request.query, batch)
            else:
                # A trace or log says who approved; nobody has authenticated that person.
                batch.sender = replace(sender, may_assert=frozenset())
            receipt = await self._keep(batch, decoded)
        except SpoolFull as full:
            _log.warning("sender must wait", detail=full.message, **self._details(request))
            raise wait(
                "spool-full", full.message, full.retry_after, HTTPStatus.SERVICE_UNAVAILABLE
            ) from full
        except SpoolFailed as failed:
            _log.error("nothing is accepted: the spool failed", error=str(failed))
            raise wait(
                "spool-failed", "the disk failed", 30, HTTPStatus.SERVICE_UNAVAILABLE
            ) from failed
        finally:
            self.budget.give(decoded.weight)
        if signal is not None:
            return otlp_answer(signal, decoded, receipt, is_json=other)
        return answer(decoded, receipt)

    async def _keep(self, batch: Batch, decoded: Decoded) -> Receipt:
        receipt = await self.accept(batch) if batch.records else Receipt()
        if decoded.broken:
            rejects = as_rejects(decoded.broken, self.limits.broken, "event", b"\n")
            await self.reject_bytes(batch.sender, rejects)
        return receipt

    async def _unreadable(
        self, request: web.BaseRequest, sender: Sender, body: bytes, refused: Unreadable
    ) -> Problem:
        """Keep a body that cannot be read, and return its problem."""
        self.counters.refused_bodies += 1
        _log.warning(
            "body refused",
            sender=sender.name,
            detail=refused.message,
            hint=refused.hint or "see activity-center rejected list",
            **self._details(request),
        )
        if refused.reason == "too_large":
            return too_large(refused.detail)
        try:
            await self.reject_bytes(sender, [(body, refused.message)])
        except SpoolFull as full:
            return wait(
                "spool-full", full.message, full.retry_after, HTTPStatus.SERVICE_UNAVAILABLE
            )
        except SpoolFailed:
            return wait("spool-failed", "the disk failed", 30, HTTPStatus.SERVICE_UNAVAILABLE)
        return Problem(
            HTTPStatus.BAD_REQUEST,
            "unreadable",
            refused.detail,
            hint=refused.hint or "one JSON object, an array of objects, or an object a line",
            reason=refused.reason,
        )

    def _details(self, request: web.BaseRequest) -> dict[str, str]:
        transport = request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        return {"listener": self.address, "peer": spell(peer)}


def _refusal(request: web.BaseRequest, problem: Problem) -> web.Response:
    """The answer for a problem, in the form that the sender reads."""
    if request.path in SIGNALS:
        return otlp_refusal(problem, is_json=requests.wants_json(request))
    return problem.response()


async def _in_turns(decoding: Generator[None, None, Decoded]) -> Decoded:
    """Decode a large body bit by bit, so that it does not hold up other senders."""
    while True:
        try:
            next(decoding)
        except StopIteration as done:
            decoded: Decoded = done.value
            return decoded
        await asyncio.sleep(0)
