"""A proposal is told the approval policy that applied when it was received, and is judged by it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from activity_center.agents import Chain, Policies, judge, read_chain, shipped_policies
from activity_center.agents.policy import made
from activity_center.canonical import digest
from collector.check import check_config
from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import Batch, Sender
from collector.redact import Redactor
from tests.collector.pipeline_parts import NOW, Nowhere

JUDGED = datetime(2026, 11, 25, 3, tzinfo=UTC)
ROUTER = Router(load_all().values())
SAFE = {"id": "safe-runs-alone", "version": "1"}
STRICTER: dict[str, Any] = {
    "id": "safe-runs-alone",
    "version": 2,
    "applies": {"impact": ["safe"]},
    "needs": {"approval": True},
}
OWN: list[dict[str, Any]] = [
    {"id": "databases", "version": 3, "applies": {"tools": ["db_"], "organizations": ["acme"]}},
    {"id": "ours", "version": 1, "applies": {"organizations": ["acme"]}},
]


def entry(stage: str, second: int = 0, **more: Any) -> dict[str, Any]:
    """What a producer sends of a stage of a chain.

    Args:
        more: ``impact``, ``tool`` and ``organization``, empty: it says none; ``ours``: more of the
            group ``activity``.
    """
    impact, tool = more.get("impact", "safe"), more.get("tool", "list_disks")
    return {
        "@timestamp": f"2026-11-25T02:34:{second:02d}Z",
        "event": {"action": "agent.reply", "id": f"e-{stage}-{second}"},
        "organization": {"id": more.get("organization", "acme")},
        "gen_ai": {"tool": {"call": {"arguments": {"a": 1}}, **({"name": tool} if tool else {})}},
        "activity": {
            "lens": "agent",
            "proposal": {"id": "prp-1", "stage": stage},
            **({"impact": {"level": impact}} if impact else {}),
            **more.get("ours", {}),
        },
    }


def stored(
    *records: dict[str, Any], policies: Policies | None = None, sender: Sender | None = None
) -> list[dict[str, Any]]:
    """What becomes of records in a collector with these policies."""
    normalizer = Normalizer({}, {}, "permanent", None, policies)
    stages = Stages(ROUTER, normalizer, Redactor(), Pseudonyms((), b""), Digests(b"k" * 32))
    batch = Batch(sender or Sender("agents"), list(records), None, "native", "", NOW)
    _, entries, rejects = Pipeline(stages, Nowhere()).process(batch)
    assert not rejects, rejects
    return [orjson.loads(one.body) for one in entries]


def told(record: dict[str, Any], policies: Policies | None = None) -> Any:
    """The policy that stands in what becomes of a record."""
    (document,) = stored(record, policies=policies)
    return document["activity"].get("policy_at_receipt")


def named(id_: str, version: str = "1") -> dict[str, str]:
    """A policy as an entry names it."""
    return {"id": id_, "version": version}


@pytest.mark.parametrize(
    ("impact", "policy"),
    [
        ("safe", "safe-runs-alone"),
        ("caution", "caution-needs-approval"),
        ("destructive", "destructive-needs-second-person"),
        ("", "unrated-needs-approval"),
        ("severe", "unrated-needs-approval"),
    ],
    ids=["safe", "caution", "destructive", "unrated", "no-impact"],
)
def test_a_proposal_is_told_the_policy_of_its_impact(impact: str, policy: str) -> None:
    """Of the shipped ones, where there are no others; another word than an impact is none."""
    assert told(entry("proposed", impact=impact)) == named(policy)


@pytest.mark.parametrize(
    ("more", "policy"),
    [
        ({"tool": "db_drop"}, named("databases", "3")),
        ({}, named("ours")),
        ({"tool": ""}, named("ours")),
        ({"tool": "db_drop", "organization": "bank"}, SAFE),
    ],
    ids=["tool", "organization", "no-tool", "another"],
)
def test_tool_and_organization_count(more: dict[str, Any], policy: dict[str, str]) -> None:
    """The policies are the collector's own, and are asked of all that they are about."""
    assert told(entry("proposed", **more), made(OWN)) == policy


def test_the_configuration_has_them(tmp_path: Path) -> None:
    """What stands in ``approval_policies`` reaches the proposals that a collector takes."""
    file = tmp_path / "activity-center.yml"
    file.write_text(
        f"collector: {{data_dir: '{tmp_path}', http: [{{bind: '127.0.0.1:0'}}]}}\n"
        f"senders: [{{name: agents, token_sha256: '{'0' * 64}'}}]\n"
        "approval_policies:\n  policies: [{id: rest, version: 4}]\n"
    )
    _, stages = check_config(file, make_key=False)
    batch = Batch(Sender("agents"), [entry("proposed")], None, "native", "", NOW)
    _, (one,), _ = Pipeline(stages, Nowhere()).process(batch)
    assert orjson.loads(one.body)["activity"]["policy_at_receipt"] == named("rest", "4")


@pytest.mark.parametrize("stage", ["approved", "denied", "executing", "completed", "failed"])
def test_only_a_proposal_is_told(stage: str) -> None:
    """A decision and a run are under the policy of their proposal."""
    assert told(entry(stage)) is None


def test_a_proposal_that_writes_no_stage_is_told() -> None:
    """It is one by its action; the same in another lens is none."""
    record = entry("proposed")
    del record["activity"]["proposal"]["stage"], record["activity"]["lens"]
    record["event"]["action"] = "agent.proposal.created"
    assert told(record) == SAFE
    record["activity"]["lens"] = "audit"
    assert told(record) is None


@pytest.mark.parametrize("trusted", [False, True], ids=["any", "trusted"])
@pytest.mark.parametrize("stage", ["proposed", "executing"])
def test_no_sender_can_say_it(stage: str, trusted: bool) -> None:
    """What one claims goes to ``metadata``, and the collector's own word stands in its place."""
    claim = named("unrated-needs-approval", "9")
    sender = Sender("s", may_assert=frozenset({"approver"}) if trusted else frozenset())
    (document,) = stored(entry(stage, ours={"policy_at_receipt": claim}), sender=sender)
    assert document["activity"].get("policy_at_receipt") == (SAFE if stage == "proposed" else None)
    assert document["metadata"]["activity"]["policy_at_receipt"] == claim


def test_it_is_no_part_of_the_hash() -> None:
    """Two collectors with other policies take the same event as the same."""
    (one,), (other,) = (stored(entry("proposed"), policies=made(own)) for own in ([], [STRICTER]))
    assert one["activity"]["policy_at_receipt"] != other["activity"]["policy_at_receipt"]
    assert one["event"]["hash"] == other["event"]["hash"] == digest(one) == digest(other)


def chain(*entries: dict[str, Any]) -> Chain:
    """The chain of what a collector with the shipped policies stored."""
    return read_chain(stored(*entries))


def test_a_policy_that_changes_later_accuses_nobody() -> None:
    """A safe tool that ran alone did so as the policy of that day had it, which is named."""
    ran = chain(entry("proposed"), entry("executing", 1), entry("completed", 2))
    assert ran.as_dict()["policy"] == SAFE
    for policies in (shipped_policies(), made([STRICTER])):
        said = judge(ran, policies, now=JUDGED)
        assert (said.verdict.key, said.as_dict()["policy"]) == ("executed_as_approved", SAFE)
    changed = judge(ran, made([STRICTER]), now=JUDGED, recorded=False)
    assert changed.verdict.key == "executed_without_approval"
    assert changed.as_dict()["policy"] == named("safe-runs-alone", "2")


def test_an_entry_of_before_is_judged_by_what_applies_now() -> None:
    """A proposal that no policy was told is under today's."""
    entries = stored(entry("proposed"), entry("executing", 1), entry("completed", 2))
    del entries[0]["activity"]["policy_at_receipt"]
    said = judge(read_chain(entries), made([STRICTER]), now=JUDGED)
    assert said.verdict.key == "executed_without_approval"
    assert said.as_dict()["policy"] == named("safe-runs-alone", "2")


def approval(authenticated: bool) -> dict[str, Any]:
    """An approval that names another policy than its proposal was told."""
    decision = {
        "decision": {"outcome": "approved", "source": "user"},
        "approver": {"id": "usr_mk", "roles": ["admin"]},
        "policy": named("safe-runs-alone", "2"),
    }
    sender = Sender("s", may_assert=frozenset({"approver"}) if authenticated else frozenset())
    (document,) = stored(entry("approved", 5, ours=decision), sender=sender)
    return document


@pytest.mark.parametrize("authenticated", [False, True])
def test_an_authenticated_decision_names_it_first(authenticated: bool) -> None:
    """One that nobody proves names nothing that counts."""
    found = read_chain([*stored(entry("proposed")), approval(authenticated)])
    said = judge(found, made([STRICTER]), now=JUDGED)
    assert said.policy.version == (2 if authenticated else 1)


@pytest.mark.parametrize(
    "more", [{"impact": "destructive"}, {"tool": "db_drop"}], ids=["impact", "tool"]
)
def test_it_is_not_the_policy_of_what_the_proposal_did_not_tell(more: dict[str, Any]) -> None:
    """A proposal without impact or tool was told the policy of that; what ran is under its own,
    also where the told one is about everything."""
    lax = {"id": "rest", "version": 1, "needs": {"approval": False}}
    strict = {"id": "strict", "version": 1, "applies": {"impact": ["destructive"]}}
    tools = {"id": "tools", "version": 1, "applies": {"tools": ["db_"]}}
    policies = made([strict, tools, lax])
    proposal, run = entry("proposed", impact="", tool=""), {"impact": "", "tool": "", **more}
    found = read_chain(stored(proposal, entry("executing", 1, **run), policies=policies))
    assert found.entries[0].ours["policy_at_receipt"] == named("rest")
    said = judge(found, policies, now=JUDGED)
    assert said.verdict.key == "executed_without_approval"
    assert said.policy.id == ("strict" if "impact" in more else "tools")


DATABASES: list[dict[str, Any]] = [
    {"id": "databases", "version": 1, "applies": {"tools": ["db_"]}, "needs": {"approval": True}},
    {"id": "grave", "version": 1, "applies": {"impact": ["destructive"]}},
    {"id": "rest", "version": 1, "needs": {"approval": False}},
]


@pytest.mark.parametrize(
    ("sent", "policy"),
    [
        ({"tool": "db_drop"}, "databases"),
        ({"tool": ["db_drop"]}, "databases"),
        ({"tool": "db_" + "x" * 400}, "databases"),
        ({"impact": "destructive"}, "grave"),
        ({"impact": ["destructive"]}, "grave"),
        ({"stage": ["proposed"], "tool": ["db_drop"]}, "databases"),
    ],
    ids=["text", "list", "long", "impact", "impact-list", "stage-list"],
)
def test_no_spelling_escapes_a_policy(sent: dict[str, Any], policy: str) -> None:
    """What is stored as a text counts as that text, whatever it was sent as; of a name that is
    too long its beginning does. The chain is judged by the same policy."""
    stage = sent.pop("stage", "proposed")
    policies = made(DATABASES)
    proposal, run = entry("proposed", **sent), entry("executing", 1, **sent)
    proposal["activity"]["proposal"]["stage"] = stage
    documents = stored(proposal, run, policies=policies)
    assert documents[0]["activity"]["policy_at_receipt"] == named(policy)
    said = judge(read_chain(documents), policies, now=JUDGED)
    assert (said.verdict.key, said.policy.id) == ("executed_without_approval", policy)


def test_a_proposal_that_tells_its_tools_kind_alone() -> None:
    """The tool is the one that an entry names: a kind is no name."""
    policies = made(DATABASES)
    proposal = entry("proposed", tool="")
    proposal["gen_ai"]["tool"]["type"] = "function"
    documents = stored(proposal, entry("executing", 1, tool="db_drop"), policies=policies)
    said = judge(read_chain(documents), policies, now=JUDGED)
    assert (said.verdict.key, said.policy.id) == ("executed_without_approval", "databases")


def test_the_proposal_that_came_first_names_it() -> None:
    """A second proposal under the same id, received under a laxer policy, changes nothing."""
    (first,) = stored(entry("proposed", 3), policies=made([STRICTER]))
    (second,) = stored(entry("proposed", 1))
    second["event"]["ingested"] = "2026-11-25T02:40:00.000000Z"
    found = read_chain([second, first])
    assert found.policy == ("safe-runs-alone", "2")
