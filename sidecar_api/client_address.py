"""From which address a request comes, when proxies stand before the sidecar."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from werkzeug.wrappers import Request

from activity_center.config import Config
from activity_center.errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_HOPS: Final = 16
UNKNOWN: Final = "unknown"


def networks(names: Sequence[str], *, where: str) -> tuple[Network, ...]:
    """Return addresses and networks as networks.

    Args:
        names: ``10.0.0.0/8``, ``::1``, ...
        where: key of the configuration, for the error.

    Raises:
        ConfigError: one is neither.
    """
    try:
        return tuple(ipaddress.ip_network(name, strict=False) for name in names)
    except ValueError as wrong:
        raise ConfigError(f"is no address and no network: {wrong}", where=where) from wrong


def trusted(config: Config) -> tuple[Network, ...]:
    """Return the proxies whose ``X-Forwarded-For`` is believed: those that sign people in too.

    Raises:
        ConfigError: a name is no network.
    """
    proxy = config.identity.proxy
    peers = networks(proxy.peers, where="identity.proxy.peers") if proxy else ()
    return networks(config.sidecar.trusted_proxies, where="sidecar.trusted_proxies") + peers


@lru_cache(maxsize=4096)
def parse(text: str) -> Address | None:
    """Return an address, IPv4 inside IPv6 (``::ffff:``) unwrapped, or None.

    A port, as some proxies write it, and a zone are left away.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped if mapped is not None else found


def is_among(address: Address | None, trusted: Sequence[Network]) -> bool:
    """Whether ``address`` lies in one of the networks."""
    return address is not None and any(address in network for network in trusted)


def client_address(request: Request, trusted: Sequence[Network]) -> str:
    """Return the address of the one who asked.

    ``X-Forwarded-For`` is read from the right, as every proxy appends to it, and only as long
    as the hop that wrote an entry is trusted: what a client puts there itself never counts.

    Args:
        request: the running request.
        trusted: see :func:`trusted`.

    Returns:
        An address as text, or :data:`UNKNOWN` (a Unix socket without a proxy's header).
    """
    peer = parse(request.remote_addr or "")
    if not trusted or not is_among(peer, trusted):
        return str(peer) if peer else UNKNOWN
    hops = ",".join(request.headers.getlist("X-Forwarded-For")).split(",")
    for hop in reversed(hops[-MAX_HOPS:]):
        found = parse(hop[:64])
        if found is None:
            break  # what stands left of nonsense is not to be believed
        peer = found
        if not is_among(found, trusted):
            break
    return str(peer)


def block_of(address: str) -> str:
    """Return whom a limit counts as one: an IPv4 address, or the /64 of an IPv6 address.

    A customer line has a /64 at least (RFC 6177), and may use any address of it.
    """
    found = parse(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
