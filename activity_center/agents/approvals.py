"""What speaks against one approval: the approver, the time, the manner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from activity_center.agents.chain import Chain
from activity_center.agents.decision import Decision
from activity_center.agents.difference import Difference
from activity_center.agents.policy import Policy
from activity_center.processes.reading import written

_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation that holds for a chain.

    Attributes:
        kind: key of a verdict.
        text: what was seen, in this case.
        entries: ids of the entries that prove it.
        difference: what was approved beside what ran.
        cause: key of a cause of the verdict, or empty.
    """

    kind: str
    text: str
    entries: tuple[str, ...]
    difference: tuple[Difference, ...] = ()
    cause: str = ""


def against(one: Decision, chain: Chain, policy: Policy, deadline: int | None) -> Iterator[Finding]:
    """Yield what speaks against an approval under a policy that asks for one.

    Args:
        deadline: after it nobody can approve, microseconds since 1970.
    """
    entries = (one.entry,)
    if deadline is not None and one.at > deadline:
        late = (one.at - deadline) // _SECOND
        text = f"It expired at {written(deadline)} and was approved {late} s later."
        yield Finding("decided_after_expiry", text, entries)
    if one.standing and not policy.standing:
        how = f"by {one.source}" if not one.by_person else f"for scope {one.scope}"
        text = f"It was approved {how}; impact is {chain.impact or 'not rated'}."
        yield Finding("standing_approval_on_destructive", text, entries)
    if not one.by_person:
        return
    if _is_unproven(one, policy):
        text = (
            f"Nothing proves that it was {name_of(one.approver)}:"
            " the approver was not authenticated."
        )
        yield Finding("approver_lacked_permission", text, entries, cause="unproven")
    elif lacks := _lacks(one, policy):
        yield Finding("approver_lacked_permission", lacks, entries)
    if policy.four_eyes and (alone := no_second_person(one.approver, chain.initiator)):
        yield Finding("approved_by_initiator", alone, entries)
    if policy.typed_confirmation and not confirms(one.confirmation, chain):
        typed = "typed something else than" if one.confirmation else "did not type"
        text = f"The approver {typed} {confirmations(chain)[0]}."
        yield Finding("confirmation_missing", text, entries)
    least = least_read_ms(chain, one, policy)
    if one.vouched is not None and one.vouched < least:
        text = f"It was approved after {one.vouched} ms; reading it takes {least} ms at least."
        yield Finding("approved_too_fast", text, entries)


def _is_unproven(one: Decision, policy: Policy) -> bool:
    """Whether a policy asks for proof of who approved, and there is none."""
    return policy.authenticated and not (one.authenticated and one.approver)


def _lacks(one: Decision, policy: Policy) -> str:
    """Why an approver may not approve; empty: nothing says so.

    Roles that are not told prove nothing where the policy asks for no proof; then the verdict
    says that they are not told.
    """
    who = name_of(one.approver)
    if policy.roles and (policy.authenticated or one.roles is not None):
        held = set(one.roles or ())
        if not held & policy.roles:
            roles = ", ".join(sorted(held)) or "no role"
            wanted = policy.permission or ", ".join(sorted(policy.roles))
            return f"{who} had {roles} at that time; the policy asks for {wanted}."
    return ""


def no_second_person(approver: dict[str, Any], initiator: dict[str, Any]) -> str:
    """Return why an approver is not known to be a second person; empty: they are one."""
    if not any(initiator.values()):
        return "Nothing tells who asked the agent for it, so none is known to be a second person."
    if same_person(approver, initiator):
        return f"{name_of(approver)} asked the agent for it and approved it."
    return ""


def same_person(approver: dict[str, Any], initiator: dict[str, Any]) -> bool:
    """Whether two people are one: id, e-mail or login name agree, any of them is enough."""
    mails = [(one.get("email") or "").casefold() for one in (approver, initiator)]
    return bool(mails[0] and mails[0] == mails[1]) or any(
        approver.get(name) and approver[name] == initiator.get(name) for name in ("id", "name")
    )


def confirmations(chain: Chain) -> tuple[str, ...]:
    """Return what confirms a proposal when it is typed; the first is what is asked for.

    The target's name or its id; of what has no target, which a decision says by the proposal's
    own id in its place, the tool's name or that id.
    """
    target, tool = chain.target, chain.tool["name"]
    own = (target["name"], target["id"] if target["id"] != chain.id else None)
    names = [text for name in own if (text := (name or "").strip())]
    return tuple(names or [text for name in (tool, chain.id) if (text := (name or "").strip())])


def confirms(typed: str, chain: Chain) -> bool:
    """Whether what an approver typed confirms a proposal."""
    return typed.strip() in confirmations(chain)


def least_read_ms(chain: Chain, one: Decision, policy: Policy) -> int:
    """Return how long a person needs at least to read what is proposed, milliseconds."""
    if not policy.read_ms_per_character:
        return policy.min_read_ms
    proposed = chain.proposal.arguments if chain.proposal else one.arguments
    text = json.dumps(proposed or {}, ensure_ascii=False) + chain.rationale
    return max(policy.min_read_ms, int(len(text) * policy.read_ms_per_character))


def name_of(person: dict[str, Any]) -> str:
    """Return what a person is called."""
    names = (person.get(name) for name in ("full_name", "name", "email", "id"))
    return next((name for name in names if name), "somebody")
