"""``activity-center.yml``: one file, one JSON Schema, read by collector and sidecar.

Secrets stand in the file only as ``${ENV}`` or as ``*_file``. A wrong file is
refused with file, line and path, and changes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from activity_center.address import binds_loopback
from activity_center.errors import ConfigError


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
    from activity_center.config_file import read

    document = read(Path(path), os.environ if environment is None else environment)
    return _build(document, str(path))


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


def _collector(section: Mapping[str, Any], path: str) -> CollectorConfig:
    plain = {
        key: section[key]
        for key in ("data_dir", "workers", "health", "sources_dir", "drain_timeout")
        if key in section
    }
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
    config = Config(
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
    _cross_check(config)
    return config


def _cross_check(config: Config) -> None:
    """What a schema cannot say: names that refer to each other, TLS off loopback."""
    findings = []
    names = [sender.name for sender in config.senders]
    findings += [
        f"senders: the name {name!r} stands twice"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    for listener in config.collector.forward:
        where = f"collector.forward {listener.bind}"
        if listener.sender and listener.sender not in names:
            findings.append(f"{where}: no sender is named {listener.sender!r}")
        client_certificates = listener.tls is not None and listener.tls.client_ca
        if not (listener.sender or listener.shared_key or client_certificates):
            findings.append(f"{where}: needs sender, shared_key with users, or tls.client_ca")
        if listener.tls is None and not binds_loopback(listener.bind):
            findings.append(f"{where}: an address beyond loopback needs tls")
    for http in config.collector.http:
        if http.tls is None and not binds_loopback(http.bind):
            findings.append(f"collector.http {http.bind}: an address beyond loopback needs tls")
    for organization in config.organizations.values():
        if organization.plan and organization.plan not in config.plans:
            known = ", ".join(sorted(config.plans))
            findings.append(
                f"organizations.{organization.id}.plan: no plan is named {organization.plan!r}"
                f" (known: {known})"
            )
    if findings:
        raise ConfigError("\n  ".join(findings), where=config.path)
