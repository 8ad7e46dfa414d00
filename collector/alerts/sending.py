"""Posting one alert to one webhook."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

from activity_center.config_alerts import Webhook
from activity_center.posting import DEADLINE, TIMEOUT, opener
from collector.alerts.payloads import body, headers

LONGEST_WAIT: Final = 900.0
"""Seconds that a receiver's Retry-After may make us wait."""


def post(
    webhook: Webhook,
    id_: str,
    alert: Mapping[str, Any],
    link: str,
    *,
    deadline: float = DEADLINE,
) -> tuple[int | None, float]:
    """Send one alert.

    Args:
        id_: of the alert; the same when it is sent again.
        alert: the document of the stream ``activity-alerts``.
        link: address of the page, or ``""``.
        deadline: seconds from the connection to the answer's status.

    Returns:
        The status, or ``None`` without an answer, and how many seconds to wait.
    """
    data = body(webhook, alert, link)
    request = urllib.request.Request(  # noqa: S310 - the configuration's check allows http(s)
        webhook.address,
        data=data,
        method="POST",
        headers=headers(webhook, id_, data, int(time.time())),
    )
    try:
        with opener(deadline).open(request, timeout=TIMEOUT) as answer:
            return int(answer.status), 0.0
    except urllib.error.HTTPError as wrong:
        with wrong:
            return wrong.code, _seconds(wrong.headers.get("Retry-After"))
    except (OSError, http.client.HTTPException, ValueError):
        return None, 0.0


def _seconds(value: str | None) -> float:
    """``Retry-After`` in seconds (RFC 9110, 10.2.3); a date is not read."""
    return min(float(value), LONGEST_WAIT) if value and value.isascii() and value.isdigit() else 0.0
