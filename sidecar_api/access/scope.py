"""What one reader may see, as the clause that every search carries.

The clause is built from ``term``, ``terms`` and one ``range`` on exact fields (``keyword``
without a normalizer), so that no value is a pattern and ``User-1`` is not ``user-1``. It
scores nothing, and it is the same for the same rights: cursors are bound to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, NamedTuple

from activity_center.vocabulary import actions
from sidecar_api.failures import Forbidden
from sidecar_api.reader import Reader
from sidecar_api.text import is_text

OWN_FIELDS: Final = ("user.id", "activity.initiator.id", "activity.approver.id")
"""Who one is in what one did oneself: the actor, who prompted the agent, who decided."""
OWN_SECURITY: Final = "now-90d/d"
"""Security events of one's account are one's own to see from this day (UTC) on."""
DENIED: Final = "activity_log.denied"
"""Action of the entry that somebody was refused something."""
LENSES: Final = frozenset({"audit", "agent", "process"})
"""All parts of a trail."""
OF_THE_PLATFORM: Final = frozenset({"org:audit", "org:audit:export"})
"""Permissions in every organization that ``platform:audit`` includes."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What one role opens of an organization's trail.

    Attributes:
        lenses: of ``audit``, ``agent``, ``process`` (begin and end of processes alone).
        personal: with the security events of other people's accounts.
        export: it may be exported too, by this role or by another one of the reader's.
        workspaces, resources: as in :class:`sidecar_api.reader.Grant`.
    """

    organization: str
    lenses: frozenset[str]
    personal: bool
    export: bool
    workspaces: frozenset[str] | None = None
    resources: frozenset[str] | None = None

    def query(self) -> dict[str, Any]:
        """The clause of what is opened, without the organization."""
        filters = [_lenses(self.lenses), *_limits(self.workspaces, self.resources)]
        clause: dict[str, Any] = {"filter": filters}
        if not self.personal:
            clause["must_not"] = [_terms("event.action", _personal())]
        return {"bool": clause}


@dataclass(frozen=True, slots=True)
class Reach:
    """What one role with ``process:view`` shows, ``process:control`` or ``agent:approve`` decides.

    Attributes:
        workspaces, resources: as in :class:`sidecar_api.reader.Grant`.
    """

    organization: str
    workspaces: frozenset[str] | None = None
    resources: frozenset[str] | None = None

    def covers(self, process: Subject) -> bool:
        """Whether a process, or what an agent proposes, is one of these."""
        if process.organization != self.organization:
            return False
        if self.workspaces is None and self.resources is None:
            return True
        nothing: frozenset[str] = frozenset()
        return process.workspace in (self.workspaces or nothing) or any(
            one in (self.resources or nothing) for one in process.resources
        )


class Subject(NamedTuple):
    """What decides who may watch a process; empty where it does not say.

    Attributes:
        resources: ids of what it is about, and of what that belongs to.
    """

    organization: str
    workspace: str
    resources: tuple[str, ...]
    initiator: str

    @classmethod
    def of(cls, process: Mapping[str, Any]) -> Subject:
        """Read it from a process as the API shows it, or from an activity of one."""
        activity = _mapping(process, "activity")
        initiator = _mapping(activity or process, "initiator")
        if not activity:
            target = _mapping(process, "target")
            return cls(
                _text(_mapping(process, "organization").get("id")),
                _text(process.get("workspace")),
                _ids(target.get("id"), _mapping(target, "parent").get("id")),
                _text(initiator.get("id")),
            )
        resource = _mapping(activity, "resource")
        return cls(
            _text(_mapping(process, "organization").get("id")),
            _text(activity.get("workspace")),
            _ids(resource.get("id"), _mapping(resource, "parent").get("id")),
            _text(initiator.get("id")) or _text(_mapping(process, "user").get("id")),
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """What a reader may see and do.

    Attributes:
        platform: permissions that reach the whole platform.
        granted: organization id -> permissions there, of a part of it at least.
        openings: what the reader's roles open, beside what they did themselves.
        watching: whose live processes they show, beside those that the reader began.
        controlling: whose processes they let the reader cancel, retry and clean up.
        approving: what agents propose there they let the reader decide on.
        oneself: of all that, only what the reader did themselves.
    """

    reader: Reader
    platform: frozenset[str] = frozenset()
    granted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    openings: tuple[Opening, ...] = ()
    watching: tuple[Reach, ...] = ()
    controlling: tuple[Reach, ...] = ()
    approving: tuple[Reach, ...] = ()
    oneself: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing is hidden: ``platform:audit``."""
        return "platform:audit" in self.platform

    @property
    def organizations(self) -> tuple[str, ...]:
        """Ids of the organizations in which a role of the reader's opens the trail, sorted."""
        return tuple(sorted({one.organization for one in self.openings}))

    @property
    def watched(self) -> tuple[str, ...]:
        """Ids of those of which a role shows processes, sorted."""
        return tuple(sorted({one.organization for one in self.watching}))

    def lenses(self, organization: str) -> frozenset[str]:
        """Lenses of an organization's trail that a role of the reader's opens, a part at least."""
        if self.everything:
            return LENSES
        opened = (one.lenses for one in self.openings if one.organization == organization)
        return frozenset[str]().union(*opened)

    def permissions(self, organization: str) -> frozenset[str]:
        """Permissions in ``organization``; of a limited role: in the part it is limited to."""
        mine = self.granted.get(organization, frozenset())
        return mine | OF_THE_PLATFORM if self.everything else mine

    def may(self, permission: str, organization: str | None = None) -> bool:
        """Whether the reader has a permission.

        Args:
            organization: where it is wanted; ``None``: of the platform, or in any organization.
        """
        if permission in self.platform:
            return True
        if organization is not None:
            return permission in self.permissions(organization)
        return any(permission in self.permissions(one) for one in ("", *self.granted))

    def require(self, permission: str, organization: str | None = None) -> None:
        """Go on only with a permission; arguments as in :meth:`may`.

        Raises:
            Forbidden: it is missing. The answer is the same whether or not there is such an
                organization.
        """
        if self.may(permission, organization):
            return
        where = "in this organization" if organization else "here"
        raise Forbidden(
            f"This needs the permission {permission} {where}.",
            permission=permission,
            organization=organization or "",
            hint="Ask an owner or administrator for a role that has it.",
        )

    def query(self) -> dict[str, Any]:
        """The clause that a document must fulfil to be seen; it holds whatever stands beside it.

        It moves with no clock but for the day of :data:`OWN_SECURITY`, which OpenSearch resolves.
        """
        if self.everything:
            return {"match_all": {}}
        clauses = _where((one.organization, [one.query()]) for one in self.openings)
        seen = _any_of([*clauses, _own(self.reader.id)])
        return {"bool": {"filter": [seen, _done_by(self.reader.id)]}} if self.oneself else seen

    def watches(self, process: Mapping[str, Any] | Subject) -> bool:
        """Whether the reader may watch a process: by a role there, or because they began it.

        Args:
            process: as the API shows it, an activity of it, or its :class:`Subject`.
        """
        subject = process if isinstance(process, Subject) else Subject.of(process)
        if subject.initiator and subject.initiator == self.reader.id:
            return True
        return self.watches_by_role(subject)

    def check_watching(self, organization: str) -> None:
        """Go on only with an organization of which the reader may have processes to watch.

        Any role there is enough: everybody may watch what they began themselves.

        Raises:
            Forbidden: names ``process:view``. The answer is the same whether or not there is such
                an organization.
        """
        known = any(one.organization == organization for one in self.watching)
        if self.everything or known or organization in self.reader.grants:
            return
        raise Forbidden(
            "You may not watch the processes of this organization.",
            permission="process:view",
            organization=organization,
            hint="Ask its owner for a role with process:view.",
        )

    def processes_query(self) -> dict[str, Any]:
        """The clause of entries of processes that the reader may watch: :meth:`watches` of each."""
        if self.everything:
            return {"match_all": {}}
        clauses = _where(
            (one.organization, _limits(one.workspaces, one.resources)) for one in self.watching
        )
        return _any_of([*clauses, _begun_by(self.reader.id)])

    def controls(self, process: Mapping[str, Any]) -> bool:
        """Whether a role lets the reader cancel, retry and clean up a process."""
        subject = Subject.of(process)
        return any(one.covers(subject) for one in self.controlling)

    def approves(self, proposal: Mapping[str, Any]) -> bool:
        """Whether a role lets the reader decide on a proposal, given as its activity."""
        subject = Subject.of(proposal)
        return any(one.covers(subject) for one in self.approving)

    def watches_by_role(self, subject: Subject) -> bool:
        """Whether a role shows a process, whoever began it."""
        return self.everything or any(one.covers(subject) for one in self.watching)

    def for_export(self, organizations: Sequence[str], *, own: bool = False) -> Scope:
        """The scope of an export: what may be exported, and what the reader did themselves.

        Args:
            organizations: ids that the export's filter is limited to; empty: to none.
            own: the export's filter is limited to the reader's own id as the actor.

        Raises:
            Forbidden: the filter reaches what the reader sees and may not export. An export
                with less than what is on the screen would pass for the whole.
        """
        if self.everything:
            return self
        if own:
            return replace(self, oneself=True)
        closed = [
            one.organization
            for one in self.openings
            if not one.export and (not organizations or one.organization in organizations)
        ]
        if closed:
            raise Forbidden(
                f"What you see of the organization {closed[0]} is not yours to export.",
                permission="org:audit:export",
                organization=closed[0],
                closed=tuple(dict.fromkeys(closed)),
                hint="Filter by other organizations, or by yourself as the actor.",
            )
        return replace(self, openings=tuple(one for one in self.openings if one.export))


def _where(parts: Iterable[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Clauses of parts of organizations, one for those of which the parts are alike.

    Args:
        parts: ids, each with the clauses of its part.
    """
    same: dict[str, tuple[list[dict[str, Any]], set[str]]] = {}
    for organization, part in parts:
        same.setdefault(_canonical(part), (part, set()))[1].add(organization)
    return [
        {"bool": {"filter": [_terms("organization.id", ids), *part]}} for part, ids in same.values()
    ]


def _limits(
    workspaces: frozenset[str] | None, resources: frozenset[str] | None
) -> list[dict[str, Any]]:
    """What a role's limits leave; no clause without limits."""
    if workspaces is None and resources is None:
        return []
    concerned = [
        _terms("activity.workspace", workspaces or frozenset()),
        _terms("activity.resource.id", resources or frozenset()),
        _terms("activity.resource.parent.id", resources or frozenset()),
    ]
    return [_any_of([one for one in concerned if all(one["terms"].values())])]


def _begun_by(reader: str) -> dict[str, Any]:
    """Entries of which somebody is the initiator, as :class:`Subject` reads them."""
    prompted = _terms("activity.initiator.id", {reader})
    if not all(prompted["terms"].values()):
        return {"match_none": {}}
    acted: dict[str, Any] = {
        "bool": {
            "filter": [_terms("user.id", {reader})],
            "must_not": [{"exists": {"field": "activity.initiator.id"}}],
        }
    }
    return _any_of([prompted, acted])


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _ids(*values: Any) -> tuple[str, ...]:
    return tuple(one for one in values if isinstance(one, str) and one)


def _done_by(reader: str) -> dict[str, Any]:
    return _any_of([_terms(name, {reader}) for name in OWN_FIELDS])


def _own(reader: str) -> dict[str, Any]:
    """What somebody did themselves, without old security events and without refusals.

    Whether the entry of a refusal has an organization tells whether there is one of that name, to
    somebody who may not know.
    """
    old = [
        _terms("event.action", _personal()),
        {"range": {"@timestamp": {"lt": OWN_SECURITY}}},
    ]
    return {
        "bool": {
            "filter": [_done_by(reader)],
            "must_not": [{"bool": {"filter": old}}, _terms("event.action", {DENIED})],
        }
    }


def _lenses(lenses: frozenset[str]) -> dict[str, Any]:
    """Documents of some lenses; of processes their begin and end, and that of their steps."""
    whole = lenses - {"process"}
    clauses = [_terms("activity.lens", whole)] if whole else []
    if "process" in lenses:
        of_process = {"term": {"activity.lens": "process"}}
        clauses.append({"bool": {"filter": [of_process, _terms("event.type", {"start", "end"})]}})
    return _any_of(clauses)


def _any_of(clauses: list[dict[str, Any]]) -> dict[str, Any]:
    if not clauses:
        return {"match_none": {}}
    if len(clauses) == 1:
        return clauses[0]
    ordered = sorted(clauses, key=_canonical)
    return {"bool": {"should": ordered, "minimum_should_match": 1}}


def _terms(name: str, values: set[str] | frozenset[str]) -> dict[str, Any]:
    return {"terms": {name: sorted(one for one in values if one and is_text(one))}}


def _canonical(clause: dict[str, Any] | list[dict[str, Any]]) -> str:
    return json.dumps(clause, sort_keys=True)


@cache
def _personal() -> frozenset[str]:
    """Actions that are security events of a personal account, from the catalogue."""
    return frozenset(name for name, action in actions().items() if action.personal)
