"""A small log in which each filter finds something, and does not find something else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.sidecar_api.search.log import NOON, document, minutes

MIRA = {
    "user__id": "usr_mk",
    "user__name": "Mira",
    "user__full_name": "Mira Kovač",
    "user__email": "Mira@Northwind.example",
}
JONAS = {"user__id": "usr_jo", "user__name": "jonas", "user__full_name": "Jonas Osei"}
PILOT = {"gen_ai__agent__id": "agt_ops", "gen_ai__agent__name": "Ops-Pilot"}


def resource(kind: str, id_: str, name: str, parent: str | None = None) -> dict[str, Any]:
    """Values of a resource."""
    return {
        "activity__resource__type": kind,
        "activity__resource__id": id_,
        "activity__resource__name": name,
        **({"activity__resource__parent__name": parent} if parent else {}),
    }


def process(id_: str, action: str, **values: Any) -> dict[str, Any]:
    """An entry of a live process."""
    return document(id=id_, event__action=action, activity__process__channel="deploy", **values)


DOCUMENTS = [
    document(
        id="create",
        event__action="server.create",
        **MIRA,
        **resource("server", "s1", "Api-Prod-2"),
        activity__origin="ui",
        source__ip="203.0.113.24",
        activity__project="checkout",
    ),
    document(
        id="resize",
        event__action="server.resize_disk",
        **MIRA,
        **resource("server", "s1", "api-prod-2"),
        activity__origin="cli",
        client__ip="203.0.113.99",
        activity__workspace="data-lab",
    ),
    document(
        id="delete",
        event__action="server.delete",
        **JONAS,
        **resource("server", "s2", "staging-db"),
        activity__origin="api",
        source__ip="2001:db8::5",
        activity__environment="production",
    ),
    document(
        id="start", event__action="server.start", **JONAS, **resource("server", "s3", "web 100%")
    ),
    document(
        id="service",
        event__action="service.restart",
        **resource("service", "nginx", "nginx", "web-prod-01"),
        user__name="žiga",
    ),
    document(
        id="site",
        event__action="site.create",
        **resource("site", "w1", "Straße*?.example"),
        activity__origin="system",
    ),
    document(id="web", event__action="server.update", **resource("server", "s4", "web-prod-01")),
    document(id="fetched", event__action="activity_log.fetch_all", **MIRA, event__severity=0),
    document(
        id="login",
        event__action="user.login",
        **JONAS,
        event__severity=1,
        source__ip="198.51.100.7",
    ),
    document(
        id="failed_login",
        event__action="user.login_failed",
        user__name="root",
        event__outcome="failure",
        event__severity=3,
    ),
    document(id="refused", event__action="activity_log.denied", event__outcome="failure", **JONAS),
    document(
        id="odd", event__action="Über.Maß_100%", activity__type="Odd", event__outcome="unknown"
    ),
    document(id="bare", event__action="custom", activity__type=None, event__type=None),
    document(
        id="terminated", event__action="workspace.terminate", **MIRA, activity__workspace="Data-Lab"
    ),
    document(
        id="proposed",
        event__action="agent.proposal.created",
        activity__proposal__stage="proposed",
        **PILOT,
        activity__origin="agent",
        gen_ai__tool__name="Resize_Disk",
        activity__impact__level="destructive",
        activity__case__id="case_1",
    ),
    document(
        id="approved",
        event__action="agent.proposal.approved",
        activity__proposal__stage="approved",
        **MIRA,
        **PILOT,
        activity__origin="agent",
        activity__decision__outcome="approved",
        activity__approver__id="usr_mk",
        activity__approver__full_name="Mira Kovač",
        activity__case__id="case_1",
    ),
    document(
        id="executed",
        event__action="agent.proposal.executed",
        activity__proposal__stage="completed",
        **PILOT,
        activity__origin="agent",
        activity__result="completed",
        activity__case__id="case_1",
        activity__initiator__id="usr_li",
        activity__initiator__name="Lin",
        activity__initiator__full_name="Lin Weiß",
        activity__initiator__email="Lin@northwind.example",
    ),
    document(
        id="denied",
        event__action="agent.proposal.denied",
        activity__proposal__stage="denied",
        **PILOT,
        activity__decision__outcome="denied",
        activity__approver__name="jonas",
        activity__approver__email="Jonas@northwind.example",
        activity__impact__level="safe",
    ),
    document(
        id="expired",
        event__action="agent.proposal.expired",
        activity__result="expired",
        activity__decision__outcome="expired",
    ),
    document(
        id="restarted",
        event__action="agent.restartService",
        **PILOT,
        **resource("service", "nginx", "nginx", "db-1"),
        activity__impact__level="caution",
    ),
    document(
        id="broke",
        event__action="agent.proposal.failed",
        activity__proposal__stage="failed",
        event__outcome="failure",
        activity__result="failed",
    ),
    process("p_started", "process.started"),
    process("p_done", "process.completed"),
    process("p_failed", "process.failed", event__outcome="failure", activity__result="failed"),
    process("p_output", "process.output"),
    process("p_step", "process.step.started"),
    process("p_progress", "process.progress"),
    document(id="old", at=NOON - timedelta(days=3)),
    document(id="older", at=NOON - timedelta(days=20)),
    document(id="oldest", at=NOON - timedelta(days=300)),
    document(id="late", at=NOON + minutes(5)),
]
HIDDEN = {"p_output", "p_step", "p_progress"}
ALL = {one["event"]["id"] for one in DOCUMENTS} - HIDDEN
AGENT = {"proposed", "approved", "executed", "denied", "expired", "restarted", "broke"}
PROCESS = {"p_started", "p_done", "p_failed"}
FAILED = {"failed_login", "refused", "p_failed", "broke"}
