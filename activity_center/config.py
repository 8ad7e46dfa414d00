"""``activity-center.yml``: one file, one JSON Schema, read by collector and sidecar.

Secrets stand in the file only as ``${ENV}`` or as ``*_file``. A wrong file is
refused with file, line and path, and changes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activity_center.address import binds_loopback
from activity_center.errors import ConfigError

if TYPE_CHECKING:
    from activity_center.config_file import Findings

MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach OpenSearch. ``url`` empty: the embedded node."""

    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    api_token: str = field(default="", repr=False)
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of a listener; with ``client_ca`` a client certificate is demanded."""

    certificate: str
    key: str
    client_ca: str = ""


@dataclass(frozen=True, slots=True)
class ForwardListener:
    """One Fluent Forward address: ``host:port``, ``[::1]:port`` or ``unix:/path``.

    Attributes:
        shared_key: empty: no handshake (then ``sender`` is required).
        sender: name of the sender of everything that arrives here, unless a
            Forward user or a client certificate names another.
        source: source mapping of everything that arrives here; empty: routed.
    """

    bind: str
    tls: Tls | None = None
    shared_key: str = field(default="", repr=False)
    hostname: str = "activity-center"
    sender: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class HttpListener:
    """One HTTP address, ``host:port`` or ``[::1]:port``."""

    bind: str
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class SenderConfig:
    """A sender's credentials and rights (design decision: docs/decisions)."""

    name: str
    token_sha256: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    certificate_sha256: str = ""
    sources: frozenset[str] | None = None
    organizations: frozenset[str] | None = None
    may_assert: frozenset[str] = frozenset()
    quota_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Organization:
    """What the installation knows of an organization."""

    id: str
    plan: str = ""
    own_streams: bool = False


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is a secret beyond the built-in rules.

    Attributes:
        keys: further key names whose values are removed.
        patterns: further RE2 patterns whose matches in values are removed.
        hash: fields whose value becomes a keyed hash: searchable, not readable.
        hash_key_file: file of the HMAC key; created (0600) when missing.
    """

    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    hash_key_file: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sizes and times of bulk requests; times in seconds."""

    batch_documents: int = 1000
    batch_bytes: int = 5_000_000
    linger: float = 0.2
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """The section ``collector``."""

    data_dir: str = "activity-center-data"
    workers: int = 1
    quota_bytes: int = 4 * 1024**3
    forward: tuple[ForwardListener, ...] = ()
    http: tuple[HttpListener, ...] = ()
    health: str = "127.0.0.1:9600"
    health_public: bool = False
    sources_dir: str = ""
    redaction: Redaction = Redaction()
    deliver: Delivery = Delivery()
    drain_timeout: float = 25.0


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    path: str
    opensearch: Cluster
    maintain: Cluster | None
    collector: CollectorConfig
    senders: tuple[SenderConfig, ...]
    organizations: Mapping[str, Organization]
    plans: Mapping[str, str]
    default_class: str = "permanent"

    @property
    def maintainer(self) -> Cluster:
        """The account that may search and delete, at the first one's address unless it has its own.

        Without a section ``maintain`` it is the account that delivers.
        """
        if self.maintain is None:
            return self.opensearch
        if self.maintain.url:
            return self.maintain
        ca = self.maintain.ca or self.opensearch.ca
        return replace(self.maintain, url=self.opensearch.url, ca=ca)


PLAN_PRESETS: Final[Mapping[str, str]] = {
    "standard": "standard-30d",
    "team": "standard-90d",
    "enterprise": "extended-365d",
    "permanent": "permanent",
}


def load(path: str | Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read, check and resolve the configuration file.

    Args:
        path: the YAML file.
        environment: for ``${ENV}``; default ``os.environ``.

    Raises:
        ConfigError: with every finding, each with file, line and path.
    """
    config, findings = examine(path, environment)
    return findings.check(config)


def examine(
    path: str | Path, environment: Mapping[str, str] | None = None
) -> tuple[Config | None, Findings]:
    """Read the file as far as it goes; for who has further checks to add to the findings.

    Args:
        path: the YAML file.
        environment: for ``${ENV}``; default ``os.environ``.

    Returns:
        The configuration without what the schema refuses (``None``: too little is left), and
        what is wrong: only without findings is it to be used for anything but checks.

    Raises:
        ConfigError: the file cannot be read, or is no YAML.
    """
    from activity_center.config_file import read

    document, findings = read(Path(path), os.environ if environment is None else environment)
    if document is None:
        return None, findings
    config = _build(document, str(path))
    _cross_check(config, findings)
    return config, findings


def _secret(section: Mapping[str, Any], name: str, path: str) -> str:
    """Return ``section[name]``, or the first line of the file in ``section[name + "_file"]``."""
    if name in section:
        return str(section[name])
    if f"{name}_file" not in section:
        return ""
    file = Path(section[f"{name}_file"])
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as wrong:
        raise ConfigError(
            f"cannot read {file}: {wrong.strerror}", where=path, hint=f"see {name}_file"
        ) from wrong


def _bytes(size: int | str) -> int:
    """``"4GiB"`` -> bytes (the schema has checked the form)."""
    if isinstance(size, int):
        return size
    unit = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}[size[-3:]]
    return int(size[:-3]) * unit


def _cluster(section: Mapping[str, Any], path: str) -> Cluster:
    return Cluster(
        url=section.get("url", ""),
        username=section.get("username", ""),
        password=_secret(section, "password", path),
        api_token=_secret(section, "api_token", path),
        ca=section.get("ca", ""),
    )


def _tls(section: Mapping[str, Any]) -> Tls | None:
    return Tls(**section["tls"]) if "tls" in section else None


def _sender(section: Mapping[str, Any], path: str) -> SenderConfig:
    token = _secret(section, "token", path)
    digest = section.get("token_sha256", "")
    if token:
        digest = hashlib.sha256(token.encode()).hexdigest()
    return SenderConfig(
        name=section["name"],
        token_sha256=digest,
        username=section.get("username", ""),
        password=_secret(section, "password", path),
        certificate_sha256=section.get("certificate_sha256", ""),
        sources=frozenset(section["sources"]) if "sources" in section else None,
        organizations=frozenset(section["organizations"]) if "organizations" in section else None,
        may_assert=frozenset(section.get("may_assert", ())),
        quota_bytes=_bytes(section["quota"]) if "quota" in section else None,
    )


_PLAIN: Final = ("data_dir", "workers", "health", "health_public", "sources_dir", "drain_timeout")


def _collector(section: Mapping[str, Any], path: str) -> CollectorConfig:
    plain = {key: section[key] for key in _PLAIN if key in section}
    if "quota" in section:
        plain["quota_bytes"] = _bytes(section["quota"])
    redaction = section.get("redaction", {})
    return CollectorConfig(
        forward=tuple(
            ForwardListener(
                bind=listener["bind"],
                tls=_tls(listener),
                shared_key=_secret(listener, "shared_key", path),
                hostname=listener.get("hostname", "activity-center"),
                sender=listener.get("sender", ""),
                source=listener.get("source", ""),
            )
            for listener in section.get("forward", ())
        ),
        http=tuple(HttpListener(one["bind"], _tls(one)) for one in section.get("http", ())),
        redaction=Redaction(
            keys=tuple(redaction.get("keys", ())),
            patterns=tuple(redaction.get("patterns", ())),
            hash=tuple(redaction.get("hash", ())),
            hash_key_file=redaction.get("hash_key_file", ""),
        ),
        deliver=Delivery(**section.get("deliver", {})),
        **plain,
    )


def _build(document: Mapping[str, Any], path: str) -> Config:
    opensearch = document.get("opensearch", {})
    return Config(
        path=path,
        opensearch=_cluster(opensearch, path),
        maintain=_cluster(opensearch["maintain"], path) if "maintain" in opensearch else None,
        collector=_collector(document.get("collector", {}), path),
        senders=tuple(_sender(sender, path) for sender in document.get("senders", ())),
        organizations={
            id_: Organization(id_, **(section or {}))
            for id_, section in document.get("organizations", {}).items()
        },
        plans={**PLAN_PRESETS, **document.get("plans", {})},
        default_class=document.get("default_retention_class", "permanent"),
    )


def _cross_check(config: Config, findings: Findings) -> None:
    """What a schema cannot say: names that refer to each other, TLS off loopback."""
    from activity_center.config_words import meant

    names = [sender.name for sender in config.senders]
    for index, name in enumerate(names):
        if name in names[:index]:
            findings.add(("senders", index, "name"), f"the name {name!r} stands twice")
    for index, listener in enumerate(config.collector.forward):
        place = ("collector", "forward", index)
        unknown = listener.sender and listener.sender not in names
        if unknown and not findings.within(("senders",)):
            words = f"no sender is named {listener.sender!r}{meant(listener.sender, names)}"
            findings.follow((*place, "sender"), words)
        client_certificates = listener.tls is not None and listener.tls.client_ca
        if not (listener.sender or listener.shared_key or client_certificates):
            findings.follow(place, "needs sender, shared_key with users, or tls.client_ca")
    for where, one in listeners(config):
        _check_port(one.bind, 0, (*where, "bind"), findings)
        if one.tls is None and not binds_loopback(one.bind):
            findings.follow(where, f"{one.bind}: an address beyond loopback needs tls")
    health = ("collector", "health")
    _check_port(config.collector.health, config.collector.workers - 1, health, findings)
    if not (config.collector.health_public or binds_loopback(config.collector.health)):
        findings.follow(
            health,
            f"{config.collector.health}: an address beyond loopback, where anyone who reaches it "
            "reads the names of senders and sources (no content); "
            "where that is meant, set collector.health_public: true",
        )
    for organization in () if findings.within(("plans",)) else config.organizations.values():
        if organization.plan and organization.plan not in config.plans:
            findings.follow(
                ("organizations", organization.id, "plan"),
                f"no plan is named {organization.plan!r}{meant(organization.plan, config.plans)}",
            )


def listeners(
    config: Config,
) -> Iterator[tuple[tuple[str | int, ...], ForwardListener | HttpListener]]:
    """Yield every listener with its place in the file."""
    for index, forward in enumerate(config.collector.forward):
        yield ("collector", "forward", index), forward
    for index, http in enumerate(config.collector.http):
        yield ("collector", "http", index), http


def _check_port(bind: str, further: int, place: tuple[str | int, ...], findings: Findings) -> None:
    """A port, and the ``further`` ones after it, are at most 65535."""
    port = bind.rpartition(":")[2]
    if not bind.startswith("unix:") and port.isdigit() and int(port) + further > MAX_PORT:
        findings.follow(place, f"{bind}: the highest port is {MAX_PORT}")
