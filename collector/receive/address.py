"""Listening sockets from ``host:port``, ``[::1]:port`` and ``unix:/path``."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from activity_center.errors import ConfigError

_BACKLOG = 1024


def listen(bind: str, *, reuse_port: bool = False) -> list[socket.socket]:
    """Return non-blocking listening sockets for an address.

    A name is bound on every address it resolves to, with one port. A Unix socket gets
    mode 0660 and replaces one that nobody listens on.

    Args:
        bind: ``host:port``, ``[v6]:port`` or ``unix:/path``; port 0: any free one.
        reuse_port: let several processes listen on the same TCP port.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        if bind.startswith("unix:"):
            return [_listen_unix(Path(bind[5:]))]
        return _listen_tcp(bind, reuse_port)
    except OSError as wrong:
        raise ConfigError(
            f"cannot listen: {wrong.strerror or wrong}",
            where=bind,
            hint="is another process using the address, or is the name or folder wrong?",
        ) from wrong


async def serve(
    sockets: list[socket.socket],
    protocol: Callable[[], asyncio.BaseProtocol],
    context: ssl.SSLContext | None,
    handshake_timeout: float,
) -> list[asyncio.Server]:
    """Serve listening sockets with a protocol of asyncio.

    Args:
        sockets: from :func:`listen`.
        protocol: makes the protocol of a new connection.
        context: for TLS.
        handshake_timeout: seconds that TLS may take to be set up.
    """
    loop = asyncio.get_running_loop()
    timeout = handshake_timeout if context is not None else None
    servers = []
    for one in sockets:
        if one.family == socket.AF_UNIX:
            server = await loop.create_unix_server(
                protocol, sock=one, ssl=context, ssl_handshake_timeout=timeout
            )
        else:
            server = await loop.create_server(
                protocol, sock=one, ssl=context, ssl_handshake_timeout=timeout
            )
        servers.append(server)
    return servers


def _listen_tcp(bind: str, reuse_port: bool) -> list[socket.socket]:
    host, _, port_text = bind.rpartition(":")
    if not host or not port_text.isdigit() or int(port_text) > 65535:
        raise ConfigError("not host:port, [v6]:port or unix:/path", where=bind)
    port = int(port_text)
    found = socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _name, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], port, *address[2:]))
            one.listen(_BACKLOG)
            one.setblocking(False)
            port = one.getsockname()[1]
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets


def _listen_unix(path: Path) -> socket.socket:
    remove_stale(path)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o117)  # 0660 from the first moment on
        try:
            one.bind(str(path))
        finally:
            os.umask(before)
        one.listen(_BACKLOG)
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def remove_stale(path: Path) -> None:
    """Remove a Unix socket that nobody listens on.

    Raises:
        ConfigError: something else is there, or somebody listens.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError("there is a file that is no socket", where=f"unix:{path}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise ConfigError(
        "another process listens there", where=f"unix:{path}", hint="stop it or choose another path"
    )


def spell(address: object) -> str:
    """Return a socket's address as it stands in a configuration; ``unix`` for a nameless one."""
    if isinstance(address, tuple):
        host, port = address[0], address[1]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    text = address.decode() if isinstance(address, bytes) else str(address or "")
    return f"unix:{text}" if text else "unix"
