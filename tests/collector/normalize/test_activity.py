"""The normalizer's rules, one test each, on mapped activities as a mapping makes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from activity_center.config import Organization
from collector.normalize import Context, Normalizer, Refused
from collector.records import Sender

RECEIVED = 1_764_000_000_000_000_000  # 2025-11-24T16:00:00Z
NORMALIZER = Normalizer(
    {
        "acme": Organization("acme", plan="standard"),
        "bank": Organization("bank", plan="standard", own_streams=True),
    },
    {"standard": "standard-30d"},
    "permanent",
)


def complete(
    activity: dict[str, Any], sender: Sender | None = None, transport: int | None = None
) -> tuple[dict[str, Any], str, int]:
    context = Context.of(sender or Sender("s"), RECEIVED)
    stream, ms, receiver = NORMALIZER.complete(activity, context, transport)
    activity["activity"] |= json.loads(b"{" + receiver[:-1] + b"}")
    return activity, stream, ms


def event(action: str = "server.create", **more: Any) -> dict[str, Any]:
    return {"event": {"action": action}, "@timestamp": "2025-11-24T15:00:00Z", **more}


def test_the_catalogue_fills_what_the_producer_left_out() -> None:
    """Category, type, severity, lens and resource type come from the action."""
    activity, _, _ = complete(event())
    assert activity["event"]["category"]
    assert activity["event"]["kind"] == "event"
    assert activity["event"]["outcome"] == "unknown"
    assert activity["activity"]["catalogued"] is True
    assert activity["activity"]["lens"] == "audit"
    assert activity["activity"]["resource"]["type"] == "server"


def test_the_producer_s_own_values_stay() -> None:
    """Defaults never overwrite."""
    activity, _, _ = complete(
        event(activity={"resource": {"type": "vm", "id": "1"}}) | {"event": {
            "action": "server.create", "outcome": "failure", "severity": 4, "category": ["web"]}}
    )  # fmt: skip
    assert activity["event"]["outcome"] == "failure"
    assert activity["event"]["severity"] == 4
    assert activity["event"]["category"] == ["web"]
    assert activity["activity"]["resource"] == {"type": "vm", "id": "1"}


def test_an_unknown_action_is_kept_and_marked() -> None:
    """An action outside the catalogue is never dropped."""
    activity, stream, _ = complete(event("rocket.launch"))
    assert activity["activity"]["catalogued"] is False
    assert stream == "activity-audit-permanent"


@pytest.mark.parametrize("wrong", [None, "", 7, {"a": 1}])
def test_without_an_action_it_is_no_activity(wrong: Any) -> None:
    """The one thing a producer must say."""
    with pytest.raises(Refused) as caught:
        complete({"event": {"action": wrong}})
    assert (caught.value.reason, caught.value.path) == ("invalid", "/event/action")


@pytest.mark.parametrize(
    ("action", "organization", "stream"),
    [
        ("server.create", None, "activity-audit-permanent"),
        ("server.create", "acme", "activity-audit-standard-30d"),
        ("billing.wallet.topup", "acme", "activity-audit-billing-7y"),
        ("server.create", "bank", "activity-audit-standard-30d-bank"),
        ("agent.proposal.approved", "acme", "activity-agent-standard-30d"),
    ],
)
def test_the_retention_class_decides_the_stream(
    action: str, organization: str | None, stream: str
) -> None:
    """A legal class first, else the organization's plan, else the default."""
    more = {"organization": {"id": organization}} if organization else {}
    assert complete(event(action, **more))[1] == stream


def test_a_missing_organization_becomes_the_sender_s_only_one() -> None:
    """One sender for one organization need not name it in each event."""
    one = Sender("s", organizations=frozenset({"acme"}))
    assert complete(event(), one)[0]["organization"] == {"id": "acme"}
    two = Sender("s", organizations=frozenset({"acme", "bank"}))
    assert "organization" not in complete(event(), two)[0]


def test_a_foreign_organization_is_refused() -> None:
    """A sender cannot write into another organization's trail."""
    with pytest.raises(Refused) as caught:
        complete(event(organization={"id": "bank"}), Sender("s", organizations=frozenset({"acme"})))
    assert caught.value.reason == "organization_not_allowed"


def test_time_is_utc_and_the_offset_is_kept() -> None:
    """The claimed offset stands in event.timezone."""
    activity, _, ms = complete(event() | {"@timestamp": "2025-11-24T17:00:00.5+02:00"})
    assert activity["@timestamp"] == "2025-11-24T15:00:00.500000Z"
    assert activity["event"]["timezone"] == "+02:00"
    assert ms == 1_763_996_400_500
    assert activity["activity"]["timestamp_source"] == "event"


@pytest.mark.parametrize(
    "claimed", ["9999-12-31T23:59:59Z", "1999-01-01T00:00:00Z", "2025-11-24T16:11:00Z"]
)
def test_an_unbelievable_time_becomes_the_time_of_receipt(claimed: str) -> None:
    """A year 9999 would sit on top of every list for good; the claim is kept."""
    activity, _, ms = complete(event() | {"@timestamp": claimed})
    assert ms == RECEIVED // 1_000_000
    assert activity["activity"]["timestamp_source"] == "receipt"
    assert activity["activity"]["claimed_timestamp"] == claimed


def test_the_transport_s_time_is_the_second_choice() -> None:
    """A Forward record without time of its own has the time of its entry."""
    activity = event()
    del activity["@timestamp"]
    _, _, ms = complete(activity, transport=RECEIVED - 10**9)
    assert ms == RECEIVED // 1_000_000 - 1000
    assert activity["activity"]["timestamp_source"] == "transport"
    assert "claimed_timestamp" not in activity["activity"]


def test_old_and_new_give_the_modified_fields() -> None:
    """The producer sends two states; readers get the difference."""
    ours = {"old_value": {"plan": "a", "n": 1}, "new_value": {"plan": "b", "n": 1}}
    activity, _, _ = complete(event(activity=ours))
    assert activity["activity"]["modified_fields"] == ["plan"]
    assert activity["activity"]["changes"] == [{"field": "plan", "old": "a", "new": "b"}]


def test_scalar_states_are_wrapped() -> None:
    """A flat_object refuses a bare scalar."""
    activity, _, _ = complete(event(activity={"old_value": "Premium", "new_value": "Enterprise"}))
    assert activity["activity"]["old_value"] == {"value": "Premium"}
    assert activity["activity"]["changes"] == [
        {"field": "value", "old": "Premium", "new": "Enterprise"}
    ]


def test_related_values_are_collected() -> None:
    """Everyone and every address of an event is found under related."""
    activity, _, _ = complete(
        event(
            user={"name": "mira", "email": "m@x.example", "target": {"name": "jo"}},
            source={"ip": "203.0.113.9"},
            related={"user": ["root"]},
            activity={"initiator": {"id": "u7"}},
        )
    )
    assert activity["related"]["user"] == ["root", "mira", "m@x.example", "jo", "u7"]
    assert activity["related"]["ip"] == ["203.0.113.9"]


def test_the_user_agent_is_parsed() -> None:
    """Browser and system are readable without knowing user-agent strings."""
    chrome = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/130.0.0.0 Safari/537.36"
    )
    activity, _, _ = complete(event(user_agent={"original": chrome}))
    assert activity["user_agent"]["name"] == "Chrome"
    assert activity["user_agent"]["os"]["name"] == "Windows"
    assert activity["user_agent"]["original"] == chrome


@pytest.mark.parametrize(("may", "counts"), [(frozenset(), False), (frozenset({"approver"}), True)])
def test_an_approver_counts_only_from_a_trusted_sender(may: frozenset[str], counts: bool) -> None:
    """Nobody becomes an authenticated approver by the payload's say-so."""
    activity = event(
        "agent.proposal.approved", activity={"approver": {"name": "mira", "authenticated": True}}
    )
    complete(activity, Sender("s", may_assert=may))
    assert activity["activity"]["approver"]["authenticated"] is counts


def test_a_denied_result_is_a_denied_type() -> None:
    """ECS marks a refused attempt by event.type."""
    activity, _, _ = complete(event(activity={"result": "denied"}))
    assert "denied" in activity["event"]["type"]
