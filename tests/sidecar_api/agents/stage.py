"""Stored chains of organizations of a test's own, and a sidecar that shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.sidecar_api.desk import Desk
from tests.sidecar_api.search.log import document

BEGUN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When a chain begins, unless it says otherwise."""
_ACTIONS = {
    "proposed": "agent.proposal.created",
    "approved": "agent.proposal.approved",
    "denied": "agent.proposal.denied",
    "expired": "agent.proposal.expired",
    "executing": "agent.proposal.executing",
    "completed": "agent.proposal.executed",
    "failed": "agent.proposal.failed",
}
"""Stage -> the action of its entry."""
APPROVER = {"id": "usr_mk", "name": "mira", "full_name": "Mira Kovač", "roles": ["admin"]}


class Stage:
    """Chains in the organization ``a`` of a sidecar, stored as the collector does.

    Attributes:
        mark: in the ids of all that is stored here.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.mark = desk.a[1:]
        self._waiting: list[str] = []
        self._sequence = 0

    def id(self, name: str) -> str:
        """The whole id of a proposal, a case or a call."""
        return f"{name}-{self.mark}"

    def add(
        self,
        stage: str,
        name: str,
        *,
        at: datetime | float = 0,
        named: bool = True,
        arguments: Any = None,
        **values: Any,
    ) -> dict[str, Any]:
        """Add an entry; it is stored with the next :meth:`store`.

        Args:
            at: seconds after :data:`BEGUN`, or the moment.
            named: it knows the proposal; else the call alone.
            values: fields with ``__`` for the dot.
        """
        self._sequence += 1
        moment = at if isinstance(at, datetime) else BEGUN + timedelta(seconds=at)
        fields: dict[str, Any] = {
            "organization__id": self.desk.a,
            "user__id": self.id("jo"),
            "event__sequence": self._sequence,
            "activity__proposal__id": self.id(name) if named else None,
            "activity__proposal__stage": stage or None,
            "activity__case__id": self.id(f"case-{name}"),
            "activity__origin": "agent",
            "activity__sender": "agents",
            "activity__initiator": {"id": self.id("jo"), "name": "jonas"},
            "activity__impact__level": "caution",
            "activity__resource": {"type": "server", "id": "srv_1", "name": "api-prod-1"},
            "gen_ai__agent": {"id": "agt_ops", "name": "ops-pilot"},
            "gen_ai__tool__name": "resize_disk",
            "gen_ai__tool__call__id": self.id(f"call-{name}"),
            "gen_ai__tool__call__arguments": arguments or {"size_gb": 160},
            **values,
        }
        action = fields.pop("event__action", _ACTIONS.get(stage, "agent.tool.call"))
        made = document(at=moment, event__action=action, **fields)
        index = f"activity-{made['activity']['lens']}-permanent"
        head = {"create": {"_index": index, "_id": made["event"]["id"]}}
        self._waiting += [json.dumps(head), json.dumps(made)]
        return made

    def chain(self, name: str, ending: str = "completed", *, at: float = 0, **values: Any) -> None:
        """Add a whole chain.

        Args:
            ending: pending, approved, denied, expired, executing, completed, failed, or
                ``unasked``: it ran without a decision.
        """
        self.add("proposed", name, at=at, **values)
        if ending == "pending":
            return
        person = {"activity__approver": {**APPROVER, "authenticated": True}}
        if ending in ("denied", "expired"):
            who = {} if ending == "expired" else person
            self.add(ending, name, at=at + 60, activity__result=ending, **{**values, **who})
            return
        if ending != "unasked":
            self.add("approved", name, at=at + 60, **{**values, **person})
        if ending == "approved":
            return
        self.add("executing", name, at=at + 61, **values)
        if ending != "executing":
            end = "completed" if ending == "unasked" else ending
            self.add(end, name, at=at + 65, activity__result=end, **values)

    def store(self) -> None:
        """Store what was added, and make it searchable."""
        for start in range(0, len(self._waiting), 2000):
            body = "\n".join(self._waiting[start : start + 2000]) + "\n"
            answer = self.desk.client.bulk(body=body)
            assert not answer["errors"], answer["items"][:2]
        self._waiting = []
        self.desk.client.indices.refresh(index="activity-*-permanent")

    def names(self, query: str = "", who: str = "owner") -> list[str]:
        """Ids of a page without the mark, newest first."""
        found = self.desk.get(f"/api/v1/proposals?{query}", who)
        return [one["id"].removesuffix(f"-{self.mark}") for one in found["proposals"]]

    def one(self, name: str, who: str = "owner") -> dict[str, Any]:
        """A proposal."""
        return self.desk.get(f"/api/v1/proposals/{self.id(name)}", who)
