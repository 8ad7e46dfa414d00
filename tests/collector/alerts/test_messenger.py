"""Telling webhooks: until they took it, never twice without need, never somewhere else."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from activity_center.config_alerts import Webhook
from activity_center.errors import ClusterError
from collector.alerts.messenger import Messenger
from collector.alerts.payloads import signature
from collector.alerts.sending import post
from collector.alerts.store import AlertStore
from collector.deliver.backoff import Backoff
from tests.collector.alerts.parts import Place, Receiver, blocked, rule
from tests.collector.alerts.test_payloads import alert
from tests.collector.alerts.test_store import finding
from tests.integration.process import until


class Clock:
    """Monotonic seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def messenger(place: Place, clock: Clock, *webhooks: Webhook) -> Messenger:
    store = AlertStore(place.client)
    return Messenger(store, webhooks, backoff=Backoff(first=10.0, most=10.0), clock=clock)


def test_an_alert_is_told_once(place: Place, receiver: Receiver) -> None:
    """A webhook gets an alert, signed; what it took is not told again, by nobody."""
    AlertStore(place.client).write([finding()])
    webhook = Webhook("hook", address=receiver.address, secret="key")
    assert messenger(place, Clock(), webhook).tell().taken == 1
    assert messenger(place, Clock(), webhook).tell().taken == 0
    ((headers, body),) = receiver.got
    id_, time = headers["webhook-id"], int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature("key", id_, time, body)
    assert json.loads(body)["data"]["event"]["id"] == id_


def test_a_webhook_that_fails_is_tried_again(place: Place, receiver: Receiver) -> None:
    """After a 503 there is a pause; then the same alert goes out with the same id."""
    AlertStore(place.client).write([finding("mira"), finding("jonas")])
    receiver.answers = [503]
    clock = Clock()
    one = messenger(place, clock, Webhook("hook", address=receiver.address, secret="key"))
    told = one.tell()
    assert (told.taken, told.failed) == (0, 1)
    assert one.tell().failed == 0  # it is not asked during the pause
    assert len(receiver.got) == 1
    clock.now += 11
    assert one.tell().taken == 2
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert ids[0] in ids[1:]
    assert one.pause() == 0


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 505, 522, 599])
def test_what_is_tried_again(place: Place, receiver: Receiver, status: int) -> None:
    """Every 5xx and the three that ask for it are no refusal (docs/alerts.md, Webhooks)."""
    AlertStore(place.client).write([finding()])
    receiver.answers = [status]
    clock = Clock()
    one = messenger(place, clock, Webhook("hook", address=receiver.address, secret="key"))
    told = one.tell()
    assert (told.failed, told.refused) == (1, 0)
    clock.now += 11
    assert one.tell().taken == 1


def test_a_receiver_says_how_long(place: Place, receiver: Receiver) -> None:
    """A Retry-After is kept to, within bounds (RFC 9110, 10.2.3)."""
    AlertStore(place.client).write([finding()])
    receiver.answers, receiver.headers = [429], {"Retry-After": "120"}
    clock = Clock()
    one = messenger(place, clock, Webhook("hook", address=receiver.address, secret="key"))
    one.tell()
    assert 119 < one.pause() <= 120


def test_a_refusal_is_for_good(place: Place, receiver: Receiver) -> None:
    """A webhook that says 400 is noted as having refused, and other webhooks are told."""
    AlertStore(place.client).write([finding()])
    receiver.answers = [400]
    hooks = [Webhook(name, address=receiver.address, secret="k") for name in ("bad", "good")]
    told = messenger(place, Clock(), *hooks).tell()
    assert (told.refused, told.taken) == (1, 1)
    (stored,) = place.alerts()
    assert (stored["alert"]["refused"], stored["alert"]["told"]) == (["bad"], ["good"])


def test_no_redirect_is_followed(place: Place, receiver: Receiver) -> None:
    """An alert goes to the configured address alone, whatever that answers."""
    AlertStore(place.client).write([finding()])
    elsewhere = Receiver()
    receiver.answers, receiver.headers = [307], {"Location": elsewhere.address}
    try:
        told = messenger(
            place, Clock(), Webhook("hook", address=receiver.address, secret="key")
        ).tell()
        assert told.refused == 1
        assert elsewhere.got == []
    finally:
        elsewhere.close()


def test_one_that_is_not_there_holds_nobody_up(place: Place, receiver: Receiver) -> None:
    """A webhook that cannot be reached is tried again later; the next one is told now."""
    AlertStore(place.client).write([finding()])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/"
    hooks = (
        Webhook("gone", address=nobody, secret="key"),
        Webhook("there", address=receiver.address, secret="key"),
    )
    told = messenger(place, Clock(), *hooks).tell()
    assert (told.failed, told.taken) == (1, 1)


def test_the_gravest_are_told_first(place: Place, receiver: Receiver) -> None:
    """A flood of small alerts holds up no critical one, however much older they are."""
    store = AlertStore(place.client)
    store.write(
        [
            replace(finding(f"user{number}"), rule=rule("new-credential", message="{user.name}"))
            for number in range(60)
        ]
    )
    store.write([replace(finding("root"), rule=rule("break-glass"))])
    receiver.answers = [200, 503]
    messenger(place, Clock(), Webhook("hook", address=receiver.address, secret="key")).tell()
    told = [json.loads(body)["data"]["rule"]["id"] for _, body in receiver.got]
    assert told == ["break-glass", "new-credential"]


def test_what_cannot_be_noted_is_told_once(place: Place, receiver: Receiver) -> None:
    """Where alerts cannot be marked, one goes out and no more, until they can be."""
    AlertStore(place.client).write([finding("mira"), finding("jonas")])
    clock = Clock()
    one = messenger(place, clock, Webhook("hook", address=receiver.address, secret="key"))
    with blocked(place):
        for _ in range(3):
            with pytest.raises(ClusterError):
                one.tell()
            assert one.tell().taken == 0  # during the pause nothing is asked at all
            clock.now += 11
    assert len(receiver.got) == 1
    assert one.tell().taken == 1  # the other one; the first is noted
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert len({*ids}) == len(ids) == 2
    assert [alert["alert"]["told"] for alert in place.alerts()] == [["hook"], ["hook"]]


def test_what_is_given_up_is_said(place: Place, receiver: Receiver) -> None:
    """Of alerts that a webhook was not told of within a day the log says how many there are."""
    store = AlertStore(place.client)
    for number, hours in enumerate((25, 30, 2)):
        document = finding(f"user{number}").document(datetime.now(UTC) - timedelta(hours=hours))
        assert store.put(f"old-{number}", document)
    hook = Webhook("hook", address=receiver.address, secret="key")
    with capture_logs() as told:
        one = messenger(place, Clock(), hook)
        assert one.tell().taken == 1
        one.tell()
    (line,) = [line for line in told if "given up" in line["event"]]
    assert (line["webhook"], line["alerts"]) == ("hook", 2)


def test_a_receiver_that_trickles_is_cut_off() -> None:
    """A receiver that sends a byte now and then does not keep us; the deadline is for it all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def trickle() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"H")
                    time.sleep(0.2)
            ended.set()

        threading.Thread(target=trickle, daemon=True).start()
        hook = Webhook("hook", address=f"http://127.0.0.1:{server.getsockname()[1]}/", secret="k")
        assert post(hook, "id", alert(), "", deadline=1.0) == (None, 0.0)
        assert ended.wait(30)


def test_a_slow_webhook_holds_up_nobody(place: Place, receiver: Receiver) -> None:
    """While one webhook does not answer, another one is told, and the one who evaluates goes on."""
    AlertStore(place.client).write([finding()])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = Webhook("a", address=f"http://127.0.0.1:{silent.getsockname()[1]}/", secret="key")
        quick = Webhook("b", address=receiver.address, secret="key")
        one = messenger(place, Clock(), slow, quick)
        one.begin(lambda: None)
        connection, _ = silent.accept()  # it is being told, and waits
        until(lambda: receiver.got, 60, "the quick one was not told")
        one.begin(lambda: None)  # the slow one is not asked a second time meanwhile
        connection.close()
        one.wait(60)
    assert [alert["alert"]["told"] for alert in place.alerts()] == [["b"]]


def test_who_does_not_lead_tells_nobody(place: Place, receiver: Receiver) -> None:
    """Before each request it is made sure that nobody else tells."""
    AlertStore(place.client).write([finding()])
    one = messenger(place, Clock(), Webhook("hook", address=receiver.address, secret="key"))

    def gone() -> None:
        raise ClusterError("the lease was lost")

    one.begin(gone)
    one.wait(60)
    assert receiver.got == []
