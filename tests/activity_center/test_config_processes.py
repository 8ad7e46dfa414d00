"""The sections ``bus`` and ``channels``, and ``sidecar.origins``."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.config import load
from activity_center.config_processes import BusConfig, ChannelConfig, Webhook
from activity_center.errors import ConfigError

GOOD = """
collector: {data_dir: /var/lib/ac}
bus:
  url: rediss://redis.example:6380/2
  username: steps
  password: ${REDIS_PASSWORD}
  ca: /etc/ca.pem
  keep_entries: 5000
  keep: 8MiB
channels:
  migration:
  own-thing:
    label: Own thing
    steps: [Begin, End]
    webhook: {url: "https://hooks.example/a", secret: "${HOOK}"}
sidecar: {origins: ["https://platform.example"]}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "activity-center.yml"
    file.write_text(text)
    return file


def test_a_good_file(tmp_path: Path) -> None:
    """Everything ends up as plain values, and no secret is in what is printed."""
    config = load(write(tmp_path, GOOD), {"REDIS_PASSWORD": "geheim", "HOOK": "key"})
    assert config.bus == BusConfig(
        url="rediss://redis.example:6380/2",
        username="steps",
        password="geheim",
        ca="/etc/ca.pem",
        folder="/var/lib/ac/steps",
        keep_entries=5000,
        keep_bytes=8 * 1024**2,
    )
    assert config.channels["migration"] == ChannelConfig("migration")
    assert config.channels["own-thing"].steps == ("Begin", "End")
    assert config.channels["own-thing"].webhook == Webhook("https://hooks.example/a", "key")
    assert config.sidecar.origins == ("https://platform.example",)
    assert "geheim" not in repr(config) and "'key'" not in repr(config)


def test_without_a_section(tmp_path: Path) -> None:
    """The bus is embedded below the collector's data folder."""
    bus = load(write(tmp_path, "collector: {data_dir: /srv/ac}"), {}).bus
    assert (bus.url, bus.folder) == ("", "/srv/ac/steps")
    assert (bus.keep_entries, bus.keep_bytes) == (100_000, 64 * 1024**2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bus: {url: 'redis://redis.example'}", "needs TLS: rediss:// instead of redis://"),
        ("bus: {url: 'redis://u:geheim@localhost'}", "without a login"),
        ("bus: {url: 'http://localhost'}", "bus.url: must be an address such as rediss://"),
        ("bus: {url: 'redis://localhost:99999'}", "bus.url: must be an address such as"),
        ("bus: {url: 'redis://localhost', ca: /a}", "redis:// has no TLS"),
        ("bus: {username: a}", "username is of a server, and no url names one"),
        ("bus: {url: 'redis://localhost', password: geheim}", "a secret stands here as plain"),
        ("bus: {keep: 1KB}", "must be bytes"),
        ("bus: {keep_entries: 1}", "must be from 100 to 10000000"),
        ("channels: {Own: }", "the name 'Own' must be"),
        ("channels: {a: {webhook: {url: 'https://a.b/'}}}", "needs secret"),
        ("channels: {a: {webhook: {url: 'http://a.b/', secret: '${S}'}}}", "must be an https://"),
        ("channels: {a: {webhook: {secret: '${S}'}}}", "'url' is missing"),
        ("sidecar: {origins: ['http://a.example']}", "must be https"),
        ("sidecar: {origins: ['https://a.example/x']}", "must be an origin"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, words: str) -> None:
    """Each finding says what is wrong; no secret is repeated."""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {"S": "geheim"})
    assert words in str(caught.value)
    assert "geheim" not in str(caught.value)
