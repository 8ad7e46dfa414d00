"""The sidecar's own address as browsers know it (RFC 6454), and the names it answers to."""

from __future__ import annotations

from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from activity_center.address import binds_loopback, is_loopback
from activity_center.config_sidecar import SidecarConfig
from sidecar_api.failures import BadRequest


def address(sidecar: SidecarConfig) -> str:
    """Return the address that people open: the public one, else where the sidecar binds."""
    return sidecar.public_url or f"{'https' if sidecar.tls else 'http'}://{sidecar.bind}"


def own_origin(sidecar: SidecarConfig) -> str:
    """Return ``https://host[:port]`` of :func:`address`."""
    parts = urlsplit(address(sidecar))
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    netloc = parts.netloc.rpartition("@")[2]
    if parts.port == usual:  # browsers leave it away
        netloc = netloc.removesuffix(f":{usual}")
    return f"{parts.scheme}://{netloc}".lower()


def is_secure(sidecar: SidecarConfig) -> bool:
    """Whether browsers come over TLS, to the sidecar itself or to a proxy before it."""
    return own_origin(sidecar).startswith("https:")


def is_local(sidecar: SidecarConfig) -> bool:
    """Whether people come to this machine's own address."""
    return is_loopback(urlsplit(own_origin(sidecar)).hostname or "")


def is_own(origin: str, request: Request, sidecar: SidecarConfig) -> bool:
    """Whether a request's header ``Origin`` names the sidecar itself.

    Without a public address the name by which this request came counts too: who binds to
    127.0.0.1 is also visited as localhost.
    """
    if origin.lower() == own_origin(sidecar):
        return True
    scheme = "https" if sidecar.tls else "http"
    return not sidecar.public_url and origin.lower() == f"{scheme}://{_host(request)}"


def check_host(request: Request, sidecar: SidecarConfig) -> None:
    """Refuse names of others for a sidecar that is there for this machine alone.

    Otherwise a page elsewhere could point its own name to 127.0.0.1 (DNS rebinding) and read
    what the person at this machine may read.

    Raises:
        BadRequest: the header ``Host`` is neither loopback nor the public address.
    """
    if not binds_loopback(sidecar.bind):
        return
    given = _host(request)
    name = urlsplit(f"//{given}").hostname if _is_host(given) else None
    if name and (is_loopback(name) or name == urlsplit(sidecar.public_url).hostname):
        return
    raise BadRequest(
        "The sidecar does not answer under this name.",
        parameter="Host",
        hint="Use the address that it printed, or set sidecar.public_url to the one in use.",
    )


def _host(request: Request) -> str:
    return str(request.environ.get("HTTP_HOST", "")).lower()


def _is_host(given: str) -> bool:
    try:
        urlsplit(f"//{given}").port  # noqa: B018 (it is the reading that raises)
    except ValueError:
        return False
    return not set(given) & set("/?#@\\")
