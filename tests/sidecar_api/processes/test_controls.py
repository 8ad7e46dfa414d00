"""What can be asked of a process now, and that the same wish is recorded once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from activity_center.processes import apply
from sidecar_api.processes.controls import (
    TAKEN,
    VALID,
    Asked,
    control_id,
    open_controls,
    refusal,
)
from tests.activity_center.processes.entries import NOW, entry
from tests.sidecar_api.processes.wishes import process, row, wish

SECRET = b"s" * 32


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        ("pending", {"cancel"}),
        ("running", {"cancel"}),
        ("done", set()),
        ("failed", {"retry", "cleanup"}),
        ("cancelled", {"retry", "cleanup"}),
    ],
)
def test_the_state_decides_what_is_offered(state: str, kinds: set[str]) -> None:
    """Of what was declared, each state offers its own."""
    shown = process(state)
    assert {one for one in ("cancel", "retry", "cleanup") if not refusal(shown, one, NOW)} == kinds


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (row(), True),
        (row(age=VALID), False),
        (row(state="taken"), True),
        (row(state="taken", age=TAKEN), False),
        (row(state="done"), False),
        (row(state="expired"), False),
        (row(kind="retry"), True),
        ({**row(), "attempt": 0}, False),
        ({**row(), "attempt": None}, True),
        ({**row(), "expires_at": "soon"}, False),
    ],
    ids=[
        "open",
        "over",
        "taken",
        "forgotten",
        "done",
        "expired",
        "another kind",
        "of an earlier attempt",
        "of any attempt",
        "nonsense",
    ],
)
def test_what_is_under_way_is_not_asked_again(asked: Any, refused: bool) -> None:
    """Until its time is over, or, once taken, until nothing has been heard for long."""
    assert bool(refusal(process(requests=[asked]), "cancel", NOW)) is refused


@pytest.mark.parametrize(("taken", "state"), [(60, "taken"), (61, "expired")], ids=str)
def test_what_was_taken_in_time_is_under_way(taken: int, state: str) -> None:
    """Also where word of it came after it counted as expired: it is not offered once more. What
    was taken too late stays expired."""
    control = {"id": "ctl_1", "kind": "cancel"}
    until = (NOW + VALID).isoformat()
    entries = [
        (0, "started", None),
        (0, "cancel", {**control, "expires_at": until}),
        (62, "control_expired", control),
        (taken, "control_taken", control),
    ]
    for order in (entries, entries[::-1]):
        folded = None
        for seconds, action, said in order:
            one = entry(
                f"process.{action}",
                seconds,
                at=NOW + timedelta(seconds=seconds),
                user__id="usr_mk",
                activity__process__controls=["cancel"],
                **({"activity__control": said} if said else {}),
            )
            folded, _ = apply(folded, one) or (folded, None)
        assert folded is not None
        shown = folded.as_dict()
        assert [one["state"] for one in shown["requests"]] == [state]
        assert bool(refusal(shown, "cancel", NOW + timedelta(seconds=63))) is (state == "taken")


def test_a_program_hears_of_what_is_open_alone() -> None:
    """Neither of what is taken, nor of what has run out, nor of what nobody asked."""
    rows = [
        row("retry", age=VALID),
        row("cleanup", state="taken"),
        {**row("retry"), "id": "ctl_x", "by": None},
        row("cancel"),
    ]
    (found,) = open_controls(process(requests=rows), NOW)
    assert found == {
        name: rows[3][name]
        for name in ("id", "kind", "attempt", "by", "reason", "at", "expires_at")
    }
    assert open_controls(process(requests=rows, attempt=2), NOW) == []


def test_one_thing_is_asked_at_a_time() -> None:
    """A retry and a clean-up of the same end exclude each other, also before the first has come
    round; a cancel stands in the way only until the attempt has ended, and what somebody took who
    then fell silent not in the way of cleaning up."""
    asked, records = Asked(), list[dict[str, Any]]()
    ended = process("cancelled", requests=[row("cancel", "taken")])
    both: Any = {"asked": asked, "record": records.append}
    first, wrong = wish(ended, "retry", id_="ctl_1", **both)
    assert (first["attempt"], wrong) == (1, "")
    assert wish(ended, "cleanup", id_="ctl_2", **both) == (
        {},
        "Somebody has asked already that it be tried again: that is requested.",
    )
    assert [one["activity.control.kind"] for one in records] == ["retry"]
    again = process(attempt=2)
    assert wish(again, "cancel", id_="ctl_3", **both)[1] == ""
    silent = process(requests=[row("cancel", "taken")], stalled=True, controls=["cleanup"])
    assert refusal(silent, "cleanup", NOW) == ""
    assert refusal(silent | {"requests": [row("cancel")]}, "cleanup", NOW)


def test_the_same_key_of_another_is_another_wish() -> None:
    """Reader, organization, process, kind and key: each of them tells wishes apart."""
    one = process()
    other = process(id="prc_2")
    elsewhere = process(organization={"id": "atlas"})
    made = {
        control_id(SECRET, "usr_mk", one, "cancel", "k"),
        control_id(SECRET, "usr_jo", one, "cancel", "k"),
        control_id(SECRET, "usr_mk", other, "cancel", "k"),
        control_id(SECRET, "usr_mk", elsewhere, "cancel", "k"),
        control_id(SECRET, "usr_mk", one, "retry", "k"),
        control_id(SECRET, "usr_mk", one, "cancel", "l"),
    }
    assert len(made) == 6
    assert control_id(b"t" * 32, "usr_mk", one, "cancel", "k") not in made
    assert control_id(SECRET, "usr_mk", process(), "cancel", "k") in made


def test_the_same_wish_at_two_sidecars_is_one_entry() -> None:
    """Neither knows of the other's yet: control and entry have the same id, whenever it is asked;
    that of another wish, or attempt, is another."""
    records: list[dict[str, Any]] = []

    def send(shown: dict[str, Any], key: str, now: datetime) -> None:
        id_ = control_id(SECRET, "usr_mk", shown, "cancel", key)
        wish(shown, id_=id_, record=records.append, now=now)

    send(process(), "k", NOW)
    send(process(), "k", NOW + timedelta(seconds=1))
    send(process(attempt=2), "k", NOW)
    send(process(), "l", NOW)
    first, same, later, other = records
    assert first["event_id"] == same["event_id"]
    assert first["activity.control.id"] == same["activity.control.id"]
    assert len({one["event_id"] for one in (first, later, other)}) == 3


def test_what_could_not_be_recorded_was_not_asked() -> None:
    """The failure goes on, and the next try is a first one."""
    asked = Asked()

    def refuse(_: dict[str, Any]) -> None:
        raise OSError

    records: list[dict[str, Any]] = []
    with pytest.raises(OSError):
        wish(process(), asked=asked, record=refuse)
    assert wish(process(), asked=asked, record=records.append)[1] == ""
    assert len(records) == 1
