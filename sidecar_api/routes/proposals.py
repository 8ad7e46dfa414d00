"""What AI agents proposed, and what became of it; and the decision on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, request

from activity_center.agents import deadline_of, read_chain
from activity_center.processes.reading import written as at_time
from sidecar_api import asking, ending
from sidecar_api import asking_chains as shared
from sidecar_api.access import Scope
from sidecar_api.agents import decisions
from sidecar_api.agents.chains import Read
from sidecar_api.agents.decisions import Wish
from sidecar_api.agents.judging import MOST_JUDGED, page
from sidecar_api.agents.places import Place
from sidecar_api.agents.query import DEEPEST
from sidecar_api.conditional import json_answer
from sidecar_api.cursors import Sealer, binding
from sidecar_api.failures import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    NotMet,
    Unavailable,
)
from sidecar_api.moments import written
from sidecar_api.openapi import TOKEN, Parameter, operation
from sidecar_api.search.page import SIZES
from sidecar_api.services import services
from sidecar_api.text import is_text

blueprint = Blueprint("proposals", __name__, url_prefix="/api/v1/proposals")

LONGEST_SEEN: Final = 2048
"""Characters of an entry's id or of a digest."""
STORED_WITHIN: Final = 10.0
"""Seconds that an answer waits for a decision to be found; a refresh takes 2."""
_LOOK: Final = 0.25
_MEMBERS: Final = ("outcome", "reason", "scope", "confirmation", "arguments", "seen")


@blueprint.get("")
@operation(
    "List proposals",
    description=(
        "What AI agents proposed, newest first, one row a chain: proposal, decision, execution, "
        "result, and what is said of it. A filter holds for a chain when one of its entries "
        "fulfils it. state is that of the chain's latest stage. A verdict is found by judging: "
        f"page.judged says how many chains were looked at for this page, {MOST_JUDGED:,} at most, "
        "and of how many; page.next goes on behind the last of them. total is exact unless "
        "approximate is true."
    ),
    parameters=[
        *shared.FILTERS,
        Parameter(
            "page",
            f"Number of the page, up to {DEEPEST:,} proposals deep.",
            {"type": "integer", "minimum": 1, "maximum": DEEPEST, "default": 1},
        ),
        Parameter(
            "cursor",
            "page.next of the last answer, in the place of page: new entries move nothing.",
            TOKEN,
        ),
        Parameter(
            "size",
            "Proposals on a page.",
            {"type": "integer", "enum": list(SIZES), "default": SIZES[0]},
        ),
    ],
    answer="ProposalPage",
    failures=[Forbidden],
    permission=shared.PERMISSION,
)
def proposals() -> Response:
    """A page of proposals."""
    asked, scope = asking.arguments(), asking.scope()
    number, size = asked["page"], asked["size"]
    if number * size > DEEPEST:
        raise BadRequest(
            f"Pages reach {DEEPEST:,} proposals.", parameter="page", hint="Narrow the time range."
        )
    sealer = Sealer(services().secret, "proposals", "cursor")
    bound = binding(scope, asking.filters_given(), "proposals")
    after, as_of = None, shared.now()
    if asked["cursor"] is not None:
        held = sealer.open(asked["cursor"], bound)
        after, as_of = Place.of(held[1]), datetime.fromisoformat(held[0])
    wanted = shared.wanted(asked, as_of)
    places, more = shared.chains().places(scope, wanted, as_of)
    found = page(
        shared.chains(),
        places,
        wanted,
        shared.judge(),
        number=number,
        size=size,
        after=after,
        as_of=as_of,
        more=more,
    )
    shared.record(scope, wanted, "proposals")
    held_place = found.last and [written(as_of), found.last.as_list()]
    looked = found.looked
    shown = len(found.rows)
    return json_answer(
        {
            "proposals": found.rows,
            "page": {
                "number": found.first // size + 1,
                "size": size,
                "total": found.total,
                "approximate": found.approximate,
                "from": found.first if shown else 0,
                "to": found.first + shown - 1 if shown else 0,
                "as_of": written(as_of),
                "next": held_place and sealer.seal(held_place, bound),
                "judged": looked and {"chains": looked[0], "of": looked[1]},
            },
        }
    )


@blueprint.get("/<path:proposal>")
@operation(
    "Read one proposal",
    description=(
        "The whole chain, its times, and what is said of it. A program reads with the token that "
        "it proposed with what became of its own proposals: ask again until state is no longer "
        "proposed. decide says what the reader may do."
    ),
    parameters=[shared.PROPOSAL, shared.IN],
    answer="OneProposal",
    failures=[NotFound],
    permission=shared.PERMISSION,
    senders=True,
)
def one(proposal: str) -> Response:
    """One chain."""
    sender = asking.sender()
    if sender is not None:
        key = shared.owned(proposal, sender.name, sender.organizations)
        read = shared.whole(key, program=True)
        return json_answer({**shared.judge().row(read), "decide": None})
    scope = asking.scope()
    read = shared.whole(shared.key_of(scope, proposal))
    shared.note(scope, read.chain.id, read.key.organization)
    return json_answer(_shown(read, scope))


@blueprint.post("/<path:proposal>/decision")
@operation(
    "Decide on a proposal",
    description=(
        "Approve it, deny it, or approve it with other arguments (edited). It is recorded before "
        "it is answered, with who decided, how they were recognized and which policy applied; "
        "sent again, the same is recorded once, and of several decisions one. Refused with 403 "
        "when the policy asks for somebody else, with 409 when it is decided, over, cannot have "
        "been read yet, or is not what the approver has seen, and with 422 when the policy asks "
        "for the target's name or for a decision on this case alone."
    ),
    parameters=[shared.PROPOSAL, shared.IN],
    body="Decision",
    answer="OneProposal",
    failures=[Forbidden, NotFound, Conflict, NotMet],
    permission=decisions.PERMISSION,
)
def decide(proposal: str) -> Response:
    """The proposal, decided."""
    wish = _wish()
    scope = asking.scope()
    key = shared.key_of(scope, proposal)
    read = shared.whole(key)
    source = decisions.proposed(read.chain)
    _permitted(scope, read, source)
    if source is None:
        raise Conflict("The proposal itself is not there.", hint="It may be on its way: try later.")
    if not services().recording.on:
        raise Unavailable(
            "Nothing can be decided: it could not be recorded.",
            hint="The operator names the collector's HTTP address: sidecar.recording.url.",
        )
    with shared.remembered().one_at_a_time(key) as slot:
        read = read.having(slot.entry)
        mark = wish.mark(services().secret, scope.reader, read.chain)
        id_ = decisions.decision_id(services().secret, read.chain)
        if decisions.mark_of(decisions.made(read.chain, id_)) != mark:
            entry = _record(read, source, wish, scope, id_, mark)
            slot.keep(decisions.kept(entry, read.chain))
            read = read.having(entry)
    return json_answer(_shown(_settled(read, id_, mark), scope))


def _settled(read: Read, id_: str, mark: str) -> Read:
    """Wait until a decision is stored, and return the chain; what takes long is not waited for.

    Raises:
        Conflict: at another sidecar somebody else was first, and what they decided is stored.
    """
    end = time.monotonic() + STORED_WITHIN
    while not decisions.is_stored(entry := decisions.made(read.chain, id_)):
        if time.monotonic() > end or ending.pause(_LOOK):
            return read
        try:
            found = shared.chains().read([read.key])
        except Unavailable:
            return read  # it is recorded all the same
        if found and decisions.made(found[0].chain, id_):
            (read,) = found
    if decisions.mark_of(entry) != mark:
        policy = services().config.approval_policies.of(read.chain)
        raise Conflict(
            decisions.closed(read.chain, policy, shared.now()),
            hint="Your decision does not count: reload to see how it is now.",
        )
    return read


def _record(
    read: Read, source: Mapping[str, Any], wish: Wish, scope: Scope, id_: str, mark: str
) -> dict[str, Any]:
    """Record a decision that nothing speaks against; return its entry.

    Raises:
        Failure: something does, or it cannot be recorded.
    """
    chain, at = read.chain, shared.now()
    policy = services().config.approval_policies.of(chain)
    if over := decisions.closed(chain, policy, at):
        raise Conflict(over, hint="Reload to see how it is now.")
    if other := decisions.unread(chain, wish):
        raise Conflict(other, hint="Reload and read it again; you may deny it in any case.")
    said = decisions.fields(chain, source, wish, scope.reader, policy, at, id_, mark)
    entry = decisions.as_entry(wish.action, said)
    decided = read_chain([*(one.source for one in chain.entries), entry]).decisions
    decision = next(one for one in decided if one.entry == id_)
    if refused := decisions.refusal(chain, decision, policy):
        raise refused
    services().recording.must(scope.reader, wish.action, request, {}, said)
    return entry


def _permitted(scope: Scope, read: Read, source: Mapping[str, Any] | None) -> None:
    """Go on only who may decide there.

    Raises:
        Forbidden: no role of theirs reaches this proposal.
    """
    if source is not None and scope.approves(source):
        return
    raise Forbidden(
        f"This needs the permission {decisions.PERMISSION} for this proposal.",
        permission=decisions.PERMISSION,
        organization=read.key.organization,
        hint="Ask an owner or administrator for a role that has it.",
    )


def _shown(read: Read, scope: Scope) -> dict[str, Any]:
    """A chain, with what the reader may do."""
    judge = shared.judge()
    policy = judge.policies.of(read.chain)
    over = decisions.closed(read.chain, policy, judge.now)
    source = decisions.proposed(read.chain)
    permitted = source is not None and scope.approves(source)
    return {
        **judge.row(read),
        "decide": {
            "permitted": permitted,
            "open": not over,
            "closed": over or None,
            "conflict": decisions.conflict(read.chain),
            "confirmation": decisions.demanded(read.chain, policy) or None,
            "second_person": decisions.second_person(read.chain, policy, scope.reader),
            "standing": policy.standing,
            "until": at_time(deadline_of(read.chain, policy)),
        },
    }


def _wish() -> Wish:
    """What the body asks for.

    Raises:
        BadRequest: it is wrong.
    """
    body = asking.json_body()
    unknown = sorted(set(body) - {*_MEMBERS})
    if unknown:
        raise BadRequest(
            "The body has a member that is not known.",
            parameter=unknown[0][:100],
            hint=f"Known: {', '.join(_MEMBERS)}.",
        )
    outcome, scope = body.get("outcome"), body.get("scope", "once")
    for name, value, known in (
        ("outcome", outcome, decisions.OUTCOMES),
        ("scope", scope, decisions.SCOPES),
    ):
        if not isinstance(value, str) or value not in known:
            raise BadRequest(f"{name} must be one of {', '.join(known)}.", parameter=name)
    arguments = body.get("arguments")
    if (outcome == "edited") != (arguments is not None):
        raise BadRequest(
            "arguments belong to edited, and to nothing else.",
            parameter="arguments",
            hint="Send all arguments that may run, also those that stay as they are.",
        )
    if arguments is not None and not isinstance(arguments, dict):
        raise BadRequest("arguments must be an object.", parameter="arguments")
    if not _is_plain(arguments):
        raise BadRequest("arguments hold what is no text or number.", parameter="arguments")
    return Wish(
        outcome=str(outcome),
        scope=str(scope),
        reason=_text(body, "reason", decisions.LONGEST_REASON),
        confirmation=_text(body, "confirmation", decisions.LONGEST_CONFIRMATION),
        arguments=arguments,
        seen=_seen(body, needed=outcome != "denied"),
    )


def _seen(body: Mapping[str, Any], *, needed: bool) -> tuple[str, str]:
    """Entry and digest of the proposal that was read.

    Raises:
        BadRequest: it is wrong, or not said.
    """
    seen = body.get("seen")
    if seen is None and not needed:
        return "", ""
    if not isinstance(seen, dict) or set(seen) - {"entry", "digest"}:
        raise BadRequest(
            "seen must say entry and digest of the proposal that was read.",
            parameter="seen",
            hint="They stand in proposed, where the proposal is read.",
        )
    entry, digest = seen.get("entry"), seen.get("digest") or ""
    for name, value in (("entry", entry), ("digest", digest)):
        if not isinstance(value, str) or len(value) > LONGEST_SEEN or not is_text(value):
            raise BadRequest(f"{name} must be text as the proposal has it.", parameter="seen")
    if not entry:
        raise BadRequest("entry is empty.", parameter="seen")
    return str(entry), digest


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value can be recorded as it is."""
    if depth > 20:
        return False
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, dict):
        return all(is_text(key) and _is_plain(one, depth + 1) for key, one in value.items())
    if isinstance(value, list):
        return all(_is_plain(one, depth + 1) for one in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return not isinstance(value, float) or abs(value) < float("inf")


def _text(body: Mapping[str, Any], name: str, longest: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > longest or not is_text(value):
        raise BadRequest(f"{name} must be text of at most {longest} characters.", parameter=name)
    return value.strip()
