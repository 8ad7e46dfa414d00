"""The page: one shell for all its addresses, and the files that it is made of.

The files are read once, packed once and served from memory by their exact names, so no
path from outside touches the disk. They are asked for again on every visit
(``Cache-Control: no-cache``, RFC 9111 section 5.2.2.4) and mostly answered by 304.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from flask import Blueprint, Response, abort, request

from sidecar_api.conditional import REVALIDATED

blueprint = Blueprint("pages", __name__)

TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Endings that are served; licences and notes beside them are not."""
SHELL: Final = "index.html"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of the page, ready to be sent.

    Attributes:
        packed: the same bytes, gzip'd; empty where that would not make them smaller.
        etag: of the bytes as they are (without quotes).
    """

    content: bytes
    packed: bytes
    etag: str
    content_type: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All files of the page by their name below ``/static/``."""
    found: dict[str, StaticFile] = {}
    _collect(files("sidecar_api") / "web", "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, StaticFile]) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            _collect(entry, f"{prefix}{entry.name}/", found)
            continue
        content_type = TYPES.get(entry.name.rpartition(".")[2])
        if content_type is not None:
            content = entry.read_bytes()
            packed = gzip.compress(content, 9, mtime=0)
            found[prefix + entry.name] = StaticFile(
                content=content,
                packed=packed if len(packed) < len(content) else b"",
                etag=hashlib.sha256(content).hexdigest()[:32],
                content_type=content_type,
            )


def _send(name: str) -> Response:
    file = static_files().get(name)
    if file is None:
        abort(404)
    # Another encoding is another representation: its tag differs (RFC 9110 section 8.8.3.3).
    packed = bool(file.packed) and request.accept_encodings["gzip"] > 0
    response = Response(file.packed if packed else file.content)
    response.headers["Content-Type"] = file.content_type
    response.headers["Cache-Control"] = REVALIDATED
    response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{file.etag}-gzip" if packed else file.etag)
    response.make_conditional(request)
    return response


@blueprint.get("/")
@blueprint.get("/audit")
@blueprint.get("/ai")
@blueprint.get("/ai/entries")
@blueprint.get("/ai/oversight")
@blueprint.get("/proposals/<path:subject>")
@blueprint.get("/agents")
@blueprint.get("/agents/<path:subject>")
@blueprint.get("/cases/<path:subject>")
@blueprint.get("/login")
@blueprint.get("/organizations/<organization>/activity-logs")
@blueprint.get("/processes")
@blueprint.get("/processes/<path:subject>")
def shell(organization: str = "", subject: str = "") -> Response:
    """The same small document for each address; what it shows comes from the API.

    Args:
        organization: read by the page from its address, here only a part of it.
        subject: likewise.
    """
    del organization, subject
    return _send(SHELL)


@blueprint.get("/static/<path:name>")
def static(name: str) -> Response:
    """One file of the page."""
    if name == SHELL:
        abort(404)
    return _send(name)
