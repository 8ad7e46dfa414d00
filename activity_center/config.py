"""``activity-center.yml``: one file, one JSON Schema, read by collector and sidecar.

Secrets stand in the file only as ``${ENV}`` or as ``*_file``. A wrong file is
refused with file, line and path, and changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from activity_center.config_alerts import AlertsConfig
from activity_center.config_processes import BusConfig, ChannelConfig
from activity_center.config_sidecar import IdentityConfig, Role, SidecarConfig

if TYPE_CHECKING:
    from activity_center.agents.policy import Policies
    from activity_center.config_file import Findings


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
    """What the installation knows of an organization.

    Attributes:
        name: as people call it; empty: its id.
        members_see: what members without ``org:audit`` see: what they did themselves, or the
            organization's trail.
        withhold: role -> lenses that it does not open here, although it has ``org:audit``.
    """

    id: str
    plan: str = ""
    own_streams: bool = False
    name: str = ""
    members_see: Literal["own", "organization"] = "own"
    withhold: Mapping[str, frozenset[str]] = field(default_factory=dict)


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
    """The section ``collector``.

    Attributes:
        digest_key_file: file of the HMAC key of digests of tool calls; created (0600) when
            missing. Empty: ``keys/digest.key`` in ``data_dir``.
        country_database: a MaxMind DB file that tells the country of an address; empty: none.
    """

    data_dir: str = "activity-center-data"
    workers: int = 1
    quota_bytes: int = 4 * 1024**3
    forward: tuple[ForwardListener, ...] = ()
    http: tuple[HttpListener, ...] = ()
    health: str = "127.0.0.1:9600"
    health_public: bool = False
    sources_dir: str = ""
    redaction: Redaction = Redaction()
    digest_key_file: str = ""
    country_database: str = ""
    deliver: Delivery = Delivery()
    drain_timeout: float = 25.0


def _shipped_policies() -> Policies:
    from activity_center.agents.policy import shipped_policies

    return shipped_policies()


def _builtin_roles() -> Mapping[str, Role]:
    from activity_center.config_people import builtin_roles

    return builtin_roles()


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file.

    Attributes:
        roles: the built-in roles of ``permissions.yml`` (``platform_admin`` among them) and
            those of the section ``roles``, by name.
        channels: those that the file names; :mod:`activity_center.processes` has the others.
        approval_policies: those of the section, with the shipped ones behind them.
    """

    path: str
    opensearch: Cluster
    maintain: Cluster | None
    collector: CollectorConfig
    senders: tuple[SenderConfig, ...]
    organizations: Mapping[str, Organization]
    plans: Mapping[str, str]
    default_class: str = "permanent"
    identity: IdentityConfig = field(default_factory=IdentityConfig)
    sidecar: SidecarConfig = field(default_factory=SidecarConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    roles: Mapping[str, Role] = field(default_factory=_builtin_roles)
    bus: BusConfig = field(default_factory=BusConfig)
    channels: Mapping[str, ChannelConfig] = field(default_factory=dict)
    approval_policies: Policies = field(default_factory=_shipped_policies)

    @property
    def maintainer(self) -> Cluster:
        """The account that may search and delete, at the first one's address unless it has its own.

        Without a section ``maintain`` it is the account that delivers.
        """
        return self._at_home(self.maintain) if self.maintain else self.opensearch

    @property
    def searcher(self) -> Cluster:
        """The account that the sidecar searches with: ``sidecar.opensearch``, else the maintainer.

        It is at the first one's address unless it has its own.
        """
        own = self.sidecar.opensearch
        return self._at_home(own) if own else self.maintainer

    def _at_home(self, cluster: Cluster) -> Cluster:
        if cluster.url:
            return cluster
        return replace(cluster, url=self.opensearch.url, ca=cluster.ca or self.opensearch.ca)


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
    from activity_center import config_agents, config_build, config_checks, config_people
    from activity_center.config_file import read

    values = os.environ if environment is None else environment
    document, findings = read(Path(path), values)
    if document is None:
        return None, findings
    people = config_people.read_people(document.get("identity", {}), findings, values)
    roles = config_people.roles(document.get("roles", {}))
    section = document.get("approval_policies", {})
    policies = config_agents.read_policies(section, findings, values, roles)
    config = replace(config_build.build(document, people, str(path)), approval_policies=policies)
    config_checks.check(config, document, people, findings)
    return config, findings


def listeners(
    config: Config,
) -> Iterator[tuple[tuple[str | int, ...], ForwardListener | HttpListener]]:
    """Yield every listener with its place in the file."""
    for index, forward in enumerate(config.collector.forward):
        yield ("collector", "forward", index), forward
    for index, http in enumerate(config.collector.http):
        yield ("collector", "http", index), http
