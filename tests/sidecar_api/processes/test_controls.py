"""What can be asked of a process now, and that the same wish is recorded once."""

from __future__ import annotations

import contextlib
import socket
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activity_center.config_processes import Webhook
from activity_center.processes import apply
from sidecar_api.processes.controls import (
    TAKEN,
    VALID,
    Asked,
    ask,
    control_id,
    open_controls,
    refusal,
)
from sidecar_api.processes.webhooks import Messenger, signature
from tests.collector.alerts.parts import Receiver
from tests.integration.process import until

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
SECRET = b"s" * 32


def process(state: str = "running", **more: Any) -> dict[str, Any]:
    """A process as the API shows it, folded from one entry."""
    entry = {
        "@timestamp": NOW.isoformat(),
        "event": {"action": "process.started", "sequence": 1, "id": "e1"},
        "organization": {"id": "northwind"},
        "activity": {
            "lens": "process",
            "process": {
                "id": "prc_1",
                "channel": "ssl",
                "state": state,
                "controls": ["cancel", "retry", "cleanup"],
            },
        },
    }
    found = apply(None, entry)
    assert found is not None
    return {**found[0].as_dict(), **more}


def row(kind: str = "cancel", state: str = "requested", age: timedelta = timedelta()) -> Any:
    """A request of some age."""
    at = NOW - age
    return {
        "id": f"ctl_{kind}_{state}",
        "kind": kind,
        "attempt": 1,
        "state": state,
        "by": {"id": "usr_mk", "name": "mira"},
        "at": at.isoformat(),
        "expires_at": (at + VALID).isoformat(),
        "reason": None,
        "answer": None,
    }


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
            entry = {
                "@timestamp": (NOW + timedelta(seconds=seconds)).isoformat(),
                "event": {"action": f"process.{action}", "sequence": seconds, "id": action},
                "organization": {"id": "northwind"},
                "user": {"id": "usr_mk"},
                "activity": {
                    "lens": "process",
                    "process": {"id": "prc_1", "controls": ["cancel"]},
                    **({"control": said} if said else {}),
                },
            }
            folded, _ = apply(folded, entry) or (folded, None)
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
    arguments: Any = {
        "by": {},
        "reason": "",
        "asked": asked,
        "messenger": Messenger({}),
        "record": records.append,
        "latest": list,
        "now": NOW,
    }
    first, wrong = ask(ended, "retry", id_="ctl_1", **arguments)
    assert (first["attempt"], wrong) == (1, "")
    assert ask(ended, "cleanup", id_="ctl_2", **arguments) == (
        {},
        "Somebody has asked already that it be tried again: that is requested.",
    )
    assert [one["activity.control.kind"] for one in records] == ["retry"]
    again = process(attempt=2)
    assert ask(again, "cancel", id_="ctl_3", **arguments)[1] == ""
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

    def wish(shown: dict[str, Any], key: str, now: datetime) -> None:
        more: Any = {"reason": "", "messenger": Messenger({}), "latest": list}
        id_ = control_id(SECRET, "usr_mk", shown, "cancel", key)
        ask(
            shown,
            "cancel",
            id_=id_,
            by={},
            asked=Asked(),
            record=records.append,
            now=now,
            **more,
        )

    wish(process(), "k", NOW)
    wish(process(), "k", NOW + timedelta(seconds=1))
    wish(process(attempt=2), "k", NOW)
    wish(process(), "l", NOW)
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
    for record in (refuse, records.append):
        arguments: Any = {
            "id_": "ctl_1",
            "by": {},
            "reason": "",
            "asked": asked,
            "messenger": Messenger({}),
            "record": record,
            "latest": list,
            "now": NOW,
        }
        if record is refuse:
            with pytest.raises(OSError):
                ask(process(), "cancel", **arguments)
        else:
            assert ask(process(), "cancel", **arguments)[1] == ""
    assert len(records) == 1


def test_a_webhook_that_fails_is_told_again() -> None:
    """Every 5xx is tried again, those beyond 504 too; a 400 is the receiver's last word."""
    failing, refusing = Receiver(), Receiver()
    failing.answers, refusing.answers = [522], [400]
    try:
        hooks = {"ssl": Webhook(failing.address, "key"), "dns": Webhook(refusing.address, "key")}
        messenger = Messenger(hooks)
        for channel in ("dns", "ssl"):
            messenger.tell(process() | {"channel": channel}, row(), 60.0, lambda: False)
        until(lambda: len(failing.got) == 2, why="it was not told again")
        assert failing.got[0][1] == failing.got[1][1]
        assert len(refusing.got) == 1
    finally:
        failing.close()
        refusing.close()


def test_a_webhook_is_not_told_again_of_what_is_void() -> None:
    """Once the next attempt has begun, what failed to reach the webhook is not sent any more."""
    failing, looked = Receiver(), threading.Event()
    failing.answers = [500]

    def void() -> bool:
        looked.set()
        return True

    try:
        messenger = Messenger({"ssl": Webhook(failing.address, "key")})
        messenger.tell(process(), row(), 60.0, void)
        assert looked.wait(20)
        other = Receiver()
        messenger = Messenger({"ssl": Webhook(other.address, "key")})
        messenger.tell(process(), row(), 60.0, void)
        until(lambda: len(other.got) == 1, why="the first post does not ask")
        other.close()
        assert len(failing.got) == 1
    finally:
        failing.close()


def test_a_webhook_that_trickles_holds_no_place_for_long() -> None:
    """A receiver that sends a byte now and then is cut off when the control is over, and what is
    asked then finds a place."""
    stop = threading.Event()

    def trickle() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not stop.wait(0.2):
                connection.sendall(b"a")

    other = Receiver()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=trickle, daemon=True).start()
        slow = f"http://127.0.0.1:{server.getsockname()[1]}/"
        hooks = {"ssl": Webhook(slow, "key"), "dns": Webhook(other.address, "key")}
        messenger = Messenger(hooks, at_once=1)
        messenger.tell(process(), row(), 2.0, lambda: False)

        def told() -> bool:
            messenger.tell(process() | {"channel": "dns"}, row(), 60.0, lambda: False)
            return bool(other.got)

        assert not told()
        until(told, why="the place was not given back")
        stop.set()
    other.close()


def test_the_signature_is_that_of_the_documentation() -> None:
    """``printf '1.{}' | openssl dgst -sha256 -hmac key`` gives the same."""
    assert signature("key", 1, b"{}") == (
        "v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
    )
