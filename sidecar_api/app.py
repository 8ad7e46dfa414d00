"""The application: parts put together, routes registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, g, request

from activity_center.connection import connect
from sidecar_api import asking, headers, limits, logs, problems, processes, refusing
from sidecar_api.access import Access
from sidecar_api.cursors import Sealer
from sidecar_api.failures import Absent, Failure, Forbidden
from sidecar_api.identity import Identity
from sidecar_api.metrics import Metrics
from sidecar_api.recording import Recording
from sidecar_api.routes import BLUEPRINTS
from sidecar_api.search import Search
from sidecar_api.search.filters import NONE
from sidecar_api.services import EXTENSION, Services

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.config import Config

SEARCHES: Final = 64
"""Connections to OpenSearch that one process keeps."""


def create_app(config: Config, *, client: OpenSearch | None = None) -> Flask:
    """Return the application of one process.

    Args:
        config: read and checked.
        client: connection to OpenSearch; default: one for ``config.searcher``.

    Raises:
        ConfigError: a file that the configuration names cannot be used.
        NodeError: no OpenSearch is configured and the embedded one does not run.
    """
    app = Flask("sidecar_api", static_folder=None, template_folder="openapi/pages")
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    identity = Identity(config)
    searcher = config.searcher
    opensearch = client or connect(searcher if searcher.url else None, pool_maxsize=SEARCHES)
    recording = Recording(config)
    metrics = Metrics(recording.stats)
    services = app.extensions[EXTENSION] = Services(
        config=config,
        client=opensearch,
        identity=identity,
        access=Access(config),
        search=Search(opensearch),
        recording=recording,
        metrics=metrics,
        secret=identity.secret,
        cursors=Sealer(identity.secret, "cursor", "cursor"),
    )
    logs.init_app(app)
    metrics.init_app(app)
    headers.init_app(app, config)
    problems.init_app(app)
    limits.init_app(app, config)
    asking.init_app(app)
    processes.init_app(app, services)
    _record_denials(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


_LONG: Final = 200
_MANY: Final = 50


def _record_denials(app: Flask) -> None:
    """Record who asked for what they may not see, with what was missing."""

    def refused(failure: Failure, said: dict[str, Any]) -> Response:
        known = "reader" in g
        return problems.answer(
            refusing.refused(failure, {**said, "route": logs.route()}) if known else failure
        )

    @app.errorhandler(Forbidden)
    def denied(failure: Forbidden) -> Response:
        asked = request.args.items(multi=True)
        filters = sorted(
            f"{name}={value[:_LONG]}" for name, value in asked if name not in asking.PLACES
        )
        said = {**failure.members, "filters": filters[:_MANY], "organizations": failure.closed}
        return refused(failure, said)

    @app.errorhandler(Absent)
    def absent(failure: Absent) -> Response:
        named = [one for one in request.args.getlist("organization") if one != NONE]
        return refused(failure, {"resource": failure.id, "organizations": named})
