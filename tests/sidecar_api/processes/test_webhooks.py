"""What a channel's webhook is told of a control, how often and for how long."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from activity_center.config_processes import Webhook
from sidecar_api.processes.webhooks import Messenger, signature
from tests.collector.alerts.parts import Receiver
from tests.integration.process import until
from tests.sidecar_api.processes.wishes import process, row, wish


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


@pytest.mark.parametrize(("takes", "posts"), [(58.0, 2), (59.6, 1), (61.0, 1)], ids=str)
def test_after_its_minute_a_control_is_not_posted_again(takes: float, posts: int) -> None:
    """A further try that would come after the 60 seconds in which the control is valid is not
    made, and its place is free for others; one within them is made."""
    failing, other = Receiver(), Receiver()
    failing.answers = [500] * 10
    hooks = {"ssl": Webhook(failing.address, "key"), "dns": Webhook(other.address, "key")}
    # To this clock every post takes so long; the pauses before another try are real.
    messenger = Messenger(hooks, clock=lambda: 1e9 + takes * len(failing.got), at_once=1)
    try:
        made, wrong = wish(process(), messenger=messenger)
        assert not wrong

        def free() -> bool:
            messenger.tell(process() | {"channel": "dns"}, made, 60.0, lambda: False)
            return bool(other.got)

        until(free, timeout=20, why="it is still tried")
        assert len(failing.got) == posts
    finally:
        failing.close()
        other.close()
