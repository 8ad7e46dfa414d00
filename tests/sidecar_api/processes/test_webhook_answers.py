"""What a channel's webhook answers, and how long it has for that."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from activity_center.config_processes import Webhook
from sidecar_api.processes import webhooks
from sidecar_api.processes.webhooks import Messenger
from tests.collector.alerts.parts import Receiver
from tests.integration.process import until
from tests.sidecar_api.processes.wishes import process, row

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Silent:
    """A receiver that takes what is posted, and answers when it is told to.

    Attributes:
        speak: lets it answer.
        taken: how many connections were made.
    """

    def __init__(self) -> None:
        self.speak = threading.Event()
        self.taken = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.taken += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            self.speak.wait()
            connection.sendall(ANSWER)

    def close(self) -> None:
        """End it."""
        self.speak.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    """One that says nothing yet."""
    made = Silent()
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that answers at once."""
    made = Receiver()
    yield made
    made.close()


def tell(messenger: Messenger, channel: str = "ssl", seconds: float = 60.0) -> None:
    """Post a control of a process of a channel."""
    messenger.tell(process() | {"channel": channel}, row(), seconds, lambda: False)


def messenger_of(address: str, other: Receiver) -> Messenger:
    """One that posts one at a time."""
    hooks = {"ssl": Webhook(address, "key"), "dns": Webhook(other.address, "key")}
    return Messenger(hooks, at_once=1)


def wait_until_free(messenger: Messenger, other: Receiver) -> None:
    """Nothing is tried any more: there is a place for another channel."""

    def free() -> bool:
        tell(messenger, "dns")
        return bool(other.got)

    until(free, timeout=20, why="it is still tried")


@pytest.mark.parametrize(
    ("status", "posts"),
    [(408, 2), (425, 2), (429, 2), (503, 2), (400, 1), (404, 1), (301, 1), (204, 1)],
    ids=str,
)
def test_which_answers_are_no_last_word(
    receiver: Receiver,
    other: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    posts: int,
) -> None:
    """After 408, 425, 429 and 5xx it comes again; after any other it does not."""
    monkeypatch.setattr(webhooks, "FIRST_PAUSE", 0.01)
    receiver.answers = [status]
    messenger = messenger_of(receiver.address, other)
    tell(messenger)
    wait_until_free(messenger, other)
    assert len(receiver.got) == posts


def test_it_comes_again_five_times(
    receiver: Receiver, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not once more, to a receiver that never takes it."""
    monkeypatch.setattr(webhooks, "FIRST_PAUSE", 0.01)
    receiver.answers = [500] * 10
    messenger = messenger_of(receiver.address, other)
    tell(messenger)
    wait_until_free(messenger, other)
    assert len(receiver.got) == 1 + 5


def test_who_takes_long_has_all_the_time(
    silent: Silent, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver may be silent for as long as its answer may take, and not only for as long as a
    connection may."""
    monkeypatch.setattr(webhooks, "TIMEOUT", 0.5)
    messenger = messenger_of(silent.address, other)
    threading.Timer(2.0, silent.speak.set).start()
    tell(messenger)
    wait_until_free(messenger, other)
    assert silent.taken == 1


def test_who_says_nothing_is_told_again(
    silent: Silent, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its time for an answer is over."""
    monkeypatch.setattr(webhooks, "DEADLINE", 0.5)
    messenger = messenger_of(silent.address, other)
    tell(messenger)
    until(lambda: silent.taken > 1, timeout=20, why="it is not told again")


def test_no_answer_is_waited_for_once_the_control_is_over(
    silent: Silent, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a receiver may take: its place is free for others."""
    monkeypatch.setattr(webhooks, "TIMEOUT", 600.0)
    monkeypatch.setattr(webhooks, "DEADLINE", 600.0)
    messenger = messenger_of(silent.address, other)
    tell(messenger, seconds=0.5)
    until(lambda: silent.taken == 1, why="it is not told")
    wait_until_free(messenger, other)
    assert silent.taken == 1


def test_nobody_waits_for_a_place(silent: Silent, other: Receiver) -> None:
    """Who asks for something is answered also when as many webhooks are slow as may be told at
    the same time; what finds no place is not posted, then or later."""
    messenger = messenger_of(silent.address, other)
    tell(messenger)
    until(lambda: silent.taken == 1, why="it is not told")
    asks = threading.Thread(target=tell, args=(messenger, "dns"), daemon=True)
    asks.start()
    asks.join(10)
    assert not asks.is_alive()
    silent.speak.set()
    until(lambda: messenger._free.acquire(blocking=False), why="the place was not given back")
    assert other.got == []
