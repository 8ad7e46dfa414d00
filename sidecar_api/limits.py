"""What one client may ask of the sidecar: sizes of a request, and how often.

Rates are token buckets in the memory of each worker process: with ``sidecar.workers: 4`` the
limits are up to four times as high. What a bucket counts:

=============  ===========================================  ===============================
limit          one bucket for each                          configuration
=============  ===========================================  ===============================
requests       reader; without one, client address          ``sidecar.rate_limit.requests``
failed         client address: while it is empty, OpenSearch ``sidecar.rate_limit.sign_ins``
sign-ins       is asked for no login, and a wrong one is 429
exports        reader, at the same time                     ``sidecar.rate_limit.exports``
answers        reader, being made at the same time          :data:`AT_ONCE`
refusals       reader                                       :data:`REFUSALS`
=============  ===========================================  ===============================

An IPv6 address counts with its whole /64. A right API token or JWT passes whatever others at
its address did: to look at one asks nobody. The sign-in page's own (``POST /api/v1/session``)
waits, right or wrong.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final, cast

from flask import Flask, Request, Response, current_app, g, request
from werkzeug.exceptions import (
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)

from activity_center.config import Config
from sidecar_api import problems
from sidecar_api.client_address import block_of, client_address, trusted
from sidecar_api.failures import RateLimited
from sidecar_api.origin import check_host
from sidecar_api.reader import Reader

MAX_BODY: Final = 64 * 1024
"""Bytes of a request's body."""
MAX_URL: Final = 8 * 1024
"""Bytes of path and query."""
MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 32 * 1024
MAX_KEYS: Final = 10_000
"""Buckets of a kind; beyond, the one that was not used for longest is forgotten."""

AT_ONCE: Final = 8
"""Answers that are being made for one reader: a browser asks for six at most at a time, and one
reader's searches must not fill OpenSearch's queue for all others."""

REFUSALS: Final = 60
"""Refusals of one reader in a minute: they are entries in the trails of others. One of several
organizations counts for each; no request can name so many."""

_EXTENSION: Final = "activity_center_limits"
_GUESSED: Final = "sign_in_counted"


class Buckets:
    """Token buckets, one for each key; each holds a minute's worth and fills evenly.

    Args:
        per_minute: what may be taken in a minute, and at once.
        clock: seconds that only grow.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._rate = per_minute / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, as of when

    def take(self, key: str, count: int = 1) -> float:
        """Take so many; return 0, or the seconds until there are (then none is taken)."""
        with self._lock:
            now = self._clock()
            left, since = self._kept.get(key, (self._size, now))
            left = min(self._size, left + (now - since) * self._rate)
            if left < count:
                return (count - left) / self._rate
            self._kept[key] = (left - count, now)
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_KEYS:
                self._kept.popitem(last=False)
            return 0.0

    def give(self, key: str) -> None:
        """Give back one that was taken."""
        with self._lock:
            if key in self._kept:
                left, since = self._kept[key]
                self._kept[key] = (min(self._size, left + 1), since)

    def __len__(self) -> int:
        return len(self._kept)


class Slot:
    """The right to one thing at the same time; given back once, by whatever ends first.

    For an answer that streams: ``response.call_on_close(slot.release)``, which also runs when
    the client is gone before the first byte.
    """

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back
        self._lock = threading.Lock()

    def release(self) -> None:
        """Give it back."""
        with self._lock:
            give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


class Limits:
    """The limits of one worker process.

    Args:
        config: its section ``sidecar``.
        clock: seconds that only grow.

    Raises:
        ConfigError: ``sidecar.trusted_proxies`` has something that is no network.
    """

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.monotonic) -> None:
        rates = config.sidecar.rate_limit
        self._sidecar = config.sidecar
        self._trusted = trusted(config)
        self._requests = Buckets(rates.requests, clock=clock)
        self._sign_ins = Buckets(rates.sign_ins, clock=clock)
        self._refusals = Buckets(REFUSALS, clock=clock)
        self._exports_at_once = rates.exports
        self._exports: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def address(self, request: Request) -> str:
        """Return the client's address, see :mod:`sidecar_api.client_address`."""
        return client_address(request, self._trusted)

    def check_form(self, request: Request) -> None:
        """Refuse what is too large before anything looks at it.

        Raises:
            RequestEntityTooLarge, RequestURITooLarge, RequestHeaderFieldsTooLarge: 413, 414
                and 431 (RFC 9110, RFC 6585).
            BadRequest: the name in ``Host`` is not the sidecar's.
        """
        if (request.content_length or 0) > MAX_BODY:
            raise RequestEntityTooLarge(f"A body may have {MAX_BODY} bytes.")
        if _url_bytes(request) > MAX_URL:
            raise RequestURITooLarge(f"Path and query may have {MAX_URL} bytes.")
        headers = list(request.headers)
        size = sum(len(name) + len(value) for name, value in headers)
        if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
            raise RequestHeaderFieldsTooLarge(
                f"A request may have {MAX_HEADERS} headers with {MAX_HEADER_BYTES} bytes in all."
            )
        check_host(request, self._sidecar)

    def guess(self, request: Request) -> None:
        """Count a failed sign-in, before it is known to be one: many may be under way.

        Raises:
            RateLimited: the bucket of this address is empty.
        """
        wait = self._sign_ins.take(block_of(self.address(request)))
        if wait:
            raise RateLimited(
                "Too many sign-ins from this address have failed.",
                retry_after=math.ceil(wait),
                hint="Wait, then try again with a credential that is right.",
            )

    def forgive(self, request: Request) -> None:
        """Take back what :meth:`guess` counted."""
        self._sign_ins.give(block_of(self.address(request)))

    def count(self, request: Request, reader: Reader | None, sender: str = "") -> None:
        """Count a request, once it is known who asks.

        Args:
            reader: a person.
            sender: else the name of a program.

        Raises:
            RateLimited: this reader, or without one this address, has asked too often.
        """
        who = f"from {block_of(self.address(request))}"
        if reader is not None or sender:
            who = f"reader {reader.id}" if reader else f"sender {sender}"
        wait = self._requests.take(who)
        if wait:
            raise RateLimited(
                "Too many requests in the last minute.",
                retry_after=math.ceil(wait),
                hint="Wait as long as Retry-After says; exports and the stream need one request.",
            )

    def refuse(self, reader: Reader, organizations: int = 1) -> None:
        """Count that this reader was refused something.

        Args:
            organizations: how many were named. Those that do not exist count too: else the limit
                would tell which do.

        Raises:
            RateLimited: that has been so too often.
        """
        wait = self._refusals.take(reader.id, max(organizations, 1))
        if wait:
            raise RateLimited(
                "You were refused too often in the last minute.",
                retry_after=math.ceil(wait),
                hint="GET /api/v1/me says what you may see.",
            )

    def work(self, reader: Reader) -> Slot:
        """Return the right to one more answer, until it is made.

        Raises:
            RateLimited: :data:`AT_ONCE` answers for this reader are being made.
        """
        refused = RateLimited(
            f"{AT_ONCE} requests of yours are being answered already.",
            retry_after=1,
            hint="Wait for one of them.",
        )
        return self._slot(self._answers, reader, AT_ONCE, refused)

    def export(self, reader: Reader) -> Slot:
        """Return the right to one more export.

        Raises:
            RateLimited: as many as one reader may have at the same time are running.
        """
        most = self._exports_at_once
        refused = RateLimited(
            f"{most} exports of yours are running already.",
            retry_after=30,
            hint="Wait until one has ended, or stop one.",
        )
        return self._slot(self._exports, reader, most, refused)

    def _slot(self, taken: Counter[str], reader: Reader, most: int, refused: RateLimited) -> Slot:
        with self._lock:
            if taken[reader.id] >= most:
                raise refused
            taken[reader.id] += 1

        def give_back() -> None:
            with self._lock:
                taken[reader.id] -= 1
                if not taken[reader.id]:
                    del taken[reader.id]

        return Slot(give_back)


def init_app(app: Flask, config: Config) -> None:
    """Put the limits before everything else that ``app`` does.

    Raises:
        ConfigError: see :class:`Limits`.
    """
    ours = Limits(config)
    app.extensions[_EXTENSION] = ours
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY  # beyond it a body without a length is not read
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY

    @app.before_request
    def before() -> None:
        ours.check_form(request)

    @app.after_request
    def after(response: Response) -> Response:
        status = response.status_code
        if g.pop(_GUESSED, False):
            # Nothing else proves that it was right: a 429 of another limit does not.
            if "reader" in g or status < 400 or status >= 500:
                ours.forgive(request)
        elif status == 401 and "Authorization" in request.headers:
            try:
                ours.guess(request)
            except RateLimited as wrong:
                return problems.answer(wrong)
        return response


def before_asking() -> None:
    """Count the running request's credential, before somebody is asked whether it is right.

    It is forgotten again when it was right, or when whoever knows did not answer.

    Raises:
        RateLimited: see :meth:`Limits.guess`.
    """
    limits().guess(request)
    setattr(g, _GUESSED, True)


def limits() -> Limits:
    """Return the limits of the running app."""
    return cast(Limits, current_app.extensions[_EXTENSION])


def _url_bytes(request: Request) -> int:
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if isinstance(raw, str):
        return len(raw)
    path = request.environ.get("PATH_INFO", "")
    return len(path) + 1 + len(request.query_string)
