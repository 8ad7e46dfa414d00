"""The configuration file: one schema, errors with file, line and path."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.config import load
from activity_center.errors import ConfigError, VocabularyError
from activity_center.vocabulary.files import read

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
        ("collector: {workers: 0}", 1, "collector.workers: 0: must be from 1 to 64"),
        ("collector:\n  wrokers: 2", 2, "wrokers: no such key; did you mean 'workers'?"),
        ("senders:\n  - name: a\n    token: plain", 3, "a secret stands here as plain text"),
        ("senders:\n  - name: a\n    token: ${NOPE}", 3, "variable NOPE is not set"),
        (
            "collector:\n  quota: 4GB",
            2,
            "'4GB': must be bytes (at least 65536), or a number with KiB",
        ),
        ("collector:\n  workers: 1\n  workers: 2", 3, "'workers' stands twice"),
        ("organizations:\n  Acme: {}", 2, "the name 'Acme' must be 1 to 63 lower-case letters"),
        ("a: [", 1, "not YAML"),
        ("- a", 1, "must be a mapping of keys to values"),
        ("collector: {forward: [{sender: a}]}", 1, "collector.forward.0: 'bind' is missing"),
        ('collector:\n  http: [{bind: "8080"}]', 2, "must be host:port, [::1]:port or unix:/path"),
        ("collector:\n  health: unix:/a", 2, "must be host:port or [::1]:port"),
        ("collector:\n  health: '127.0.0.1:65536'", 2, "the highest port is 65535"),
        ("collector: {workers: two}", 1, "'two': must be a whole number"),
        ("default_retention_class: permament", 1, "did you mean 'permanent'?"),
        ("organizations:\n  7: {}", 2, "a key must be text"),
        ("senders: [{name: a, token_file: /no/such}]", 1, "token_file: cannot read /no/such: No"),
        ("a: &a [*a]", 1, "an anchor contains itself"),
        ("a: &a\n  <<: *a", 1, "an anchor contains itself"),
        ("[" * 3000, 0, "nested too deep"),
    ],
)
def test_a_wrong_file_names_line_and_path(tmp_path: Path, text: str, line: int, words: str) -> None:
    """Every finding says where it is; a wrong value of a secret is not repeated."""
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert (f"{file}:{line}:" if line else str(file)) in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_cannot_be_parsed_has_a_next_step(tmp_path: Path) -> None:
    """What is no YAML, and what is no UTF-8: the hint says what to look at."""
    for content, hint in ((b"a: [", "indentation"), (b"a: \xff", "save it as UTF-8")):
        file = tmp_path / "activity-center.yml"
        file.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load(file, {})
        assert hint in str(caught.value.hint)
        with pytest.raises(VocabularyError) as refused:
            read(file)
        assert hint in str(refused.value.hint)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('collector: {forward: [{bind: "127.0.0.1:1"}]}', "needs sender, shared_key"),
        ('collector: {forward: [{bind: "127.0.0.1:1", sender: x}]}', "no sender is named 'x'"),
        ('collector: {http: [{bind: "0.0.0.0:1"}]}', "beyond loopback needs tls"),
        ("organizations: {a: {plan: gold}}", "no plan is named 'gold'"),
        ("organizations: {a: {plan: standart}}", "a.plan: no plan is named 'standart'; did you"),
        ('collector: {health: "0.0.0.0:9600"}', "set collector.health_public: true"),
        ("senders: [{name: a}, {name: a}]", "'a' stands twice"),
    ],
)
def test_contradictions_are_found(tmp_path: Path, text: str, words: str) -> None:
    """What a schema cannot say is checked too: references, and TLS beyond loopback."""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {})
    assert words in str(caught.value)


def test_all_stages_are_reported_together(tmp_path: Path) -> None:
    """Findings of the schema do not hide contradictions; each has its line; what may only
    follow from another finding is not reported."""
    file = write(
        tmp_path,
        "collector:\n  quotta: 1\n  http:\n    - bind: 0.0.0.0:1\n"
        "  forward:\n    - {bind: '127.0.0.1:2', sendr: x}\n"
        "senders: [{name: a}]\norganizations:\n  b: {plan: gold}\n",
    )
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    found = [line.split(": ")[0].strip() for line in str(caught.value).splitlines()[1:-1]]
    assert found == [f"{file}:{number}" for number in (2, 4, 6, 9)]
    assert "needs sender" not in str(caught.value)


def test_health_beyond_loopback_on_purpose(tmp_path: Path) -> None:
    """With ``health_public`` a cluster's Prometheus can reach it."""
    text = 'collector: {health: "0.0.0.0:9600", health_public: true}'
    assert load(write(tmp_path, text), {}).collector.health == "0.0.0.0:9600"


@pytest.mark.parametrize(
    "text",
    [
        "senders: [{name: a, token: geheim}]",
        "senders: [{name: a, token_sha256: geheim}]",
        "senders: [{name: a, tokn: geheim}]",
        "senders: [{name: a, token: [geheim]}]",
        "senders: {a: {token: geheim}}",
        "senders: [geheim]",
        "collector: {forward: [{bind: '127.0.0.1:1', shared_key: {a: geheim}}]}",
        "opensearch: {url: 'http//user:geheim@host'}",
        "opensearch: geheim",
    ],
)
def test_no_message_repeats_a_secret(tmp_path: Path, text: str) -> None:
    """A secret at the wrong place, under a misspelled key or in a wrong form stays unsaid."""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {})
    assert "geheim" not in str(caught.value)


def test_anchors_that_expand_beyond_measure(tmp_path: Path) -> None:
    """A few lines that stand for a billion nodes are refused, not expanded."""
    rows = ["a: &a [x, x, x, x, x, x, x, x]"]
    for below, name in zip("abcdefghi", "bcdefghij", strict=True):
        rows.append(f"{name}: &{name} [{', '.join([f'*{below}'] * 8)}]")
    with pytest.raises(ConfigError, match="beyond measure"):
        load(write(tmp_path, "\n".join(rows)), {})


def test_a_missing_file_says_where_an_example_is(tmp_path: Path) -> None:
    """The first mistake of a newcomer has an answer."""
    with pytest.raises(ConfigError, match=r"docs/configuration\.md"):
        load(tmp_path / "none.yml", {})
