"""Judging as the API does, where it is not asked of OpenSearch."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activity_center.agents import judge, read_chain, shipped_policies
from activity_center.agents.kept import kept_since
from sidecar_api.agents.chains import Read
from sidecar_api.agents.judging import Judge
from sidecar_api.agents.places import Key
from tests.sidecar_api.agents.stage import BEGUN

NOW = BEGUN + timedelta(days=2559)


@pytest.mark.parametrize(
    ("kept", "verdict"),
    [
        ("billing-7y", "unknown"),
        ("permanent", "executed_without_approval"),
        ("of-nobody-1d", "executed_without_approval"),
    ],
)
def test_what_may_have_been_deleted_is_unknown(kept: str, verdict: str) -> None:
    """By the days of the class in the catalogue, as on the command line: never by its name."""
    source: dict[str, Any] = {
        "@timestamp": BEGUN.isoformat(),
        "event": {"id": "e1", "action": "agent.proposal.executed"},
        "activity": {
            "lens": "agent",
            "proposal": {"id": "prp_1", "stage": "completed"},
            "impact": {"level": "caution"},
            "retention": {"class": kept},
        },
    }
    chain = read_chain([source])
    read = Read(Key("", "prp_1"), chain, [{"_source": source}])
    said = Judge(shipped_policies(), NOW).of(read)
    assert said.verdict.key == verdict
    assert said == judge(chain, shipped_policies(), now=NOW, kept_since=kept_since(chain, NOW))
