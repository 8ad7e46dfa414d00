"""What a Service of Kubernetes is to its clients: one address before several processes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Coroutine
from typing import Any

from tests.integration.process import free_port

_PIECE = 1 << 16


class Service:
    """Passes each connection on to one of the ports that are ready, and leaves it there.

    A port that is taken out gets no new connection; those that it has stay, as with a pod that
    is about to end.

    Attributes:
        port: where clients connect to.
    """

    def __init__(self, *ready: int) -> None:
        self.port = free_port()
        self._ready = list(ready)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server = self._wait(
            asyncio.start_server(self._pass, "127.0.0.1", self.port)
        )

    @property
    def url(self) -> str:
        """Its address for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def add(self, port: int) -> None:
        """A process is ready."""
        self._ready = [*self._ready, port]

    def remove(self, port: int) -> None:
        """A process is about to end."""
        self._ready = [one for one in self._ready if one != port]

    def close(self) -> None:
        """Cut all connections."""
        self._wait(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _end(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        writers = [writer]
        try:
            if self._ready:
                behind = await asyncio.open_connection("127.0.0.1", random.choice(self._ready))
                writers.append(behind[1])
                async with asyncio.TaskGroup() as both:
                    both.create_task(_copy(reader, behind[1]))
                    both.create_task(_copy(behind[0], writer))
        except* (OSError, asyncio.CancelledError):
            pass  # whoever is at the other end is cut off too
        finally:
            self._open.discard(task)
            for one in writers:
                one.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


class Collectors:
    """The Service of the collectors, with a port for HTTP and one for Forward."""

    def __init__(self) -> None:
        self._http, self._forward = Service(), Service()

    @property
    def http_port(self) -> int:
        """Where HTTP is spoken."""
        return self._http.port

    @property
    def url(self) -> str:
        """Where ``POST /v1/activities`` is."""
        return self._http.url

    @property
    def forward(self) -> tuple[str, int]:
        """The Forward address."""
        return "127.0.0.1", self._forward.port

    def add(self, http_port: int, forward_port: int) -> None:
        """A collector is ready."""
        self._http.add(http_port)
        self._forward.add(forward_port)

    def remove(self, http_port: int, forward_port: int) -> None:
        """A collector is about to end."""
        self._http.remove(http_port)
        self._forward.remove(forward_port)

    def close(self) -> None:
        """Cut all connections."""
        self._http.close()
        self._forward.close()
