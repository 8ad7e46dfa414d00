"""A node with security: who is let in, and what is kept private."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from opensearchpy.exceptions import AuthenticationException

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.node.folders import node_folder

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


def test_a_secured_node_lets_only_its_administrator_in(secure_opensearch: Any) -> None:
    """No anonymous access, none of the plugin's demonstration users, TLS by our CA alone."""
    cluster = secure_opensearch.cluster
    assert cluster.url.startswith("https://")
    assert secure_opensearch.client.cluster.health()["status"] in ("green", "yellow")
    strangers = [("", ""), ("admin", "admin"), ("kibanaserver", "kibanaserver"), ("admin", "x")]
    for username, password in strangers:
        stranger = connect(Cluster(cluster.url, username, password, "", cluster.ca))
        with pytest.raises(AuthenticationException):
            stranger.info()
    users = secure_opensearch.client.transport.perform_request(
        "GET", "/_plugins/_security/api/internalusers"
    )
    assert set(users) == {"admin"}
    mapping = secure_opensearch.client.transport.perform_request(
        "GET", "/_plugins/_security/api/rolesmapping"
    )
    assert set(mapping) == {"all_access"}


def test_secrets_of_a_secured_node_are_private(secure_opensearch: Any) -> None:
    """Password and keys are 0600 and appear in no log, record or representation."""
    info = secure_opensearch.info
    folder = node_folder(info.name)
    assert len(info.password) >= 24
    private = [folder.admin_password, *folder.root.rglob("*key*.pem")]
    assert len(private) == 3
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert info.password not in repr(info) + repr(info.cluster)
    found = subprocess.run(
        ["grep", "-rlF", "--", info.password, str(folder.root)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert found == [str(folder.admin_password)]
    assert info.password not in Path(f"/proc/{info.pid}/cmdline").read_text()
