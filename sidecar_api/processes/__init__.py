"""Live processes: who watches which, and what they are told (see :mod:`.hub`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flask import Flask, current_app

from activity_center.bus import open_reader
from sidecar_api.processes import messages, sockets
from sidecar_api.processes.earlier import earlier
from sidecar_api.processes.hub import Hub
from sidecar_api.processes.overdue import Overdue
from sidecar_api.processes.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from activity_center.processes import Key
    from sidecar_api.processes.board import Kept
    from sidecar_api.services import Services

__all__ = ["Hub", "View", "init_app", "live"]

_EXTENSION: Final = "activity_center_processes"


def init_app(app: Flask, services: Services) -> None:
    """Give ``app`` its hub; it reads nothing until it is started, or somebody watches."""
    overdue = Overdue(services.recording.note, services.secret)

    def tick(held: Iterable[tuple[Key, Kept]], now: datetime) -> None:
        services.metrics.count_processes()
        overdue(held, now)

    hub = Hub(
        lambda: open_reader(services.config.bus),
        lambda seen: earlier(services.client, seen),
        services.secret,
        tick=tick,
    )
    app.extensions[_EXTENSION] = hub
    app.config["SOCK_SERVER_OPTIONS"] = {
        "subprotocols": [messages.SUBPROTOCOL],
        "max_message_size": sockets.MAX_MESSAGE,
        "thread_class": _NoThread,
    }
    services.metrics.watch_processes(hub.counts)


def live(app: Flask | None = None) -> Hub:
    """Return the hub of an application, default: of the running one."""
    return cast(Hub, (app or current_app).extensions[_EXTENSION])


class _NoThread:
    """In place of the thread in which a socket would be read: its own greenlet does so."""

    name = "(_thread)"

    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None:
        """Do nothing."""
