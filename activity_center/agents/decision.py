"""Decisions on a proposal, and which of them count.

Whoever may send can write any name into an entry. So what an unauthenticated decision says counts
only where no authenticated one stands, and what names nobody at all is no approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from activity_center.agents.entry import Entry
from activity_center.processes.reading import lasted, number, part, text, texts, written

PERSON: Final = ("id", "name", "full_name", "email")
MOST_ROLES: Final = 100
RULES: Final = ("policy", "hook", "config")
"""Sources that need no person."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody or something decided; each entry that tells of a decision is one.

    Attributes:
        stage: approved, denied, cancelled or expired.
        wait: milliseconds from proposal to decision, as the entry says, else by the clocks.
        vouched: the same, by a word that counts: where nothing proves the decision it is not
            longer than between the receipts of both.
        own: the sender of the proposal delivered it, or none is there.
        authenticated: the approver comes from an authenticated session, or from a sender that
            is trusted to say so.
        roles: of the approver at that time; ``None``: the entry does not say.
        policy: id and version of the policy that applied, or empty.
    """

    at: int
    stage: str
    outcome: str
    source: str
    scope: str
    reason: str
    wait: int | None
    vouched: int | None
    own: bool
    approver: dict[str, Any]
    roles: tuple[str, ...] | None
    authenticated: bool
    auth_method: str
    mfa: bool | None
    confirmation: str
    arguments: dict[str, Any] | None
    digest: str
    content: dict[str, Any]
    policy: tuple[str, str]
    entry: str

    @property
    def by_person(self) -> bool:
        """Whether a person decided on this very proposal."""
        return self.source in ("user", "") and self.outcome != "auto_approved"

    @property
    def standing(self) -> bool:
        """Whether it was decided in advance: by a rule, or for more than this proposal."""
        return not self.by_person or self.lasting

    @property
    def lasting(self) -> bool:
        """Whether it was given for more than this proposal."""
        return self.scope in ("session", "always")

    @property
    def nameless(self) -> bool:
        """Whether it says yes and names neither a person nor a rule that did: it is no approval."""
        return self.stage == "approved" and not self.approver and self.source not in RULES

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API has it."""
        return {
            "at": written(self.at),
            "outcome": self.outcome,
            "source": self.source or None,
            "scope": self.scope or None,
            "reason": self.reason or None,
            "wait_ms": self.wait,
            "approver": {**self.approver, "roles": list(self.roles or ())}
            if self.approver
            else None,
            "authenticated": self.authenticated,
            "auth_method": self.auth_method or None,
            "mfa": self.mfa,
            "confirmation": self.confirmation or None,
            "arguments": self.arguments,
            "digest": self.digest or None,
            "entry": self.entry,
        }


def decision_of(one: Entry, proposal: Entry | None) -> Decision:
    """Read a decision.

    Args:
        proposal: the one that it is on; ``None``: it is not there.
    """
    ours = one.ours
    group, approver, policy = (part(ours, name) for name in ("decision", "approver", "policy"))
    wait = number(group, "wait_ms")
    if wait is None:
        wait = lasted(proposal.at if proposal else None, one.at)
    authenticated = approver.get("authenticated") is True
    vouched = wait
    if wait is not None and proposal and not authenticated:
        # Else whoever sends it says how long it was read.
        between = lasted(proposal.received, one.received)
        vouched = wait if between is None else min(wait, between)
    outcome = text(group, "outcome")
    if not outcome:
        last = one.action.rpartition(".")[2]
        outcome = last if last in ("edited", "auto_approved") else one.stage
    roles = texts(approver, "roles", MOST_ROLES)
    mfa = group.get("mfa")
    return Decision(
        at=one.at,
        stage=one.stage,
        outcome=outcome,
        source=text(group, "source"),
        scope=text(group, "scope"),
        reason=text(group, "reason"),
        wait=wait,
        vouched=vouched,
        own=proposal is None or one.producer[0] == proposal.producer[0],
        approver={name: text(approver, name) or None for name in PERSON}
        if any(text(approver, name) for name in PERSON)
        else {},
        roles=None if roles is None else tuple(roles),
        authenticated=authenticated,
        auth_method=text(group, "auth_method"),
        mfa=mfa if isinstance(mfa, bool) else None,
        confirmation=text(part(ours, "confirmation"), "text"),
        arguments=one.arguments,
        digest=text(part(ours, "proposal"), "digest"),
        content=content(one),
        policy=(text(policy, "id"), text(policy, "version")),
        entry=one.id,
    )


def content(one: Entry) -> dict[str, Any]:
    """What a digest is over: tool, arguments, type and id of the target."""
    target = part(one.ours, "resource")
    return {
        "tool": text(part(one.source, "gen_ai", "tool"), "name"),
        "target": {"type": text(target, "type"), "id": text(target, "id")},
        "arguments": one.arguments,
    }


def counting(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions that count: the authenticated ones, else those that name who decided.

    An expiry decides nothing.
    """
    made = [one for one in decisions if one.stage != "expired" and not one.nameless]
    return [one for one in made if one.authenticated] or made
