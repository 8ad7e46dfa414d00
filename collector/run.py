"""A collector process: puts the stages together, runs them, drains them, reloads.

::

    receivers -> pipeline -> spool -> deliverer -> OpenSearch
                               └-> publisher -> step bus
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import signal
import sys
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import urlsplit, urlunsplit

import structlog
from opensearchpy import OpenSearch

from activity_center import log_lines
from activity_center.config import Cluster, Config
from activity_center.connection import connect, resolve
from activity_center.errors import ActivityCenterError, ConfigError
from collector import health, metrics
from collector.alerts.loop import AlertLoop
from collector.check import check_config
from collector.deliver import LANES, Deliverer
from collector.expiry.loop import ExpiryLoop
from collector.figures import figures
from collector.pipeline import Pipeline, Stages
from collector.publish import PlaceFile, Publisher
from collector.receive.budget import Budget
from collector.receive.credentials import Credentials
from collector.receive.forward import ForwardServer
from collector.receive.http import HttpServer
from collector.receive.limits import DEFAULT_CONNECTION_LIMITS
from collector.rejected import RejectedStore
from collector.rejections import rejected_entry
from collector.retention.loop import RetentionLoop
from collector.spool import Spool, adopt
from collector.spool.layout import worker_folder
from collector.supervise import (
    FAILED_FOR_GOOD,
    Supervisor,
    hold_reload,
    parent_gone,
    release_reload,
    worker_command,
)

REJECTED: Final = "rejected"
DEFAULT_SENDER_SHARE: Final = 0.5
"""Of the quota: what a sender without a quota of its own may take, when there are others."""
STOP_RECEIVING: Final = 10.0
"""Seconds for what has arrived to become durable when we stop."""

CONNECTIONS: Final = LANES + 1
"""Kept open to each node of OpenSearch: for deliveries, and for parked records."""
GC_THRESHOLDS: Final = (20_000, 20, 20)
MMAP_BYTES: Final = 512 * 1024
"""Larger blocks go back to the system when they are freed. The allocator's own bound grows to
the largest block freed, a request's body, and then keeps several times that."""
_M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
_M_ARENA_MAX: Final = -8
SWITCH_SECONDS: Final = 0.0005
"""How long a thread waits for the interpreter when another computes. With Python's own 5 ms,
the threads that sync and deliver lose several times that between two requests."""

_log = structlog.get_logger("collector")


class _Rest(TypedDict):
    budget: Budget
    reuse_port: bool


class Worker:
    """One collector process's parts.

    Args:
        config: checked with :func:`~collector.check.check_config`.
        stages: what that built.
        index: its number, from 0.
        workers: how many there are.

    Raises:
        SpoolFailed: another process uses the spool, or the disk fails.
        NodeError: no OpenSearch is configured and the embedded one does not run.
    """

    def __init__(self, config: Config, stages: Stages, index: int, workers: int) -> None:
        self.config = config
        self.index = index
        self._reload_asked = False
        section = config.collector
        root = Path(section.data_dir)
        self.credentials = Credentials(config.senders)
        self.rejected = RejectedStore(root / REJECTED)
        folder = worker_folder(root, index)
        places = PlaceFile(folder)
        self.spool = Spool.open(
            folder,
            quota_bytes=section.quota_bytes,
            quota_of=self._quota_of,
            rejected=self.rejected,
            followed=places.followed,
        )
        self.publisher = Publisher(self.spool, places, config.bus)
        adopt(self.spool, root, index, workers)
        self.pipeline = Pipeline(stages, self.spool)
        self.client = connect(
            _named(config.opensearch), timeout=section.deliver.timeout, pool_maxsize=CONNECTIONS
        )
        maintain = self._maintain_client()
        self.deliverer = Deliverer(
            self.spool,
            self.client,
            maintain,
            self.rejected,
            section.deliver,
            encode_reject=rejected_entry,
        )
        # One of all first workers evaluates alert rules.
        alerting = config.alerts.enabled and index == 0
        self.alerts = AlertLoop(maintain or self.client, config, active=alerting)
        # The same for retention and expiry, wherever an account may do that.
        keeping = maintain is not None and index == 0
        self.retention = RetentionLoop(maintain or self.client, active=keeping)
        policies = config.approval_policies
        self.expiry = ExpiryLoop(maintain or self.client, policies, active=keeping)
        # Unix sockets cannot be shared: the first worker has them.
        forward = [one for one in section.forward if index == 0 or not _is_unix(one.bind)]
        accept, reject_bytes = self.pipeline.accept, self.pipeline.reject_bytes
        budget = Budget(DEFAULT_CONNECTION_LIMITS.in_flight_memory)
        rest = _Rest(budget=budget, reuse_port=workers > 1)
        self.forward = [
            ForwardServer(
                one,
                self.credentials,
                accept,
                reject_bytes,
                accept_soon=self.pipeline.accept_soon,
                **rest,
            )
            for one in forward
        ]
        self.http = [
            HttpServer(one, self.credentials, accept, reject_bytes, **rest) for one in section.http
        ]
        self.servers: tuple[ForwardServer | HttpServer, ...] = (*self.forward, *self.http)

    def _maintain_client(self) -> OpenSearch | None:
        """The account that may delete; where nobody has to log in, the only one there is."""
        config = self.config
        if config.maintain:
            return connect(_named(config.maintainer))
        login = config.opensearch.username or config.opensearch.api_token
        return None if login else self.client

    def _quota_of(self, sender: str) -> int | None:
        quotas = {one.name: one.quota_bytes for one in self.config.senders}
        own = quotas.get(sender)
        if own is not None or len(quotas) < 2:
            return own
        return int(self.config.collector.quota_bytes * DEFAULT_SENDER_SHARE)

    def ready(self) -> str:
        """Return ``""`` when events can be made durable, else why not."""
        if self.spool.state == "failed":
            return "the spool's disk failed"
        if self.spool.state == "full":
            return "the spool's disk is full"
        return "" if self.spool.ready else "the spool is at its quota"

    def _ask_reload(self) -> None:
        """Reload once for all signals that have come: a queue of them would hold up the rest."""
        if not self._reload_asked:
            self._reload_asked = True
            asyncio.get_running_loop().call_soon(self.reload)

    def reload(self) -> None:
        """Read the configuration again; a bad file changes nothing."""
        self._reload_asked = False
        try:
            config, stages = check_config(self.config.path)
            credentials = Credentials(config.senders)
        except ActivityCenterError as wrong:
            _log.error("configuration not reloaded; the former one stays", error=str(wrong))
            return
        self.pipeline.stages = stages
        for server in self.servers:
            server.reload(credentials)
        fixed = [
            (one.collector, one.opensearch, one.alerts, one.bus) for one in (config, self.config)
        ]
        if fixed[0] != fixed[1]:
            _log.warning("changes of addresses, folders, sizes, clusters and alerts need a restart")
        self.credentials, self.config = credentials, config
        _log.info("configuration reloaded", senders=len(config.senders))

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT, drain, and return the exit code."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._ask_reload)
        release_reload()
        orphaned = asyncio.create_task(parent_gone())
        orphaned.add_done_callback(lambda _: stop.set())
        registry = metrics.registry(lambda: figures(self))
        host, _, port = self.config.collector.health.rpartition(":")
        runner = None
        try:
            self._say_start()
            # What is in the spool goes out before anything new comes in.
            self.deliverer.start()
            self.publisher.start()
            self.alerts.start()
            self.retention.start()
            self.expiry.start()
            for server in self.servers:
                await server.start()
            app = health.application(registry, self.ready)
            runner = await health.serve(app, host.strip("[]"), int(port) + self.index)
            _log.info("ready", worker=self.index, data_dir=self.config.collector.data_dir)
            await stop.wait()
            done = await self._drain(loop)
            _log.info("stopped", records_left=self.spool.records, folder=str(self.spool.folder))
            return 0 if done else 1
        finally:
            orphaned.cancel()
            if runner is not None:
                await runner.cleanup()
            self.close()

    def _say_start(self) -> None:
        """Log what this process works with, and what it cannot do."""
        config = self.config
        _log.info(
            "starting",
            config=config.path,
            opensearch=_shown(resolve(_named(config.opensearch)).url),
            health=config.collector.health,
            worker=self.index,
        )
        if (config.opensearch.username or config.opensearch.api_token) and not config.maintain:
            _log.warning(
                "second copies that come to be in a rollover can only be logged, not removed",
                hint="give an account that may search and delete: opensearch.maintain",
            )

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Stop receiving, then deliver what the time allows; the spool keeps the rest."""
        timeout = self.config.collector.drain_timeout
        _log.info(f"stopping: up to {timeout + STOP_RECEIVING:g} s; no new events are taken")
        done = await asyncio.gather(*(one.stop(STOP_RECEIVING) for one in self.servers))
        published = loop.run_in_executor(None, self.publisher.stop)
        drained = await loop.run_in_executor(None, self.deliverer.stop, timeout)
        await published
        if not drained:
            _log.warning(
                "not all is delivered; the rest is delivered after the next start",
                records=self.spool.records,
                folder=str(self.spool.folder),
            )
        return all(done)

    def close(self) -> None:
        """Close what is open."""
        self.alerts.stop()
        self.retention.stop()
        self.expiry.stop()
        self.publisher.stop()
        self.publisher.close()
        self.spool.close()
        self.rejected.close()
        self.client.close()


def _named(cluster: Cluster) -> Cluster | None:
    """The configured cluster; ``None``: the environment's, else the embedded node."""
    return cluster if cluster.url else None


def _shown(url: str) -> str:
    """The address without a login that stands in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def _is_unix(bind: str) -> bool:
    return bind.startswith("unix:")


def run_worker(config: Config, stages: Stages, index: int, workers: int) -> int:
    """Run one worker until it is told to stop; return the exit code.

    A SIGHUP before it is ready to reload is held, and reloads then.

    Exit codes: 0 all was drained as far as the sources of events are concerned, 1 failed
    (another start may help), 2 the configuration is wrong.
    """
    hold_reload()
    log_lines.configure()
    try:
        worker = Worker(config, stages, index, workers)
    except ConfigError as wrong:
        _log.error("cannot start", error=str(wrong))
        return FAILED_FOR_GOOD
    except ActivityCenterError as wrong:
        _log.error("cannot start", error=str(wrong))
        return 1
    # Mappings, schema and catalogue live as long as the process: no need to look at them
    # in every collection. Events hold no cycles, and a chunk of them is thousands of objects:
    # with Python's own threshold of 700 it was walked a dozen times (3 % of all CPU time).
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.malloc_trim(0)
    try:
        return asyncio.run(worker.run())
    except ConfigError as wrong:
        _log.error("cannot start", error=str(wrong))
        return FAILED_FOR_GOOD


def run_supervisor(config: Config, workers: int) -> int:
    """Run ``workers`` processes until told to stop; return the exit code."""
    hold_reload()
    log_lines.configure()
    grace = config.collector.drain_timeout + STOP_RECEIVING + 5
    command = [*worker_command(config.path), "--workers", str(workers)]
    with contextlib.suppress(KeyboardInterrupt):
        return Supervisor(command, workers, grace).run()
    return 1
