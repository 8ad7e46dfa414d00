"""Whether an address stays on this machine. The standard library only: the emitter uses it."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether ``host`` is a literal loopback address or ``localhost`` (RFC 6761)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def binds_loopback(bind: str) -> bool:
    """Whether ``bind`` (``host:port``, ``[v6]:port``, ``unix:/path``) stays on this machine."""
    return bind.startswith("unix:") or is_loopback(bind.rpartition(":")[0].strip("[]"))
