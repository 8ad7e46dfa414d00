"""actions.yml: what holds for every entry of the catalogue."""

from __future__ import annotations

from activity_center.vocabulary import action_groups, actions, fields, permissions, verbs


def test_values_are_ones_that_an_event_may_have() -> None:
    """What the catalogue puts into an event is in the closed lists of the event's fields."""
    known = fields()
    for action in actions().values():
        assert set(action.category) <= set(known["event.category"].values or ())
        assert set(action.event_type) <= set(known["event.type"].values or ())
        assert action.kind in (known["event.kind"].values or ())
        assert action.lens in (known["activity.lens"].values or ())
        if action.outcome is not None:
            assert action.outcome in (known["event.outcome"].values or ())
        if action.result is not None:
            assert action.result in (known["activity.result"].values or ())
        assert len(action.name) <= (known["event.action"].max_length or 0)


def test_a_refusal_has_the_type_denied() -> None:
    """What the catalogue calls denied has the ECS type denied."""
    for action in actions().values():
        if action.result == "denied":
            assert "denied" in action.event_type, action.name


def test_every_verb_is_used() -> None:
    """There is no verb to filter by that no action has."""
    assert {action.verb for action in actions().values()} == set(verbs())


def test_type_and_label_are_unambiguous_within_an_area() -> None:
    """People read type and label: within one lens no two actions share both."""
    seen: dict[tuple[str, str, str], str] = {}
    for action in actions().values():
        key = (action.lens, action.type, action.label)
        assert key not in seen, (action.name, seen[key])
        seen[key] = action.name


def test_groups_hold_each_action_once() -> None:
    """The areas are a partition of the catalogue, in the order of the file."""
    listed = [action.name for group in action_groups() for action in group.actions]
    assert listed == list(actions())


def test_output_of_processes_is_short_lived() -> None:
    """Output lines are kept for 30 days whatever the plan says."""
    assert actions()["process.output"].retention_class == "standard-30d"


def test_permissions() -> None:
    """The permissions, and who has them by default, are those of the design."""
    found = {one.name: (one.scope, set(one.roles)) for one in permissions().values()}
    readers = {"owner", "admin", "billing_owner"}
    assert found == {
        "platform:audit": ("platform", {"platform_admin"}),
        "org:audit": ("organization", readers),
        "org:audit:export": ("organization", readers),
        "process:view": ("organization", {"owner", "admin", "member", "viewer"}),
        "process:control": ("organization", {"owner", "admin"}),
        "agent:approve": ("organization", {"owner", "admin"}),
    }
