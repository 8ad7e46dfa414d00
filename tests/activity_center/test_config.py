"""The configuration file: one schema, errors with file, line and path."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.config import load
from activity_center.errors import ConfigError

GOOD = """
opensearch:
  url: https://search.example:9200
  username: collector
  password: ${OS_PASSWORD}
  maintain: {username: maintain, password_file: PASSWORD_FILE}
collector:
  data_dir: ${DATA:-/var/lib/ac}
  quota: 512MiB
  forward:
    - {bind: "127.0.0.1:24224", sender: local}
  http:
    - {bind: "[::1]:8080"}
  redaction: {keys: [iban], hash: [user.email]}
senders:
  - {name: local, token: "${TOKEN}", sources: [native], organizations: [acme], quota: 1MiB}
organizations:
  acme: {plan: team}
plans: {team: extended-365d}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "password").write_text("from a file\n")
    file = folder / "activity-center.yml"
    file.write_text(text.replace("PASSWORD_FILE", str(folder / "password")))
    return file


def test_a_good_file_is_resolved(tmp_path: Path) -> None:
    """Variables, defaults, secret files, sizes and plans end up as plain values."""
    config = load(write(tmp_path, GOOD), {"OS_PASSWORD": "geheim", "TOKEN": "t0ken"})
    assert config.opensearch.password == "geheim"
    assert config.maintain is not None
    assert config.maintain.password == "from a file"
    assert config.collector.data_dir == "/var/lib/ac"
    assert config.collector.quota_bytes == 512 * 1024**2
    assert config.collector.redaction.hash == ("user.email",)
    (sender,) = config.senders
    assert sender.organizations == frozenset({"acme"})
    assert sender.quota_bytes == 1024**2
    assert len(sender.token_sha256) == 64
    assert config.plans["team"] == "extended-365d"
    assert config.plans["standard"] == "standard-30d"
    assert "geheim" not in repr(config)
    assert "t0ken" not in repr(config)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("collector: {workers: 0}", 1, "collector.workers: 0 is less than the minimum of 1"),
        ("collector:\n  wrokers: 2", 1, "'wrokers' was unexpected"),
        ("senders:\n  - name: a\n    token: plain", 3, "a secret stands here as plain text"),
        ("senders:\n  - name: a\n    token: ${NOPE}", 3, "variable NOPE is not set"),
        ("collector:\n  quota: 4GB", 2, "collector.quota"),
        ("collector:\n  workers: 1\n  workers: 2", 3, "'workers' stands twice"),
        ("organizations:\n  Acme: {}", 1, "'Acme' does not match"),
        ("a: [", 1, "not YAML"),
        ("- a", 1, "is not of type 'object'"),
    ],
)
def test_a_wrong_file_names_line_and_path(tmp_path: Path, text: str, line: int, words: str) -> None:
    """Every finding says where it is; a wrong value of a secret is not repeated."""
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert f"{file}:{line}:" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('collector: {forward: [{bind: "127.0.0.1:1"}]}', "needs sender, shared_key"),
        ('collector: {forward: [{bind: "127.0.0.1:1", sender: x}]}', "no sender is named 'x'"),
        ('collector: {http: [{bind: "0.0.0.0:1"}]}', "beyond loopback needs tls"),
        ("organizations: {a: {plan: gold}}", "no plan is named 'gold'"),
        ("senders: [{name: a}, {name: a}]", "'a' stands twice"),
    ],
)
def test_contradictions_are_found(tmp_path: Path, text: str, words: str) -> None:
    """What a schema cannot say is checked too: references, and TLS beyond loopback."""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {})
    assert words in str(caught.value)


def test_a_missing_file_says_where_an_example_is(tmp_path: Path) -> None:
    """The first mistake of a newcomer has an answer."""
    with pytest.raises(ConfigError, match=r"docs/configuration\.md"):
        load(tmp_path / "none.yml", {})
