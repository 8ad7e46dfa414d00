"""Telling webhooks of alerts: one request each, again after failures, until they took it.

What a webhook took or refused is noted on the alert itself, so whoever leads next goes on
from there. A receiver may get an alert twice (it took it, and we ended before we noted it);
the id is the same.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

import structlog

from activity_center.config_alerts import Webhook
from collector.alerts.payloads import body, headers
from collector.alerts.store import AlertStore, Stored
from collector.deliver.backoff import Backoff

TIMEOUT: Final = 10.0
"""Seconds for a connection and for each read of an answer."""
LONGEST_WAIT: Final = 900.0
"""Seconds that a receiver's Retry-After may make us wait."""
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_log = structlog.get_logger("collector.alerts")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry an alert, and a secret address, to where nobody configured it."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none: the answer is an error with the status of the redirect."""


@dataclass(slots=True)
class _Pause:
    tries: int = 0
    until: float = 0.0


@dataclass(slots=True)
class Told:
    """What became of one round, in requests."""

    taken: int = 0
    refused: int = 0
    failed: int = 0


class Messenger:
    """Tells webhooks.

    Args:
        link: address of the page.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: AlertStore,
        webhooks: Sequence[Webhook],
        link: str = "",
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._webhooks = tuple(webhooks)
        self._link = link
        self._backoff = backoff or Backoff(first=2.0, most=300.0)
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}
        self._opener = urllib.request.build_opener(_NoRedirects)

    def tell(self) -> Told:
        """Tell every webhook of what it is yet to be told of, as far as it answers.

        Raises:
            ClusterError: the alerts cannot be read or marked.
        """
        told = Told()
        for webhook in self._webhooks:
            pause = self._pauses.setdefault(webhook.name, _Pause())
            if self._clock() < pause.until:
                continue
            for alert in self._store.untold(webhook):
                status, wait = self._post(webhook, alert)
                if status is None or status in _AGAIN:
                    pause.tries += 1
                    told.failed += 1
                    pause.until = self._clock() + max(wait, self._backoff.wait(pause.tries))
                    # Neither address nor body: both may hold secrets.
                    _log.warning(
                        "a webhook does not answer", webhook=webhook.name, status=status or "none"
                    )
                    break
                taken = 200 <= status < 300
                if taken:
                    pause.tries = 0
                    told.taken += 1
                else:
                    told.refused += 1
                    _log.error(
                        "a webhook refuses an alert",
                        webhook=webhook.name,
                        status=status,
                        alert=alert.id,
                        hint="check its address and its key",
                    )
                self._store.mark(alert, webhook, taken=taken)
        return told

    def pause(self) -> float:
        """Seconds until the next try of a webhook that failed; 0 where there is none."""
        now = self._clock()
        waits = [one.until - now for one in self._pauses.values() if one.until > now]
        return min(waits, default=0.0)

    def _post(self, webhook: Webhook, alert: Stored) -> tuple[int | None, float]:
        """Send one; return the status, or ``None`` without an answer, and how long to wait."""
        data = body(webhook, alert.source, self._link)
        request = urllib.request.Request(  # noqa: S310 - the configuration's check allows http(s)
            webhook.address,
            data=data,
            method="POST",
            headers=headers(webhook, alert.id, data, int(time.time())),
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return int(answer.status), 0.0
        except urllib.error.HTTPError as wrong:
            with wrong:
                return wrong.code, _seconds(wrong.headers.get("Retry-After"))
        except (OSError, HTTPException, ValueError):
            return None, 0.0


def _seconds(value: str | None) -> float:
    """``Retry-After`` in seconds (RFC 9110, 10.2.3); a date is not read."""
    return min(float(value), LONGEST_WAIT) if value and value.isascii() and value.isdigit() else 0.0
