"""Deciding on a proposal: what may be decided, and the entry that says so.

Nothing is decided that would be a violation by the very rules that chains are judged by
(:mod:`activity_center.agents`): those of the policy that applies, at this moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from activity_center.agents import Chain, Decision, Finding, Policy, deadline_of, read_chain
from activity_center.agents.approvals import (
    against,
    confirmations,
    confirms,
    least_read_ms,
    name_of,
    no_second_person,
)
from activity_center.agents.difference import differences, drifted
from activity_center.agents.entry import Entry, first_proposed
from activity_center.emit.event import nested
from activity_center.processes.reading import EPOCH, MICROSECOND, part, text
from activity_center.processes.reading import written as at_time
from sidecar_api.failures import Conflict, Failure, Forbidden, NotMet
from sidecar_api.ids import entry_id
from sidecar_api.moments import written
from sidecar_api.reader import Reader

PERMISSION: Final = "agent:approve"
OUTCOMES: Final = ("approved", "denied", "edited")
SCOPES: Final = ("once", "session", "always")
LONGEST_REASON: Final = 1000
LONGEST_CONFIRMATION: Final = 1024
"""Characters."""
_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
_KEPT: Final = ("case", "initiator", "impact", "workspace", "project", "environment")
"""What a decision says of ``activity`` as the proposal does."""
_WISH: Final = "wish"
"""Key in ``metadata`` of :meth:`Wish.mark`: who sends the same again hears the same."""
_OF_THE_ANSWER: Final = ("usage", "response")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to decide.

    Attributes:
        outcome: of :data:`OUTCOMES`.
        scope: of :data:`SCOPES`.
        reason, confirmation: empty where there is none.
        arguments: those that may run, of ``edited``.
        seen: entry and digest of the proposal that was read; empty where that is not said.
    """

    outcome: str
    scope: str = "once"
    reason: str = ""
    confirmation: str = ""
    arguments: Mapping[str, Any] | None = None
    seen: tuple[str, str] = ("", "")

    @property
    def action(self) -> str:
        """The action of the entry."""
        return f"agent.proposal.{self.outcome}"

    def mark(self, secret: bytes, reader: Reader, chain: Chain) -> str:
        """Return what tells a wish from others: the same for the same.

        Args:
            secret: of the sidecar.
        """
        parts = (reader.id, chain.organization["id"], chain.id, asdict(self))
        return entry_id(secret, "wish_", *parts)


def decision_id(secret: bytes, chain: Chain) -> str:
    """Return the id of the entry of a decision: one a proposal, whoever decides what.

    So of two that are recorded at once, at two sidecars, one is stored.
    """
    return entry_id(secret, "dec_", chain.organization["id"], chain.id)


def made(chain: Chain, id_: str) -> Entry | None:
    """Return the entry of a decision that was made here or at another sidecar."""
    found = [one for one in chain.entries if one.id == id_]
    # Once it can be read, its id can be used by others.
    proven = (one for one in found if part(one.ours, "approver").get("authenticated"))
    return next(proven, found[0] if found else None)


def is_stored(one: Entry | None) -> bool:
    """Whether an entry comes from the store: it has the hash that the collector gives."""
    return one is not None and bool(text(part(one.source, "event"), "hash"))


def mark_of(one: Entry | None) -> str:
    """Return what its entry says of the wish; empty: there is none."""
    return text(part(one.source, "metadata"), _WISH) if one else ""


def proposed(chain: Chain) -> Mapping[str, Any] | None:
    """Return the proposal's entry: of several the one that came in first."""
    first = first_proposed(chain.entries)
    return first.source if first else None


def conflict(chain: Chain) -> bool:
    """Whether different contents were proposed under this id."""
    proposal = chain.proposal
    for one in chain.entries:
        other = read_chain([one.source]).proposal if one.stage == "proposed" else None
        if proposal is None or other is None or other == proposal:
            continue
        by_digest = drifted(proposal.digest, (other.digest,))
        if by_digest or (by_digest is None and differences(proposal.content, other.content)):
            return True
    return False


def unread(chain: Chain, wish: Wish) -> str:
    """Return why this is not what the approver read, in a sentence; empty: it is."""
    if wish.outcome != "denied" and conflict(chain):
        return "Different things were proposed under this id: what would be approved is not clear."
    if wish.seen[0] and chain.proposal is not None:
        proposal = chain.proposal
        if wish.seen != (proposal.entry, proposal.digest):
            return "What is proposed is not what you have read."
    return ""


def roles_of(reader: Reader, organization: str) -> list[str]:
    """Return the roles that somebody decides with."""
    own = {grant.role for grant in reader.grants.get(organization, ())}
    return sorted(own | reader.platform_roles)


def approver(reader: Reader) -> dict[str, str]:
    """Return somebody as the record of a decision names them."""
    names = ("id", "name", "full_name", "email")
    return {name: value for name in names if (value := getattr(reader, name))}


def second_person(chain: Chain, policy: Policy, reader: Reader) -> bool:
    """Return whether somebody else than the reader must approve it."""
    return policy.four_eyes and bool(no_second_person(approver(reader), chain.initiator))


def fields(
    chain: Chain,
    source: Mapping[str, Any],
    wish: Wish,
    reader: Reader,
    policy: Policy,
    at: datetime,
    id_: str,
    mark: str,
) -> dict[str, Any]:
    """Return what the record of a decision says, as arguments of the emitter.

    Args:
        source: the proposal's entry.
        policy: that applies.
        id_: of the entry.
        mark: of the wish.
    """
    ours = source.get("activity", {})
    proposal = {"id": chain.id, "stage": "denied" if wish.outcome == "denied" else "approved"}
    waited = (at - EPOCH) // MICROSECOND - (chain.proposal.at if chain.proposal else 0)
    decision = {
        "outcome": wish.outcome,
        "source": "user",
        "scope": wish.scope,
        "reason": wish.reason or None,
        "wait_ms": max(0, waited // 1000),
        "auth_method": reader.provider,
        "mfa": reader.mfa,
    }
    agent = {k: v for k, v in source.get("gen_ai", {}).items() if k not in _OF_THE_ANSWER}
    said = {
        "organization": source.get("organization"),
        "resource": ours.get("resource") or {"type": "proposal", "id": chain.id},
        "outcome": "failure" if wish.outcome == "denied" else "success",
        "reason": wish.reason or None,
        "timestamp": written(at),
        "event_id": id_,
        "trace": source.get("trace"),
        "gen_ai": _with_arguments(agent, ours, wish, chain),
        **{f"activity.{name}": ours.get(name) for name in _KEPT},
        "activity.decision": {k: v for k, v in decision.items() if v is not None},
        "activity.approver": {
            **approver(reader),
            "roles": roles_of(reader, chain.organization["id"] or ""),
        },
        "activity.policy": policy.as_dict(),
        "metadata": {_WISH: mark},
    }
    if wish.confirmation:
        said["activity.confirmation"] = {"text": wish.confirmation}
    if wish.outcome != "edited" and chain.proposal and chain.proposal.digest:
        # Made of what was proposed before its secrets were removed: only the collector saw that.
        proposal["digest"] = chain.proposal.digest
    return {name: value for name, value in said.items() if value} | {"activity.proposal": proposal}


def _with_arguments(
    agent: Mapping[str, Any], ours: Mapping[str, Any], wish: Wish, chain: Chain
) -> Any:
    """The group ``gen_ai`` with exactly what may run, where no digest binds that.

    Both would not fit one record where the arguments are nearly as large as one.
    """
    bound = wish.outcome == "denied" or bool(chain.proposal and chain.proposal.digest)
    tool = dict(agent.get("tool") or {})
    call = {k: v for k, v in (tool.get("call") or {}).items() if k != "result"}
    if wish.arguments is not None:
        call["arguments"] = dict(wish.arguments)
    elif bound or any(name.startswith(_ARGUMENTS) for name in ours.get("overflow") or {}):
        call.pop("arguments", None)  # a part of them would be something else
    return {**agent, "tool": {**tool, "call": call}}


def as_entry(action: str, said: Mapping[str, Any]) -> Row:
    """Return the entry that :func:`fields` becomes, until it can be searched for."""
    rest = dict(said)
    event = {"action": action, "id": rest.pop("event_id"), "outcome": rest.pop("outcome")}
    entry = nested(
        {
            "@timestamp": rest.pop("timestamp"),
            "activity.lens": "agent",
            "activity.resource": rest.pop("resource"),
            "activity.approver.authenticated": True,
            **{name: value for name, value in rest.items() if name != "reason"},
        }
    )
    return {**entry, "event": event}


def kept(entry: Row, chain: Chain) -> Row:
    """Return an entry as it may be kept here: without what only the collector can clean.

    Changed arguments, a reason and what was typed may hold a secret; a target's name is none.
    """
    ours, agent = dict(entry["activity"]), entry.get("gen_ai", {})
    ours["decision"] = {k: v for k, v in ours["decision"].items() if k != "reason"}
    if not confirms(text(part(ours, "confirmation"), "text"), chain):
        ours.pop("confirmation", None)
    if "tool" in agent:
        call = {k: v for k, v in agent["tool"].get("call", {}).items() if k != "arguments"}
        agent = {**agent, "tool": {**agent["tool"], "call": call}}
    return {**entry, "activity": ours, "gen_ai": agent}


def closed(chain: Chain, policy: Policy, now: datetime) -> str:
    """Return why nothing can be decided any more, in a sentence; empty: it can."""
    if chain.proposal is None:
        return "The proposal itself is not there."
    # Whoever may send can claim a decision: that closes nothing.
    proven = next((one for one in reversed(chain.decisions) if one.authenticated), None)
    if proven is not None:
        return f"It is {proven.outcome} by {name_of(proven.approver)} since {at_time(proven.at)}."
    if _is_withdrawn(chain):
        return "Who proposed it has withdrawn it."
    if chain.executions:
        return f"It ran without a decision: it is {chain.state}."
    deadline = deadline_of(chain, policy)
    if deadline is not None and now >= EPOCH + deadline * MICROSECOND:
        return f"It expired at {at_time(deadline)}."
    return ""


def _is_withdrawn(chain: Chain) -> bool:
    """Whether the sender of the proposal took it back."""
    first = first_proposed(chain.entries)
    sender = first.producer[0] if first else ""
    return any(one.stage == "cancelled" and one.producer[0] == sender for one in chain.entries)


def demanded(chain: Chain, policy: Policy) -> str:
    """Return what an approver has to type; empty: nothing."""
    if not policy.typed_confirmation:
        return ""
    return confirmations(chain)[0]


def refusal(chain: Chain, decision: Decision, policy: Policy) -> Failure | None:
    """Return why an approval would be a violation; ``None``: it would be none.

    Args:
        chain: with the decision.
    """
    if decision.stage != "approved":
        return None
    for one in against(decision, chain, policy, deadline_of(chain, policy)):
        return _failure(one, chain, decision, policy)
    return None


def _failure(one: Finding, chain: Chain, decision: Decision, policy: Policy) -> Failure:
    organization = chain.organization["id"] or ""
    if one.kind == "confirmation_missing":
        return NotMet(
            "Type what it is about, to confirm it.",
            parameter="confirmation",
            hint=f"It is {demanded(chain, policy)}.",
        )
    if one.kind == "standing_approval_on_destructive":
        return NotMet(
            "The policy asks for a decision on each single case.",
            parameter="scope",
            hint="Approve it once.",
        )
    if one.kind == "approved_by_initiator":
        asked = any(chain.initiator.values())
        return Forbidden(
            "You asked the agent for it: the policy asks for a second person."
            if asked
            else "Nothing tells who asked the agent for it: the policy asks for a second person.",
            permission=PERMISSION,
            organization=organization,
            hint="Somebody else who may approve decides; you may deny it."
            if asked
            else "Deny it, and have the agent propose it again with its initiator.",
        )
    if one.kind == "approver_lacked_permission":
        return Forbidden(
            f"The policy {policy.id} does not let your roles approve this.",
            permission=policy.permission or PERMISSION,
            organization=organization,
            hint="Somebody else who may approve decides.",
        )
    if one.kind == "approved_too_fast" and chain.proposal:
        least = least_read_ms(chain, decision, policy)
        begin = at_time(chain.proposal.at + least * 1000)
        return Conflict("It cannot have been read yet.", hint=f"Approve it from {begin} on.")
    return Conflict(one.text, hint="Reload to see how it is now.")
