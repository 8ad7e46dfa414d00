"""Whether the process lives, whether it can answer, and its metrics."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request
from opensearchpy.exceptions import OpenSearchException
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from activity_center.streams import LENS_PATTERNS
from sidecar_api import ending
from sidecar_api.client_address import is_among, networks, parse
from sidecar_api.failures import NotFound, Unavailable
from sidecar_api.limits import limits
from sidecar_api.openapi import operation
from sidecar_api.services import services

blueprint = Blueprint("health", __name__)

PLAIN: Final = "text/plain"
PATIENCE: Final = 3.0
"""Seconds that OpenSearch has for a search of nothing."""
_NOT_READ: Final = ("Forwarded", "X-Real-Ip")
"""Headers of proxies that we do not read: who comes with one comes from somewhere else."""


@blueprint.get("/healthz")
@operation("Ask whether the process answers", media=PLAIN, public=True, counted=False)
def healthz() -> Response:
    """Alive.

    Whoever ends a process that does not say so may come from an address that others share, as a
    kubelet behind a NodePort: what those ask must not end it.
    """
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/readyz")
@operation(
    "Ask whether questions can be answered",
    description="OpenSearch answers, and this account may search the streams.",
    media=PLAIN,
    public=True,
    failures=[Unavailable],
)
def readyz() -> Response:
    """Ready."""
    if ending.begun():
        raise Unavailable("This process is about to end.")
    try:
        services().client.search(
            index=",".join(LENS_PATTERNS),
            body={"size": 0, "track_total_hits": False, "query": {"match_none": {}}},
            params={"request_timeout": PATIENCE},
        )
    except OpenSearchException as wrong:
        raise Unavailable(
            f"OpenSearch cannot be searched ({type(wrong).__name__}).",
            hint="See activity-center doctor.",
        ) from wrong
    return Response("ready\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/metrics")
@operation(
    "Read the metrics",
    description="Prometheus' text format; for this machine and sidecar.trusted_proxies alone.",
    media=PLAIN,
    public=True,
    failures=[NotFound],
)
def metrics() -> Response:
    """Metrics, for who is near."""
    if not _near():
        raise NotFound("There is nothing at this address.")
    return Response(services().metrics.text(), content_type=CONTENT_TYPE_LATEST)


def _near() -> bool:
    """Whether the one who asks is this machine, or a peer that is trusted.

    A proxy on this machine that is not listed would make everyone look near: what it passes
    on bears a header of its own, and is not near.
    """
    names = services().config.sidecar.trusted_proxies
    trusted = networks(names, where="sidecar.trusted_proxies")
    peer = parse(request.remote_addr or "")
    passed_on = "X-Forwarded-For" in request.headers and not is_among(peer, trusted)
    if passed_on or any(name in request.headers for name in _NOT_READ):
        return False
    client = parse(limits().address(request))
    return client is not None and (client.is_loopback or is_among(client, trusted))
