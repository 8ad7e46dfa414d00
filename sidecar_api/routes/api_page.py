"""The description of the API: the document, and a page to read it by."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson
from flask import Blueprint, Response, current_app, render_template

from sidecar_api import failures
from sidecar_api.conditional import answer
from sidecar_api.failures import Failure, NotFound
from sidecar_api.openapi import operation
from sidecar_api.openapi.document import document
from sidecar_api.problems import STATUSES
from sidecar_api.search import FILTERS

blueprint = Blueprint("api_page", __name__)

_HTML: Final = "text/html; charset=utf-8"


@blueprint.get("/api/openapi.json")
@operation(
    "Read this document",
    answer="OpenApi",
    public=True,
)
def openapi() -> Response:
    """The OpenAPI document."""
    return answer(
        orjson.dumps(document(current_app), option=orjson.OPT_INDENT_2), "application/json"
    )


@blueprint.get("/api")
def page() -> Response:
    """The same for people."""
    text = render_template(
        "api.html",
        document=document(current_app),
        problems=list(_kinds()),
        filters=[one.name for one in FILTERS],
    )
    return answer(text.encode(), _HTML)


@blueprint.get("/problems/<slug>")
def problem(slug: str) -> Response:
    """What a kind of problem means: where ``type`` of a problem document leads."""
    for kind in _kinds():
        if kind["slug"] == slug:
            return answer(
                render_template("api.html", document=None, problems=[kind]).encode(), _HTML
            )
    raise NotFound("There is no such problem.", hint="All are at the end of /api.")


@blueprint.get("/api/style.css")
def style() -> Response:
    """The stylesheet of these pages and of errors."""
    return answer(_style(), "text/css; charset=utf-8")


@cache
def _style() -> bytes:
    return (files("sidecar_api") / "openapi" / "style.css").read_bytes()


def _kinds() -> Iterator[dict[str, Any]]:
    told: set[str] = set()
    for one in vars(failures).values():
        if isinstance(one, type) and issubclass(one, Failure) and not one.__name__.startswith("_"):
            meaning = (one.__doc__ or "").partition("\n")[0]
            told.add(one.slug)
            yield {"slug": one.slug, "title": one.title, "status": one.status, "text": meaning}
    for status, (slug, title, detail) in STATUSES.items():
        if slug not in told:
            told.add(slug)
            yield {"slug": slug, "title": title, "status": status, "text": detail}
