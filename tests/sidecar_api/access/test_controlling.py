"""Who may control a process: ``process:control`` in its organization, within the role's limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sidecar_api.access.conftest import Table

ACME = {"organization": {"id": "acme"}, "initiator": {"id": "usr_m"}}


@pytest.mark.parametrize(
    ("name", "process", "may"),
    [
        ("owner", ACME, True),
        ("admin", ACME, True),
        ("viewer", ACME, False),
        ("member", ACME, False),
        ("billing", ACME, False),
        ("platform", ACME, False),
        ("owner", {"organization": {"id": "open"}}, False),
        ("owner", {"organization": {"id": ""}}, False),
        ("lab_and_srv", ACME, False),
        ("lab_and_srv", {**ACME, "workspace": "lab"}, True),
        ("lab_and_srv", {**ACME, "target": {"id": "srv"}}, True),
        ("lab_and_srv", {**ACME, "target": {"id": "crt"}, "workspace": "lob"}, False),
        ("of_nothing", {**ACME, "workspace": "lab"}, False),
    ],
)
def test_who_controls(table: Table, name: str, process: dict[str, Any], may: bool) -> None:
    """Neither to watch, nor to have begun it, nor the platform's role is enough."""
    assert table.scope(name).controls(process) is may
