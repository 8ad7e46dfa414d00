"""Set a node up with the security plugin: certificates, one user, nobody else."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Final

from activity_center.errors import NodeError
from activity_center.node.account import Account
from activity_center.node.folders import NodeFolder
from activity_center.private_file import write_private

ADMIN: Final = "admin"

_AS_SHIPPED: Final = (
    "action_groups.yml",
    "allowlist.yml",
    "audit.yml",
    "config.yml",
    "nodes_dn.yml",
    "roles.yml",
)


def secure(folder: NodeFolder, distribution: Path, account: Account) -> dict[str, str | list[str]]:
    """Create what is missing, once per node; return the lines for ``opensearch.yml``.

    The plugin reads its users from the files at the node's first start only, and from its
    own index afterwards, so later starts change nothing.

    Raises:
        NodeError: a package is missing.
    """
    subjects = folder.config / "certificates.json"
    if not subjects.is_file():
        _create(folder, distribution, account, subjects)
    names = json.loads(subjects.read_text(encoding="utf-8"))
    settings: dict[str, str | list[str]] = {}
    for layer in ("transport", "http"):
        prefix = f"plugins.security.ssl.{layer}"
        settings[f"{prefix}.pemcert_filepath"] = "node.pem"
        settings[f"{prefix}.pemkey_filepath"] = "node-key.pem"
        settings[f"{prefix}.pemtrustedcas_filepath"] = "ca.pem"
    return {
        **settings,
        "plugins.security.ssl.transport.enforce_hostname_verification": "false",
        "plugins.security.ssl.http.enabled": "true",
        "plugins.security.authcz.admin_dn": [names["admin"]],
        "plugins.security.nodes_dn": [names["node"]],
        "plugins.security.restapi.roles_enabled": ["all_access", "security_rest_api_access"],
        "plugins.security.allow_default_init_securityindex": "true",
    }


def _create(folder: NodeFolder, distribution: Path, account: Account, subjects: Path) -> None:
    try:
        import bcrypt

        from activity_center.node.certificates import generate
    except ModuleNotFoundError as missing:
        raise NodeError(
            f"a secured node needs the package {missing.name}",
            hint="pip install 'activity-center[demo]'",
        ) from missing

    certificates = generate()
    for path, content in (
        (folder.config / "ca.pem", certificates.ca),
        (folder.config / "node.pem", certificates.node.certificate),
        (folder.config / "node-key.pem", certificates.node.key),
    ):
        write_private(path, content)
        account.give(path, 0o600)
    folder.ca.write_bytes(certificates.ca)
    folder.ca.chmod(0o644)
    write_private(folder.root / "admin.pem", certificates.admin.certificate)
    write_private(folder.root / "admin-key.pem", certificates.admin.key)

    password = secrets.token_urlsafe(24)
    write_private(folder.admin_password, password.encode() + b"\n")
    _users(folder, distribution, bcrypt.hashpw(password.encode(), bcrypt.gensalt(12)).decode())
    # Last: its presence says that all the above is there.
    subjects.write_text(
        json.dumps({"node": certificates.node.subject, "admin": certificates.admin.subject}),
        encoding="utf-8",
    )


def _users(folder: NodeFolder, distribution: Path, admin_hash: str) -> None:
    """The plugin's own files, less its demonstration users, tenants and mappings."""
    target = folder.config / "opensearch-security"
    target.mkdir(exist_ok=True)
    shipped = distribution / "plugins" / "opensearch-security" / "config"
    for name in _AS_SHIPPED:
        shutil.copyfile(shipped / name, target / name)
    ours = {
        "internalusers": {
            ADMIN: {"hash": admin_hash, "reserved": False, "backend_roles": [ADMIN]},
        },
        "rolesmapping": {"all_access": {"reserved": False, "backend_roles": [ADMIN]}},
        "tenants": {},
    }
    files = {
        "internalusers": "internal_users.yml",
        "rolesmapping": "roles_mapping.yml",
        "tenants": "tenants.yml",
    }
    for kind, content in ours.items():
        document = {"_meta": {"type": kind, "config_version": 2}, **content}
        write_private(target / files[kind], json.dumps(document, indent=1).encode())
