"""What the cluster should hold: templates, streams, state index and roles, read from data.

Templates and roles are JSON files whose content is the body that OpenSearch gets; the
file's stem is the object's name. Streams follow from the retention classes and from the
organizations that have streams of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activity_center.errors import VocabularyError
from activity_center.streams import LENSES, REJECTED_STREAM, STATE_INDEX, stream_name

if TYPE_CHECKING:
    from activity_center.config import Config

OWNER: Final = "activity-center"
"""Value of ``_meta.owner`` in everything that we own."""

ROLE_MARK: Final = re.compile(r"activity-center v(\d+): ")
"""A role has no ``_meta``: its description begins with owner and version instead."""

STATE_BODY: Final[Mapping[str, Any]] = {
    "settings": {
        "index.number_of_shards": 1,
        "index.auto_expand_replicas": "0-1",
        "index.hidden": True,
    },
    "mappings": {
        "_meta": {"owner": OWNER, "version": 1},
        "dynamic": False,
        "properties": {
            "kind": {"type": "keyword"},
            "name": {"type": "keyword"},
            "holder": {"type": "keyword"},
            "place": {"type": "keyword"},
            "pid": {"type": "long"},
            "renewed": {"type": "date"},
            "data": {"type": "object", "enabled": False},
        },
    },
}
"""The index of leases and cursors; ``data`` is kept and not indexed."""


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that ``install`` sees to; bodies by name.

    Attributes:
        components: component templates.
        templates: index templates.
        streams: names of data streams.
        roles: security roles.
        state: body of the state index.
    """

    components: Mapping[str, Mapping[str, Any]]
    templates: Mapping[str, Mapping[str, Any]]
    streams: tuple[str, ...]
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=lambda: STATE_BODY)
    state_index: str = STATE_INDEX


def desired_state(
    config: Config | None = None,
    *,
    templates_folder: Path | None = None,
    roles_folder: Path | None = None,
) -> Desired:
    """Read what the cluster should hold.

    Args:
        config: adds the streams of organizations with ``own_streams``.
        templates_folder: has ``component/`` and ``index/``; default: ours.
        roles_folder: default: ours.

    Raises:
        VocabularyError: a file is no JSON object, or does not say that it is ours.
    """
    from activity_center.assets import data_folder

    templates_folder = templates_folder or data_folder("opensearch/templates")
    roles_folder = roles_folder or data_folder("opensearch/roles")
    return Desired(
        components=_templates(templates_folder / "component"),
        templates=_templates(templates_folder / "index"),
        streams=tuple(desired_streams(config)),
        roles={name: _role(body, file) for name, body, file in _bodies(roles_folder)},
    )


def desired_streams(config: Config | None = None) -> list[str]:
    """Names of all streams, the shared ones first.

    An organization with streams of its own gets those it can need: its plan's class
    and the legal classes, for each lens.
    """
    from activity_center.vocabulary import retention_classes

    classes = retention_classes()
    names = [stream_name(lens, name) for lens in LENSES for name in classes]
    names.append(REJECTED_STREAM)
    if config is None:
        return names
    for organization in config.organizations.values():
        if not organization.own_streams:
            continue
        own = config.plans.get(organization.plan, config.default_class)
        wanted = [name for name, one in classes.items() if one.legal or name == own]
        names += [stream_name(lens, name, organization.id) for lens in LENSES for name in wanted]
    return names


def owned_version(meta: Any) -> int | None:
    """Version in ``_meta`` if the object is ours, else ``None``."""
    if not isinstance(meta, Mapping) or meta.get("owner") != OWNER:
        return None
    version = meta.get("version")
    return version if isinstance(version, int) else 0


def role_version(role: Mapping[str, Any]) -> int | None:
    """Version in a role's description if the role is ours, else ``None``."""
    found = ROLE_MARK.match(str(role.get("description", "")))
    return int(found.group(1)) if found else None


def _bodies(folder: Path) -> Iterable[tuple[str, dict[str, Any], Path]]:
    if not folder.is_dir():
        raise VocabularyError("the folder is missing", where=str(folder), hint="reinstall")
    for file in sorted(folder.glob("*.json")):
        try:
            body = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as wrong:
            raise VocabularyError(f"not readable as JSON: {wrong}", where=str(file)) from wrong
        if not isinstance(body, dict):
            raise VocabularyError("not a JSON object", where=str(file))
        yield file.stem, body, file


def _templates(folder: Path) -> dict[str, dict[str, Any]]:
    templates = {}
    for name, body, file in _bodies(folder):
        if not owned_version(body.get("_meta")):
            raise VocabularyError(
                f'lacks "_meta": {{"owner": "{OWNER}", "version": 1}} or a later version',
                where=str(file),
            )
        templates[name] = body
    return templates


def _role(body: dict[str, Any], file: Path) -> dict[str, Any]:
    if not role_version(body):
        raise VocabularyError(
            f'the description does not begin with "{OWNER} v1: " or a later version',
            where=str(file),
        )
    return body
