"""The routes: one blueprint a file, each view with its operation (:mod:`sidecar_api.openapi`)."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Flask

from sidecar_api.routes import (
    activities,
    api_page,
    catalogue,
    controls,
    exports,
    filters,
    health,
    history,
    organizations,
    pages,
    processes_live,
    session,
    stream,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    activities.blueprint,
    exports.blueprint,
    stream.blueprint,
    processes_live.blueprint,
    controls.blueprint,
    history.blueprint,
    organizations.blueprint,
    catalogue.blueprint,
    filters.blueprint,
    session.blueprint,
    health.blueprint,
    api_page.blueprint,
    pages.blueprint,
)
"""All of them, in the order in which the document lists them."""


def described() -> Flask:
    """Return an application with the routes alone, to be described and not to be asked."""
    app = Flask("sidecar_api", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app
