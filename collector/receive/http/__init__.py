"""HTTP in: ``POST /v1/activities``, and OTLP: ``/v1/traces`` and ``/v1/logs``."""

from collector.receive.http.server import HttpServer

__all__ = ["HttpServer"]
