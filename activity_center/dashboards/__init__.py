"""Saved objects of OpenSearch Dashboards: index patterns, searches, queries, dashboards.

``dashboards/*.yml`` describes them shortly; ``build`` makes the objects, which stand as files
in ``dashboards/objects/`` and are checked by ``check`` against JSON Schemas and the index
templates; ``bundle`` packs them for import, ``remote`` speaks with Dashboards.
"""

from __future__ import annotations

from collections.abc import Mapping

from activity_center.assets import data_folder
from activity_center.dashboards.build import PAGE, PREFIX, build, marker
from activity_center.dashboards.bundle import decode, encode, files, ndjson, objects
from activity_center.dashboards.check import check
from activity_center.dashboards.description import read
from activity_center.errors import VocabularyError

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
    "outputs",
]


def outputs() -> Mapping[str, str]:
    """Return every object's file below ``dashboards/objects/`` and its content.

    Raises:
        VocabularyError: the description is wrong; every finding on a line of its own.
    """
    made = build(read(data_folder("dashboards")))
    findings = check(made)
    if findings:
        raise VocabularyError("\n  ".join(findings), where="dashboards")
    return files(made)
