"""``/healthz``, ``/readyz`` and ``/metrics`` on an address of their own.

Alive means that the event loop answers. Ready means that events can be made durable:
the disk takes writes and the spool is under its quota. OpenSearch being down does not
make a collector unready: that is what the spool is for.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from activity_center.errors import ConfigError

Ready = Callable[[], str]
"""Returns ``""`` when ready, else the reason."""


def application(registry: CollectorRegistry, ready: Ready) -> web.Application:
    """Return the aiohttp application of the three paths."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        reason = ready()
        return web.Response(text=f"{reason or 'ready'}\n", status=503 if reason else 200)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


async def serve(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Start serving; ``cleanup()`` of the result stops it.

    Raises:
        ConfigError: the address cannot be had.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as wrong:
        await runner.cleanup()
        raise ConfigError(
            f"cannot listen: {wrong.strerror}",
            where=f"collector.health {host}:{port}",
            hint="another process may have this address; worker n takes the port + n",
        ) from wrong
    return runner
