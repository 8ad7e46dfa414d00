"""What people ask of processes, on real parts: emitter, collector, bus, sidecar, webhook."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from activity_center.emit import Cancelled, Emitter, Process
from sidecar_api.processes.webhooks import SIGNATURE, TIME
from tests.integration.controls import SECRET, Place, Running
from tests.integration.process import until
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture(scope="module")
def place(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all tests here: each has processes of its own."""
    put_templates(opensearch.client)
    made = Place(opensearch, tmp_path_factory.mktemp("place"))
    yield made
    made.close()


@pytest.fixture
def running(place: Place) -> Iterator[Running]:
    """A process of the first organization that can be cancelled, and is seen."""
    made = Running(place)
    place.wait(made.id, lambda one: one["controls"] == ["cancel"])
    yield made
    made.end()


def test_a_cancel_goes_round(place: Place, running: Running) -> None:
    """Asked, recorded, taken by the program, carried out; the process ends with a receipt."""
    answer = place.ask(running.id, "cancel", body={"reason": "wrong branch"})
    assert answer.status_code == 202, answer.text
    row = answer.json()["request"]
    assert (row["kind"], row["state"], row["reason"]) == ("cancel", "requested", "wrong branch")
    shown = place.wait(running.id, lambda one: one["state"] == "cancelled" and one["requests"])
    until(lambda: running.ended)
    assert isinstance(running.ended[0], Cancelled)
    shown = place.wait(running.id, lambda one: one["requests"][0]["state"] == "done")
    assert [one["id"] for one in shown["requests"]] == [row["id"]]
    left = ["Build (broken off)"]
    assert shown["receipt"] == {"left_behind": left}
    until(lambda: place.records(running.id, "process.cancel"))
    (record,) = place.records(running.id, "process.cancel")
    assert record["user"]["id"] == f"owner-{place.mark}"
    assert record["activity"]["lens"] == "audit"
    assert record["event"]["reason"] == "wrong branch"
    assert record["activity"]["token"]["name"] == "owner"
    assert record["organization"]["id"] == place.a
    until(lambda: place.records(running.id, "process.control_done"))
    (done,) = place.records(running.id, "process.control_done")
    assert (done["user"]["id"], done["event"]["outcome"]) == (f"owner-{place.mark}", "success")


def test_the_same_wish_is_recorded_once(place: Place) -> None:
    """A repeated Idempotency-Key has the same answer, at once and later; another key is refused
    while it is under way: whoever asks second is told that somebody has asked."""
    key = uuid.uuid4().hex
    process = place.emitter().process("git-deploy", "Deploy", controls=["cancel"])
    with contextlib.suppress(Cancelled), process:
        place.wait(process.id, lambda one: one["controls"] == ["cancel"])
        answers = [place.ask(process.id, "cancel", key=key) for _ in range(3)]
        assert {one.status_code for one in answers} == {202}
        assert len({one.json()["request"]["id"] for one in answers}) == 1
        second = place.ask(process.id, "cancel")
        assert second.status_code == 409
        assert "already" in second.json()["detail"]
        until(process.check)
    place.wait(process.id, lambda one: one["state"] == "cancelled")
    late = place.ask(process.id, "cancel", key=key)
    assert late.status_code == 202
    assert late.json()["request"]["id"] == answers[0].json()["request"]["id"]
    assert late.json()["request"]["state"] in ("taken", "done")
    until(lambda: place.records(process.id, "process.control_done"))
    assert len(place.records(process.id, "process.cancel")) == 1


def test_who_may_not_is_refused_and_the_refusal_recorded(place: Place, running: Running) -> None:
    """A member watches and may not control; a stranger is told that there is no such process."""
    assert place.see(running.id, "member") is not None
    refused = place.ask(running.id, "cancel", who="member")
    assert refused.status_code == 403
    assert refused.json()["permission"] == "process:control"
    until(lambda: place.denials("member"))
    denied = place.denials("member")[0]
    assert denied["organization"]["id"] == place.a
    assert denied["event"]["outcome"] == "failure"
    assert denied["metadata"]["permission"] == "process:control"
    assert place.ask(running.id, "cancel", who="stranger").status_code == 404
    assert place.ask("no-such-process", "cancel").status_code == 404
    shown = place.see(running.id)
    assert shown is not None
    assert shown["requests"] == []


def test_only_what_is_offered_now_can_be_asked(place: Place, running: Running) -> None:
    """Neither what was not declared, nor what the state does not allow."""
    for kind in ("retry", "cleanup"):
        refused = place.ask(running.id, kind)
        assert refused.status_code == 409
        assert refused.json()["type"] == "/problems/conflict"
    running.end()
    place.wait(running.id, lambda one: one["state"] == "done")
    assert place.ask(running.id, "cancel").status_code == 409


@pytest.mark.parametrize(
    ("rest", "parameter"),
    [
        ({"key": None}, "Idempotency-Key"),
        ({"key": "k" * 129}, "Idempotency-Key"),
        ({"body": {"reason": "r" * 1001}}, "reason"),
        ({"body": {"reason": 7}}, "reason"),
        ({"body": {"force": True}}, "force"),
        ({"body": []}, "body"),
        ({"params": {"force": "1"}}, "force"),
    ],
)
def test_bad_input_is_refused(
    place: Place, running: Running, rest: dict[str, Any], parameter: str
) -> None:
    """With the name of what is wrong, and nothing is asked."""
    refused = place.ask(running.id, "cancel", **rest)
    assert refused.status_code == 400, refused.text
    assert refused.json()["parameter"] == parameter
    shown = place.see(running.id)
    assert shown is not None
    assert shown["requests"] == []


def test_half_a_character_is_no_reason(place: Place, running: Running) -> None:
    """JSON can say a lone surrogate; it is refused, not passed on."""
    refused = requests.post(
        f"{place.sidecar.url}/api/v1/processes/{running.id}/cancel",
        headers={
            "Authorization": "Bearer person-owner",
            "Idempotency-Key": uuid.uuid4().hex,
            "Content-Type": "application/json",
        },
        data=b'{"reason": "\\ud800"}',
        timeout=30,
    )
    assert (refused.status_code, refused.json()["parameter"]) == (400, "reason")


@pytest.mark.parametrize(
    "reason",
    ["<script>alert(1)</script>", "${jndi:ldap://x}\r\nX: y\0", "\u202egnorw", "%s %(x)s {0}"],
    ids=["script", "lines", "direction", "formats"],
)
def test_a_hostile_reason_is_text(place: Place, running: Running, reason: str) -> None:
    """It arrives at the program and in the record as it was said."""
    assert place.ask(running.id, "cancel", body={"reason": reason}).status_code == 202
    until(lambda: running.ended)
    assert str(running.ended[0]).endswith(reason.strip())
    until(lambda: place.records(running.id, "process.cancel"))
    (record,) = place.records(running.id, "process.cancel")
    assert record["event"]["reason"] == reason.strip()


def test_a_retry_makes_the_second_attempt(place: Place) -> None:
    """What failed is begun again by the program itself, and succeeds."""

    def work(process: Process) -> None:
        with process, process.step("Build"):
            if process.attempt == 1:
                raise OSError("no space left")

    process = place.emitter().process("git-deploy", "Deploy", steps=["Build"], on_retry=work)
    with pytest.raises(OSError, match="no space"):
        work(process)
    place.wait(process.id, lambda one: one["controls"] == ["retry"])
    assert place.ask(process.id, "retry").status_code == 202
    shown = place.wait(process.id, lambda one: one["state"] == "done")
    assert shown["attempt"] == 2
    assert shown["attempts"][0]["error"] == "no space left"
    place.wait(process.id, lambda one: one["requests"][0]["state"] == "done")


def test_cleaning_up_removes_what_is_left(place: Place) -> None:
    """The program does it, says a receipt, and nothing more is offered."""
    process = place.emitter().process(
        "git-deploy", "Deploy", on_cleanup=lambda one: one.receipt(undone=["Folder removed"])
    )
    with pytest.raises(OSError), process:
        raise OSError
    place.wait(process.id, lambda one: one["controls"] == ["cleanup"])
    assert place.ask(process.id, "cleanup").status_code == 202
    shown = place.wait(process.id, lambda one: one["cleaned"])
    assert shown["receipt"]["undone"] == ["Folder removed"]
    assert shown["controls"] == []
    assert place.ask(process.id, "cleanup").status_code == 409


def test_a_program_of_another_organization_hears_nothing(place: Place) -> None:
    """It cannot tell that there is such a process, and cannot take what is asked of it."""
    process = Running(place, channel="ssl", controls=["retry"])
    quiet = Running(place, channel="ssl", controls=["cancel"], program="b")
    place.wait(process.id, lambda one: one["state"] == "running")
    open_now = place.controls(process.id, "program-a")
    assert (open_now.status_code, open_now.json()) == (200, {"controls": []})
    foreign = place.controls(process.id, "program-b")
    unknown = place.controls("no-such-process", "program-b")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["detail"] == unknown.json()["detail"]
    assert place.controls(process.id, "no-token-of-anybody").status_code == 401
    assert place.controls(process.id, "person-member").status_code == 403
    assert place.controls(process.id, "person-owner").status_code == 200

    # It says that it took a control of the other's process: that is another process.
    stranger = place.emitter("b")
    stranger.emit(
        "process.control_taken",
        activity={
            "process": {"id": process.id, "channel": "ssl"},
            "control": {"id": "ctl_x", "kind": "cancel", "state": "taken"},
        },
    )
    assert stranger.flush(10)
    stranger.emit(
        "process.control_taken",
        organization=place.a,
        activity={
            "process": {"id": process.id, "channel": "ssl"},
            "control": {"id": "ctl_y", "kind": "cancel", "state": "taken"},
        },
    )
    assert stranger.flush(10)
    assert stranger.stats().rejected == 1
    process.end()
    shown = place.wait(process.id, lambda one: one["state"] == "done")
    assert shown["requests"] == []
    quiet.end()


def test_a_program_waits_for_controls(place: Place) -> None:
    """The poll is answered as soon as something is asked, and says who asks and why."""
    process = Running(place, channel="ssl", hears=False)
    place.wait(process.id, lambda one: one["controls"] == ["cancel"])
    heard: list[Any] = []

    def listen() -> None:
        heard.append(place.controls(process.id, "program-a", wait=20))

    thread = threading.Thread(target=listen)
    began = time.monotonic()
    thread.start()
    assert place.ask(process.id, "cancel", body={"reason": "now"}).status_code == 202
    thread.join(30)
    assert time.monotonic() - began < 20
    rows = heard[0].json()["controls"]
    assert [(row["kind"], row["reason"]) for row in rows] == [("cancel", "now")]
    assert rows[0]["by"]["id"] == f"owner-{place.mark}"
    process.end()


def test_a_program_asks_for_nothing_in_anybodys_name(place: Place) -> None:
    """What a program says that a person asked for is an entry of the record, and no control."""
    process = Running(place, channel="ssl", hears=False)
    place.wait(process.id, lambda one: one["controls"] == ["cancel"])
    emitter = place.emitter(hears=False)
    emitter.emit(
        "process.cancel",
        user=f"owner-{place.mark}",
        activity={
            "process": {"id": process.id, "channel": "ssl"},
            "control": {"id": "ctl_forged", "kind": "cancel", "state": "requested"},
        },
    )
    assert emitter.flush(10) and emitter.stats().rejected == 0
    assert place.ask(process.id, "cancel").status_code == 202
    shown = place.wait(process.id, lambda one: one["requests"])
    assert len(shown["requests"]) == 1 and shown["requests"][0]["id"] != "ctl_forged"
    process.end()


def test_what_nobody_takes_is_shown_as_expired(place: Place) -> None:
    """Its row says so, and the record has one entry of it; then it can be asked for again."""
    emitter = place.emitter()
    process = emitter.process("cloud-transfer", "Upload", controls=["retry"])
    with pytest.raises(OSError), process:
        raise OSError
    id_ = place.requested(process, "retry", 1)
    shown = place.wait(
        process.id, lambda one: one["requests"] and one["requests"][0]["state"] == "expired"
    )
    assert shown["requests"][0]["id"] == id_
    until(lambda: place.records(process.id, "process.control_expired"))
    (record,) = place.records(process.id, "process.control_expired")
    assert record["activity"]["lens"] == "audit"
    assert record["event"]["outcome"] == "failure"
    assert place.ask(process.id, "retry").status_code == 202


def test_a_stalled_process_that_nobody_cleans_up_has_a_receipt(place: Place) -> None:
    """Its program is gone: it stalls, clean-up is offered, nobody takes it, and what is left is
    told once; it has failed, and nobody says that it was cleaned up."""
    lone = Emitter(place.collector.url, token="program-a", organization=place.a)
    process = lone.process("cloud-transfer", "Upload", steps=["Open", "Send"], lease=8)
    process.__enter__()
    with process.step("Open"):
        pass
    process.step("Send").__enter__()
    lone.flush(10)
    lone.pulse.discard(process)  # as when the program is killed: no sign of life any more
    place.wait(process.id, lambda one: one["stalled"] and one["controls"] == ["cleanup"])
    until(lambda: place.records(process.id, "process.stalled"))
    place.requested(process, "cleanup", 1)
    shown = place.wait(process.id, lambda one: one["state"] == "failed")
    assert shown["cleaned"] is False
    assert shown["receipt"]["left_behind"] == ["Open"]
    assert any("Send" in one for one in shown["receipt"]["needs_person"])
    assert shown["controls"] == []
    place.wait(process.id, lambda one: one["requests"][0]["state"] == "expired")
    until(lambda: place.records(process.id, "process.cleaned_up"))
    assert len(place.records(process.id, "process.cleaned_up")) == 1
    stalled = place.records(process.id, "process.stalled")
    assert len(stalled) == 1, stalled
    lone.close(timeout=0)


def test_a_webhook_is_told_and_told_again(place: Place) -> None:
    """Signed over time and body; after a 500 it comes again with a fresh signature."""
    process = Running(place, channel="hooked")
    place.wait(process.id, lambda one: one["controls"] == ["cancel"])
    place.receiver.got.clear()
    place.receiver.statuses[:] = [500]
    assert place.ask(process.id, "cancel", body={"reason": "stop"}).status_code == 202
    until(lambda: len(place.receiver.got) == 2)
    for headers, body in place.receiver.got:
        signed = f"{headers[TIME]}.".encode() + body
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers[SIGNATURE] == f"v1={digest}"
        assert abs(int(headers[TIME]) - time.time()) < 60
    said = json.loads(place.receiver.got[0][1])
    assert (said["kind"], said["reason"]) == ("cancel", "stop")
    assert said["process"]["id"] == process.id
    assert said["process"]["organization"]["id"] == place.a
    process.end()


@pytest.mark.parametrize("status", [302, 401])
def test_a_webhook_that_refuses_is_not_asked_again(place: Place, status: int) -> None:
    """A redirect is not followed, and a refusal is one; both are logged without the address."""
    process = Running(place, channel="hooked")
    place.wait(process.id, lambda one: one["controls"] == ["cancel"])
    place.receiver.got.clear()
    place.receiver.statuses[:] = [status]
    control = place.ask(process.id, "cancel").json()["request"]["id"]

    def told() -> list[dict[str, Any]]:
        found = place.sidecar.logged("a channel's webhook does not take a control")
        return [line for line in found if line["control"] == control]

    until(told)
    assert told()[0]["status"] == status
    place.wait(process.id, lambda one: one["state"] == "cancelled")
    assert len(place.receiver.got) == 1
    assert place.receiver.url not in place.sidecar.log.read_text()
    assert SECRET not in place.sidecar.log.read_text()
    process.end()
