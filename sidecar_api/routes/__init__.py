"""The routes: one blueprint a file, each view with its operation (:mod:`sidecar_api.openapi`)."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Flask

from sidecar_api.routes import (
    activities,
    agents,
    api_page,
    cases,
    catalogue,
    channels,
    controls,
    evidence,
    exports,
    filters,
    health,
    history,
    organizations,
    oversight,
    pages,
    processes_live,
    proposals,
    session,
    stream,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    activities.blueprint,
    exports.blueprint,
    stream.blueprint,
    processes_live.blueprint,
    channels.blueprint,
    controls.blueprint,
    history.blueprint,
    proposals.blueprint,
    evidence.blueprint,
    agents.blueprint,
    oversight.blueprint,
    cases.blueprint,
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
