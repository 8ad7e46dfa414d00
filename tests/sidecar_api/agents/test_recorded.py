"""What a decision's record says and what is kept of it here, where no store is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activity_center.agents import Chain, read_chain, shipped_policies
from sidecar_api.agents import decisions
from sidecar_api.agents.decisions import Wish
from sidecar_api.agents.places import Key
from sidecar_api.agents.remembered import Remembered
from sidecar_api.reader import Grant, Reader

SECRET = b"s" * 32
MIRA = Reader(id="usr_mk", full_name="Mira Kovač", provider="oidc", mfa=True)
NOW = datetime(2026, 11, 24, 13, 1, tzinfo=UTC)
PROPOSED: dict[str, Any] = {
    "@timestamp": "2026-11-24T13:00:00.000Z",
    "event": {"id": "e1", "hash": "0" * 64, "action": "agent.proposal.created"},
    "organization": {"id": "northwind"},
    "gen_ai": {"tool": {"name": "connect", "call": {"id": "c1", "arguments": {"host": "db"}}}},
    "activity": {
        "lens": "agent",
        "proposal": {"id": "prp_1", "stage": "proposed"},
        "impact": {"level": "caution"},
        "resource": {"type": "server", "id": "srv_1", "name": "api-prod-1"},
    },
}
CHAIN = read_chain([PROPOSED])


def said(wish: Wish, reader: Reader = MIRA) -> dict[str, Any]:
    """What the record of a decision says."""
    policy = shipped_policies().of(CHAIN)
    id_ = decisions.decision_id(SECRET, CHAIN)
    mark = wish.mark(SECRET, reader, CHAIN)
    return decisions.fields(CHAIN, PROPOSED, wish, reader, policy, NOW, id_, mark)


def entry(wish: Wish, reader: Reader = MIRA) -> dict[str, Any]:
    """The entry of a decision until it can be searched for."""
    return decisions.as_entry(wish.action, said(wish, reader))


def having(*entries: dict[str, Any]) -> Chain:
    """The chain with these too."""
    return read_chain([PROPOSED, *entries])


@pytest.mark.parametrize("mfa", [True, False])
def test_how_somebody_signed_in_is_recorded(mfa: bool) -> None:
    """Provider and second factor of the session stand in the record and in the chain."""
    reader = replace(MIRA, mfa=mfa)
    decision = said(Wish("approved"), reader)["activity.decision"]
    assert (decision["auth_method"], decision["mfa"]) == ("oidc", mfa)
    (shown,) = having(entry(Wish("approved"), reader)).as_dict()["decisions"]
    assert (shown["auth_method"], shown["mfa"]) == ("oidc", mfa)


def test_a_provider_that_tells_no_second_factor() -> None:
    """Then the record says nothing of it, which is not the same as none."""
    reader = replace(MIRA, provider="token", mfa=None)
    assert "mfa" not in said(Wish("denied"), reader)["activity.decision"]
    (shown,) = having(entry(Wish("denied"), reader)).as_dict()["decisions"]
    assert (shown["auth_method"], shown["mfa"]) == ("token", None)


def test_roles_of_the_platform_and_of_the_organization_are_recorded() -> None:
    """Both kinds, since both let somebody decide; those of another organization are left out."""
    grants = {"northwind": (Grant("member"),), "brightleaf": (Grant("owner"),)}
    reader = replace(MIRA, platform_roles=frozenset({"platform_admin"}), grants=grants)
    found = said(Wish("approved"), reader)["activity.approver"]
    assert found["roles"] == ["member", "platform_admin"]


def test_a_proposal_has_one_decision() -> None:
    """Whoever decides what: one id. The mark tells whether it is the same wish."""
    wishes = [
        (Wish("approved"), MIRA),
        (Wish("denied"), MIRA),
        (Wish("approved"), replace(MIRA, id="usr_jo")),
        (Wish("edited", arguments={"host": "other"}), MIRA),
    ]
    made = [entry(*one) for one in wishes]
    assert {one["event"]["id"] for one in made} == {decisions.decision_id(SECRET, CHAIN)}
    assert len({one["metadata"]["wish"] for one in made}) == 4
    assert decisions.decision_id(b"t" * 32, CHAIN) != decisions.decision_id(SECRET, CHAIN)
    other = read_chain([{**PROPOSED, "organization": {"id": "brightleaf"}}])
    assert decisions.decision_id(SECRET, other) != decisions.decision_id(SECRET, CHAIN)


def test_what_is_stored_counts_and_not_what_is_remembered() -> None:
    """Of two decisions of one id the stored one is the decision, also where the other was made."""
    mine, stored = entry(Wish("denied")), entry(Wish("approved"), replace(MIRA, id="usr_jo"))
    stored["event"]["hash"] = "1" * 64
    id_ = mine["event"]["id"]
    alone, both = having(mine), having(mine, stored)
    assert not decisions.is_stored(decisions.made(alone, id_))
    found = decisions.made(both, id_)
    assert decisions.is_stored(found)
    assert decisions.mark_of(found) == stored["metadata"]["wish"]
    assert [one.outcome for one in both.decisions] == ["approved"]


def test_another_entry_of_that_id_is_not_the_decision() -> None:
    """Who has read the id can send it again; what nothing proves is not taken for it."""
    stored = entry(Wish("approved"))
    stored["event"]["hash"] = "1" * 64
    forged = {**stored, "event": {**stored["event"], "hash": "2" * 64}, "metadata": {"wish": "x"}}
    approver = {"id": "usr_mk", "authenticated": False}
    forged["@timestamp"] = "2026-11-24T13:00:01.000Z"
    forged["activity"] = {**stored["activity"], "approver": approver}
    found = decisions.made(having(forged, stored), stored["event"]["id"])
    assert decisions.mark_of(found) == stored["metadata"]["wish"]


def test_no_secret_is_kept_here(tmp_path: Path) -> None:
    """Changed arguments, reason and what was typed: nothing of them stands on the disk."""
    wish = Wish(
        "edited",
        reason="the password is hunter2",
        confirmation="hunter2",
        arguments={"host": "db", "password": "hunter2"},
    )
    made = entry(wish)
    remembered, key = Remembered(tmp_path), Key("northwind", "prp_1")
    with remembered.one_at_a_time(key) as slot:
        slot.keep(decisions.kept(made, CHAIN))
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert len(files) == 1
    assert b"hunter2" not in files[0].read_bytes()
    kept = remembered.entry(key)
    assert kept is not None
    chain = having(kept)
    assert (chain.state, chain.decisions[0].authenticated) == ("edited", True)
    assert decisions.mark_of(decisions.made(chain, made["event"]["id"])) == made["metadata"]["wish"]
    assert json.dumps(made).count("hunter2") == 3  # what is recorded is whole


def test_the_name_that_confirms_is_kept() -> None:
    """Else what was just approved looked as if nobody had confirmed it."""
    kept = decisions.kept(entry(Wish("approved", confirmation="api-prod-1")), CHAIN)
    assert kept["activity"]["confirmation"] == {"text": "api-prod-1"}


def test_who_is_second_is_told_who_decided_first() -> None:
    """By name, with what was decided and when."""
    policy = shipped_policies().of(CHAIN)
    over = decisions.closed(having(entry(Wish("denied"))), policy, NOW)
    assert over == "It is denied by Mira Kovač since 2026-11-24T13:01:00.000Z."
