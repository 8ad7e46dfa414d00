"""Whether an address stays on this machine. The standard library only: the emitter uses it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether ``host`` is a literal loopback address or ``localhost`` (RFC 6761)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """Whether ``url`` is https with a host, or http to this machine: secrets may go there."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )


def binds_loopback(bind: str) -> bool:
    """Whether ``bind`` (``host:port``, ``[v6]:port``, ``unix:/path``) stays on this machine."""
    return bind.startswith("unix:") or is_loopback(bind.rpartition(":")[0].strip("[]"))
