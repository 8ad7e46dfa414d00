"""The section ``approval_policies`` of ``activity-center.yml``: its values and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activity_center.agents.policy import Policies, made
from activity_center.config_words import Place, meant
from activity_center.errors import ConfigError
from activity_center.vocabulary import permissions

if TYPE_CHECKING:
    from activity_center.config_file import Findings
    from activity_center.config_sidecar import Role

Section = Mapping[str, Any]


def read_policies(
    section: Section,
    findings: Findings,
    environment: Mapping[str, str],
    roles: Mapping[str, Role] | None = None,
) -> Policies:
    """Return the policies of the section and of its file; the shipped ones stand behind them.

    Args:
        section: as the schema accepts it.
        findings: of the main file; it also gets what is wrong with the other one.
        environment: for ``${ENV}``.
        roles: default: the built-in ones.
    """
    own = list(section.get("policies", ()))
    _check(own, ("approval_policies", "policies"), findings, set())
    if "file" in section:
        beside = findings.beside(section["file"])
        try:
            own += policies_of(Path(section["file"]), beside, environment, known=own)
        except ConfigError as wrong:
            findings.add(("approval_policies", "file"), str(wrong).replace("\n", "\n  "))
    return made(own, roles)


def policies_of(
    file: Path,
    findings: Findings,
    environment: Mapping[str, str],
    known: Sequence[Section] = (),
) -> list[Section]:
    """Return the list of policies that a file holds.

    Args:
        findings: gets what is wrong with it.
        known: those that stand before them.

    Raises:
        ConfigError: the file cannot be read, or is no YAML.
    """
    from activity_center.config_file import read_list

    found = read_list(file, environment, findings, "approval_policies")
    _check(found, (), findings, {_key(one) for one in known})
    return found


def _check(
    entries: Sequence[Section], place: Place, findings: Findings, seen: set[tuple[str, int]]
) -> None:
    """Note what the schema cannot say."""
    names = permissions()
    for index, one in enumerate(entries):
        key = _key(one)
        if key in seen:
            findings.add((*place, index), f"version {key[1]} of {key[0]!r} stands twice")
        seen.add(key)
        needs = one.get("needs", {})
        wanted = needs.get("permission")
        at = (*place, index, "needs")
        if wanted and wanted not in names:
            words = f"no permission is named {wanted!r}{meant(wanted, names)}"
            findings.add((*at, "permission"), words)
        if wanted and "roles" in needs:
            findings.add(at, "permission and roles are two answers to one question; keep one")


def _key(one: Section) -> tuple[str, int]:
    """What tells a policy from others; a version that the schema refused has been left out."""
    return one["id"], one.get("version", 0)
