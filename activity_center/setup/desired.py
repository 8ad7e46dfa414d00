"""What the cluster should hold: templates, streams, state index and roles, read from data.

Templates and roles are JSON files whose content is the body that OpenSearch gets; the
file's stem is the object's name. Streams follow from the retention classes and from the
organizations that have streams of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activity_center.alerting import load_rules
from activity_center.alerting.monitors import monitors, nobodys
from activity_center.errors import VocabularyError
from activity_center.policies import Policy, policies
from activity_center.streams import ALERTS_STREAM, LENSES, REJECTED_STREAM, STATE_INDEX, stream_name

if TYPE_CHECKING:
    from activity_center.config import Config

OWNER: Final = "activity-center"
"""Value of ``_meta.owner`` in everything that we own."""

ROLE_MARK: Final = re.compile(r"activity-center v(\d+): ")
"""A role has no ``_meta``: its description begins with owner and version instead."""

_AUDITOR: Final = "activity-center-auditor"

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
        policies: retention policies by their id in ISM.
        monitors: of the Alerting plugin, by the rule that each is compiled from; ``None``: it is
            not known what the section ``alerts`` says, so they are left as they are.
        plugin_evaluates: the section leaves to the plugin what it can evaluate.
        unevaluated: rules that the plugin cannot evaluate, where no collector does.
        state: body of the state index.
    """

    components: Mapping[str, Mapping[str, Any]]
    templates: Mapping[str, Mapping[str, Any]]
    streams: tuple[str, ...]
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    monitors: Mapping[str, Mapping[str, Any]] | None = None
    plugin_evaluates: bool = False
    unevaluated: tuple[str, ...] = ()
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
        config: adds the streams of organizations with ``own_streams``, a role for each that
            reads them, and the monitors: its section ``alerts`` says who evaluates the rules.
        templates_folder: has ``component/`` and ``index/``; default: ours.
        roles_folder: default: ours.

    Raises:
        VocabularyError: a file is no JSON object, or does not say that it is ours.
    """
    from activity_center.assets import data_folder

    templates_folder = templates_folder or data_folder("opensearch/templates")
    roles_folder = roles_folder or data_folder("opensearch/roles")
    roles = {name: _role(body, file) for name, body, file in _bodies(roles_folder)}
    rules = load_rules(own=config.alerts.rules_dir).values() if config else ()
    return Desired(
        components=_templates(templates_folder / "component"),
        templates=_templates(templates_folder / "index"),
        streams=tuple(desired_streams(config)),
        roles={**roles, **dict(_organizations_roles(config, roles))},
        policies={one.id: one for one in policies().values()},
        monitors=monitors(rules, config.alerts) if config else None,
        plugin_evaluates=config is not None and config.alerts.engine == "plugin",
        unevaluated=nobodys(rules, config.alerts) if config else (),
    )


def desired_streams(config: Config | None = None) -> list[str]:
    """Names of all streams, the shared ones first.

    An organization with streams of its own gets those it can need: its plan's class
    and the legal classes, for each lens.
    """
    from activity_center.vocabulary import retention_classes

    classes = retention_classes()
    names = [stream_name(lens, name) for lens in LENSES for name in classes]
    names += [REJECTED_STREAM, ALERTS_STREAM]
    if config is None:
        return names
    for organization in config.organizations.values():
        if not organization.own_streams:
            continue
        own = config.plans.get(organization.plan, config.default_class)
        wanted = [name for name, one in classes.items() if one.legal or name == own]
        names += [stream_name(lens, name, organization.id) for lens in LENSES for name in wanted]
    return names


def organization_role(organization: str) -> str:
    """Name of the role that reads the streams of an organization's own, and nothing else."""
    return f"{OWNER}-organization-{organization}"


def _organizations_roles(
    config: Config | None, roles: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A role for each organization with streams of its own: the auditor's rights on them alone.

    It names the streams one by one, of every class, since plans change: a pattern such as
    ``activity-audit-*-30d`` of an organization ``30d`` would take a shared stream too.
    """
    from activity_center.vocabulary import retention_classes

    if config is None or _AUDITOR not in roles:
        return
    (rights,) = roles[_AUDITOR]["index_permissions"]
    for one in config.organizations:
        if not config.organizations[one].own_streams:
            continue
        named = [stream_name(lens, name, one) for lens in LENSES for name in retention_classes()]
        named += [f"restored-{stream}-*" for stream in named]  # what came back from the archive
        yield (
            organization_role(one),
            {
                **roles[_AUDITOR],
                "description": f"{OWNER} v2: direct reader of the streams of organization {one}",
                "index_permissions": [{**rights, "index_patterns": named}],
            },
        )


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
