"""Telling webhooks: until they took it, never twice without need, never somewhere else."""

from __future__ import annotations

import json
import socket

from activity_center.config_alerts import Webhook
from collector.alerts.messenger import Messenger
from collector.alerts.payloads import signature
from collector.alerts.store import AlertStore
from collector.deliver.backoff import Backoff
from tests.collector.alerts.parts import Place, Receiver
from tests.collector.alerts.test_store import finding


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
