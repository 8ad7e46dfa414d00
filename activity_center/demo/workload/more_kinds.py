"""The other kinds: projects and clusters, workspaces, people and access, money, staff."""

from __future__ import annotations

from typing import Any, Final

from activity_center.demo.workload.kinds import (
    ADMINS,
    INFRASTRUCTURE,
    PAYERS,
    SITES,
    STAFF_ONLY,
    Deed,
    Kind,
    access,
    crud,
    events,
)

Row = tuple[str, str, tuple[str, ...], dict[str, tuple[Any, ...]], tuple[Deed, ...]]
"""Type, prefix, names, state and deeds of a :class:`Kind`."""

_ON: Final = (True, False)
_TIERS: Final = ("standard", "premium", "enterprise")
_BUILDERS: Final = ("enterprise", "saas")

PLATFORM: Final = (
    Kind(
        "workspace",
        "wsp",
        ("data-lab", "checkout", "marketing", "research"),
        {"plan": _TIERS, "cpu": (2, 4, 8), "auto_suspend": _ON},
        (
            *crud("workspace", 2, 4, 0)[:2],
            ("workspace.deploy", "event", 5),
            ("workspace.terminate", "delete", 1),
            *events("workspace", "suspend", "resume"),
            *access("workspace", "fetch", "fetch_all", "status", "download", weight=4),
            ("workspace.upgrade", "update", 1),
        ),
        at=_BUILDERS,
        many=5,
    ),
    *(
        Kind(type_, prefix, names, state, crud(type_), at=_BUILDERS)
        for type_, prefix, names, state in (
            (
                "cluster",
                "clu",
                ("eu-prod", "eu-staging", "us-prod"),
                {"version": ("v1.33.5", "v1.34.1"), "nodes": (3, 5, 9), "ha": _ON},
            ),
            (
                "project",
                "prj",
                ("checkout", "fleet", "telemetry", "portal"),
                {"owner_team": ("core", "growth", "platform"), "archived": _ON},
            ),
            (
                "environment",
                "env",
                ("production", "staging", "preview"),
                {"protected": _ON, "cluster": ("eu-prod", "eu-staging")},
            ),
            (
                "job",
                "job",
                ("migrate-db", "reindex", "send-digest"),
                {"timeout_s": (60, 600, 3600), "retries": (0, 1, 3)},
            ),
            (
                "deployment",
                "dep",
                ("checkout-api v41", "portal v108", "fleet-sync v7"),
                {"image_tag": ("v41", "v42", "v108"), "strategy": ("rolling", "blue-green")},
            ),
            (
                "dependency",
                "dpy",
                ("postgres 17", "redis 7", "rabbitmq 4"),
                {"version": ("7", "17", "4.1"), "shared": _ON},
            ),
            (
                "variable_group",
                "vgr",
                ("checkout-prod", "portal-common"),
                {"keys": (4, 9, 16), "sealed": _ON},
            ),
            (
                "domain",
                "dom",
                ("shop.example", "api.shop.example", "fleet.example"),
                {"dns": ("managed", "external"), "https_only": _ON},
            ),
            (
                "node_pool",
                "npl",
                ("general", "gpu", "spot"),
                {"min": (1, 2), "max": (4, 8, 16), "machine": ("cx42", "cx52")},
            ),
            (
                "volume",
                "vol",
                ("pg-data", "uploads", "cache"),
                {"size_gb": (20, 50, 200), "class": ("ssd", "hdd")},
            ),
            (
                "provider",
                "prv",
                ("hetzner", "aws", "on-premises"),
                {"region": ("fsn1", "eu-central-1"), "enabled": _ON},
            ),
        )
    ),
)

AUTOMATION: Final = (
    Kind(
        "deployment",
        "rbk",
        ("portal v107", "checkout-api v40"),
        {"healthy": _ON},
        (("deploy.rollback", "event", 1),),
        many=1,
    ),
    Kind(
        "transfer",
        "trf",
        ("backups-2026-w44.tar.zst",),
        {"size_mb": (300, 4100)},
        access("cloud", "download", weight=1),
        many=1,
    ),
    Kind(
        "policy",
        "pol",
        ("safe-runs-alone", "destructive-needs-admin"),
        {"approvals": (0, 1, 2), "impact": ("safe", "caution", "destructive")},
        crud("agent.policy", 1, 2, 1),
        by=ADMINS,
        many=2,
    ),
    Kind(
        "standing_approval",
        "sta",
        ("restart nginx at night", "renew certificates"),
        {"days": (7, 30)},
        (
            ("agent.standing_approval.grant", "create", 2),
            ("agent.standing_approval.revoke", "delete", 1),
        ),
        by=ADMINS,
        many=1,
    ),
)

PEOPLE: Final = (
    Kind(
        "user",
        "usr_x",
        ("new.colleague", "contractor", "intern", "auditor"),
        {"role": ("member", "viewer", "admin"), "locale": ("en", "de", "sl"), "active": _ON},
        (
            *crud("user", 2, 3, 1),
            ("user.role_change", "update", 1),
            ("user.permissions_change", "update", 1),
            *access("user", "fetch", "fetch_all", weight=3),
            ("org.invite_member", "event", 3),
            ("org.add_member", "event", 1),
            ("org.change_role", "update", 1),
            ("org.remove_member", "delete", 1),
            ("user.impersonate", "event", 1),
        ),
        by=ADMINS,
    ),
    Kind(
        "invitation",
        "inv",
        ("invitation to core", "invitation to growth"),
        {"role": ("member", "viewer"), "answer": ("open", "accepted", "declined")},
        (
            ("invitation.response", "update", 2),
            ("invitation.accept", "update", 2),
            ("invitation.decline", "update", 1),
            ("invitation.revoke", "delete", 1),
        ),
        many=5,
    ),
    Kind(
        "role",
        "rol",
        ("deployer", "auditor", "support"),
        {"permissions": (["read"], ["read", "deploy"], ["read", "org:audit"])},
        crud("role"),
        by=ADMINS,
    ),
    Kind(
        "api_token",
        "tok",
        ("ci-deploy", "terraform", "metrics-reader"),
        {"scope": ("read", "write", "admin"), "days": (30, 90, 365)},
        (
            ("api_token.create", "create", 3),
            ("api_token.update", "update", 1),
            ("api_token.revoke", "delete", 2),
        ),
    ),
    Kind(
        "ssh_key",
        "key",
        ("laptop ed25519", "ci runner", "backup host"),
        {"algorithm": ("ed25519", "rsa-4096")},
        (("ssh_key.add", "create", 3), ("ssh_key.delete", "delete", 2)),
    ),
    Kind(
        "organization",
        "org",
        ("settings",),
        {"plan": _TIERS, "two_factor_required": _ON, "credits": (0, 100, 500)},
        (
            ("organization.update", "update", 2),
            *access("organization", "fetch", "fetch_all", weight=3),
        ),
        by=ADMINS,
        many=1,
    ),
    Kind(
        "activity_log",
        "log",
        ("activity log",),
        {},
        access("activity_log", "fetch", "fetch_all", "export", weight=4),
        by=("owner", "admin", "billing_owner"),
        many=1,
    ),
)

_MONEY_ROWS: Final[tuple[Row, ...]] = (
    (
        "checkout",
        "cho",
        ("plan change",),
        {"amount": (49, 199)},
        events("billing.checkout", "start", "complete"),
    ),
    (
        "wallet",
        "wal",
        ("credits",),
        {"credits": (0, 50, 250, 900)},
        (("billing.wallet.topup", "update", 3), ("billing.credit.change", "update", 1)),
    ),
    (
        "payment",
        "pay",
        ("card payment",),
        {"amount": (49, 480), "currency": ("EUR",)},
        (
            *events("billing.payment", "succeeded", "failed"),
            ("billing.refund", "event", 1),
        ),
    ),
    (
        "payment_method",
        "pmt",
        ("company card",),
        {"kind": ("card", "sepa"), "last4": ("4242", "0341", "9907")},
        (("billing.payment_method.update", "update", 1),),
    ),
    (
        "subscription",
        "sub",
        ("platform",),
        {"plan": _TIERS, "seats": (12, 20, 50)},
        (
            ("billing.subscription.create", "create", 1),
            ("billing.subscription.update", "update", 2),
            ("billing.subscription.cancel", "event", 1),
        ),
    ),
)

MONEY: Final = (
    Kind(
        "budget",
        "bud",
        ("cloud monthly", "gpu quarter"),
        {"amount": (500, 1200, 5000), "currency": ("EUR", "USD")},
        (*crud("finops.budget", 1, 2, 1), ("finops.budget.exceeded", "event", 1)),
        by=PAYERS,
    ),
    Kind(
        "finops_rule",
        "fin",
        ("stop idle machines", "tag everything"),
        {"action": ("notify", "stop"), "enabled": _ON},
        (*crud("finops.rule", 1, 2, 1), ("finops.rule.fired", "event", 3)),
        by=PAYERS,
    ),
    Kind(
        "invoice",
        "ivc",
        ("2026-0911", "2026-1011"),
        {"amount": (49, 480, 2210), "currency": ("EUR",)},
        (("invoice.create", "create", 1), *access("invoice", "fetch", "fetch_all", weight=4)),
        by=PAYERS,
    ),
    *(Kind(*row, by=PAYERS, many=2) for row in _MONEY_ROWS),
)

_STAFF_ROWS: Final[tuple[Row, ...]] = (
    (
        "configuration",
        "cfg",
        ("smtp", "limits"),
        {"value": (10, 50, 200), "strict": _ON},
        (("admin.configuration.update", "update", 3),),
    ),
    (
        "release",
        "rel",
        ("2026.11.2", "2026.11.3"),
        {"channel": ("stable", "beta")},
        (
            ("admin.release.create", "create", 1),
            *events("admin.release", "deploy", "rollback", weight=1),
        ),
    ),
    ("admin_user", "adu", ("support-1", "support-2"), {"mfa": _ON}, crud("admin.user")),
    (
        "admin_role",
        "adr",
        ("support", "finance"),
        {"scope": ("read", "write")},
        crud("admin.role"),
    ),
    (
        "role_permission",
        "rpm",
        ("support: read accounts", "finance: refund"),
        {"granted": _ON},
        (
            ("admin.role_permission.grant", "create", 2),
            ("admin.role_permission.update", "update", 1),
            ("admin.role_permission.revoke", "delete", 1),
        ),
    ),
    (
        "account",
        "act",
        ("trial 881", "trial 902"),
        {"state": ("trial", "paid"), "limit": (1, 5, 50)},
        (*crud("admin.account"), *events("admin.account", "suspend", "resume")),
    ),
    (
        "organization",
        "onb",
        ("trial customer",),
        {"plan": _TIERS},
        (("organization.create", "create", 1), ("organization.delete", "delete", 1)),
    ),
)

STAFF_KINDS: Final = (
    Kind(
        "plan",
        "pln",
        ("Standard", "Premium", "Enterprise"),
        {"price": (49, 199, 990), "audit_days": (30, 90, 365)},
        (("plan.create", "create", 1), ("plan.update", "update", 2), *access("plan", "fetch_all")),
        by=STAFF_ONLY,
    ),
    *(Kind(*row, by=STAFF_ONLY, many=2) for row in _STAFF_ROWS),
)

KINDS: Final = (*INFRASTRUCTURE, *SITES, *PLATFORM, *AUTOMATION, *PEOPLE, *MONEY, *STAFF_KINDS)
