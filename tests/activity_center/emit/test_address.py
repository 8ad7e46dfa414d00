"""Which addresses the emitter takes, and why not."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center import Emitter
from activity_center.emit.transport import parse
from activity_center.errors import ActivityCenterError, ConfigError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("forward://127.0.0.1", "forward://127.0.0.1:24224"),
        ("forward://localhost:1", "forward://127.0.0.1:1"),
        ("unix:///run/fluent.sock", "unix:///run/fluent.sock"),
        ("https://collector.example", "https://collector.example:443"),
        ("https://[2001:db8::1]:9880", "https://[2001:db8::1]:9880"),
        ("http://127.0.0.1:9880/", "http://127.0.0.1:9880"),
        ("http://[::1]:9880", "http://[::1]:9880"),
    ],
)
def test_addresses_that_are_taken(url: str, expected: str) -> None:
    """Loopback by Forward or plain HTTP, anywhere by HTTPS."""
    assert str(parse(url)) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("forward://10.0.0.1:24224", "no TLS"),
        ("forward://fluent.example:24224", "no TLS"),
        ("forward://127.0.0.1.example.com", "no TLS"),
        ("forward://[::1]:24224", "IPv4 only"),
        ("http://collector.example", "show token"),
        ("http://0.0.0.0:80", "show token"),
        ("unix://relative/path", "absolute path"),
        ("tcp://127.0.0.1:1", "not spoken"),
        ("https://host/path", "scheme://host:port"),
        ("https://", "scheme://host:port"),
        ("https://host:99999", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("", "scheme://host:port"),
    ],
)
def test_addresses_that_are_refused_say_why(url: str, words: str) -> None:
    """An address where events could be read or lost unnoticed is refused at the start."""
    with pytest.raises(ConfigError, match=words):
        Emitter(url)


def test_credentials_in_the_address_are_refused_and_not_repeated() -> None:
    """An address is logged; a password in it must not be."""
    with pytest.raises(ConfigError) as refused:
        Emitter("https://user:hunter2@host")
    assert "hunter2" not in str(refused.value)


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_an_address_or_our_error(url: str) -> None:
    """No bare ValueError for bad input."""
    with contextlib.suppress(ActivityCenterError):
        parse(url)


@pytest.mark.parametrize(
    "options",
    [
        {"token": "a", "token_file": "b"},
        {"token": "a\r\nX: y"},
        {"token": "schlüssel"},
        {"token": " "},
        {"queue_size": 0},
        {"ca": "/nonexistent.pem"},
        {"record_url": "forward://127.0.0.1:1"},
    ],
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    """Contradictions are found when the emitter is made, not when an event is lost."""
    with pytest.raises(ConfigError):
        Emitter("https://127.0.0.1:1", **options)  # type: ignore[arg-type]


def test_no_secret_in_repr() -> None:
    """The emitter can be printed anywhere."""
    made = Emitter("https://127.0.0.1:1", token="hunter2-hunter2")
    assert "hunter2" not in repr(made)
    assert "https://127.0.0.1:1" in repr(made)
