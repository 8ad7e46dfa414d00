"""What is generated from the vocabulary: templates, the event's schema, reference tables,
and the saved objects of Dashboards.

The same vocabulary gives the same bytes. ``stale`` is what ``generate --check`` tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from activity_center import dashboards
from activity_center.errors import VocabularyError
from activity_center.generate import tables
from activity_center.generate.schema import event_schema
from activity_center.generate.templates import component_templates, index_templates
from activity_center.vocabulary import alert_fields, check, fields, rejected_fields

CHECKOUT: Final = Path(__file__).resolve().parents[2]
"""Root of the checkout that this package stands in."""

__all__ = ["CHECKOUT", "outputs", "stale", "write"]


def outputs() -> Mapping[str, str]:
    """Return every generated file: path below the checkout's root -> content.

    Raises:
        VocabularyError: the vocabulary is wrong; every finding with file, line and path.
    """
    check()
    known = fields().values()
    files = {"activity_center/vocabulary/event.schema.json": _json(event_schema(known))}
    components = component_templates(known, rejected_fields().values(), alert_fields().values())
    for name, template in components.items():
        files[f"opensearch/templates/component/{name}.json"] = _json(template)
    for name, template in index_templates().items():
        files[f"opensearch/templates/index/{name}.json"] = _json(template)
    for name, text in tables.pages().items():
        files[f"docs/reference/{name}.md"] = text
    for path, text in dashboards.outputs().items():
        files[f"dashboards/objects/{path}"] = text
    return files


def stale(root: Path = CHECKOUT) -> list[str]:
    """Return the paths that differ from what the vocabulary gives, sorted.

    A template or dashboard that nothing generates any more is stale too.
    """
    _require_checkout(root)
    expected = outputs()
    different = {path for path, text in expected.items() if _read(root / path) != text}
    made = [root / "opensearch" / "templates", root / "dashboards" / "objects"]
    left = {one.relative_to(root).as_posix() for folder in made for one in folder.rglob("*.json")}
    return sorted(different | (left - set(expected)))


def write(root: Path = CHECKOUT) -> list[str]:
    """Write what is stale and remove what nothing generates; return the paths."""
    changed = stale(root)
    expected = outputs()
    for path in changed:
        file = root / path
        if path not in expected:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(expected[path], encoding="utf-8")
    return changed


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _require_checkout(root: Path) -> None:
    if not (root / "activity_center" / "vocabulary" / "fields.yml").is_file():
        raise VocabularyError(
            "this is no checkout of the project",
            where=str(root),
            hint="generated files belong to the sources; run it in a clone",
        )
