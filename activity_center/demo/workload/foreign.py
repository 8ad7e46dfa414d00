"""Records of other programs, in their own form: a Kubernetes API server, an OpenSearch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activity_center.demo.workload.cast import Organization, Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event

_DOERS: Final = (
    ("system:serviceaccount:argocd:argocd-controller", 5),
    ("system:serviceaccount:ci:deployer", 4),
    ("", 6),  # a person
)
_OBJECTS: Final = (
    ("deployments", "apps", "v1", ("checkout-api", "portal", "fleet-sync")),
    ("configmaps", "", "v1", ("portal-config", "fleet-rules")),
    ("secrets", "", "v1", ("db-credentials", "tls-portal")),
    ("pods", "", "v1", ("portal-6d4f9c8b7-x2x9q", "fleet-sync-0")),
    ("jobs", "batch", "v1", ("migrate-41", "report-nightly")),
    ("rolebindings", "rbac.authorization.k8s.io", "v1", ("deployers", "viewers")),
)
_VERBS: Final = (("get", 4), ("list", 3), ("create", 3), ("patch", 6), ("update", 3), ("delete", 2))
_CODES: Final = {"create": 201}


def micro(when: datetime) -> str:
    """Return UTC with microseconds, as the Kubernetes API writes it (MicroTime)."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def kubernetes(
    organization: Organization, dice: Dice, when: datetime, person: Person
) -> list[Event]:
    """Return one request to the API server of the organization's cluster (audit.k8s.io/v1)."""
    doer = dice.weighted(_DOERS) or person.email
    resource, group, version, names = dice.pick(_OBJECTS)
    verb = dice.weighted(_VERBS)
    name = dice.pick(names)
    namespace = dice.pick(("checkout", "portal", "fleet"))
    reference: dict[str, Any] = {
        "resource": resource,
        "namespace": namespace,
        "apiVersion": version,
    }
    if group:
        reference["apiGroup"] = group
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    uri = f"{path}/namespaces/{namespace}/{resource}"
    if verb != "list":
        reference["name"] = name
        uri += f"/{name}"
    shell = resource == "pods" and verb == "create"
    if shell:
        reference["subresource"] = "exec"
        uri += "/exec?command=sh&stdin=true&tty=true"
    forbidden = dice.chance(6)
    status: dict[str, Any] = {"metadata": {}, "code": _CODES.get(verb, 200)}
    if shell:
        status["code"] = 101
    if forbidden:
        status = {"metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403}
        status["message"] = f'{resource} "{name}" is forbidden: User "{doer}" cannot {verb}'
    service_account = doer.startswith("system:")
    record: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request" if verb in ("patch", "create") and not shell else "Metadata",
        "auditID": _uuid(dice),
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "user": {
            "username": doer,
            "groups": [
                "system:serviceaccounts" if service_account else "team:platform",
                "system:authenticated",
            ],
        },
        "sourceIPs": ["10.42.0.17" if service_account else person.ip],
        "userAgent": "argocd-controller/v3.2"
        if service_account
        else "kubectl/v1.34.1 (linux/amd64)",
        "objectRef": reference,
        "responseStatus": status,
        "requestReceivedTimestamp": micro(when),
        "stageTimestamp": micro(when + timedelta(microseconds=dice.between(900, 90_000))),
        "annotations": {"authorization.k8s.io/decision": "forbid" if forbidden else "allow"},
    }
    if record["level"] == "Request" and resource == "deployments" and not forbidden:
        record["requestObject"] = {"spec": {"replicas": dice.between(1, 6)}}
    local = when.astimezone(UTC)
    return [Event(local, "forward", "kubernetes", "kubernetes-audit", record)]


def _uuid(dice: Dice) -> str:
    digits = dice.event_id()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)


def opensearch(
    organization: Organization, dice: Dice, when: datetime, person: Person
) -> list[Event]:
    """Return one entry of the OpenSearch Security audit log (format version 4)."""
    category = dice.weighted(
        (
            ("GRANTED_PRIVILEGES", 6),
            ("AUTHENTICATED", 4),
            ("FAILED_LOGIN", 2),
            ("MISSING_PRIVILEGES", 1),
        )
    )
    index = dice.pick(("logs-checkout", "logs-portal", "fleet-telemetry"))
    # What a MISSING_PRIVILEGES says of the privilege that was missing.
    privilege = dice.pick(
        ("indices:data/read/search", "indices:admin/delete", "indices:admin/create")
    )
    record: dict[str, Any] = {
        "audit_cluster_name": "search-eu",
        "audit_node_name": f"search-eu-{dice.between(0, 2)}",
        "audit_node_id": "q9nQWm0vS7O7Z0q3J1tJ2A",
        "audit_node_host_address": "10.42.3.9",
        "audit_category": category,
        "audit_request_origin": "REST",
        "audit_request_layer": "TRANSPORT" if "PRIV" in category else "REST",
        "audit_request_effective_user": person.name,
        "audit_request_remote_address": person.ip,
        "audit_rest_request_method": "GET",
        "audit_rest_request_path": f"/{index}/_search",
        "audit_format_version": 4,
        # The node's own number of the task, so no two entries are equal.
        "audit_trace_task_id": f"q9nQWm0vS7O7Z0q3J1tJ2A:{dice.between(1_000_000, 999_999_999)}",
        "@timestamp": when.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    if "PRIV" in category:
        record["audit_request_privilege"] = privilege
        record["audit_trace_indices"] = [index]
        record["audit_trace_resolved_indices"] = [f"{index}-000012"]
    return [Event(when.astimezone(UTC), "http", "search", "opensearch-security", record)]
