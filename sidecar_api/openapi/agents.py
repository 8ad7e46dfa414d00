"""The schemas of what AI agents proposed: chains, what is said of them, and decisions."""

from __future__ import annotations

from typing import Any, Final

from activity_center.agents import verdicts
from sidecar_api.agents.decisions import (
    LONGEST_CONFIRMATION,
    LONGEST_REASON,
    OUTCOMES,
    SCOPES,
)
from sidecar_api.agents.query import STATES
from sidecar_api.openapi.schemas import COUNT, TEXT, TIME, closed, listed, reference

Schema = dict[str, Any]


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_FLAG: Final[Schema] = {"type": "boolean"}
_SAID: Final[Schema] = _or_null(TEXT)
_AT: Final[Schema] = _or_null(TIME)
_MS: Final[Schema] = _or_null({"type": "integer"})
_ARGUMENTS: Final[Schema] = {
    **_or_null({"type": "object"}),
    "description": "Of the tool's call, without secrets; null: the entry does not say.",
}
_PERSON: Final[Schema] = dict.fromkeys(("id", "name", "full_name", "email"), _SAID)
_POLICY: Final[Schema] = closed({"id": TEXT, "version": TEXT})
_SHARE: Final[Schema] = _or_null({"type": "number", "minimum": 0, "maximum": 1})

_DECISION: Final[Schema] = closed(
    {
        "at": TIME,
        "outcome": TEXT,
        "source": _SAID,
        "scope": _SAID,
        "reason": _SAID,
        "wait_ms": _MS,
        "approver": _or_null(closed({**_PERSON, "roles": listed(TEXT)})),
        "authenticated": {
            **_FLAG,
            "description": "Whether the approver comes from an authenticated session, or from a "
            "sender that is trusted to name approvers.",
        },
        "auth_method": _SAID,
        "mfa": _or_null(_FLAG),
        "confirmation": {**_SAID, "description": "What the approver typed."},
        "arguments": _ARGUMENTS,
        "digest": _SAID,
        "entry": TEXT,
    }
)
_EXECUTION: Final[Schema] = closed(
    {
        "started": _AT,
        "ended": _AT,
        "state": {**TEXT, "enum": ["executing", "completed", "failed"]},
        "arguments": _ARGUMENTS,
        "digest": _SAID,
        "output": {"description": "What it returned; any JSON."},
        "error": _SAID,
        "entries": listed(TEXT),
    }
)
_CHAIN: Final[Schema] = {
    "id": {**TEXT, "description": "The proposal's; else call: and the id of the tool's call."},
    "case": _SAID,
    "organization": closed({"id": _SAID, "name": _SAID}),
    "state": {**TEXT, "enum": list(STATES)},
    "impact": closed({"level": _SAID, "source": _SAID}),
    "tool": closed({"name": _SAID, "type": _SAID, "description": _SAID, "call_id": _SAID}),
    "agent": closed(
        dict.fromkeys(("id", "name", "version", "provider", "model"), _SAID),
    ),
    "initiator": closed(_PERSON),
    "target": closed(dict.fromkeys(("type", "id", "name", "url"), _SAID)),
    "action": {**_SAID, "description": "What ran, by the trail's name; else what proposed it."},
    "origin": _SAID,
    "rationale": _SAID,
    "proposed_at": _AT,
    "expires_at": _AT,
    "decided_at": _AT,
    "started_at": _AT,
    "ended_at": _AT,
    "wait_ms": {**_MS, "description": "From proposal to decision."},
    "duration_ms": {**_MS, "description": "From the first beginning to the last end."},
    "policy": {**_or_null(_POLICY), "description": "That its entries name."},
    "proposed": _or_null(closed({"arguments": _ARGUMENTS, "digest": _SAID, "entry": TEXT})),
    "decisions": listed(_DECISION),
    "executions": listed(_EXECUTION),
    "entries": {**listed(TEXT), "description": "event.id of each entry, in their order."},
    "complete": {**_FLAG, "description": "Proposal and beginning of each execution are there."},
    "judgement": reference("Judgement"),
}
_MORE: Final[Schema] = {
    "recommendation": {"type": "object"},
    "partial": {
        "const": True,
        "description": "A list leaves out arguments and output of large entries: the proposal "
        "itself has them.",
    },
}
_DECIDE: Final[Schema] = closed(
    {
        "permitted": {**_FLAG, "description": "A role of the reader's may decide on it."},
        "open": {**_FLAG, "description": "It can still be decided."},
        "closed": {**_SAID, "description": "Why not, in a sentence."},
        "conflict": {
            **_FLAG,
            "description": "Different things were proposed under its id: nothing is approved.",
        },
        "confirmation": {**_SAID, "description": "What has to be typed to approve it."},
        "second_person": {
            **_FLAG,
            "description": "The reader asked for it, and the policy asks for somebody else.",
        },
        "standing": {**_FLAG, "description": "It may be approved for more than this case."},
        "until": _AT,
    }
)
_JUDGEMENT: Final[Schema] = closed(
    {
        "verdict": {**TEXT, "enum": list(verdicts())},
        "cause": {
            **_SAID,
            "description": "Why, where the entries tell: "
            + ", ".join(
                f"`{name}` ({key})" for key, one in verdicts().items() for name in one.causes
            )
            + ".",
        },
        "label": TEXT,
        "violation": _FLAG,
        "explanation": {**TEXT, "description": "What it means, for people."},
        "what_to_do": TEXT,
        "findings": {
            **listed(
                closed(
                    {
                        "kind": {**TEXT, "enum": list(verdicts())},
                        "label": TEXT,
                        "text": {**TEXT, "description": "What was seen in this case."},
                        "entries": {**listed(TEXT), "description": "event.id of the evidence."},
                    },
                    difference=listed({"type": "object"}),
                )
            ),
            "description": "Every violation, the gravest first; it is the verdict.",
        },
        "policy": {**_POLICY, "description": "It was judged by."},
    }
)
_JUDGED: Final[Schema] = {
    **_or_null(closed({"chains": COUNT, "of": COUNT})),
    "description": "How many chains were judged, and of how many; null: no verdict was asked for.",
}
_RECORD: Final[Schema] = {
    "agent": closed({"id": _SAID, "name": _SAID, "version": _SAID, "provider": _SAID,
                     "model": _SAID}),
    "organization": closed({"id": _SAID, "name": _SAID}),
    "proposals": COUNT,
    "states": {"type": "object", "additionalProperties": COUNT},
    "impacts": {"type": "object", "additionalProperties": COUNT},
    "verdicts": {
        "type": "object",
        "additionalProperties": COUNT,
        "description": "Proposals of which each is said, as verdict= finds them; one may count "
        "several times.",
    },
    "decided": {**COUNT, "description": "By people, or for them by a rule."},
    "approval_rate": {**_SHARE, "description": "Of those decided; null: none was."},
    "time_to_decision_ms": closed({"p50": _MS, "p95": _MS}),
    "executed": COUNT,
    "failure_rate": {**_SHARE, "description": "Of those that ran; null: none did."},
    "violations": {**COUNT, "description": "Proposals with a violation."},
    "violation_rate": {**_SHARE, "description": "Of all proposals."},
    "first_at": _AT,
    "last_at": _AT,
}  # fmt: skip
_OVERSIGHT: Final[Schema] = closed(
    {
        "approver": closed(
            {
                "id": {**TEXT, "description": "Else name or e-mail; nobody, of what is no person."},
                "name": TEXT,
                "person": {**_FLAG, "description": "Else a rule decided."},
            }
        ),
        "impact": {**_SAID, "description": "null: not rated."},
        "decided": COUNT,
        "approved": {**COUNT, "description": "Of those decided, edited ones too."},
        "edited": COUNT,
        "denied": COUNT,
        "approval_rate": {**_SHARE, "description": "Of those decided."},
        "standing": {**COUNT, "description": "By a rule, or for more than one proposal."},
        "in_a_row": {**COUNT, "description": "Most approvals with no other decision between."},
        "p50_ms": {**_MS, "description": "Time to decision of people, nearest rank."},
        "p95_ms": _MS,
    }
)
_COUNTED: Final[Schema] = closed(
    {
        "chains": {**COUNT, "description": "How many of the newest chains were looked at."},
        "of": {**COUNT, "description": "How many there are."},
        "approximate": {**_FLAG, "description": "There are more than these."},
    }
)


def schemas() -> dict[str, Schema]:
    """Return the schemas by name."""
    return {
        "Judgement": _JUDGEMENT,
        "Proposal": closed(_CHAIN, **_MORE),
        "OneProposal": closed({**_CHAIN, "decide": _or_null(_DECIDE)}, **_MORE),
        "ProposalPage": closed(
            {
                "proposals": listed(reference("Proposal")),
                "page": closed(
                    {
                        "number": {"type": "integer", "minimum": 1},
                        "size": {"type": "integer", "minimum": 1},
                        "total": COUNT,
                        "approximate": {
                            **_FLAG,
                            "description": "Whether total is not exact: more may follow.",
                        },
                        "from": {**COUNT, "description": "Number of the first one; 0: none."},
                        "to": {**COUNT, "description": "Number of the last one."},
                        "as_of": {**TIME, "description": "Later entries are on no page."},
                        "next": {**_SAID, "description": "Value of cursor for the next page."},
                        "judged": _JUDGED,
                    }
                ),
            }
        ),
        "Decision": closed(
            {"outcome": {**TEXT, "enum": list(OUTCOMES)}},
            reason={**TEXT, "maxLength": LONGEST_REASON, "description": "In your words."},
            scope={**TEXT, "enum": list(SCOPES), "default": "once"},
            confirmation={
                **TEXT,
                "maxLength": LONGEST_CONFIRMATION,
                "description": "The target's name, typed, where the policy asks for it.",
            },
            arguments={
                "type": "object",
                "description": "All that may run, of edited alone.",
            },
            seen={
                **closed({"entry": TEXT}, digest=_SAID),
                "description": "What was read: entry and digest of the member proposed. Needed to "
                "approve.",
            },
        ),
        "AgentRecord": closed(_RECORD),
        "Agents": closed({"agents": listed(reference("AgentRecord")), "counted": _COUNTED}),
        "Oversight": closed({"oversight": listed(_OVERSIGHT), "counted": _COUNTED}),
        "OneAgent": closed(
            {
                **_RECORD,
                "counted": _COUNTED,
                "tools": listed(closed({"name": _SAID, "proposals": COUNT})),
                "latest": {
                    **listed(reference("Proposal")),
                    "description": "The latest 10 of its proposals.",
                },
            }
        ),
        "Case": closed(
            {
                "id": TEXT,
                "organization": closed({"id": TEXT, "name": _SAID}),
                "begun_at": _AT,
                "ended_at": _AT,
                "proposals": listed(reference("Proposal")),
                "processes": listed(reference("ProcessRow")),
                "entries": {
                    **listed(reference("Activity")),
                    "description": "All that happened, in order.",
                },
                "whole": {**_FLAG, "description": "Nothing is left out."},
                "left_out": {
                    **listed({"enum": ["entries", "processes", "proposals"]}),
                    "description": "Of what there is more than is shown here.",
                },
            }
        ),
    }
