"""The objects' files, and the NDJSON that Dashboards imports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from activity_center.assets import data_folder
from activity_center.dashboards.build import PAGE
from activity_center.errors import ConfigError, VocabularyError

Json = dict[str, Any]

TEXTS: Final = ("visState", "uiStateJSON", "panelsJSON", "optionsJSON", "fields", "fieldFormatMap")
"""Attributes that Dashboards keeps as JSON text; ``searchSourceJSON`` stands one level down."""

ORDER: Final = ("index-pattern", "search", "query", "visualization", "dashboard")
"""What is referred to comes before what refers to it."""


def objects(folder: Path | None = None) -> list[Json]:
    """Read the objects from their files.

    Args:
        folder: has ``<type>/<id>.json``; default: ours.

    Raises:
        VocabularyError: a file is no JSON object.
    """
    folder = folder or data_folder("dashboards/objects")
    found = []
    for file in sorted(folder.glob("*/*.json")):
        try:
            one = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as wrong:
            raise VocabularyError(f"not readable as JSON: {wrong}", where=str(file)) from wrong
        if not isinstance(one, dict) or one.get("type") not in ORDER:
            raise VocabularyError(f"is no object of {', '.join(ORDER)}", where=str(file))
        found.append(one)
    return sorted(found, key=lambda one: (ORDER.index(one["type"]), str(one.get("id"))))


def files(made: Iterable[Json]) -> dict[str, str]:
    """Return each object's path below ``dashboards/objects/`` and the file's content."""
    return {
        f"{one['type']}/{one['id']}.json": json.dumps(one, indent=2, ensure_ascii=False) + "\n"
        for one in made
    }


def encode(one: Mapping[str, Any], page: str = PAGE) -> Json:
    """Return an object as Dashboards stores it.

    Args:
        page: address of the Activity Center page, without a path.
    """
    attributes: Json = {}
    for key, value in one["attributes"].items():
        if key in TEXTS:
            value = _text(value)
        elif key == "kibanaSavedObjectMeta":
            value = {"searchSourceJSON": _text(value["searchSourceJSON"])}
        attributes[key] = value
    text = json.dumps({**one, "attributes": attributes}, ensure_ascii=False)
    made: Json = json.loads(text.replace(PAGE, page))
    return made


def decode(one: Mapping[str, Any]) -> Json:
    """Return an object of Dashboards' in the form of our files; text that is no JSON stays."""
    attributes = dict(one.get("attributes", {}))
    for key in TEXTS:
        if isinstance(attributes.get(key), str):
            attributes[key] = _value(attributes[key])
    meta = attributes.get("kibanaSavedObjectMeta")
    if isinstance(meta, Mapping) and isinstance(meta.get("searchSourceJSON"), str):
        source = _value(meta["searchSourceJSON"])
        attributes["kibanaSavedObjectMeta"] = {**meta, "searchSourceJSON": source}
    return {**one, "attributes": attributes}


def ndjson(encoded: Iterable[Mapping[str, Any]]) -> str:
    """Return one object a line."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in encoded)


def page_address(text: str) -> str:
    """Return the address of the page as it is put before paths.

    Raises:
        ConfigError: it is no address without a path, query and login.
    """
    import re

    if not re.fullmatch(r"https?://[^/?#@\s\"\\()|<>]+/?", text):
        raise ConfigError(
            f"is no address of a page: {text}",
            where="--page-url",
            hint="http:// or https://, a host, no path: https://audit.example",
        )
    return text.rstrip("/")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
