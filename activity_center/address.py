"""Whether an address stays on this machine. The standard library only: the emitter uses it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from activity_center.errors import ConfigError


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


def check(url: str) -> None:
    """Refuse an address to which no token may go.

    Raises:
        ConfigError: it is none, or would send the token in the clear.
    """
    if not is_safe(url):
        raise ConfigError(
            "the address must be https:// (http:// to this machine alone)",
            where=url[:200],
            hint="the token would be readable on its way",
        )


def check_token(token: str) -> None:
    """Refuse what cannot be an API token, and would be sent as something else.

    Raises:
        ConfigError: it has characters that no token has.
    """
    if not (token.isascii() and token.isprintable()):
        raise ConfigError("the API token has characters that no token has")


def binds_loopback(bind: str) -> bool:
    """Whether ``bind`` (``host:port``, ``[v6]:port``, ``unix:/path``) stays on this machine."""
    return bind.startswith("unix:") or is_loopback(bind.rpartition(":")[0].strip("[]"))
