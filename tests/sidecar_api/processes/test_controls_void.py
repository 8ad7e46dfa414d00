"""What of a control goes on to others: as long as it is worth while, and where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from activity_center.config_processes import Webhook
from sidecar_api.processes import controls, webhooks
from sidecar_api.processes.controls import VALID, Asked, refusal
from sidecar_api.processes.webhooks import Messenger
from tests.activity_center.processes.entries import NOW
from tests.collector.alerts.parts import Receiver
from tests.integration.process import until
from tests.sidecar_api.processes.wishes import process, row, wish


@pytest.fixture
def failing() -> Iterator[Receiver]:
    """A webhook that fails twice, and then takes what it is told."""
    made = Receiver()
    made.answers = [500, 500]
    yield made
    made.close()


def asked_of(
    shown: Mapping[str, Any],
    messenger: Messenger | None = None,
    latest: Iterable[Mapping[str, Any]] = (),
    asked: Asked | None = None,
    id_: str = "ctl_1",
) -> dict[str, Any]:
    """What is recorded of a cancel of a process; ``latest``: those of its id a moment later."""
    records: list[dict[str, Any]] = []
    _, wrong = wish(
        shown,
        id_=id_,
        asked=asked,
        messenger=messenger,
        record=records.append,
        latest=latest,
    )
    assert not wrong
    (record,) = records
    return record


@pytest.mark.parametrize(
    ("latest", "posts"),
    [
        ([process(attempt=2)], 1),
        ([process(attempt=1)], 3),
        ([process(attempt=2, organization={"id": "atlas"})], 3),
        ([process(attempt=2, organization={"id": "atlas"}), process(attempt=2)], 1),
        ([], 3),
    ],
    ids=["next attempt", "the same", "of another organization", "of both", "not held any more"],
)
def test_who_did_not_take_it_is_told_again_while_it_is_meant(
    failing: Receiver,
    other: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    latest: list[dict[str, Any]],
    posts: int,
) -> None:
    """Not once the next attempt of this process has begun; what another organization does, whose
    process has the same id, changes nothing."""
    monkeypatch.setattr(webhooks, "FIRST_PAUSE", 0.01)
    hooks = {"ssl": Webhook(failing.address, "key"), "dns": Webhook(other.address, "key")}
    messenger = Messenger(hooks, at_once=1)
    asked_of(process(), messenger, latest)

    def free() -> bool:
        messenger.tell(process() | {"channel": "dns"}, row(), 60.0, lambda: False)
        return bool(other.got)

    until(free, timeout=20, why="it is still tried")
    assert len(failing.got) == posts


def test_the_record_says_where_the_process_belongs() -> None:
    """Who has rights in a workspace, project or environment alone finds it there too."""
    shown = process(workspace="billing", project="shop", environment="production")
    record = asked_of(shown)
    found = [record[f"activity.{name}"] for name in ("workspace", "project", "environment")]
    assert found == ["billing", "shop", "production"]
    assert "activity.workspace" not in asked_of(process())


def test_what_was_asked_is_remembered_until_it_has_come_round() -> None:
    """Of each process by itself; but not for ever: of very many, the first are forgotten, which
    their record tells of by then."""
    asked = Asked()
    asked_of(process(), asked=asked)
    elsewhere = process(organization={"id": "atlas"})
    assert refusal(asked.with_latest(process()), "cancel", NOW)
    assert not refusal(asked.with_latest(elsewhere), "cancel", NOW)
    come = process(requests=[{**row(), "id": "ctl_1", "state": "done"}])
    assert not refusal(asked.with_latest(come), "cancel", NOW + VALID - timedelta(seconds=1))
    for number in range(controls._REMEMBERED):
        asked_of(process(id=f"prc_other_{number}"), asked=asked, id_=f"ctl_other_{number}")
    assert asked.with_latest(process())["requests"] == []
    last = process(id=f"prc_other_{controls._REMEMBERED - 1}")
    assert len(asked.with_latest(last)["requests"]) == 1
