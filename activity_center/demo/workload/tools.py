"""What agents can do, and what there is to say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Tool:
    """Something an agent can do.

    Attributes:
        action: what the trail says when it ran.
        proposed, approved, denied: the stages' names, where a tool has its own.
        confirm: the approver must type the target's name.
        saving: USD a month that a recommendation saves.
    """

    name: str
    impact: str
    action: str
    target: tuple[str, str]
    targets: tuple[str, ...]
    arguments: dict[str, tuple[Any, ...]]
    rationale: str
    output: str
    error: str
    prompt: str
    proposed: str = "agent.proposal.created"
    approved: str = "agent.proposal.approved"
    denied: str = "agent.proposal.denied"
    confirm: bool = False
    saving: int = 0


TOOLS: Final = (
    Tool(
        "restart_service",
        "safe",
        "agent.restartService",
        ("service", "svc"),
        ("web-prod-01 / nginx", "worker-01 / queue-worker"),
        {"service": ("nginx", "queue-worker"), "graceful": (True,)},
        "The service answers slowly since 40 minutes; memory grew to 3.1 GB",
        "restarted, healthy after 4 s",
        "unit did not become active within 90 s",
        "the site is slow, can you look",
    ),
    Tool(
        "run_backup",
        "safe",
        "agent.runBackup",
        ("backup", "bkp"),
        ("shop_prod", "fleet"),
        {"type": ("full", "incremental"), "offsite": (True, False)},
        "The last full backup is nine days old",
        "backup of 2.2 GB written and verified",
        "no space left on the backup volume",
        "are our backups all right",
    ),
    Tool(
        "execute_approved_plan",
        "caution",
        "agent.executeApprovedPlan",
        ("deployment_plan", "dpl"),
        ("php upgrade", "move to new host"),
        {"plan": ("dpl_41", "dpl_57"), "steps": (3, 5, 8)},
        "The plan was checked against a copy; all five probes were green",
        "all steps done, probes green",
        "step 3 of 5: package index is locked",
        "please do the php upgrade tonight",
    ),
    Tool(
        "deploy",
        "caution",
        "agent.deploy",
        ("deployment", "dep"),
        ("portal main@4f2c91a", "checkout main@b77e03d"),
        {"ref": ("4f2c91a", "b77e03d"), "strategy": ("rolling", "blue-green")},
        "The fix for the cart total is merged and its tests pass",
        "revision is live on 3 of 3 instances",
        "build failed: type null is not assignable",
        "ship the cart fix",
    ),
    Tool(
        "run_ssh_command",
        "destructive",
        "agent.ssh_executed",
        ("server", "srv"),
        ("web-prod-01", "db-prod-01"),
        {"command": ("rm -rf /tmp/cache", "truncate -s 0 /var/log/app.log", "reboot")},
        "The disk is 94 % full, most of it is a cache that can be rebuilt",
        "freed 11 GB",
        "rm: cannot remove '/tmp/cache/lock': Operation not permitted",
        "disk alarm on web-prod-01, fix it",
        proposed="agent.ssh_proposed",
        approved="agent.ssh_approved",
        denied="agent.ssh_denied",
        confirm=True,
    ),
    Tool(
        "run_command",
        "destructive",
        "agent.runCommand",
        ("server", "srv"),
        ("staging-01", "db-prod-01"),
        {"command": ("dropdb analytics_old", "docker system prune -af"), "sudo": (True,)},
        "Nothing has read from it for 60 days",
        "done",
        "database is being accessed by 2 other users",
        "clean up what we do not use",
        confirm=True,
    ),
    Tool(
        "downsize_server",
        "caution",
        "agent.cost_recommendation.applied",
        ("server", "srv"),
        ("staging-db", "worker-01"),
        {"from": ("cx42", "cx52"), "to": ("cx22", "cx32")},
        "CPU stayed below 9 % for 30 days",
        "resized in 70 s",
        "the provider has no capacity of this size in fsn1",
        "where can we save money",
        proposed="agent.cost_recommendation.proposed",
        approved="agent.cost_recommendation.approved",
        denied="agent.cost_recommendation.denied",
        saving=18,
    ),
)
