"""A stand-in for what the API tells of AI agents: proposals, decisions, agents, cases."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from flask import Flask, Response, jsonify, request

from tests.browser.process_samples import iso
from tests.browser.proposal_samples import Proposal, decision, judgement
from tests.browser.stand_in import CSRF, Activity, StandIn, since
from tests.sidecar_api.search.log import document


class Proposals(StandIn):
    """The server.

    Attributes:
        proposals: what is listed, newest first.
        decided: what was decided: (proposal, body).
        asked: queries of the list and of files, the last one last.
        whole: whether files end with their manifest.
        cases: id -> the answer.
        oversight: rows of how people decide.
        of: of how many chains those are counted; more than there are: not all were looked at.
    """

    def __init__(self, *listed: Proposal, activities: list[Activity] | None = None) -> None:
        self.proposals = list(listed)
        self.decided: list[tuple[str, dict[str, Any]]] = []
        self.whole = True
        self.asked: list[dict[str, list[str]]] = []
        self.cases: dict[str, dict[str, Any]] = {}
        self.oversight: list[dict[str, Any]] = []
        self.of = 0
        super().__init__(activities or [], ["agent:approve"])

    def tell(self, proposal: str, stage: str = "approved") -> None:
        """An entry of a chain came in."""
        made = document(
            at=iso(),
            event__action=f"agent.proposal.{stage}",
            activity__lens="agent",
            activity__proposal={"id": proposal, "stage": stage},
        )
        self.happen({"id": f"a{len(self.activities)}", **made})

    def replace(self, changed: Proposal) -> None:
        """A proposal as it is now."""
        self.proposals = [changed if one["id"] == changed["id"] else one for one in self.proposals]

    def _fitting(self) -> list[Proposal]:
        read = {
            "state": lambda p: [p["state"]],
            "verdict": lambda p: [p["judgement"]["verdict"]],
            "impact": lambda p: [p["impact"]["level"]],
            "tool": lambda p: [p["tool"]["name"]],
            "agent": lambda p: [p["agent"]["id"], p["agent"]["name"]],
            "action": lambda p: [p["action"]],
            "source": lambda p: [p["origin"]],
            "result": lambda p: [p["state"]],
            "initiator": lambda p: list((p["initiator"] or {}).values()),
            "approver": lambda p: [
                v for d in p["decisions"] for v in (d["approver"] or {}).values()
            ],
            "organization": lambda p: [p["organization"]["id"]],
        }
        found = self.proposals
        for name, of in read.items():
            if wanted := request.args.getlist(name):
                found = [one for one in found if set(of(one)) & set(wanted)]
        if text := request.args.get("target", "").casefold():
            found = [one for one in found if text in (one["target"]["name"] or "").casefold()]
        if begin := since():
            found = [one for one in found if one["proposed_at"] >= begin]
        if until := request.args.get("to"):
            found = [one for one in found if one["proposed_at"] < until]
        return found

    def _proposals(self) -> Response:
        self.asked.append(request.args.to_dict(flat=False))
        found = self._fitting()
        size, number = int(request.args["size"]), int(request.args.get("page", 1))
        start = (number - 1) * size
        shown = [_row(one) for one in found[start : start + size]]
        page = {
            "number": number,
            "size": size,
            "total": len(found),
            "from": start + 1 if shown else 0,
            "to": start + len(shown),
            "as_of": iso(),
            "approximate": False,
            "next": None,
            "judged": {"chains": len(self.proposals), "of": len(self.proposals)}
            if request.args.get("verdict")
            else None,
        }
        return jsonify({"proposals": shown, "page": page})

    def _decide(self, proposal: str) -> Response:
        assert request.headers["X-CSRF-Token"] == CSRF
        body = request.get_json()
        self.decided.append((proposal, body))
        (before,) = [one for one in self.proposals if one["id"] == proposal]
        if body["outcome"] != "denied":
            read = {name: before["proposed"][name] for name in ("entry", "digest")}
            assert body["seen"] == read
        made = decision(
            0,
            body["outcome"],
            reason=body.get("reason"),
            scope=body.get("scope"),
            confirmation=body.get("confirmation"),
            arguments=body.get("arguments"),
        )
        verdict = "denied" if body["outcome"] == "denied" else "approved"
        after = {
            **before,
            "state": body["outcome"],
            "decisions": [made],
            "judgement": judgement(verdict),
        }
        self.replace(after)
        return jsonify({"decide": None, **after})

    def _app(self) -> Flask:
        app = super()._app()

        @app.get("/api/v1/proposals")
        def proposals() -> Response:
            return self._proposals()

        @app.get("/api/v1/proposals/export")
        @app.get("/api/v1/proposals/<proposal>/evidence")
        def evidence(proposal: str = "") -> Response:
            self.asked.append(request.args.to_dict(flat=False))
            body = json.dumps({"proposal": {"id": proposal}}) + "\n"
            said = {"count": 1, "bytes": len(body), "complete": True}
            if self.whole:
                body += json.dumps({"manifest": said}) + "\n"
            named = f'attachment; filename="proposals-{proposal or "all"}.ndjson"'
            headers = {"Content-Disposition": named}
            return Response(body, content_type="application/x-ndjson", headers=headers)

        @app.get("/api/v1/proposals/<proposal>")
        def one(proposal: str) -> tuple[Response, int] | Response:
            for known in self.proposals:
                if known["id"] == proposal:
                    return jsonify({"decide": None, **known})
            return jsonify({"title": "There is no such proposal", "status": 404}), 404

        @app.post("/api/v1/proposals/<proposal>/decision")
        def decide(proposal: str) -> Response:
            return self._decide(proposal)

        @app.get("/api/v1/oversight")
        def oversight() -> Response:
            self.asked.append(request.args.to_dict(flat=False))
            return jsonify({"oversight": self.oversight, "counted": self._counted()})

        @app.get("/api/v1/agents")
        def agents() -> Response:
            known = {one["agent"]["id"]: 0 for one in self.proposals}
            listed = [_record(self._of(id_)) for id_ in known]
            return jsonify({"agents": listed, "counted": self._counted()})

        @app.get("/api/v1/agents/<agent>")
        def agent(agent: str) -> tuple[Response, int] | Response:
            if agent not in {one["agent"]["id"] for one in self.proposals}:
                return jsonify({"title": "There is no such agent", "status": 404}), 404
            mine = self._of(agent)
            tools = Counter(one["tool"]["name"] for one in mine).most_common()
            named = [{"name": name, "proposals": count} for name, count in tools]
            latest = [_row(one) for one in mine[:10]]
            return jsonify(
                {**_record(mine), "counted": self._counted(), "tools": named, "latest": latest}
            )

        @app.get("/api/v1/cases/<case>")
        def case(case: str) -> tuple[Response, int] | Response:
            if case not in self.cases:
                return jsonify({"title": "There is no such case", "status": 404}), 404
            return jsonify(self.cases[case])

        return app

    def _of(self, agent: str) -> list[Proposal]:
        return [one for one in self.proposals if one["agent"]["id"] == agent]

    def _counted(self) -> dict[str, Any]:
        count = len(self.proposals)
        return {"chains": count, "of": max(self.of, count), "approximate": self.of > count}


def _row(one: Proposal) -> Proposal:
    """A proposal in a list."""
    return {name: value for name, value in one.items() if name != "decide"}


def _record(mine: list[Proposal]) -> dict[str, Any]:
    """What an agent did in numbers."""
    ran = [one for one in mine if one["executions"]]
    made = [d for one in mine for d in one["decisions"] if d["outcome"] != "expired"]
    waits = sorted(d["wait_ms"] for d in made if d["approver"])
    yes = sum(d["outcome"] != "denied" for d in made)
    wrong = sum(one["judgement"]["violation"] for one in mine)
    return {
        "agent": mine[0]["agent"],
        "organization": mine[0]["organization"],
        "proposals": len(mine),
        "states": Counter(one["state"] for one in mine),
        "impacts": Counter(one["impact"]["level"] for one in mine),
        "verdicts": Counter(one["judgement"]["verdict"] for one in mine),
        "decided": len(made),
        "approval_rate": yes / len(made) if made else None,
        "time_to_decision_ms": {
            "p50": waits[len(waits) // 2] if waits else None,
            "p95": waits[-1] if waits else None,
        },
        "executed": len(ran),
        "failure_rate": sum(one["state"] == "failed" for one in ran) / len(ran) if ran else None,
        "violations": wrong,
        "violation_rate": wrong / len(mine),
        "first_at": mine[-1]["proposed_at"],
        "last_at": mine[0]["proposed_at"],
    }
