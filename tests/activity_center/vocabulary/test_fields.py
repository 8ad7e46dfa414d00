"""fields.yml: every field that the design names, and what the collector alone may set."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from activity_center.vocabulary import Field, field_groups, fields, retention_classes
from activity_center.vocabulary.models import DEFAULT_LENGTH

DESIGNED = """
@timestamp event.created event.ingested event.timezone event.id event.hash event.sequence
event.action event.kind event.category event.type event.outcome event.reason event.duration
event.severity event.provider event.module event.dataset message
user.id user.name user.full_name user.email user.roles user.target.id user.target.name
user.effective.id user.effective.name organization.id organization.name source.ip
source.geo.country_iso_code source.geo.location user_agent.original user_agent.name
user_agent.version user_agent.os.name user_agent.os.version user_agent.device.name client.ip
http.request.id trace.id span.id session.id
activity.resource.type activity.resource.id activity.resource.name activity.resource.url
activity.project activity.workspace activity.environment cloud.provider cloud.account.id
cloud.region orchestrator.cluster.name orchestrator.namespace orchestrator.resource.type
orchestrator.resource.name host.name host.ip service.name
activity.old_value activity.new_value activity.changes activity.changes.field
activity.changes.old activity.changes.new activity.modified_fields
activity.lens activity.type activity.origin activity.catalogued activity.schema_version
activity.retention.class
gen_ai.agent.id gen_ai.agent.name gen_ai.agent.version gen_ai.provider.name
gen_ai.request.model gen_ai.conversation.id gen_ai.tool.name gen_ai.tool.type
gen_ai.tool.call.id gen_ai.tool.call.arguments gen_ai.tool.call.result
gen_ai.usage.input_tokens gen_ai.usage.output_tokens mcp.method.name mcp.session.id
activity.case.id activity.proposal.id activity.proposal.stage activity.proposal.digest
activity.proposal.expires_at activity.proposal.rationale activity.decision.outcome
activity.decision.source activity.decision.scope activity.decision.reason
activity.decision.wait_ms activity.decision.auth_method activity.decision.mfa
activity.impact.level activity.impact.source activity.initiator.id activity.approver.id
activity.approver.roles activity.approver.authenticated activity.confirmation.text
activity.execution.digest activity.execution.output activity.execution.error
activity.policy.id activity.policy.version activity.result activity.token.id
activity.token.name activity.recommendation.saving.amount
activity.recommendation.saving.currency activity.recommendation.saving.period
activity.process.id activity.process.channel activity.process.attempt activity.process.state
activity.process.lease activity.step.id activity.step.name activity.step.state
activity.step.index activity.step.progress activity.output.stream activity.output.offset
activity.output.text error.message error.stack_trace ecs.version metadata activity.overflow
activity.overflow_fields activity.claimed_timestamp activity.timestamp_source activity.sender
related.user related.ip related.hosts related.hash labels tags
"""

RESERVED = {
    "activity.retention.class",
    "activity.catalogued",
    "activity.schema_version",
    "activity.size",
    "activity.decision.auth_method",
    "activity.decision.mfa",
    "event.ingested",
    "event.module",
    # Made by the collector, so worthless when a sender could set them.
    "event.hash",
    "activity.sender",
    "activity.claimed_timestamp",
    "activity.timestamp_source",
    "activity.overflow",
    "activity.overflow_fields",
    "activity.approver.authenticated",
    "activity.policy_at_receipt.id",
    "activity.policy_at_receipt.version",
    "ecs.version",
}


@pytest.mark.parametrize("name", DESIGNED.split())
def test_the_design_is_covered(name: str) -> None:
    """Every field that the design names is in the vocabulary."""
    assert name in fields()


def test_reserved_fields() -> None:
    """A sender cannot set what decides on retention, trust or identity of the record."""
    assert {field.name for field in fields().values() if field.reserved} == RESERVED


def test_groups_hold_each_field_once() -> None:
    """The groups are a partition of the fields, in the order of the file."""
    listed = [field.name for group in field_groups() for field in group.fields]
    assert listed == list(fields())
    assert all(field.group == group.name for group in field_groups() for field in group.fields)


def test_closed_lists_of_ours() -> None:
    """The closed lists are those of the design."""
    known = fields()
    assert known["activity.lens"].values == ("audit", "agent", "process")
    assert known["activity.origin"].values == ("ui", "api", "cli", "agent", "system")
    assert known["activity.impact.level"].values == ("safe", "caution", "destructive")
    assert known["activity.result"].values == ("completed", "failed", "denied", "expired")
    assert known["activity.timestamp_source"].values == ("event", "transport", "receipt")
    assert set(known["activity.retention.class"].values or ()) == set(retention_classes())


def test_states_and_parameters_are_flat_objects() -> None:
    """What a producer shapes freely is held without touching the mapping."""
    flat = {name for name, field in fields().items() if field.type == "flat_object"}
    assert flat == {
        "activity.old_value",
        "activity.new_value",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "metadata",
        "labels",
    }
    assert fields()["activity.overflow"].type == "object_disabled"


def test_text_is_bounded_and_nothing_else_is() -> None:
    """A text field has a longest length (1024 unless it says otherwise); a number has none."""
    for field in fields().values():
        assert (field.max_length is not None) == (field.type in ("keyword", "match_only_text"))
    assert fields()["activity.resource.name"].max_length == DEFAULT_LENGTH == 1024


def test_names_are_found_in_any_case_and_inside() -> None:
    """Names and addresses of people and resources ignore case and have a substring search."""
    for name in ("user.name", "user.full_name", "user.email", "activity.resource.name"):
        assert set(fields()[name].search) == {"caseless", "substring", "original"}
    assert fields()["event.action"].search == ("substring",)


def frozen_values() -> list[Any]:
    """One value of every kind that the vocabulary returns."""
    from activity_center import vocabulary

    return [
        next(iter(fields().values())),
        next(iter(vocabulary.actions().values())),
        next(iter(vocabulary.verbs().values())),
        next(iter(vocabulary.retention_classes().values())),
        next(iter(vocabulary.permissions().values())),
    ]


def test_nobody_can_change_the_vocabulary() -> None:
    """What the vocabulary returns is shared, so it is frozen."""
    for value in frozen_values():
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.name = "other"
    with pytest.raises(TypeError):
        fields()["x"] = next(iter(fields().values()))  # type: ignore[index]
    assert isinstance(fields()["event.id"], Field)
