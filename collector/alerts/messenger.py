"""Telling webhooks of alerts: one request each, again after failures, until they took it.

What a webhook took or refused is noted on the alert itself, so whoever leads next goes on
from there. A receiver may get an alert twice (it took it, and we ended before we noted it);
the id is the same. Where it cannot be noted, nothing more is told until it can: else the same
alerts would go out in every round.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from activity_center.config_alerts import Webhook, tells
from activity_center.errors import ActivityCenterError, ClusterError
from collector.alerts.sending import post
from collector.alerts.store import AlertStore
from collector.deliver.backoff import Backoff

_AGAIN: Final = frozenset({408, 425, 429})
"""Statuses after which a request is sent again, beside every 5xx."""
_REMEMBERED: Final = 10_000
"""Alerts that were told and of which it could not be noted, at most."""
_GIVEN_UP: Final = 3600.0
"""Seconds between two looks at what has been given up."""
_log = structlog.get_logger("collector.alerts")


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
        self._pauses = {one.name: _Pause() for one in webhooks}
        self._unmarked: OrderedDict[tuple[str, str], bool] = OrderedDict()
        self._looked: dict[str, float] = {}
        self._running: dict[str, threading.Thread] = {}

    def tell(self) -> Told:
        """Tell every webhook of what it is yet to be told of, as far as it answers.

        Raises:
            ClusterError: the alerts cannot be read, or not be marked.
        """
        told = Told()
        for webhook in self._webhooks:
            self._tell(webhook, told, lambda: None)
        return told

    def begin(self, check: Callable[[], None]) -> None:
        """Tell in threads, one for each webhook, so that a slow one holds up nobody.

        Args:
            check: is called before each request, and raises when another one tells.
        """
        for webhook in self._webhooks:
            running = self._running.get(webhook.name)
            if running is not None and running.is_alive():
                continue
            thread = threading.Thread(
                target=self._quietly,
                args=(webhook, check),
                name=f"alerts-{webhook.name}",
                daemon=True,
            )
            self._running[webhook.name] = thread
            thread.start()

    def wait(self, seconds: float) -> None:
        """Wait for what :meth:`begin` began, so that what was taken is noted."""
        until = time.monotonic() + seconds
        for thread in self._running.values():
            thread.join(max(0.0, until - time.monotonic()))

    def at_once(self, id_: str, alert: Mapping[str, Any]) -> None:
        """Tell of an alert that cannot be stored; those that took it are noted in it."""
        said = alert["alert"]
        for webhook in self._webhooks:
            done = webhook.name in said["told"] or webhook.name in said["refused"]
            if done or not tells(webhook, said["severity"]) or self._waits(webhook):
                continue
            taken = self._post(webhook, id_, alert, Told())
            if taken is not None:
                said["told" if taken else "refused"].append(webhook.name)

    def pause(self) -> float:
        """Seconds until the next try of a webhook that failed; 0 where there is none."""
        now = self._clock()
        waits = [one.until - now for one in self._pauses.values() if one.until > now]
        return min(waits, default=0.0)

    def _quietly(self, webhook: Webhook, check: Callable[[], None]) -> None:
        try:
            self._tell(webhook, Told(), check)
        except ActivityCenterError as wrong:
            _log.warning("alerts are not told", webhook=webhook.name, why=wrong.message)
        except Exception:  # a mistake of ours must not end it without a word
            _log.exception("alerts are not told; it is tried again", webhook=webhook.name)

    def _tell(self, webhook: Webhook, told: Told, check: Callable[[], None]) -> None:
        if self._waits(webhook):
            return
        self._note_given_up(webhook)
        for alert in self._store.untold(webhook):
            key = (webhook.name, alert.id)
            taken = self._unmarked.get(key)
            if taken is None:
                check()
                taken = self._post(webhook, alert.id, alert.source, told)
                if taken is None:
                    return
                self._unmarked[key] = taken
                while len(self._unmarked) > _REMEMBERED:
                    self._unmarked.popitem(last=False)
            try:
                noted = self._store.mark(alert, webhook, taken=taken)
            except ClusterError:
                self._pause(webhook, 0.0)
                raise
            if noted:  # else another one changed it: it is noted next time
                self._unmarked.pop(key, None)

    def _post(
        self, webhook: Webhook, id_: str, alert: Mapping[str, Any], told: Told
    ) -> bool | None:
        """Send one; whether it was taken, or ``None``: it is sent again after a pause."""
        status, wait = post(webhook, id_, alert, self._link)
        if status is None or status >= 500 or status in _AGAIN:
            told.failed += 1
            self._pause(webhook, wait)
            # Neither address nor body: both may hold secrets.
            _log.warning("a webhook does not answer", webhook=webhook.name, status=status or "none")
            return None
        if 200 <= status < 300:
            self._pauses[webhook.name].tries = 0
            told.taken += 1
            return True
        told.refused += 1
        _log.error(
            "a webhook refuses an alert",
            webhook=webhook.name,
            status=status,
            alert=id_,
            hint="check its address and its key",
        )
        return False

    def _pause(self, webhook: Webhook, wait: float) -> None:
        pause = self._pauses[webhook.name]
        pause.tries += 1
        pause.until = self._clock() + max(wait, self._backoff.wait(pause.tries))

    def _waits(self, webhook: Webhook) -> bool:
        return self._clock() < self._pauses[webhook.name].until

    def _note_given_up(self, webhook: Webhook) -> None:
        """Log, once an hour, what a webhook is not told of any more."""
        now = self._clock()
        if now - self._looked.get(webhook.name, -_GIVEN_UP) < _GIVEN_UP:
            return
        self._looked[webhook.name] = now
        number = self._store.given_up(webhook)
        if number:
            _log.error(
                "alerts are given up: a webhook was not told of them within a day",
                webhook=webhook.name,
                alerts=number,
                hint="activity-center alerts fired lists them",
            )
