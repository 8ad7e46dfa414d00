"""Approval policies: who must approve what an AI agent proposes, as data.

The first policy that applies counts. Those of the configuration stand before the shipped ones,
so there is always one; one with the id of a shipped one stands in its place. An authenticated
decision names the policy that applied, with its version; before there is one, the proposal does, by
the collector's word. A chain is judged by that one where it is known and applies, so a policy that
changes afterwards accuses nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activity_center.vocabulary import permissions
from activity_center.vocabulary.files import read

if TYPE_CHECKING:
    from activity_center.agents.chain import Chain
    from activity_center.config_sidecar import Role

FILE: Final = Path(__file__).with_name("policies.yml")
UNRATED: Final = "unrated"
"""What a policy calls the impact of what nobody has rated."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One approval policy.

    Attributes:
        version: grows with each change.
        impact: of :data:`UNRATED` and the impacts; empty: any.
        organizations: empty: any.
        tools: beginnings of tools' names; empty: any.
        approval: whether somebody must approve at all.
        roles: of which an approver needs one; empty: anybody may approve.
        permission: that these roles were asked for by, or empty.
        authenticated: the approver must come from an authenticated session or a trusted sender.
        standing: whether an approval in advance, or by a rule, is enough.
        within_s: seconds after which a proposal cannot be approved any more, besides the
            proposal's own expiry.
        min_read_ms, read_ms_per_character: an approval that comes sooner was not read; what
            counts is the longer of the two.
    """

    id: str
    version: int
    label: str = ""
    impact: frozenset[str] = frozenset()
    tools: tuple[str, ...] = ()
    organizations: frozenset[str] = frozenset()
    approval: bool = True
    permission: str = ""
    roles: frozenset[str] = frozenset()
    authenticated: bool = False
    four_eyes: bool = False
    typed_confirmation: bool = False
    standing: bool = True
    within_s: int | None = None
    min_read_ms: int = 0
    read_ms_per_character: float = 0.0

    def applies(self, impact: str, tool: str, organization: str) -> bool:
        """Whether the policy is about such a proposal."""
        return (
            (not self.impact or (impact or UNRATED) in self.impact)
            and (not self.tools or tool.startswith(self.tools))
            and (not self.organizations or organization in self.organizations)
        )

    def as_dict(self) -> dict[str, str]:
        """Return id and version, as an entry names them."""
        return {"id": self.id, "version": str(self.version)}


@dataclass(frozen=True, slots=True)
class Policies:
    """Policies in the order in which they are asked.

    Attributes:
        all: every version; the shipped ones at the end apply to everything.
    """

    all: tuple[Policy, ...]
    _current: tuple[Policy, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        newest = {one.id: max(p.version for p in self.all if p.id == one.id) for one in self.all}
        current = tuple(one for one in self.all if one.version == newest[one.id])
        object.__setattr__(self, "_current", current)

    def current(self, impact: str, tool: str = "", organization: str = "") -> Policy:
        """Return the policy that applies to a proposal made now.

        Args:
            impact: safe, caution or destructive; empty: nobody rated it.
            organization: its id, or empty.
        """
        # Where a newer version of a shipped one is about less, the shipped one stays for the rest.
        for one in (*self._current, *reversed(self.all)):
            if one.applies(impact, tool, organization):
                return one
        return self._current[-1]

    def of(self, chain: Chain, *, recorded: bool = True) -> Policy:
        """Return the policy that a chain is judged by.

        Args:
            recorded: the one that the chain names, if it is known here and is about such a
                proposal: nobody picks what they are judged by.
        """
        about = chain.impact, chain.tool["name"] or "", chain.organization["id"] or ""
        if recorded:
            for one in self.all:
                if (one.id, str(one.version)) == chain.policy and one.applies(*about):
                    return one
        return self.current(*about)


@cache
def shipped_policies() -> Policies:
    """The policies that apply where no others are given, with the built-in roles.

    Raises:
        VocabularyError: the file cannot be read.
    """
    return made(())


def made(entries: Sequence[Mapping[str, Any]], roles: Mapping[str, Role] | None = None) -> Policies:
    """Make policies of entries as the schema accepts them; the shipped ones stand behind them.

    One with the id of a shipped one stands in its place, so a raised version of the last one
    is not asked before the others. A shipped one whose id and version is among them is replaced.

    Args:
        roles: default: the built-in ones.

    Raises:
        VocabularyError: the file of the shipped ones cannot be read.
    """
    shipped = read(FILE).document
    ids = {one["id"] for one in shipped}
    line = [one for one in entries if one["id"] not in ids]
    for one in shipped:
        own = [mine for mine in entries if mine["id"] == one["id"]]
        line += own
        if one["version"] not in [mine.get("version") for mine in own]:
            line.append(one)
    return Policies(tuple(_policy(one, roles) for one in line))


def _policy(one: Mapping[str, Any], roles: Mapping[str, Role] | None) -> Policy:
    applies, needs = one.get("applies", {}), one.get("needs", {})
    permission = needs.get("permission", "")
    plain = ("label", "standing", "within_s", "min_read_ms", "read_ms_per_character")
    asked = ("approval", "authenticated", "four_eyes", "typed_confirmation")
    return Policy(
        id=one["id"],
        version=one.get("version", 1),  # a version that was refused is left out
        impact=frozenset(applies.get("impact", ())),
        tools=tuple(applies.get("tools", ())),
        organizations=frozenset(applies.get("organizations", ())),
        permission=permission,
        roles=frozenset(needs.get("roles", ())) | _with(permission, roles),
        **{name: one[name] for name in plain if name in one},
        **{name: needs[name] for name in asked if name in needs},
    )


def _with(permission: str, roles: Mapping[str, Role] | None) -> frozenset[str]:
    """The roles that have a permission."""
    if not permission:
        return frozenset()
    if roles is not None:
        return frozenset(name for name, role in roles.items() if permission in role.permissions)
    known = permissions().get(permission)  # what is not known was refused before
    return frozenset(known.roles if known else ())
