"""Proposals as the API tells them, one for each kind of thing to see, for the browser's tests."""

from __future__ import annotations

from typing import Any, Final

from activity_center.agents import verdicts
from tests.browser.process_samples import iso, process, row
from tests.sidecar_api.search.log import document

Proposal = dict[str, Any]

MIRA: Final = {
    "id": "usr_mk",
    "name": "mira",
    "full_name": "Mira Kovač",
    "email": "mira@northwind.example",
}
JONAS: Final = {
    "id": "usr_jo",
    "name": "jonas",
    "full_name": "Jonas Osei",
    "email": "jonas@northwind.example",
}
NORTHWIND: Final = {"id": "northwind", "name": "Northwind Labs"}
PILOT: Final = {
    "id": "agt_ops",
    "name": "ops-pilot",
    "version": "2.3",
    "provider": "anthropic",
    "model": "claude-opus",
}
SAFE: Final = {"level": "safe", "source": "default"}


def judgement(key: str, *texts: str, cause: str = "", **more: Any) -> dict[str, Any]:
    """What is said of a chain: the verdict and, where it is a violation, why."""
    said = verdicts()[key].by(cause)
    found = []
    if said.violation:
        text = texts[0] if texts else said.explanation
        found = [{"kind": key, "label": said.label, "text": text, "entries": ["e3"], **more}]
    return {
        "verdict": key,
        "cause": cause or None,
        "label": said.label,
        "violation": said.violation,
        "explanation": said.explanation,
        "what_to_do": said.what_to_do,
        "findings": found,
        "policy": {"id": "destructive-needs-second-person", "version": "1"},
    }


def decision(ago: float, outcome: str = "approved", **rest: Any) -> dict[str, Any]:
    """What Mira decided, signed in with a second factor."""
    made = {
        "at": iso(ago),
        "outcome": outcome,
        "source": "user",
        "scope": "once",
        "reason": None,
        "wait_ms": 47_000,
        "approver": {**MIRA, "roles": ["admin"]},
        "authenticated": True,
        "auth_method": "oidc",
        "mfa": True,
        "confirmation": None,
        "arguments": None,
        "digest": "hmac-sha256:k1:5b0e",
        "entry": "e2",
    }
    return {**made, **rest}


def execution(ago: float, state: str = "completed", **rest: Any) -> dict[str, Any]:
    """What ran, for 40 s."""
    made = {
        "started": iso(ago),
        "ended": None if state == "executing" else iso(ago - 40),
        "state": state,
        "arguments": {"server": "api-prod-1", "size_gb": 120, "online": True},
        "digest": "hmac-sha256:k1:5b0e",
        "output": "resized to 120 GB" if state == "completed" else None,
        "error": "volume is locked by snap_81" if state == "failed" else None,
        "entries": ["e3", "e4"],
    }
    return {**made, **rest}


def proposal(
    id_: str,
    verdict: str,
    *,
    ago: float = 3600,
    decisions: list[dict[str, Any]] | None = None,
    executions: list[dict[str, Any]] | None = None,
    **rest: Any,
) -> Proposal:
    """A proposal of ops-pilot to resize a disk, asked for by Jonas."""
    decided, ran = decisions or [], executions or []
    state = ran[-1]["state"] if ran else decided[-1]["outcome"] if decided else "proposed"
    made: Proposal = {
        "id": id_,
        "case": f"case_{id_}",
        "organization": NORTHWIND,
        "state": "approved" if state == "auto_approved" else state,
        "impact": {"level": "caution", "source": "operator"},
        "tool": {
            "name": "resize_disk",
            "type": "function",
            "description": "Grows a server's disk",
            "call_id": f"call_{id_}",
        },
        "agent": PILOT,
        "initiator": JONAS,
        "target": {"type": "server", "id": "srv_204", "name": "api-prod-1", "url": None},
        "action": "agent.resizeDisk",
        "origin": "agent",
        "rationale": "The disk is 94 % full, and logs grow by 3 GB a day.",
        "proposed_at": iso(ago),
        "expires_at": iso(ago - 1800),
        "decided_at": decided[-1]["at"] if decided else None,
        "started_at": ran[0]["started"] if ran else None,
        "ended_at": ran[-1]["ended"] if ran else None,
        "wait_ms": decided[-1]["wait_ms"] if decided else None,
        "duration_ms": 40_000 if ran else None,
        "policy": None,
        "proposed": {
            "arguments": {"server": "api-prod-1", "size_gb": 120, "online": True},
            "digest": "hmac-sha256:k1:5b0e",
            "entry": "e1",
        },
        "decisions": decided,
        "executions": ran,
        "entries": [f"e{number}" for number in range(1, 2 + len(decided) + 2 * len(ran))],
        "complete": True,
        "judgement": judgement(verdict),
    }
    return {**made, **rest}


def drifted(id_: str = "drift") -> Proposal:
    """Approved was 120 GB, 160 ran."""
    ran = {"server": "api-prod-1", "size_gb": 160, "online": True}
    difference = [{"path": "arguments.size_gb", "approved": 120, "ran": 160, "kind": "changed"}]
    return proposal(
        id_,
        "parameters_drifted",
        ago=900,
        decisions=[decision(853, confirmation="api-prod-1")],
        executions=[execution(851, arguments=ran, digest="hmac-sha256:k1:77c2",
                              output="resized to 160 GB")],
        impact={"level": "destructive", "source": "operator"},
        judgement=judgement("parameters_drifted", "size_gb was 120 when approved; 160 ran.",
                            difference=difference),
    )  # fmt: skip


def pending(id_: str = "wait", **rest: Any) -> Proposal:
    """Nobody has decided; half an hour is left."""
    made = proposal(id_, "pending", ago=60, expires_at=iso(-1740), **rest)
    destructive = made["impact"]["level"] == "destructive"
    made["decide"] = {
        "permitted": True,
        "open": True,
        "closed": None,
        "conflict": False,
        "confirmation": made["target"]["name"] if destructive else None,
        "second_person": made["initiator"] == MIRA,
        "standing": not destructive,
        "until": made["expires_at"],
    }
    return made


def sample() -> list[Proposal]:
    """One for each verdict, newest first."""
    edited = {"server": "api-prod-1", "size_gb": 100, "online": True}
    destructive = {"level": "destructive", "source": "operator"}
    delete = {"name": "delete_volume", "type": "function", "description": None, "call_id": "c9"}
    volume = {"type": "volume", "id": "vol_7", "name": "pg-data-2", "url": None}
    return [
        pending(),
        drifted(),
        proposal("bare", "executed_without_approval", ago=1900, executions=[execution(1890)]),
        proposal(
            "twice",
            "executed_twice",
            ago=2300,
            decisions=[decision(2250)],
            executions=[execution(2248, "failed"), execution(2100)],
        ),
        proposal("good", "executed_as_approved", ago=3000, decisions=[decision(2953)],
                 executions=[execution(2951)]),
        proposal("no", "denied", ago=4000, impact=destructive, tool=delete, target=volume,
                 decisions=[decision(3900, "denied", reason="still holds March invoices")]),
        proposal("edit", "executed_as_approved", ago=5000,
                 decisions=[decision(4950, "edited", arguments=edited)],
                 executions=[execution(4948, arguments=edited, output="resized to 100 GB")]),
        proposal("late", "decided_after_expiry", ago=9000, decisions=[decision(6000)],
                 executions=[execution(5990)]),
        proposal("bust", "failed_as_approved", ago=9500, decisions=[decision(9400)],
                 executions=[execution(9390, "failed")]),
        proposal("rule", "executed_as_approved", ago=9900, impact=SAFE,
                 decisions=[decision(9899, "auto_approved", source="policy", approver=None,
                                     authenticated=False, mfa=None, auth_method=None, wait_ms=4)],
                 executions=[execution(9898)]),
        proposal("free", "executed_as_approved", ago=10_000, impact=SAFE,
                 executions=[execution(9990)],
                 judgement={**judgement("executed_as_approved"),
                            "policy": {"id": "safe-runs-alone", "version": "1"}}),
        proposal("old", "expired", ago=12_000,
                 decisions=[decision(10_200, "expired", source="timeout", approver=None,
                                     authenticated=False, mfa=None, wait_ms=1_800_000)]),
        proposal("solo", "approved_by_initiator", ago=13_000, impact=destructive, initiator=MIRA,
                 decisions=[decision(12_950, confirmation="api-prod-1")],
                 executions=[execution(12_948)]),
        proposal("weak", "approver_lacked_permission", ago=14_000,
                 judgement=judgement("approver_lacked_permission", cause="unproven"),
                 decisions=[decision(13_950, authenticated=False, mfa=None, auth_method=None)],
                 executions=[execution(13_940)]),
    ]  # fmt: skip


def oversees(
    approver: dict[str, Any], impact: str | None, decided: int, approved: int, **rest: Any
) -> dict[str, Any]:
    """How somebody decides on one impact: at leisure, with a no now and then."""
    made = {
        "approver": {
            "id": approver["id"],
            "name": approver["full_name"],
            "person": approver.get("person", True),
        },
        "impact": impact,
        "decided": decided,
        "approved": approved,
        "edited": 0,
        "denied": decided - approved,
        "approval_rate": round(approved / decided, 4),
        "standing": 0,
        "in_a_row": 5,
        "p50_ms": 47_000,
        "p95_ms": 190_000,
    }
    return {**made, **rest}


def oversight_sample() -> list[dict[str, Any]]:
    """Jonas looks, Mira says yes to everything, and a rule lets the rest run."""
    rule = {"id": "nobody", "full_name": "nobody", "person": False}
    no_wait = {"p50_ms": None, "p95_ms": None}
    return [
        oversees(JONAS, "caution", 40, 31),
        oversees(JONAS, "destructive", 8, 5),
        oversees(MIRA, "caution", 62, 62, in_a_row=62, p50_ms=1400, p95_ms=2900),
        oversees(MIRA, "destructive", 4, 4, in_a_row=4, standing=2),
        oversees(MIRA, None, 2, 1, in_a_row=1),
        oversees(rule, "safe", 900, 900, in_a_row=900, standing=900, **no_wait),
    ]


def entry(number: int, action: str, ago: float, **parts: Any) -> dict[str, Any]:
    """One entry of a case, as the trail has it."""
    own = {"lens": "agent", "origin": "agent", "case": {"id": "case_drift"}, "initiator": JONAS}
    own["resource"] = {"type": "server", "id": "srv_204", "name": "api-prod-1"}
    made = document(at=iso(ago), id=f"e{number}", event__action=action)
    return {
        **made,
        "id": f"a{number}",
        "organization": NORTHWIND,
        "user": parts.pop("user", JONAS),
        "gen_ai": {"agent": {"id": PILOT["id"], "name": PILOT["name"]}},
        "activity": {**made["activity"], **own, **parts},
    }


def case_sample() -> dict[str, Any]:
    """The story of the drifted one: the process it started, and what that changed."""
    ids = {"id": "drift"}
    started = {"id": "prc_20", "name": "Resize disk of api-prod-1", "state": "done"}
    return {
        "id": "case_drift",
        "organization": NORTHWIND,
        "begun_at": iso(900),
        "ended_at": iso(811),
        "whole": True,
        "left_out": [],
        "proposals": [drifted()],
        "processes": [row(process("prc_20", **started))],
        "entries": [
            entry(1, "agent.proposal.created", 900,
                  proposal={**ids, "stage": "proposed", "rationale": "The disk is 94 % full."}),
            entry(2, "agent.proposal.approved", 853, user=MIRA, approver=MIRA,
                  proposal={**ids, "stage": "approved"}, confirmation={"text": "api-prod-1"},
                  decision={"outcome": "approved", "source": "user", "reason": "go ahead"}),
            entry(3, "agent.proposal.executing", 851, proposal={**ids, "stage": "executing"}),
            entry(4, "process.started", 850, lens="process", process=started),
            entry(5, "server.resize_disk", 820, lens="audit",
                  changes=[{"field": "size_gb", "old": "80", "new": "160"}]),
            entry(6, "agent.proposal.executed", 811, proposal={**ids, "stage": "completed"},
                  execution={"output": "resized to 160 GB"}),
        ],
    }  # fmt: skip
