"""What verbs share: one way to write a time, one way to name the configuration."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from activity_center.cli import build
from activity_center.cli.options import When, milliseconds, time_option


def read(text: str) -> datetime:
    """The moment that an option's value means."""
    return When().convert(text, None, None)


def test_a_time_is_utc_unless_it_says_otherwise() -> None:
    """Whatever the zone of the machine, what names no zone is UTC, and all comes in UTC."""
    wanted = {
        "2026-11-24": "2026-11-24T00:00:00+00:00",
        "2026-11-24T13:05": "2026-11-24T13:05:00+00:00",
        "2026-11-24T13:05:07.5": "2026-11-24T13:05:07.500000+00:00",
        "2026-11-24T13:05Z": "2026-11-24T13:05:00+00:00",
        "2026-11-24T13:05+05:30": "2026-11-24T07:35:00+00:00",
    }
    code = (
        "import sys, time; from activity_center.cli.options import When; print(time.tzname[0])\n"
        "for text in sys.argv[1:]: print(When().convert(text, None, None).isoformat())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *wanted],
        env={**os.environ, "TZ": "NZST-12"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["NZST", *wanted.values()]


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
    ],
)
def test_so_long_ago(text: str, ago: timedelta) -> None:
    """A number with s, m, h or d is that long before now."""
    before = datetime.now(UTC)
    found = read(text)
    assert before <= found + ago <= datetime.now(UTC)


def test_what_lies_ahead() -> None:
    """``+30d`` is that long from now; a date may be today's; neither a past one nor a length of
    the past is taken, and what is said to it names the form of what is to come."""
    before = datetime.now(UTC)
    coming = When(coming=True)
    found = coming.convert("+30d", None, None)
    assert before <= found - timedelta(days=30) <= datetime.now(UTC)
    assert coming.convert("2300-01-01", None, None).year == 2300
    today = before.date().isoformat()
    assert coming.convert(today, None, None).date().isoformat() == today
    for text, words in (
        ("2020-01-01", "is past: name a date to come, or +30d"),
        ("30m", "is not like +12h, +30d, 2026"),
        ("tomorrow", "is not like +12h, +30d, 2026"),
    ):
        with pytest.raises(click.BadParameter, match=re.escape(words)):
            coming.convert(text, None, None)
    with pytest.raises(click.BadParameter, match="30m, 24h, 7d"):
        read("+30d")


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "7w", "-7d", "\u0667d", "24:00", "2026-13-01", "1969-12-31", "9999-01-01"),
        *("999999999d", "0001-01-01T00:00+05:00", "9999-12-31T23:59-05:00"),
        pytest.param("9" * 5000, id="long"),
    ],
)
def test_what_is_no_time_is_wrong_use(text: str) -> None:
    """Exit code 2 and the option's name, never a ValueError or an OverflowError."""

    @click.command()
    @time_option("--since", text="Only what came since then.")
    def command(since: datetime) -> None:
        click.echo(since)

    answer = CliRunner().invoke(command, ["--since", text])
    assert answer.exit_code == 2
    assert "Invalid value for '--since'" in answer.output


def test_milliseconds() -> None:
    """Unix time, cut to whole milliseconds."""
    assert milliseconds(datetime(1970, 1, 2, 0, 0, 0, 1999, UTC)) == 86_400_001
    assert milliseconds(datetime(2026, 11, 24, 0, 0, 0, 123_000, UTC)) == 1_795_478_400_123


def options() -> Iterator[tuple[str, click.Option]]:
    """Every option of every verb, with the verb's words."""

    def below(words: str, command: click.Command) -> Iterator[tuple[str, click.Option]]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                one = command.get_command(context, name)
                assert one is not None
                yield from below(f"{words} {name}".strip(), one)
        for option in command.params:
            if isinstance(option, click.Option):
                yield words, option

    return below("", build())


def test_every_time_is_written_alike() -> None:
    """An option for a moment takes the one type, in every verb, and its help says how."""
    named = {"--since", "--until", "--from", "--to", "--at"}
    found = [(words, one) for words, one in options() if named & {*one.opts}]
    assert len(found) > 10
    for words, one in found:
        assert isinstance(one.type, When), words
        assert "UTC where it names no zone" in str(one.help), words


def test_every_verb_names_the_configuration_alike() -> None:
    """``--config`` is the file's name in every verb; a file that is not there is told alike."""
    found = [(words, one) for words, one in options() if "--config" in one.opts]
    assert len(found) > 20
    for words, one in found:
        assert one.name == "config_file", words
        assert str(one.help).startswith("activity-center.yml: "), words
