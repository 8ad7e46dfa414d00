"""Which organizations a reader may name to watch processes there."""

from __future__ import annotations

import pytest

from sidecar_api.failures import Forbidden
from tests.sidecar_api.access.conftest import Table


@pytest.mark.parametrize(
    ("name", "organization", "may"),
    [
        ("owner", "acme", True),
        ("viewer", "acme", True),
        ("member", "acme", True),
        ("billing", "acme", True),
        ("exporter", "acme", True),
        ("of_nothing", "acme", True),
        ("open_member", "open", True),
        ("platform", "acme", True),
        ("platform", "never_heard_of", True),
        ("owner", "open", False),
        ("owner", "never_heard_of", False),
        ("stranger", "acme", False),
        ("mira", "acme", False),
        ("nobody", "acme", False),
    ],
)
def test_who_may_name_an_organization(
    table: Table, name: str, organization: str, may: bool
) -> None:
    """Any role there is enough, since everybody sees what they began; without one it is refused,
    the same whether or not there is such an organization."""
    scope = table.scope(name)
    if may:
        assert scope.check_watching(organization) is None
        return
    with pytest.raises(Forbidden) as told:
        scope.check_watching(organization)
    assert told.value.members["permission"] == "process:view"
    assert told.value.members["organization"] == organization
