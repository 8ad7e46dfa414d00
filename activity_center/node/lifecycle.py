"""Start, stop, look at and remove nodes."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from activity_center.errors import NodeError
from activity_center.node.account import Account, node_account
from activity_center.node.artifacts import pinned
from activity_center.node.distribution import distribution
from activity_center.node.folders import NodeFolder, make_folder, node_folder
from activity_center.node.java import command, heap_bytes, java_home
from activity_center.node.lock import locked
from activity_center.node.process import Process, end, is_alive, spawn, wait_until
from activity_center.node.progress import Progress, Silent
from activity_center.node.ready import is_ready, tail
from activity_center.node.record import (
    NodeInfo,
    Options,
    Record,
    describe,
    read_record,
    write_record,
)
from activity_center.node.security import secure as set_up_security
from activity_center.node.settings import node_settings, write_configuration

DEFAULT_NAME: Final = "default"
DEFAULT_PORT: Final = 9200
_GRACE: Final = 60.0
_PORT_ATTEMPTS: Final = 3
_FREE_PORTS: Final = range(10240, 32768)


def start(
    name: str = DEFAULT_NAME,
    *,
    secure: bool | None = None,
    port: int | None = None,
    heap: str | None = None,
    settings: Mapping[str, str] | None = None,
    fast: bool | None = None,
    timeout: float = 300.0,
    progress: Progress | None = None,
) -> NodeInfo:
    """Start a node and wait until it is ready; a running one is returned as it is.

    An option left out (None) is as at the last start of this node; at its first start no
    security, a heap of 512 MB, no further settings, not fast.

    Args:
        secure: with the security plugin, TLS and a random admin password.
        port: HTTP port on loopback; 0 or None: the one it had, else 9200 for the node
            ``default`` when it is free, else any free port.
        heap: size of the Java heap, ``512m``, ``2g``.
        settings: further lines of ``opensearch.yml``; they win over ours.
        fast: quick to start and small, slower under load: for tests.
        timeout: seconds to wait until it is ready, downloads not counted.
        progress: told what is being done.

    Raises:
        NodeError: something could not be had, or the node did not become ready; then
            the message ends with the end of its log, and no process is left.
    """
    folder = node_folder(name)
    progress = progress or Silent()
    with locked(folder.lock):
        record = read_record(folder)
        if record and record.process and is_alive(record.process):
            asked = {
                "secure": secure,
                "port": port or None,
                "heap": heap,
                "settings": None if settings is None else dict(settings),
                "fast": fast,
            }
            _same_as_running(name, record.options, asked)
            return _wait(name, folder, record, record.process, timeout, progress)
        before = record.options if record else Options(port=0)
        given = port or before.port
        options = Options(
            port=given,
            secure=before.secure if secure is None else secure,
            heap=heap or before.heap,
            settings=before.settings if settings is None else dict(settings),
            fast=before.fast if fast is None else fast,
        )
        heap_bytes(options.heap)
        account = node_account()
        java = java_home(account)
        home = distribution(account, progress, secure=options.secure)
        for attempt in range(_PORT_ATTEMPTS):
            options = replace(options, port=_port(name, port, before.port))
            _prepare(name, folder, options, home, account)
            process = _spawn(java, home, folder, options, account)
            record = Record(options, pinned().opensearch, process)
            try:
                write_record(folder, record)
                return _wait(name, folder, record, process, timeout, progress)
            except NodeError:
                end(process, grace=0)
                last = attempt == _PORT_ATTEMPTS - 1
                # Another program took the port between our look and the node's bind.
                if given or last or "BindHttpException" not in tail(folder):
                    raise
            except BaseException:
                end(process, grace=0)
                raise
        raise AssertionError("unreachable")


def stop(name: str = DEFAULT_NAME) -> bool:
    """End a node in good order; return whether it was running.

    Raises:
        NodeError: the name cannot be one.
    """
    return _end(name, grace=_GRACE)


def kill(name: str = DEFAULT_NAME) -> bool:
    """End a node at once, as a crash would (SIGKILL); return whether it was running."""
    return _end(name, grace=0)


def status(name: str = DEFAULT_NAME) -> NodeInfo | None:
    """Return the node when its process runs, else None."""
    folder = node_folder(name)
    record = read_record(folder)
    if record and record.process and is_alive(record.process):
        return describe(name, folder, record)
    return None


def exists(name: str = DEFAULT_NAME) -> bool:
    """Whether there is a node of this name, running or not."""
    return node_folder(name).root.is_dir()


def wipe(name: str = DEFAULT_NAME) -> bool:
    """Stop a node and remove all its files; return whether there was one.

    Raises:
        NodeError: its files cannot be removed.
    """
    folder = node_folder(name)
    if not folder.root.is_dir():
        return False
    with locked(folder.lock):
        try:
            _end_recorded(folder, grace=_GRACE)
        except NodeError:
            # A record that cannot be read names no process; the person wants it all gone.
            if folder.record.exists():
                folder.record.unlink()
        try:
            shutil.rmtree(folder.root)
        except OSError as wrong:
            raise NodeError(
                f"cannot be removed: {wrong.strerror}", where=str(wrong.filename)
            ) from wrong
    return True


def _end(name: str, *, grace: float) -> bool:
    folder = node_folder(name)
    if not folder.root.is_dir():
        return False
    with locked(folder.lock):
        return _end_recorded(folder, grace=grace)


def _end_recorded(folder: NodeFolder, *, grace: float) -> bool:
    record = read_record(folder)
    if record is None or record.process is None or not is_alive(record.process):
        return False
    end(record.process, grace=grace)
    return True


def _same_as_running(name: str, running: Options, asked: Mapping[str, object]) -> None:
    """Refuse to hand out a running node as if it had options that it lacks."""
    different = [
        f"{option} {getattr(running, option)!r}, not {value!r}"
        for option, value in asked.items()
        if value is not None and value != getattr(running, option)
    ]
    if different:
        raise NodeError(
            f"the node {name} is running with {'; '.join(different)}",
            hint=f"stop it first: activity-center node stop --name {name}",
        )


def _port(name: str, asked: int | None, before: int) -> int:
    """Choose the port: what was asked for, or had before, must be free."""
    if asked or before:
        port = asked or before
        if not _is_free(port):
            raise NodeError(
                f"port {port} is in use by another program",
                hint="choose another with --port, or a free one with --port 0"
                if asked
                else f"the node {name} had this port; choose another with --port",
            )
        return port
    if name == DEFAULT_NAME and _is_free(DEFAULT_PORT):
        return DEFAULT_PORT
    # Below the range that systems give to outgoing connections (RFC 6335; Linux: 32768 on):
    # one of those could have the port just when the node is started again.
    for port in random.sample(_FREE_PORTS, 100):
        if _is_free(port):
            return port
    raise NodeError("no free port was found", hint="choose one with --port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of the last run may linger (TIME_WAIT); the JVM sets this, too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _prepare(name: str, folder: NodeFolder, options: Options, home: Path, account: Account) -> None:
    """Make the node's folders and write its configuration."""
    try:
        make_folder(folder.root)
        # A node that was killed could not clear it.
        shutil.rmtree(folder.temporary, ignore_errors=True)
        for place, mode in (
            (folder.config, 0o700),
            (folder.data, 0o700),
            (folder.archive, 0o700),
            (folder.logs, 0o700),
            (folder.temporary, 0o700),
        ):
            place.mkdir(exist_ok=True)
            place.chmod(mode)
        security = set_up_security(folder, home, account) if options.secure else {}
        settings = node_settings(name, folder, options.port, options.settings)
        write_configuration(folder, {**security, **settings})
        # Each start has a log of its own: the end of it is shown when the start fails.
        for log in (folder.log_file, folder.console_file):
            if log.exists():
                log.replace(log.with_name(f"{log.name}.before"))
        for place in (folder.config, folder.data, folder.archive, folder.logs, folder.temporary):
            _give_all(place, account)
    except OSError as wrong:
        raise NodeError(
            f"cannot prepare the node: {wrong.strerror}", where=str(wrong.filename)
        ) from wrong
    if not account.can("-w", folder.data):
        raise NodeError(
            f"uid {account.uid} cannot write there, and OpenSearch refuses to run as root",
            where=str(folder.data),
            hint="set ACTIVITY_CENTER_STATE to a folder that everyone may enter",
        )


def _give_all(place: Path, account: Account) -> None:
    """Give what we wrote to the node's account; what it wrote is its own already."""
    account.give(place, place.stat().st_mode & 0o777)
    if account.uid is None:
        return
    for path in place.rglob("*"):
        if path.lstat().st_uid != account.uid:
            account.give(path, 0o700 if path.is_dir() else 0o600)


def _spawn(
    java: Path, home: Path, folder: NodeFolder, options: Options, account: Account
) -> Process:
    with folder.console_file.open("wb") as console:
        account.give(folder.console_file, 0o644)
        try:
            popen = subprocess.Popen(
                command(java, home, folder, heap=options.heap, fast=options.fast),
                cwd=home,
                env={"OPENSEARCH_TMPDIR": str(folder.temporary), "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                # Outlives this process and the terminal's Ctrl-C.
                start_new_session=True,
                **account.identity,
            )
        except OSError as wrong:
            raise NodeError(f"cannot start Java: {wrong.strerror}", where=str(java)) from wrong
    process = spawn(popen)
    if process is None:
        raise _failed(folder, "Java ended at once")
    return process


def _wait(
    name: str,
    folder: NodeFolder,
    record: Record,
    process: Process,
    timeout: float,
    progress: Progress,
) -> NodeInfo:
    node = describe(name, folder, record)
    progress.step(f"Waiting for OpenSearch {record.version} on {node.url}")
    settled = wait_until(lambda: not is_alive(process) or is_ready(node), timeout, every=0.2)
    if not is_alive(process):
        raise _failed(folder, "OpenSearch ended before it was ready")
    if not settled:
        raise _failed(folder, f"OpenSearch was not ready after {timeout:.0f} seconds")
    return node


def _failed(folder: NodeFolder, message: str) -> NodeError:
    said = tail(folder)
    indented = "".join(f"\n    {line}" for line in said.splitlines())
    return NodeError(
        f"{message}; the end of its log:{indented}" if said else message,
        hint=f"the whole log: {folder.log_file} (and {folder.console_file.name} beside it)",
    )
