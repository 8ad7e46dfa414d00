"""Take user, address, browser and request id from a WSGI request into the context.

::

    app.wsgi_app = ActivityMiddleware(app.wsgi_app, emitter, trusted_proxies=["10.0.0.0/8"])
    init_flask(app, emitter, user_from=lambda request: session.get("user_id"))

The context is set whenever the application's code runs, and only then: also around each
piece of a streamed answer, and never beyond the request on a reused thread.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from activity_center.emit.context import Context
from activity_center.emit.emitter import Emitter
from activity_center.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask

UserFrom = Callable[[Any], Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}.*")
"""W3C Trace Context, 3.2: version, trace id, parent id, flags."""
USER_AGENT_LENGTH: Final = 2048


class ActivityMiddleware:
    """A WSGI application around another one.

    Args:
        app: the application.
        emitter: whose events shall carry the request.
        user_from: called with the WSGI environment when an event is made (so after the
            application has found out who it is); returns a user id, an ECS ``user``
            group, or ``None``. Its errors are counted, never raised.
        trusted_proxies: addresses and networks whose ``X-Forwarded-For`` is believed;
            ``"unix"`` for a server behind a Unix socket. By default nobody's is.

    Raises:
        ConfigError: a trusted proxy that is no address or network.
    """

    def __init__(
        self,
        app: WSGIApplication,
        emitter: Emitter,
        user_from: UserFrom | None = None,
        *,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._emitter = emitter
        self._user_from = user_from
        if isinstance(trusted_proxies, str):
            trusted_proxies = (trusted_proxies,)
        self._proxies = networks(trusted_proxies)
        self._unix = "unix" in trusted_proxies

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application with the context set, and hand on what it yields."""
        around = self._context(environ)
        with around:
            answer = self._app(environ, start_response)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(answer, list | tuple) or (
            isinstance(wrapper, type) and isinstance(answer, wrapper)
        ):
            return answer  # no code of the application's runs any more; keep sendfile()
        return _Surrounded(answer, around)

    def _context(self, environ: WSGIEnvironment) -> Context:
        facts = self._emitter.guarded(request_facts, environ, self._proxies, trust_unix=self._unix)
        source = None
        if (user_from := self._user_from) is not None:
            # bound here: the context asks without arguments
            def source() -> Any:
                return user_from(environ)

        return self._emitter.context(user_source=source, **(facts or {}))


class _Surrounded:
    """The application's answer; its pieces are made with the context set."""

    def __init__(self, answer: Iterable[bytes], around: Context) -> None:
        self._answer = answer
        self._around = around

    def __iter__(self) -> Iterator[bytes]:
        with self._around:
            pieces = iter(self._answer)
        while True:
            with self._around:
                try:
                    piece = next(pieces)
                except StopIteration:
                    return
            yield piece

    def close(self) -> None:
        close = getattr(self._answer, "close", None)
        if close is not None:
            with self._around:
                close()


def init_flask(
    app: Flask,
    emitter: Emitter,
    user_from: UserFrom | None = None,
    *,
    trusted_proxies: Sequence[str] = (),
) -> None:
    """Put the middleware around a Flask application.

    Args:
        user_from: called with ``flask.request`` inside the request's context (so
            ``session``, ``g`` and flask-login's ``current_user`` work); outside of it,
            as in a streamed answer without ``stream_with_context``, nobody is known.
    """
    ask: UserFrom | None = None
    if user_from is not None:
        from flask import has_request_context, request

        def ask(environ: Any) -> Any:
            return user_from(request) if has_request_context() else None

    app.wsgi_app = ActivityMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, emitter, ask, trusted_proxies=trusted_proxies
    )


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks that ``texts`` name; ``"unix"`` is left out.

    Raises:
        ConfigError: a text that is no address or network.
    """
    found = []
    for text in texts:
        if text == "unix":
            continue
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as wrong:
            raise ConfigError(str(wrong), where="trusted_proxies") from None
    return tuple(found)


def request_facts(
    environ: Mapping[str, Any], proxies: tuple[Network, ...], *, trust_unix: bool = False
) -> dict[str, str]:
    """Return arguments of :meth:`Emitter.context` that the request holds."""
    facts: dict[str, str] = {}
    ip = client_ip(
        str(environ.get("REMOTE_ADDR") or ""),
        str(environ.get("HTTP_X_FORWARDED_FOR") or ""),
        proxies,
        trust_unix=trust_unix,
    )
    if ip:
        facts["source_ip"] = ip
    agent = _text(environ.get("HTTP_USER_AGENT"))
    if agent:
        facts["user_agent"] = agent[:USER_AGENT_LENGTH]
    request_id = str(environ.get("HTTP_X_REQUEST_ID") or "")
    valid = REQUEST_ID.fullmatch(request_id)
    facts["request_id"] = request_id if valid else uuid.uuid4().hex
    trace = TRACEPARENT.fullmatch(str(environ.get("HTTP_TRACEPARENT") or ""))
    if trace and trace[1].strip("0"):
        facts["trace_id"] = trace[1]
    return facts


def client_ip(
    peer: str, forwarded_for: str, proxies: tuple[Network, ...], *, trust_unix: bool = False
) -> str | None:
    """Return the address of the client, as far as trusted proxies vouch for it.

    ``X-Forwarded-For`` grows to the right, so it is read from the right: the first address
    that is no trusted proxy is the client. What stands left of it anyone can have written.

    Args:
        peer: ``REMOTE_ADDR``; empty behind a Unix socket.
        forwarded_for: the header, several joined by commas.
    """
    known = _address(peer)
    trusted = _among(known, proxies) if known is not None else trust_unix
    for text in reversed(forwarded_for.split(",")):
        if not trusted:
            break
        claimed = _address(text.strip())
        if claimed is None:
            break
        known, trusted = claimed, _among(claimed, proxies)
    return str(known) if known is not None else None


def _among(address: Ip, proxies: tuple[Network, ...]) -> bool:
    return any(address in network for network in proxies)


def _address(text: str) -> Ip | None:
    """An address with or without port: ``1.2.3.4:5``, ``[2001:db8::1]:5``."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _text(value: Any) -> str:
    """Header text: WSGI hands bytes over as Latin-1 (PEP 3333); mostly they are UTF-8."""
    text = str(value or "")
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
