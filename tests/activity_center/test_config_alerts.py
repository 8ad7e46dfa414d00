"""The section ``alerts``: its values, its secrets, and what it refuses."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from activity_center.config import load
from activity_center.config_alerts import PAGERDUTY, Hours
from activity_center.errors import ConfigError
from collector.check import check_config

WHOLE = """
alerts:
  enabled: true
  engine: plugin
  without: [new-credential]
  link: https://audit.example
  runbook_base: https://docs.example/alerts.html
  hours: {timezone: Europe/Ljubljana, days: [mon, sat], start: "08:30", end: "17:00"}
  channels: [abc]
  webhooks:
    - {name: soc, webhook: "${SOC}", secret_file: HERE, severity: high}
    - {name: chat, type: slack, webhook: "${CHAT}"}
    - {name: duty, type: pagerduty, routing_key: "${DUTY}"}
"""
ENVIRONMENT = {
    "SOC": "https://soc.example/hook",
    "CHAT": "https://hooks.slack.example/T/B/x",
    "DUTY": "r1",
}


KEY = "0123456789abcdefghijklmn"


def read(folder: Path, text: str) -> Path:
    (folder / "key").write_text("0123456789abcdefghijklmn\n")
    file = folder / "activity-center.yml"
    file.write_text(text.replace("HERE", str(folder / "key")))
    return file


def test_the_whole_section(tmp_path: Path) -> None:
    """Every value arrives, secrets from the environment and from files."""
    alerts = load(read(tmp_path, WHOLE), ENVIRONMENT).alerts
    assert (alerts.enabled, alerts.engine, alerts.without) == (True, "plugin", {"new-credential"})
    assert (alerts.link, alerts.runbook_base) == (
        "https://audit.example",
        "https://docs.example/alerts.html",
    )
    assert alerts.hours == Hours("Europe/Ljubljana", ("mon", "sat"), "08:30", "17:00")
    assert alerts.hours.as_params() == {
        "zone": "Europe/Ljubljana",
        "days": [1, 6],
        "start": 510,
        "end": 1020,
    }
    soc, chat, duty = alerts.webhooks
    assert (soc.type, soc.address, soc.secret) == ("generic", ENVIRONMENT["SOC"], KEY)
    assert chat.address == ENVIRONMENT["CHAT"]
    assert (duty.address, duty.routing_key) == (PAGERDUTY, "r1")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """What a log or a traceback may show of the section holds no address and no key."""
    shown = repr(load(read(tmp_path, WHOLE), ENVIRONMENT).alerts)
    assert "hooks.slack" not in shown
    assert "0123456789" not in shown
    assert "r1" not in shown


def test_without_the_section(tmp_path: Path) -> None:
    """Nothing is evaluated unless it is asked for."""
    alerts = load(read(tmp_path, "senders: []\n"), {}).alerts
    assert (alerts.enabled, alerts.webhooks) == (False, ())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"${CHAT}"', "https://hooks.slack.example/T/B/x", "a secret stands here as plain text"),
        ("secret_file: HERE, ", "", "needs secret"),
        ('routing_key: "${DUTY}"', "severity: low", "needs routing_key"),
        ("Europe/Ljubljana", "Europe/Atlantis", "no such zone"),
        ('"08:30"', '"18:00"', "start must be before end"),
        ('"08:30"', '"8:30"', "a time of day"),
        ("name: chat", "name: soc", "'soc' stands twice"),
        ("type: slack", "type: discord", "must be one of the known values"),
        ("severity: high", "severity: loud", "must be one of the known values"),
        ("[abc]", "['a/b']", "the id of a notification channel"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """What cannot work is refused with its line, and no secret is repeated."""
    with pytest.raises(ConfigError) as wrong:
        load(read(tmp_path, WHOLE.replace(old, new)), ENVIRONMENT)
    assert words in str(wrong.value)
    assert "activity-center.yml:" in str(wrong.value)
    assert "T/B/x" not in str(wrong.value)


@pytest.mark.parametrize(
    "address", ["http://soc.example/hook", "ftp://soc.example", "soc", "https:"]
)
def test_addresses(tmp_path: Path, address: str) -> None:
    """Alerts go out over TLS, or to loopback; the address itself is not repeated."""
    with pytest.raises(ConfigError) as wrong:
        load(read(tmp_path, WHOLE), {**ENVIRONMENT, "SOC": address})
    assert "must be an https:// address" in str(wrong.value)
    assert "soc.example" not in str(wrong.value)
    local = {**ENVIRONMENT, "SOC": "http://127.0.0.1:9/x"}
    assert load(read(tmp_path, WHOLE), local).alerts.webhooks[0].address == local["SOC"]


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 23, "whsec_", "whsec_AAAA", "whsec_" + "!" * 40]
)
def test_short_keys(tmp_path: Path, key: str) -> None:
    """A key that can be guessed signs nothing: 24 bytes or more (Standard Webhooks 1.0)."""
    text = WHOLE.replace("secret_file: HERE", 'secret: "${KEY}"')
    with pytest.raises(ConfigError) as wrong:
        load(read(tmp_path, text), {**ENVIRONMENT, "KEY": key})
    assert "secret is too short" in str(wrong.value) or not key
    long = {**ENVIRONMENT, "KEY": "whsec_" + base64.b64encode(b"k" * 24).decode()}
    assert load(read(tmp_path, text), long).alerts.webhooks[0].secret == long["KEY"]


def test_an_account_that_cannot_search(tmp_path: Path) -> None:
    """Where OpenSearch asks for a login, alerting needs the account that may search."""
    text = "opensearch: {url: 'https://x:9200', username: u, password: '${P}'}\n"
    with pytest.raises(ConfigError, match=r"needs opensearch\.maintain"):
        load(read(tmp_path, text + "alerts: {enabled: true}\n"), {"P": "p"})


def test_the_collector_checks_the_rules(tmp_path: Path) -> None:
    """``collect --check`` finds a broken rule of one's own, and an unknown one that is off."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yml").write_text("title: x\n")
    start = (
        "collector:\n  http: [{bind: '127.0.0.1:9400'}]\n"
        "senders: [{name: a, token_sha256: " + "a" * 64 + "}]\n"
    )
    with pytest.raises(ConfigError, match=r"mine\.yml"):
        check_config(
            read(tmp_path, start + f"alerts: {{enabled: true, rules_dir: {tmp_path}/rules}}\n"),
            make_key=False,
        )
    text = start + "alerts: {enabled: true, without: [brake-glass]}\n"
    with pytest.raises(ConfigError, match="did you mean 'break-glass'"):
        check_config(read(tmp_path, text), make_key=False)


def test_the_example_of_the_page(tmp_path: Path) -> None:
    """The example in docs/alerts.md can be pasted."""
    page = Path(__file__).parents[2] / "docs" / "alerts.md"
    (example,) = re.findall(r"```yaml\n(opensearch:.*?)```", page.read_text(), re.S)
    names = re.findall(r"\$\{(\w+)\}", example)
    environment = {name: f"https://{name.lower()}.example/x" for name in names}
    alerts = load(read(tmp_path, example), environment).alerts
    assert alerts.enabled
    assert [one.type for one in alerts.webhooks] == ["generic", "slack", "pagerduty"]
