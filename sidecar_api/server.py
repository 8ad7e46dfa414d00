"""``activity-center serve``: gunicorn with gevent workers, run from our configuration alone.

::

    parent    holds the address; checks a new configuration on SIGHUP before it acts
    └── worker    one process: gevent, many requests at once, open streams among them

Who imports this has patched the standard library (``gevent.monkey.patch_all()``) before
anything that opens sockets was imported; the verb ``serve`` does so first of all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import uuid
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Final

import gevent
import structlog
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.ggevent import GeventWorker

from activity_center.config import Config, Tls
from activity_center.config_sidecar import IdentityConfig
from activity_center.errors import ActivityCenterError, ConfigError
from activity_center.tls import check_tls, renewed_context
from sidecar_api import ending, logs
from sidecar_api.client_address import trusted
from sidecar_api.connections import Listener, Silence, break_silence, in_time
from sidecar_api.origin import address
from sidecar_api.problems import MEDIA, STATUSES
from sidecar_api.services import EXTENSION
from sidecar_api.starting import check_bind, check_opensearch

CONNECTIONS: Final = 1000
"""Requests and open streams that one worker answers at the same time."""
GRACE: Final = 20
"""Seconds for running requests after SIGTERM; streams end at once, exports may take them."""
MOMENT: Final = 1.0
"""Seconds in which a connection may still bring a request after SIGTERM."""
_LOOK: Final = 0.25
BACKLOG: Final = 512
_LINGER: Final = 16
MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"

_log = structlog.get_logger("sidecar")


class Worker(GeventWorker):  # type: ignore[misc]
    """A worker that ends its open streams when it is told to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: take nothing new, finish what runs, close the streams."""
        ending.begin()
        super().handle_exit(sig, frame)

    def server_class(self, listener: Any, *, spawn: Any, **rest: Any) -> Listener:
        """Return what takes connections: gunicorn's own has no limits of one client."""
        config = self.app.config
        tls = {"ssl_context": rest["ssl_context"]} if "ssl_context" in rest else {}
        handle = partial(self.handle, listener)
        made = Listener(listener, free=trusted(config), handle=handle, spawn=spawn, **tls)
        if config.sidecar.workers > 1:
            made.max_accept = 1  # as gunicorn has it: the others get some too
        return made

    def timeout_ctx(self) -> Any:
        """How long a connection may be silent before its next request; at the end a moment.

        Else the connection of a stream that we closed would hold us up for as long.
        """
        seconds = MOMENT if ending.begun() else self.cfg.keepalive
        return Silence(seconds, self._waiting)

    def run(self) -> None:
        """Serve."""
        self._waiting: dict[Silence, Any] = {}
        gevent.get_hub().print_exception = _left_over
        gevent.spawn(self._close_idle)
        super().run()

    def _close_idle(self) -> None:
        """At the end, connections that were silent before: browsers keep some open."""
        while not ending.begun():
            gevent.sleep(_LOOK)
        gevent.sleep(MOMENT)
        break_silence(self._waiting)

    # Ctrl-C goes to the whole group: gunicorn would break off what runs.
    handle_quit = handle_exit

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Refuse what is no HTTP in the one shape; it never gets to the application.

        What was sent is not repeated, neither in the answer nor in the log.
        """
        if not isinstance(exc, ParseException | ssl.SSLError):
            super().handle_error(req, client, addr, exc)
            return
        status = 400
        if isinstance(exc, LimitRequestLine):
            status = 414
        elif isinstance(exc, LimitRequestHeaders):
            status = 431
        slug, title, _ = STATUSES[status]
        _log.warning("a request that is no HTTP was refused", status=status)
        problem = {
            "type": f"/problems/{slug}",
            "title": title,
            "status": status,
            "detail": "The request is no HTTP that is understood here, or too long.",
            "instance": f"urn:uuid:{uuid.uuid4()}",
        }
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status} {title}\r\nConnection: close\r\nContent-Type: {MEDIA}\r\n"
            f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            client.settimeout(1.0)
            client.sendall(head.encode() + body)
            # What is left unread when a socket is closed takes the answer with it (TCP reset).
            client.shutdown(socket.SHUT_WR)
            for _ in range(_LINGER):
                if not client.recv(65536):
                    break


def _left_over(_context: object, kind: Any, error: Any, trace: Any) -> None:
    """Log an error that nobody took: gevent would print it.

    A peer that goes away, or that speaks no TLS to us, is none.
    """
    if kind is not None and not issubclass(kind, OSError):
        _log.error("unexpected error outside a request", exc_info=(kind, error, trace))


class Master(Arbiter):  # type: ignore[misc]
    """The parent: replaces its workers on SIGHUP only for a configuration that is right."""

    def init_signals(self) -> None:
        """Take signals; a SIGHUP that came before we could act on it, now."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def handle_int(self) -> None:
        """SIGINT: as SIGTERM."""
        self.handle_term()

    def handle_hup(self) -> None:
        """SIGHUP."""
        if self.app.renew():
            super().handle_hup()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn's idea of an application, from our configuration.

    Args:
        read: reads and checks the configuration; called again on SIGHUP.

    Raises:
        ConfigError: see ``read``.
    """

    def __init__(self, read: Callable[[], Config]) -> None:
        self._read = read
        self.config = read()
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults; no file and no variable is read."""
        section = self.config.sidecar
        settings: dict[str, Any] = {
            "bind": section.bind,
            "workers": section.workers,
            "worker_class": Worker,
            "worker_connections": CONNECTIONS,
            "backlog": BACKLOG,
            "limit_request_line": 8190,  # the most that gunicorn allows, as sidecar_api.limits
            "graceful_timeout": GRACE,
            "timeout": 60,
            "keepalive": 15,
            "logger_class": logs.GunicornLog,
            "proc_name": "activity-center-sidecar",
            # It would write into the home directory.
            "control_socket_disable": True,
            # Headers of proxies are read by sidecar_api.client_address, from listed peers alone.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "child_exit": _forget_metrics,
            "post_worker_init": _say_ready,
            "worker_exit": _close,
        }
        if section.tls is not None:
            # The files make gunicorn speak TLS; the context is ours.
            settings |= {"certfile": section.tls.certificate, "keyfile": section.tls.key}
            settings["ssl_context"] = partial(_tls, section.tls)
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the application, in the worker that is to run it."""
        from sidecar_api.app import create_app
        from sidecar_api.processes import live

        try:
            app = create_app(self.config)
        except (ActivityCenterError, OSError) as wrong:
            _log.error("cannot start", error=str(wrong))
            sys.exit(Arbiter.APP_LOAD_ERROR)
        live(app).start()
        app.wsgi_app = in_time(app.wsgi_app)  # type: ignore[method-assign]
        return app

    def renew(self) -> bool:
        """Read the configuration again; ``False``: it is wrong, and the former one stays."""
        from sidecar_api.app import create_app

        try:
            config = self._read()
            check_tls(config.sidecar.tls, "sidecar.tls")
            _check_whole(self.config, config)
            create_app(config)  # opens every file that a new worker would; it is not kept
        except (ActivityCenterError, OSError) as wrong:
            _log.error("configuration not reloaded; the former one stays", error=str(wrong))
            return False
        if config.sidecar.bind != self.config.sidecar.bind:
            _log.info("the address changes", bind=config.sidecar.bind)
        self.config = config
        _log.info("configuration reloaded")
        return True

    def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        parent = os.getpid()
        try:
            Master(self).run()
        except SystemExit as ended:
            if os.getpid() != parent:
                raise  # a worker: its code tells the parent whether to start another
            return 1 if ended.code else 0
        except RuntimeError as wrong:
            _log.error("cannot serve", error=str(wrong))
            return 1
        return 0


def serve(read: Callable[[], Config]) -> int:
    """Run the server until told to stop; return the exit code.

    Args:
        read: reads and checks the configuration file.

    Raises:
        ConfigError: see ``read``, or the files of TLS cannot be used.
        ActivityCenterError: the address is taken, or there is no OpenSearch to ask.
    """
    logs.configure()
    server = Server(read)
    section = server.config.sidecar
    check_tls(section.tls, "sidecar.tls")
    check_bind(section.bind)
    _share_metrics(Path(section.data_dir))
    import_module("sidecar_api.app")  # here, so that all workers share its memory
    check_opensearch(server.config)
    _say_start(server.config)
    return server.run()


def _say_start(config: Config) -> None:
    section = config.sidecar
    _log.info("starting", config=config.path, address=address(section), workers=section.workers)
    if not section.recording.url:
        _log.warning(
            "reading and exporting is not recorded",
            hint="name the collector's HTTP address: sidecar.recording.url",
        )


def _share_metrics(folder: Path) -> None:
    """Let the workers' metrics meet in files; those of an earlier run are removed.

    prometheus_client looks for the variable when it is imported.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / "metrics"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    os.environ[MULTIPROCESS] = str(place)


def _check_whole(former: Config, config: Config) -> None:
    """Refuse a file that is right and yet looks cut off: an editor was in the middle of it.

    Raises:
        ConfigError: nobody could get in any more, or reading would no longer be recorded.
    """
    lost = [
        name
        for name, before, now in (
            ("identity", former.identity != IdentityConfig(), config.identity != IdentityConfig()),
            ("sidecar.recording", former.sidecar.recording.url, config.sidecar.recording.url),
        )
        if before and not now
    ]
    if lost:
        raise ConfigError(
            f"{' and '.join(lost)} would be gone: is the file whole?",
            where=config.path,
            hint="if it is meant, restart the sidecar instead of reloading it",
        )


def _forget_metrics(_server: Any, worker: Any) -> None:
    """The gauges of a worker that has ended no longer count."""
    if MULTIPROCESS in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _say_ready(worker: Any) -> None:
    place = address(worker.app.config.sidecar)
    _log.info("ready", address=place, worker=worker.pid, next=f"open {place}")


def _close(_server: Any, worker: Any) -> None:
    """Send the records that wait, before the worker ends."""
    app = getattr(worker, "wsgi", None)  # not there when it could not be made
    if isinstance(app, Flask):
        app.extensions[EXTENSION].recording.close()


def _tls(tls: Tls, _config: Any, _make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    return renewed_context(tls)
