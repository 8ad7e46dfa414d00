"""TLS of what we listen on, and certificates that are renewed while we do."""

from __future__ import annotations

import ssl
import threading
import time
import weakref
from pathlib import Path
from typing import Final

import structlog

from activity_center.config import Tls
from activity_center.errors import ConfigError

LOOK_SECONDS: Final = 2.0
"""Seconds between two looks at the files of a certificate."""

_log: Final = structlog.get_logger("tls")

_Stamp = tuple[tuple[int, int, int], ...]


def server_context(tls: Tls, where: str = "tls") -> ssl.SSLContext:
    """Return a context for a listener: TLS 1.2 or later (RFC 8996); with ``client_ca`` a
    client certificate is demanded and verified.

    Args:
        tls: the files.
        where: the place in the configuration that names them, for the error.

    Raises:
        ConfigError: a file cannot be read or does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, tls, where)
    return context


def check_tls(tls: Tls | None, where: str = "tls") -> None:
    """See whether the files can be used; arguments as :func:`server_context` has them.

    Raises:
        ConfigError: they cannot.
    """
    if tls is not None:
        server_context(tls, where)


def renewed_context(tls: Tls) -> ssl.SSLContext:
    """Return a context that takes up its files when they change, for new connections.

    Whoever renews certificates (cert-manager, certbot) writes new files and tells nobody. A
    thread looks at them for as long as the context is in use. Files that do not fit together
    are left alone until they do. An authority of clients can be added that way; to take one
    away needs a restart.

    A connection that begins gets the context that was made last (``sni_callback`` is called for
    clients without SNI too). Loaded into the one in use, certificate and key would for a moment
    not fit together, and who came in that moment would be turned away.

    Raises:
        ConfigError: see :func:`server_context`.
    """
    stamp = _stamp(tls)  # before they are read: what changes meanwhile is seen later
    context = server_context(tls)
    latest = [server_context(tls)]

    def choose(connection: ssl.SSLObject, _name: str | None, _used: ssl.SSLContext) -> None:
        connection.context = latest[0]

    context.sni_callback = choose
    threading.Thread(
        target=_renew,
        args=(weakref.ref(context), latest, tls, stamp),
        name="certificate",
        daemon=True,
    ).start()
    return context


def peer_certificate(connection: ssl.SSLObject | None) -> bytes | None:
    """Return the verified client certificate (DER), or ``None``."""
    return connection.getpeercert(binary_form=True) if connection is not None else None


def _load(context: ssl.SSLContext, tls: Tls, where: str) -> None:
    file = tls.certificate
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca:
            file = tls.client_ca
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as wrong:
        raise ConfigError(
            f"{file}: {wrong.strerror or wrong}",
            where=where,
            hint="PEM files; the key must belong to the certificate and be readable by us",
        ) from wrong


def _stamp(tls: Tls) -> _Stamp:
    """What changes when a file is written, goes, or another one takes its place."""
    stamp = []
    for name in filter(None, (tls.certificate, tls.key, tls.client_ca)):
        try:
            file = Path(name).stat()
        except OSError:
            stamp.append((0, 0, 0))
        else:
            stamp.append((file.st_ino, file.st_mtime_ns, file.st_size))
    return tuple(stamp)


def _renew(
    used: weakref.ref[ssl.SSLContext], latest: list[ssl.SSLContext], tls: Tls, seen: _Stamp
) -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        if used() is None:
            return
        try:
            now = _stamp(tls)
            if now == seen:
                continue
            seen = now
            latest[0] = server_context(tls)  # they may be half written: then the former stays
        except ConfigError as wrong:
            _log.error("certificate not renewed; the former one stays", error=str(wrong))
        else:
            _log.info("certificate renewed", file=tls.certificate)
