"""The sections ``bus`` and ``channels`` of ``activity-center.yml``: their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from activity_center.address import is_loopback, is_safe

if TYPE_CHECKING:
    from activity_center.config import Config
    from activity_center.config_file import Findings

FOLDER: Final = "steps"
"""Of the embedded bus, below ``collector.data_dir``."""


@dataclass(frozen=True, slots=True)
class BusConfig:
    """Where steps of processes are published.

    Attributes:
        url: ``redis://`` or ``rediss://``, without a login; empty: embedded in ``folder``.
        ca: PEM file of the authority that signed the server's certificate.
        folder: of the embedded bus.
        keep_entries: entries that are kept of each collector process.
        keep_bytes: bytes that these may take.
    """

    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    folder: str = f"activity-center-data/{FOLDER}"
    keep_entries: int = 100_000
    keep_bytes: int = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where what a person asks of a channel's processes is posted to, and the signing key."""

    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """A channel as the file has it; what is empty stays as shipped."""

    name: str
    label: str = ""
    description: str = ""
    steps: tuple[str, ...] = ()
    webhook: Webhook | None = None


def bus(section: Mapping[str, Any], data_dir: str, path: str) -> BusConfig:
    """Return the section ``bus``.

    Args:
        section: as the schema accepts it.
        data_dir: the collector's, where the embedded bus is unless the section says else.
        path: of the file, for errors.

    Raises:
        ConfigError: the file of a secret cannot be read.
    """
    from activity_center.config_parts import in_bytes, secret

    plain = ("url", "username", "ca", "folder", "keep_entries")
    values = {key: section[key] for key in plain if key in section}
    values.setdefault("folder", str(Path(data_dir) / FOLDER))
    if "keep" in section:
        values["keep_bytes"] = in_bytes(section["keep"])
    return BusConfig(**values, password=secret(section, "password", path))


def channels(section: Mapping[str, Any], path: str) -> Mapping[str, ChannelConfig]:
    """Return the section ``channels``, by name.

    Raises:
        ConfigError: the file of a secret cannot be read.
    """
    return {name: _channel(name, one or {}, path) for name, one in section.items()}


def _channel(name: str, section: Mapping[str, Any], path: str) -> ChannelConfig:
    from activity_center.config_parts import secret

    hook = section.get("webhook")
    return ChannelConfig(
        name,
        label=section.get("label", ""),
        description=section.get("description", ""),
        steps=tuple(section.get("steps", ())),
        webhook=Webhook(hook["url"], secret(hook, "secret", path)) if hook else None,
    )


def check(config: Config, findings: Findings) -> None:
    """Note what the schema cannot say about the two sections and ``sidecar.origins``."""
    _bus(config.bus, findings)
    for name, channel in config.channels.items():
        place = ("channels", name, "webhook")
        if channel.webhook and not is_safe(channel.webhook.url):
            findings.follow(
                (*place, "url"), "must be an https:// address (http:// to loopback alone)"
            )
        if channel.webhook and not channel.webhook.secret:
            findings.follow(place, "needs secret, the key of the signature")
    for index, origin in enumerate(config.sidecar.origins):
        if not is_safe(origin):
            findings.follow(
                ("sidecar", "origins", index),
                f"{origin}: must be https; http is for loopback addresses alone",
            )


def _bus(bus: BusConfig, findings: Findings) -> None:
    if not bus.url:
        for key in ("username", "password", "ca"):
            if getattr(bus, key):
                findings.follow(("bus",), f"{key} is of a server, and no url names one")
        return
    try:
        parts = urlsplit(bus.url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        findings.follow(("bus", "url"), "must be an address such as rediss://redis.example:6379/0")
        return
    if parts.scheme == "redis" and not is_loopback(host):
        findings.follow(
            ("bus", "url"), "an address beyond loopback needs TLS: rediss:// instead of redis://"
        )
    if parts.scheme == "redis" and bus.ca:
        findings.follow(("bus", "ca"), "redis:// has no TLS; write rediss://")
