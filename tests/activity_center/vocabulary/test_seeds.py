"""The catalogue holds every action, type and result that the products it replaces name."""

from __future__ import annotations

import pytest

from activity_center.vocabulary import Action, actions, verbs

ACTIVITY_CENTER = """
server.create server.delete server.resize_disk cloud_account.connect firewall.add package.install
site.create site.delete site.clone site.ssl_provision ssl.issue plan.confirm
backup.create backup.restore backup.offsite_uploaded file.write file.delete database.query
user.login user.login_failed user.reset_password org.invite_member org.remove_member
alert_rule.create
agent.proposal.approved agent.proposal.denied agent.proposal.executed agent.restartService
agent.memory.delete server.agent.register agent.ssh_proposed agent.cost_recommendation.approved
finops.budget.create finops.rule.fired billing.checkout.start billing.wallet.topup
cron.create cron.delete
"""

ACTIVITY_LOGS = {
    "Workspace": "Create Update Deploy Terminate Suspend Resume Fetch Fetch_all Status Download"
    " Upgrade",
    "Users": "Create Update Delete Fetch Fetch_all",
    "Organization": "Create Update Fetch Fetch_all",
    "Plans": "Create Update Fetch_all",
    "Invitations": "Response",
    "Invoices": "Fetch Fetch_all",
    "ActivityLogs": "Fetch Fetch_all",
}

ACTIVITY_LOG = [
    "cluster",
    "project",
    "environment",
    "service",
    "job",
    "deployment",
    "dependency",
    "variable_group",
    "domain",
    "node_pool",
    "volume",
    "provider",
    "user",
]

AUDIT_LOGS = {
    "pod.start": "Start",
    "pod.stop": "Stop",
    "pod.restart": "Restart",
    "virtual_machine.start": "Start",
    "virtual_machine.stop": "Stop",
    "virtual_machine.restart": "Restart",
    "user.login": "Login",
    "user.logout": "Logout",
    "api_token.create": "Token created",
    "api_token.revoke": "Token revoked",
    "ssh_key.add": "SSH key added",
    "ssh_key.delete": "SSH key deleted",
    "org.invite_member": "Invite sent",
    "invitation.accept": "Invite accepted",
    "org.remove_member": "Member removed",
    "user.permissions_change": "Permissions changed",
}


@pytest.mark.parametrize("name", ACTIVITY_CENTER.split())
def test_activity_center(name: str) -> None:
    """Activity Center: each action that it names is there under that very name."""
    assert name in actions()


def test_activity_center_counts() -> None:
    """Activity Center: more than 65 actions over its areas, AI ones in a lens of their own."""
    assert len(actions()) > 65
    agent = [one for one in actions().values() if one.name.startswith("agent.")]
    assert agent
    assert {one.lens for one in agent} == {"agent"}


@pytest.mark.parametrize("state", ["started", "completed", "failed", "skipped", "pending"])
def test_activity_center_steps(state: str) -> None:
    """Activity Center: steps are pending, running, done, failed, each told as it happens."""
    assert actions()[f"process.step.{state}"].lens == "process"


@pytest.mark.parametrize("control", ["cancel", "retry", "cleanup"])
def test_activity_center_controls(control: str) -> None:
    """Activity Center: what a person asks of a process is part of the audit trail."""
    action = actions()[f"process.{control}"]
    assert (action.lens, action.verb) == ("audit", "control")


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("agent.proposal.created", None),
        ("agent.proposal.approved", None),
        ("agent.proposal.denied", "denied"),
        ("agent.proposal.expired", "expired"),
        ("agent.proposal.completed", "completed"),
        ("agent.proposal.failed", "failed"),
        ("agent.read", None),
        ("agent.runBackup", None),
        ("agent.deploy", None),
        ("agent.restartService", None),
    ],
)
def test_ai_audit_trail(name: str, result: str | None) -> None:
    """Audit trail of AI actions: the whole chain, reads and time-outs too, with its results."""
    action = actions()[name]
    assert (action.lens, action.result) == ("agent", result)


@pytest.mark.parametrize(
    ("type_", "label"),
    [(type_, label) for type_, labels in ACTIVITY_LOGS.items() for label in labels.split()],
)
def test_activity_logs(type_: str, label: str) -> None:
    """Activity Logs: each pair of type and action of its tables is there."""
    wanted = label.replace("_", " ")
    assert any((one.type, one.label) == (type_, wanted) for one in actions().values())


@pytest.mark.parametrize(
    "type_", ["AdminUpdates", "AdminUsers", "AdminRoles", "AdminRolePermissions", "AdminAccounts"]
)
def test_activity_logs_administration(type_: str) -> None:
    """Activity Logs: administrative types are there, and people are told of them at once."""
    found = [one for one in actions().values() if one.type == type_]
    assert len(found) >= 3
    assert all(one.critical for one in found)


@pytest.mark.parametrize("name", ["workspace.terminate", "organization.update", "user.delete"])
def test_activity_logs_critical(name: str) -> None:
    """Activity Logs: the activities to watch are marked critical."""
    assert actions()[name].critical


def test_activity_logs_about_themselves() -> None:
    """Activity Logs: looking at the log, exporting it and being refused are activities."""
    for name in ("fetch", "fetch_all", "export", "denied"):
        assert actions()[f"activity_log.{name}"].type == "ActivityLogs"


@pytest.mark.parametrize("resource", ACTIVITY_LOG)
@pytest.mark.parametrize("operation", ["create", "update", "delete"])
def test_activity_log(resource: str, operation: str) -> None:
    """Activity Log: create, update and delete of each of its thirteen resources."""
    action = actions()[f"{resource}.{operation}"]
    assert action.verb == operation
    assert action.resource_type == resource
    assert action.label == operation.capitalize()


@pytest.mark.parametrize(("name", "label"), AUDIT_LOGS.items())
def test_audit_logs(name: str, label: str) -> None:
    """Audit Logs: each logged action is there under its words."""
    assert actions()[name].label == label


def test_audit_logs_filters() -> None:
    """Audit Logs: filters by Create, Update, Delete, Start/Stop and by its resource types."""
    assert {"Create", "Update", "Delete", "Start/Stop"} <= {one.label for one in verbs().values()}
    types = {one.type for one in actions().values()}
    assert {"Pods", "Virtual Machines", "Storage", "Projects", "SSH Keys"} <= types
    for name in ("pod.start", "virtual_machine.stop", "pod.restart"):
        assert actions()[name].verb == "start-stop"


def money(action: Action) -> bool:
    """Whether an action is about money."""
    return action.name.split(".")[0] in ("billing", "finops", "invoice")


def test_money_is_kept_seven_years() -> None:
    """Activity Center: billing and financial events are kept for seven years, nothing else is."""
    kept = {one.name for one in actions().values() if one.retention_class == "billing-7y"}
    assert kept == {one.name for one in actions().values() if money(one)}
    assert kept


def test_personal_security_events() -> None:
    """Activity Center: sign-ins, passwords, tokens and keys are events of a personal account."""
    personal = {one.name for one in actions().values() if one.personal}
    assert {
        "user.login",
        "user.login_failed",
        "user.reset_password",
        "api_token.create",
    } <= personal
    assert "server.create" not in personal
