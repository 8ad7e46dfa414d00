"""What people ask of a process, told to the webhook of its channel.

The body is signed: HMAC-SHA-256 (RFC 2104) over the time, a dot and the body, in hex. A receiver
that answers 2xx has it; that it took it up, and what became of it, it says with activities
``process.control_taken`` and ``process.control_done``, like every program.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, Final

import orjson
import structlog

from activity_center.config_processes import Webhook
from activity_center.posting import DEADLINE, TIMEOUT, opener
from sidecar_api import ending
from sidecar_api.processes.controls import TOLD

TIME: Final = "Activity-Center-Timestamp"
SIGNATURE: Final = "Activity-Center-Signature"
RETRIES: Final = 5
FIRST_PAUSE: Final = 1.0
AT_ONCE: Final = 32
_AGAIN: Final = frozenset({408, 425, 429})
"""Statuses after which a request is sent again, beside every 5xx."""
_log = structlog.get_logger("sidecar")


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header that signs a body."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def body_of(process: Mapping[str, Any], row: Mapping[str, Any]) -> bytes:
    """Return the body about a request of a process."""
    of = ("id", "channel", "name", "organization", "attempt", "state", "target")
    document = {name: row[name] for name in TOLD}
    return orjson.dumps({**document, "process": {name: process[name] for name in of}})


class Messenger:
    """Posts to webhooks, each in a thread of its own.

    Args:
        webhooks: by channel.
        clock: Unix time in seconds.
        at_once: how many are posted at the same time.
    """

    def __init__(
        self,
        webhooks: Mapping[str, Webhook],
        *,
        clock: Callable[[], float] = time.time,
        at_once: int = AT_ONCE,
    ) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._free = threading.BoundedSemaphore(at_once)

    def tell(
        self,
        process: Mapping[str, Any],
        row: Mapping[str, Any],
        seconds: float,
        void: Callable[[], bool],
    ) -> None:
        """Post a request, if its channel has a webhook; without waiting.

        Args:
            seconds: for which it is worth while.
            void: whether it is not worth while any more: asked before it is posted again.
        """
        webhook = self._webhooks.get(process["channel"] or "")
        if webhook is None:
            return
        if not self._free.acquire(blocking=False):
            _log.error("too many webhooks are slow: a control is not posted", control=row["id"])
            return
        arguments = (webhook, str(process["channel"]), str(row["id"]), body_of(process, row))
        until = self._clock() + seconds
        threading.Thread(target=self._tell, args=(*arguments, until, void), daemon=True).start()

    def _tell(
        self,
        webhook: Webhook,
        channel: str,
        id_: str,
        body: bytes,
        until: float,
        void: Callable[[], bool],
    ) -> None:
        try:
            for tries in range(1 + RETRIES):
                status = self._post(webhook, body, until)
                if status is not None and 200 <= status < 300:
                    return
                # Neither address nor body: both may hold secrets.
                _log.warning(
                    "a channel's webhook does not take a control",
                    channel=channel,
                    control=id_,
                    status=status or "none",
                )
                if status is not None and status < 500 and status not in _AGAIN:
                    return
                pause = FIRST_PAUSE * 2**tries * (0.5 + random.random() / 2)  # noqa: S311
                if self._clock() + pause >= until or ending.pause(pause) or void():
                    return
        finally:
            self._free.release()

    def _post(self, webhook: Webhook, body: bytes, until: float) -> int | None:
        """Send it once; return the status, ``None`` without an answer by ``until`` (Unix time)."""
        now = int(self._clock())
        left = min(DEADLINE, max(until - self._clock(), 1.0))
        request = urllib.request.Request(  # noqa: S310 - the configuration's check allows http(s)
            webhook.url,
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "User-Agent": "activity-center",
                TIME: str(now),
                SIGNATURE: signature(webhook.secret, now, body),
            },
        )
        try:
            with opener(left).open(request, timeout=min(TIMEOUT, left)) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as wrong:
            with wrong:
                return wrong.code
        except (OSError, HTTPException, ValueError):
            return None
