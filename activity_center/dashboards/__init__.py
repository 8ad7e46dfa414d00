"""Saved objects of OpenSearch Dashboards: index patterns, searches, queries, dashboards.

``dashboards/*.yml`` describes them shortly; ``build`` makes the objects, which stand as files
in ``dashboards/objects/`` and are checked by ``check`` against JSON Schemas and the index
templates; ``bundle`` packs them for import, ``remote`` speaks with Dashboards.
"""

from __future__ import annotations

from activity_center.dashboards.build import PAGE, PREFIX, build, marker
from activity_center.dashboards.bundle import decode, encode, files, ndjson, objects
from activity_center.dashboards.check import check

__all__ = [
    "PAGE",
    "PREFIX",
    "build",
    "check",
    "decode",
    "encode",
    "files",
    "marker",
    "ndjson",
    "objects",
]
