"""HTTP in: ``POST /v1/activities``."""

from collector.receive.http.server import HttpServer

__all__ = ["HttpServer"]
