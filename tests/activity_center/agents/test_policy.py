"""Approval policies: which one applies, which version judges, and what a file may not say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activity_center.agents import judge, read_chain, shipped_policies
from activity_center.agents.approvals import confirmations, confirms
from activity_center.agents.policy import made
from activity_center.config import load
from activity_center.errors import ConfigError

NOW = datetime(2026, 12, 1, tzinfo=UTC)
WHOLE = """
roles:
  release_manager: {permissions: [agent:approve]}
approval_policies:
  policies:
    - {id: deploys, version: 1, applies: {tools: [deploy]}, needs: {roles: [owner]}}
    - {id: deploys, version: 2, applies: {tools: [deploy], organizations: [northwind]},
       needs: {permission: "agent:approve", authenticated: true, four_eyes: true,
               typed_confirmation: true},
       standing: false, within_s: 60, min_read_ms: 5, read_ms_per_character: 0.5, label: Deploys}
  file: HERE
"""
FILE = "- {id: rest, version: 1, needs: {approval: false}}\n"


def write(folder: Path, text: str, file: str = FILE) -> Path:
    """Return a configuration file with a file of policies beside it."""
    (folder / "policies.yml").write_text(file)
    path = folder / "activity-center.yml"
    path.write_text(text.replace("HERE", str(folder / "policies.yml")))
    return path


def test_the_whole_section(tmp_path: Path) -> None:
    """Every value arrives; the newest version counts; file and shipped ones stand behind."""
    policies = load(write(tmp_path, WHOLE)).approval_policies
    deploys = policies.current("destructive", "deploy_all", "northwind")
    assert (deploys.id, deploys.version, deploys.label) == ("deploys", 2, "Deploys")
    assert deploys.roles == {"owner", "admin", "release_manager"}
    assert deploys.authenticated and deploys.four_eyes and deploys.typed_confirmation
    assert (deploys.standing, deploys.within_s, deploys.min_read_ms) == (False, 60, 5)
    assert deploys.read_ms_per_character == 0.5
    assert policies.current("destructive", "deploy_all", "brightleaf").id == "rest"
    assert policies.current("destructive", "redeploy", "northwind").id == "rest"
    assert {one.id for one in policies.all} >= {"deploys", "rest", "safe-runs-alone"}


def test_without_the_section(tmp_path: Path) -> None:
    """The shipped ones apply, one for every impact and one for none."""
    policies = load(write(tmp_path, "")).approval_policies
    found = [policies.current(impact).id for impact in ("destructive", "caution", "safe", "")]
    assert found == [
        "destructive-needs-second-person",
        "caution-needs-approval",
        "safe-runs-alone",
        "unrated-needs-approval",
    ]


@pytest.mark.parametrize(
    "own",
    [
        {"id": "unrated-needs-approval", "version": 2, "needs": {"approval": False}},
        {
            "id": "unrated-needs-approval",
            "version": 2,
            "applies": {"impact": ["unrated"]},
            "needs": {"approval": False},
        },
    ],
    ids=["everything", "unrated"],
)
def test_a_raised_version_of_a_shipped_one_stands_in_its_place(own: dict[str, Any]) -> None:
    """What nobody has rated runs alone then, and all others need what they needed before."""
    policies = made([own])
    needs = {level: policies.current(level) for level in ("destructive", "caution", "safe", "")}
    assert [one.approval for one in needs.values()] == [True, True, False, False]
    assert (needs[""].id, needs[""].version) == ("unrated-needs-approval", 2)
    assert needs["destructive"].four_eyes


def test_what_a_raised_version_leaves_out_keeps_the_shipped_one() -> None:
    """A newer version of a shipped one that is about less disarms nothing of the rest."""
    policies = made(
        [
            {
                "id": "destructive-needs-second-person",
                "version": 2,
                "applies": {"impact": ["destructive"], "tools": ["db_"]},
                "needs": {"roles": ["owner"]},
            }
        ]
    )
    assert policies.current("destructive", "db_drop").version == 2
    rest = policies.current("destructive", "delete_site")
    assert (rest.id, rest.version) == ("destructive-needs-second-person", 1)
    assert rest.four_eyes and rest.authenticated


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{id: a}", "version"),
        ("{id: A, version: 1}", "lower-case"),
        ("{id: a, version: 0}", "version"),
        ("{id: a, version: 1, needs: {permission: 'agent:aprove'}}", "agent:approve"),
        ("{id: a, version: 1, needs: {permission: 'agent:approve', roles: [x]}}", "keep one"),
        ("{id: a, version: 1, applies: {impact: [severe]}}", "severe"),
        ("{id: a, version: 1, four_eyes: true}", "four_eyes"),
    ],
    ids=["no-version", "id", "version", "permission", "two-answers", "impact", "key"],
)
def test_what_is_refused(tmp_path: Path, policy: str, words: str) -> None:
    """A wrong policy is told with its place, in the main file and in the other one."""
    inline = f"approval_policies:\n  policies:\n    - {policy}\n"
    with pytest.raises(ConfigError, match=words) as told:
        load(write(tmp_path, inline))
    assert "activity-center.yml:3" in str(told.value)
    beside = "approval_policies: {file: HERE}\n"
    with pytest.raises(ConfigError, match=words) as told:
        load(write(tmp_path, beside, f"- {policy}\n"))
    assert "policies.yml:1" in str(told.value)


def test_a_version_stands_once(tmp_path: Path) -> None:
    """Two policies of one id and version would leave open which one judges."""
    text = "approval_policies: {policies: [{id: rest, version: 1}], file: HERE}\n"
    with pytest.raises(ConfigError, match="stands twice"):
        load(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is told."""
    with pytest.raises(ConfigError, match=r"gone\.yml"):
        load(write(tmp_path, f"approval_policies: {{file: {tmp_path}/gone.yml}}\n"))


def approved(policy: dict[str, str], roles: list[str]) -> dict[str, Any]:
    """Return a decision on a caution, under a policy."""
    return {
        "@timestamp": "2026-11-24T13:00:47Z",
        "event": {"id": "d", "action": "agent.proposal.approved"},
        "activity": {
            "proposal": {"id": "p", "stage": "approved"},
            "decision": {"outcome": "approved", "source": "user", "wait_ms": 47_000},
            "approver": {"id": "usr_mk", "roles": roles, "authenticated": True},
            "impact": {"level": "caution"},
            "policy": policy,
        },
    }


def test_the_recorded_version_judges() -> None:
    """A policy that was made stricter afterwards accuses nobody; asked for, it does."""
    policies = made(
        [
            {"id": "c", "version": 1, "needs": {"roles": ["member"]}},
            {"id": "c", "version": 2, "needs": {"roles": ["owner"]}},
        ]
    )
    chain = read_chain([approved({"id": "c", "version": "1"}, ["member"])])
    said = judge(chain, policies, now=NOW)
    assert (said.verdict.key, said.policy.version) == ("approved", 1)
    changed = judge(chain, policies, now=NOW, recorded=False)
    assert (changed.verdict.key, changed.policy.version) == ("approver_lacked_permission", 2)


def test_an_unknown_version_is_judged_by_what_applies() -> None:
    """A policy that is not known here cannot judge; today's does, and says so."""
    chain = read_chain([approved({"id": "gone", "version": "9"}, ["member"])])
    said = judge(chain, shipped_policies(), now=NOW)
    assert said.verdict.key == "approver_lacked_permission"
    assert said.as_dict()["policy"] == {"id": "caution-needs-approval", "version": "1"}


@pytest.mark.parametrize(
    ("target", "tool", "accepted", "refused"),
    [
        ({"name": "api-prod-1", "id": "srv_1"}, "resize", ["api-prod-1", " srv_1 "], ["resize"]),
        ({"id": "srv_1"}, "resize", ["srv_1"], ["resize", "prp_1", ""]),
        ({"name": " "}, "resize", ["resize", "prp_1"], ["yes", "", " "]),
        ({"id": "prp_1"}, "resize", ["resize", "prp_1"], ["yes", ""]),
        ({}, "", ["prp_1"], ["yes", ""]),
    ],
    ids=["name", "id", "tool", "decided", "proposal"],
)
def test_what_confirms(
    target: dict[str, str], tool: str, accepted: list[str], refused: list[str]
) -> None:
    """What is asked for confirms; of what has no target that is the tool, else the proposal."""
    chain = read_chain(
        [
            {
                "@timestamp": "2026-11-24T13:00:00Z",
                "event": {"id": "e1"},
                "gen_ai": {"tool": {"name": tool}},
                "activity": {
                    "proposal": {"id": "prp_1", "stage": "proposed"},
                    "resource": {"type": "server", **target},
                },
            }
        ]
    )
    assert confirmations(chain)[0] == accepted[0]
    assert all(confirms(one, chain) for one in accepted)
    assert not any(confirms(one, chain) for one in refused)


@pytest.mark.parametrize(
    ("wait", "verdict"), [(1499, "approved_too_fast"), (1500, "approved")], ids=["sooner", "after"]
)
@pytest.mark.parametrize("least", [0, 1500, 200])
def test_what_is_long_takes_long_to_read(wait: int, verdict: str, least: int) -> None:
    """The longer of both times counts: the least, and so much for each character that is shown,
    arguments and reason as the page shows them."""
    # 9 characters around the value, 150 in all.
    arguments, rationale = {"q": "é" * 91}, "x" * 50
    per_character = 10 if least != 1500 else 1
    policies = made(
        [
            {
                "id": "slowly",
                "version": 1,
                "min_read_ms": least,
                "read_ms_per_character": per_character,
            }
        ]
    )
    proposal = approved({}, ["admin"])
    proposal["@timestamp"] = "2026-11-24T13:00:00Z"
    proposal["event"] = {"id": "p", "action": "agent.proposal.created"}
    proposal["gen_ai"] = {"tool": {"name": "ask", "call": {"arguments": arguments}}}
    proposal["activity"] = {
        "proposal": {"id": "p", "stage": "proposed", "rationale": rationale},
        "impact": {"level": "caution"},
    }
    approval = approved({}, ["admin"])
    approval["activity"]["decision"]["wait_ms"] = wait
    said = judge(read_chain([proposal, approval]), policies, now=NOW)
    assert said.verdict.key == verdict
    if said.findings:
        words = "It was approved after 1499 ms; reading it takes 1500 ms at least."
        assert said.findings[0].text == words
