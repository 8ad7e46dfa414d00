"""What is acted on, and how: the ordinary deeds of a platform, as data.

A deed is an action of the catalogue, how it treats the state of its resource, and how
often it is done compared with the others of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Mode = Literal["create", "update", "delete", "access", "event"]
"""create: a new thing. update: some fields change. delete: it is gone. access: read only.
event: something happens to it that is no change of its state."""
Deed = tuple[str, Mode, int]

ALL: Final = ("saas", "agency", "enterprise")
EVERYONE: Final = ("owner", "admin", "member")
ADMINS: Final = ("owner", "admin")
PAYERS: Final = ("owner", "billing_owner")
STAFF_ONLY: Final = ("staff",)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource.

    Attributes:
        type: ``activity.resource.type``.
        prefix: of its ids.
        names: what such things are called; used again with a number when there are more.
        state: field -> values it can have.
        deeds: what is done with it.
        at: kinds of organizations that have it.
        by: roles that act on it.
        many: how many there are in the beginning.
    """

    type: str
    prefix: str
    names: tuple[str, ...]
    state: dict[str, tuple[Any, ...]]
    deeds: tuple[Deed, ...]
    at: tuple[str, ...] = ALL
    by: tuple[str, ...] = EVERYONE
    many: int = 4


def crud(noun: str, create: int = 3, update: int = 6, delete: int = 1) -> tuple[Deed, ...]:
    """Return the three deeds that most things have."""
    return (
        (f"{noun}.create", "create", create),
        (f"{noun}.update", "update", update),
        (f"{noun}.delete", "delete", delete),
    )


def access(noun: str, *names: str, weight: int = 5) -> tuple[Deed, ...]:
    """Return deeds that only read."""
    return tuple((f"{noun}.{name}", "access", weight) for name in names)


def events(noun: str, *names: str, weight: int = 2) -> tuple[Deed, ...]:
    """Return deeds that leave the state as it is."""
    return tuple((f"{noun}.{name}", "event", weight) for name in names)


_REGIONS: Final = ("fsn1", "nbg1", "hel1", "ash")
_SIZES: Final = ("cx22", "cx32", "cx42", "cx52")
_ON: Final = (True, False)

INFRASTRUCTURE: Final = (
    Kind(
        "server",
        "srv",
        ("web-prod-01", "web-prod-02", "db-prod-01", "staging-01", "cache-01", "worker-01"),
        {"size": _SIZES, "region": _REGIONS, "disk_gb": (40, 80, 160, 320), "backups": _ON},
        (
            *crud("server", 2, 5, 1),
            ("server.resize", "update", 1),
            ("server.resize_disk", "update", 2),
            ("server.rebuild", "update", 1),
            ("server.import", "create", 1),
            *events("server", "start", "stop", "restart", "agent.register", "agent.update"),
            *events("server", "command", "agent.disconnect", "console_open"),
            ("pqc.deactivate", "event", 1),
        ),
        at=("agency", "saas"),
        many=6,
    ),
    Kind(
        "service",
        "svc",
        ("nginx", "redis", "postgres", "php-fpm", "queue-worker", "checkout-api"),
        {"replicas": (1, 2, 3, 5), "version": ("1.26.3", "1.27.0", "2.0.1"), "public": _ON},
        (*crud("service"), *events("service", "start", "stop", "restart")),
        many=6,
    ),
    Kind(
        "virtual_machine",
        "vm",
        ("build-vm", "gpu-vm", "bastion", "win-test"),
        {"cpu": (2, 4, 8), "memory_gb": (4, 8, 16, 32), "image": ("debian-12", "ubuntu-24.04")},
        (*crud("virtual_machine"), *events("virtual_machine", "start", "stop", "restart")),
        at=("enterprise", "saas"),
    ),
    Kind(
        "pod",
        "pod",
        ("trainer", "notebook", "inference", "batch"),
        {"gpu": ("none", "l4", "h100"), "memory_gb": (16, 32, 64), "spot": _ON},
        (*crud("pod", 4, 2, 3), *events("pod", "start", "stop", "restart", weight=3)),
        at=("enterprise", "saas"),
    ),
    Kind(
        "storage",
        "sto",
        ("datasets", "artifacts", "media"),
        {"size_gb": (100, 200, 500, 1000), "class": ("ssd", "hdd"), "encrypted": _ON},
        crud("storage"),
    ),
    Kind(
        "cloud_account",
        "acc",
        ("hetzner-eu", "aws-main", "scaleway"),
        {"provider": ("hetzner", "aws", "scaleway"), "read_only": _ON},
        (
            ("cloud_account.connect", "create", 2),
            ("cloud_account.update", "update", 2),
            ("cloud_account.disconnect", "delete", 1),
        ),
        by=ADMINS,
        many=2,
    ),
    Kind(
        "firewall_rule",
        "fwr",
        ("allow-https", "allow-ssh-office", "deny-smtp", "allow-postgres"),
        {"port": (22, 25, 80, 443, 5432), "source": ("0.0.0.0/0", "10.0.0.0/8", "office")},
        (
            ("firewall.add", "create", 3),
            ("firewall.update", "update", 3),
            ("firewall.delete", "delete", 1),
        ),
        by=ADMINS,
    ),
    Kind(
        "package",
        "pkg",
        ("nginx", "imagemagick", "fail2ban", "htop", "redis-server"),
        {"version": ("1.26.3-1", "1.27.0-1", "7.1.1-2"), "held": _ON},
        (
            ("package.install", "create", 3),
            ("package.update", "update", 3),
            ("package.remove", "delete", 1),
        ),
        at=("agency", "saas"),
    ),
    Kind(
        "cron_job",
        "crn",
        ("nightly-report", "cleanup-sessions", "renew-feeds"),
        {"schedule": ("0 3 * * *", "*/15 * * * *", "30 6 * * 1"), "enabled": _ON},
        (*crud("cron"), ("cron.run", "event", 3)),
    ),
    Kind(
        "alert_rule",
        "alr",
        ("disk-over-90", "cert-expiry", "error-rate", "login-failures"),
        {"threshold": (1, 5, 90, 95), "channel": ("email", "chat"), "enabled": _ON},
        crud("alert_rule"),
    ),
)

SITES: Final = (
    Kind(
        "site",
        "sit",
        ("harbor-cafe.example", "oak-dental.example", "rivera-law.example", "shop.example"),
        {"php": ("8.2", "8.3", "8.4"), "cache": _ON, "domain_count": (1, 2, 3)},
        (
            *crud("site", 3, 6, 1),
            ("site.clone", "create", 2),
            *events("site", "suspend", "resume", weight=1),
            ("site.ssl_provision", "update", 2),
        ),
        at=("agency",),
        many=8,
    ),
    Kind(
        "certificate",
        "crt",
        ("harbor-cafe.example", "oak-dental.example", "*.shop.example"),
        {"issuer": ("Example CA R3", "Example CA E5"), "days": (90, 365)},
        (("ssl.issue", "create", 3), ("ssl.renew", "update", 5), ("ssl.revoke", "delete", 1)),
        at=("agency", "saas"),
    ),
    Kind(
        "deployment_plan",
        "dpl",
        ("release 41", "move to new host", "php upgrade"),
        {"steps": (3, 5, 8), "confirmed": _ON},
        (("plan.confirm", "event", 3), ("plan.cancel", "event", 1)),
        at=("agency", "saas"),
    ),
    Kind(
        "backup",
        "bkp",
        ("daily full", "weekly full", "before upgrade", "db-prod-01 nightly"),
        {"backup_type": ("full", "incremental"), "size_mb": (120, 480, 2200), "offsite": _ON},
        (
            ("backup.create", "create", 4),
            ("backup.restore", "event", 1),
            ("backup.delete", "delete", 1),
            ("backup.schedule", "update", 2),
            ("backup.offsite_uploaded", "event", 3),
            *access("backup", "download", weight=2),
        ),
    ),
    Kind(
        "file",
        "fil",
        ("/etc/nginx/nginx.conf", "/srv/www/.env.sample", "/srv/www/robots.txt"),
        {"mode": ("0644", "0600", "0755"), "size": (310, 2048, 16384)},
        (
            *access("file", "read", "download", weight=4),
            ("file.write", "update", 5),
            ("file.upload", "create", 2),
            ("file.permissions", "update", 2),
            ("file.delete", "delete", 1),
        ),
        at=("agency", "saas"),
    ),
    Kind(
        "database",
        "dbs",
        ("shop_prod", "wordpress_oak", "analytics"),
        {"engine": ("postgres-17", "mariadb-11"), "max_connections": (50, 100, 200)},
        (*crud("database", 2, 2, 1), ("database.query", "access", 6)),
    ),
)
