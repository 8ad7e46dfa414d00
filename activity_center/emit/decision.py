"""What was decided on a proposal, as the sidecar tells it to the program that waits for it.

``GET /api/v1/proposals/{id}`` is asked again and again with the sender's own token, so nothing
has to be reachable from outside. Only what an authenticated session decided lets an action run:
another producer's claim that somebody approved does not. A denial counts from whomever it comes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from activity_center.emit.controls import Source

ALLOWING: Final = frozenset({"approved", "edited", "auto_approved"})
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
TIMEOUT: Final = 10.0
"""Seconds for one answer."""
PERSON: Final = ("id", "name", "full_name", "email", "roles")


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided.

    Attributes:
        outcome: approved, denied, edited, auto_approved, expired or cancelled.
        source: user, policy, hook, config or timeout.
        by: the person: id, name, full_name, email, roles, as far as known.
        reason: their own words.
        scope: once, session or always.
        arguments: those that may run, when they were edited.
    """

    outcome: str
    source: str | None = None
    by: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    scope: str | None = None
    arguments: Any = None

    @property
    def allows(self) -> bool:
        """Whether the action may run."""
        return self.outcome in ALLOWING

    def __str__(self) -> str:
        who = self.by.get("name") or self.by.get("id")
        words = f"{self.outcome} by {who}" if who else self.outcome
        return f"{words}: {self.reason}" if self.reason else words


def await_decision(
    source: Source,
    proposal: str,
    until: float,
    pause: Callable[[float], bool],
    arguments: Any = None,
) -> Decision | None:
    """Ask until somebody decided.

    Args:
        proposal: its id.
        until: monotonic seconds when to give up.
        pause: waits for seconds; ``True`` when to give up at once.
        arguments: those that were proposed; secrets in them are kept when others are edited.

    Returns:
        The decision; ``None`` when there is none yet.
    """
    path = f"/api/v1/proposals/{quote(proposal, safe='')}"
    seconds = FIRST_PAUSE
    while (left := until - time.monotonic()) > 0:
        connection = source.open(min(TIMEOUT, max(1.0, left)))
        later = 0.0
        try:
            status, later, body = source.get(connection, path)
            found = understand(json.loads(body), arguments) if status == 200 else None
            words = f"HTTP {status}"
        except source.faults as wrong:
            status, found, words = 0, None, type(wrong).__name__
        finally:
            connection.close()
        if found is not None:
            return found
        if status not in (200, 404):  # a new proposal is not known at once
            source.warn("decisions", f"cannot hear of decisions: {source}: {words}")
        if pause(max(0.0, min(max(seconds, later), until - time.monotonic()))):
            return None
        seconds = min(LONGEST_PAUSE, seconds * 1.5)
    return None


def understand(answer: Mapping[str, Any], arguments: Any = None) -> Decision | None:
    """Return what a proposal of the API says of its decision; ``None``: nothing that counts.

    Raises:
        KeyError, TypeError, ValueError: it is no proposal.
    """
    state = answer["state"]
    try:
        shown = (answer.get("proposed") or {}).get("arguments")
        decisions = [_decision(one, shown, arguments) for one in answer["decisions"]]
    except AttributeError:
        raise TypeError("parts of a proposal are objects") from None
    for decision, _ in decisions:
        if not decision.allows:
            return decision
    allowing = [decision for decision, authenticated in decisions if authenticated]
    if allowing:
        return allowing[-1]
    return Decision(state) if state in ("denied", "expired", "cancelled") else None


def _decision(one: Mapping[str, Any], shown: Any, arguments: Any) -> tuple[Decision, bool]:
    """Return a decision, and whether it comes from an authenticated session."""
    outcome = str(one["outcome"])
    approver = one.get("approver") or {}
    edited = None
    if outcome == "edited":
        edited = unhidden(one["arguments"], shown, arguments)
        if not isinstance(edited, dict):
            raise TypeError("edited arguments are an object")
    decision = Decision(
        outcome,
        source=one.get("source"),
        by={name: approver[name] for name in PERSON if approver.get(name)},
        reason=one.get("reason"),
        scope=one.get("scope"),
        arguments=edited,
    )
    return decision, one.get("authenticated") is True


def unhidden(edited: Any, shown: Any, proposed: Any) -> Any:
    """Return edited arguments, with what the record hides taken from those proposed.

    Who edits sees the record's copy, in which a mark stands for each secret, and leaves most of
    it as it is; such parts mean what was proposed.

    Args:
        shown: the record's copy.
        proposed: the original.
    """
    if edited == shown and type(edited) is type(shown):
        return proposed
    if isinstance(edited, dict) and isinstance(shown, dict) and isinstance(proposed, dict):
        return {
            name: unhidden(value, shown[name], proposed[name])
            if name in shown and name in proposed
            else value
            for name, value in edited.items()
        }
    lists = isinstance(edited, list) and isinstance(shown, list) and isinstance(proposed, list)
    if lists and len(edited) == len(shown) == len(proposed):
        return [unhidden(*three) for three in zip(edited, shown, proposed, strict=True)]
    return edited
