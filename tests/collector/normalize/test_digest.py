"""Digests bind a decision to what was decided, and an execution to what ran."""

from __future__ import annotations

import hashlib
import hmac
import re
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest
import rfc8785

from activity_center.agents.difference import drifted
from activity_center.errors import ConfigError
from collector.normalize.digest import KEY_ID, Digests, load
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline
from collector.records import Batch, Sender
from tests.collector.pipeline_parts import NOW, Nowhere, pipeline

KEY = b"k" * 32
SIDECAR = Sender("sidecar", may_assert=frozenset({"approver"}))
AGENTS = Sender("agents")


def entry(stage: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """An entry of a chain; further keywords are members of the group ``activity``."""
    action = {
        "proposed": "agent.proposal.created",
        "approved": "agent.proposal.approved",
        "denied": "agent.proposal.denied",
        "executing": "agent.proposal.executing",
        "completed": "agent.restartService",
        "failed": "agent.proposal.failed",
    }[stage]
    call = {"id": "call-1"} if arguments is None else {"id": "call-1", "arguments": arguments}
    proposal = {"id": "prp-1", "stage": stage, **more.pop("proposal", {})}
    ours: dict[str, Any] = {"resource": {"type": "service", "id": "svc-1", "name": "nginx"}}
    if stage in ("approved", "denied"):
        ours["decision"] = {"outcome": stage, "source": "user"}
    return {
        "@timestamp": "2026-11-25T02:34:00Z",
        "event": {"action": action, "id": f"e-{stage}"},
        "gen_ai": {"tool": {"name": "restart_service", "call": call}},
        "activity": {**ours, "proposal": proposal, **more},
    }


def stored(
    record: dict[str, Any], sender: Sender = AGENTS, made: Pipeline | None = None
) -> dict[str, Any]:
    _, entries, rejects = (made or pipeline()).process(
        Batch(sender, [record], None, "native", "", NOW)
    )
    assert not rejects, rejects
    document: dict[str, Any] = orjson.loads(entries[0].body)
    return document


def digest(document: dict[str, Any]) -> str | None:
    """The digest of an entry, wherever its stage has it."""
    ours = document["activity"]
    found = [ours.get(name, {}).get("digest") for name in ("proposal", "execution")]
    values = [one for one in found if one is not None]
    assert len(values) <= 1
    return values[0] if values else None


def due(arguments: Any, target: dict[str, str] | None = None, tool: str = "restart_service") -> str:
    """The digest, worked out beside the collector."""
    target = {"type": "service", "id": "svc-1"} if target is None else target
    what = rfc8785.dumps({"tool": tool, "arguments": arguments, "target": target})
    key, made = (hmac.new(KEY, one, hashlib.sha256).hexdigest() for one in (KEY_ID, what))
    return f"hmac-sha256:{key[:8]}:{made}"


@pytest.mark.parametrize(
    ("stage", "group"),
    [
        ("proposed", "proposal"),
        ("approved", "proposal"),
        ("executing", "execution"),
        ("completed", "execution"),
        ("failed", "execution"),
    ],
)
def test_each_stage_has_the_digest_of_tool_arguments_and_target(stage: str, group: str) -> None:
    """HMAC-SHA-256 over the form of RFC 8785, in the group of the stage."""
    arguments = {"n": 1.0, "service": "nginx", "list": [1, {"b": None, "a": True}]}
    document = stored(entry(stage, arguments))
    assert document["activity"][group]["digest"] == due(arguments)
    assert digest(document) == due(arguments)
    assert "tags" not in document


@pytest.mark.parametrize("stage", ["denied"])
def test_a_stage_that_binds_nothing_has_none(stage: str) -> None:
    """A refusal approves nothing."""
    assert digest(stored(entry(stage, {"a": 1}))) is None


def test_an_entry_that_does_not_say_what_has_none() -> None:
    """Without arguments nobody can tell what was decided; no arguments is something else."""
    assert digest(stored(entry("approved"))) is None
    nameless = entry("approved", {"a": 1})
    del nameless["gen_ai"]["tool"]["name"]
    assert digest(stored(nameless)) is None
    assert digest(stored(entry("approved", {}))) == due({})


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"service": "nginx", "force": True}},
        {"arguments": {"service": ["nginx"]}},
        {"tool": "stop_service"},
        {"target": {"type": "service", "id": "svc-2"}},
        {"target": {"id": "svc-1"}},
    ],
    ids=["argument", "form", "tool", "target", "target-type"],
)
def test_whatever_drifts_shows(change: dict[str, Any]) -> None:
    """Another argument, tool or target is another digest; words beside them are not."""
    approved = stored(entry("approved", {"service": "nginx"}))
    ran = entry("executing", change.get("arguments", {"service": "nginx"}), message="other words")
    ran["gen_ai"]["tool"]["name"] = change.get("tool", "restart_service")
    ran["activity"]["resource"] = change.get("target", {"type": "service", "id": "svc-1"})
    assert digest(stored(ran)) != digest(approved)
    same = entry("executing", {"service": "nginx"})
    same["activity"]["resource"]["name"] = "renamed"
    assert digest(stored(same)) == digest(approved)


def test_the_catalogue_does_not_move_a_digest() -> None:
    """The action that ran has a kind of resource of its own in the catalogue; the target that
    counts is the one that was sent."""
    approved, ran = entry("approved", {}), entry("completed", {})
    del approved["activity"]["resource"], ran["activity"]["resource"]
    kinds = [stored(one)["activity"]["resource"]["type"] for one in (approved, ran)]
    assert kinds[0] != kinds[1]
    assert digest(stored(approved)) == digest(stored(ran)) == due({}, {})


def test_dotted_and_nested_are_one() -> None:
    """The form in which a program writes the fields does not matter."""
    nested = entry("executing", {"service": "nginx"})
    dotted = {
        "@timestamp": nested["@timestamp"],
        "event.action": "agent.proposal.executing",
        "event.id": "e-2",
        "gen_ai.tool.name": "restart_service",
        "gen_ai.tool.call.arguments": {"service": "nginx"},
        "activity.resource.type": "service",
        "activity.resource.id": "svc-1",
        "activity.proposal.stage": "executing",
    }
    assert digest(stored(dotted)) == digest(stored(nested)) is not None


def test_drift_in_a_secret_shows_and_the_secret_does_not() -> None:
    """The digest is made before redaction: another password is another digest, and neither is
    stored, nor is a digest that whoever lacks the key could compare guesses with."""
    one, same, other = (
        stored(entry(stage, {"user": "ada", "password": word}))
        for stage, word in (("approved", "hunter22"), ("executing", "hunter22"), ("failed", "h2"))
    )
    assert digest(one) == digest(same) == due({"user": "ada", "password": "hunter22"})
    assert digest(one) != digest(other)
    for document in (one, same, other):
        assert document["gen_ai"]["tool"]["call"]["arguments"]["password"] == "[redacted]"
        assert b"hunter22" not in orjson.dumps(document)
        assert "tags" not in document


def test_pseudonyms_do_not_move_a_digest() -> None:
    """A field that is stored as a keyed hash goes into the digest as it was sent, so that
    collectors need to share the one key alone."""
    hidden = pipeline(Pseudonyms(("gen_ai.tool.name",), b"p" * 32))
    document = stored(entry("executing", {"a": 1}), made=hidden)
    assert document["gen_ai"]["tool"]["name"].startswith("hmac:")
    assert digest(document) == due({"a": 1})


# -- what a sender claims ------------------------------------------------------------


def test_a_claim_that_is_right_stays() -> None:
    """A digest that is the one of what was sent is no news."""
    right = due({"a": 1})
    document = stored(entry("approved", {"a": 1}, proposal={"digest": right}))
    assert digest(document) == right
    assert "metadata" not in document
    assert "tags" not in document


@pytest.mark.parametrize("sender", [AGENTS, SIDECAR], ids=["agents", "sidecar"])
@pytest.mark.parametrize("secret", [{}, {"password": "hunter22"}], ids=["plain", "secret"])
def test_a_claim_that_differs_is_kept_beside_and_marked(
    sender: Sender, secret: dict[str, str]
) -> None:
    """What was sent counts, also where its secrets are removed before it is stored."""
    claim = {"digest": "hmac-sha256:00"}
    document = stored(entry("approved", {"a": 1, **secret}, proposal=claim, tags="x"), sender)
    assert digest(document) == due({"a": 1, **secret})
    assert document["metadata"]["claimed_digest"] == "hmac-sha256:00"
    assert document["tags"] == ["claimed_digest_differs"]


@pytest.mark.parametrize("claim", ["9d20e471:", ""], ids=["other-key", "before-there-were-ids"])
@pytest.mark.parametrize("sender", [AGENTS, SIDECAR], ids=["agents", "sidecar"])
def test_a_claim_of_another_key_does_not_differ(sender: Sender, claim: str) -> None:
    """The sidecar decides on a proposal from before the key changed: what was sent counts, and
    nobody is accused of another digest, since nobody can tell."""
    claimed = f"hmac-sha256:{claim}{'5b' * 32}"
    document = stored(entry("approved", {"a": 1}, proposal={"digest": claimed}), sender)
    assert digest(document) == due({"a": 1})
    assert document["metadata"]["claimed_digest"] == claimed
    assert "tags" not in document
    own = due({"a": 2})
    document = stored(entry("approved", {"a": 1}, proposal={"digest": own}), sender)
    assert document["tags"] == ["claimed_digest_differs"]


def test_claims_without_arguments() -> None:
    """Who may not speak for approvers cannot say what was decided or ran without showing it,
    at any stage."""
    for stage in ("approved", "denied", "executing"):
        both = entry(stage, proposal={"digest": "a"}, execution={"digest": "b", "output": "done"})
        document = stored({**both, "tags": ["mine"], "metadata": {"claimed_digest": "mine"}})
        assert digest(document) is None
        assert document["activity"]["execution"] == {"output": "done"}
        kept = document["metadata"]
        assert kept.pop("claimed_digest") == "mine"
        assert list(kept.values()) == [["a", "b"]]
        assert document["tags"] == ["mine", "claimed_digest_differs"]


@pytest.mark.parametrize("stage", ["approved", "denied"])
@pytest.mark.parametrize(
    "arguments", [None, {"password": "[redacted]"}], ids=["none", "without-secrets"]
)
def test_the_sidecar_decides_on_what_is_stored(stage: str, arguments: Any) -> None:
    """It knows the arguments without their secrets; the digest of the proposal that it decides
    on is believed, so that the execution with the secrets is found to be the one approved."""
    proposal = stored(entry("proposed", {"password": "hunter22"}))
    decided = stored(entry(stage, arguments, proposal={"digest": digest(proposal)}), SIDECAR)
    ran = stored(entry("executing", {"password": "hunter22"}))
    assert digest(decided) == digest(proposal) == digest(ran)
    assert "tags" not in decided
    assert digest(stored(entry(stage, arguments, proposal={"digest": "x"}), AGENTS)) != "x"


def test_odd_values_are_no_defect() -> None:
    """Whatever stands where a group or a digest should, the record is kept or refused for it."""
    for odd in (None, 1, "text", [], [{}], {}):
        for name in ("proposal", "execution", "resource"):
            record = entry("executing", {"a": 1})
            record["activity"][name] = odd
            stored(record)
        for path in (("gen_ai",), ("gen_ai", "tool"), ("gen_ai", "tool", "call")):
            record = entry("executing", {"a": 1})
            holder = record
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = odd
            stored(record)
        stored(entry("executing", odd, execution={"digest": odd}))
        stored({**entry("executing", {}, execution={"digest": "x"}), "tags": odd, "metadata": odd})


# -- the key -------------------------------------------------------------------------


def test_the_key_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    """Workers that start at once share the file; so do collectors that are given the same."""
    first, second = load("", tmp_path), load("", tmp_path)
    file = tmp_path / "keys" / "digest.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes()) == 32
    shared = load(str(file), tmp_path / "other")
    records = [
        stored(
            entry("executing", {"a": 1}),
            made=Pipeline(pipeline().stages._replace(digests=one), Nowhere()),
        )
        for one in (first, second, shared, Digests(b"another" * 5))
    ]
    assert len({digest(one) for one in records[:3]}) == 1
    assert digest(records[3]) != digest(records[0])
    assert digest(records[0]) != due({"a": 1})


def test_a_digest_tells_its_key_and_not_what_it_is() -> None:
    """Digests of one key are known by a part that is neither the key nor a hash of it alone."""
    found = []
    for key in (KEY, b"o" * 32):
        made = Pipeline(pipeline().stages._replace(digests=Digests(key)), Nowhere())
        texts = [digest(stored(entry("executing", {"n": n}), made=made)) or "" for n in (1, 2)]
        (id_,) = {text.split(":")[1] for text in texts}
        found.append(id_)
        assert re.fullmatch("[0-9a-f]{8}", id_)
        assert id_ != hashlib.sha256(key).hexdigest()[:8]
        assert bytes.fromhex(id_) not in key
        assert drifted(texts[0], (texts[1],)) is True
    assert found[0] != found[1]


def test_another_key_is_no_drift(tmp_path: Path) -> None:
    """After the key file is lost, what runs cannot be compared by digests with what was approved
    before; digests that have no key's id are compared among each other."""
    lost = Pipeline(pipeline().stages._replace(digests=load("", tmp_path)), Nowhere())
    approved, ran = entry("approved", {"a": 1}), entry("executing", {"a": 1})
    before, after = digest(stored(approved)) or "", digest(stored(ran, made=lost)) or ""
    assert before and after
    assert drifted(before, (after,)) is None
    assert drifted(before, (after, before)) is False
    assert drifted("hmac-sha256:5b0e", (after,)) is None
    assert drifted("hmac-sha256:5b0e", ("hmac-sha256:5b0e",)) is False
    assert drifted("hmac-sha256:5b0e", ("hmac-sha256:77c2",)) is True


def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    """Nobody starts with a key that can be guessed."""
    file = tmp_path / "short.key"
    file.write_bytes(b"short")
    with pytest.raises(ConfigError, match="fewer than 32 bytes"):
        load(str(file), tmp_path)


@pytest.mark.parametrize("spelled", ["tool", "stage", "outcome"])
def test_no_spelling_is_without_a_digest(spelled: str) -> None:
    """A list of one text is stored as that text, and so it binds as that text does: who ran with
    another password than was approved is found, however the run is written."""
    plain, odd = (
        entry("executing", {"password": "evil-2"}),
        entry("executing", {"password": "evil-2"}),
    )
    if spelled == "tool":
        odd["gen_ai"]["tool"]["name"] = ["restart_service"]
    elif spelled == "stage":
        for one in (plain, odd):
            one["event"]["action"] = "agent.reply"
            one["activity"]["lens"] = "agent"
        odd["activity"]["proposal"]["stage"] = ["executing"]
    else:
        plain, odd = entry("approved", {"a": 1}), entry("approved", {"a": 1})
        for one in (plain, odd):
            del one["activity"]["proposal"]["stage"]
            one["event"]["action"] = "agent.reply"
            one["activity"]["lens"] = "agent"
        odd["activity"]["decision"]["outcome"] = ["approved"]
    group = "proposal" if spelled == "outcome" else "execution"
    told, said = (stored(one)["activity"][group]["digest"] for one in (plain, odd))
    assert said == told
