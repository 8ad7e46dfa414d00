"""From the checked document of ``activity-center.yml`` to the values of ``config``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from activity_center import config_alerts, config_build_sidecar, config_processes
from activity_center.config import (
    PLAN_PRESETS,
    CollectorConfig,
    Config,
    Delivery,
    ForwardListener,
    HttpListener,
    Organization,
    Redaction,
    SenderConfig,
)
from activity_center.config_parts import cluster, in_bytes, secret, tls
from activity_center.config_people import roles

if TYPE_CHECKING:
    from activity_center.config_people import Entry


def _sender(section: Mapping[str, Any], path: str) -> SenderConfig:
    token = secret(section, "token", path)
    digest = section.get("token_sha256", "")
    if token:
        digest = hashlib.sha256(token.encode()).hexdigest()
    return SenderConfig(
        name=section["name"],
        token_sha256=digest,
        username=section.get("username", ""),
        password=secret(section, "password", path),
        certificate_sha256=section.get("certificate_sha256", ""),
        sources=frozenset(section["sources"]) if "sources" in section else None,
        organizations=frozenset(section["organizations"]) if "organizations" in section else None,
        may_assert=frozenset(section.get("may_assert", ())),
        quota_bytes=in_bytes(section["quota"]) if "quota" in section else None,
    )


_PLAIN: Final = (
    *("data_dir", "workers", "health", "health_public", "sources_dir", "drain_timeout"),
    "digest_key_file",
    "country_database",
)


def _collector(section: Mapping[str, Any], path: str) -> CollectorConfig:
    plain = {key: section[key] for key in _PLAIN if key in section}
    if "quota" in section:
        plain["quota_bytes"] = in_bytes(section["quota"])
    redaction = section.get("redaction", {})
    return CollectorConfig(
        forward=tuple(
            ForwardListener(
                bind=listener["bind"],
                tls=tls(listener),
                shared_key=secret(listener, "shared_key", path),
                hostname=listener.get("hostname", "activity-center"),
                sender=listener.get("sender", ""),
                source=listener.get("source", ""),
            )
            for listener in section.get("forward", ())
        ),
        http=tuple(HttpListener(one["bind"], tls(one)) for one in section.get("http", ())),
        redaction=Redaction(
            keys=tuple(redaction.get("keys", ())),
            patterns=tuple(redaction.get("patterns", ())),
            hash=tuple(redaction.get("hash", ())),
            hash_key_file=redaction.get("hash_key_file", ""),
        ),
        deliver=Delivery(**section.get("deliver", {})),
        **plain,
    )


def _organization(id_: str, section: Mapping[str, Any]) -> Organization:
    withhold = {role: frozenset(lenses) for role, lenses in section.get("withhold", {}).items()}
    return Organization(id_, **{**section, "withhold": withhold})


def build(document: Mapping[str, Any], people: Sequence[Entry], path: str) -> Config:
    """Return the configuration that a document states.

    Args:
        document: as the schema accepts it.
        people: the persons of the document and of its ``people_file``.
        path: of the file, for errors.

    Raises:
        ConfigError: the file of a secret cannot be read.
    """
    opensearch = document.get("opensearch", {})
    collector = _collector(document.get("collector", {}), path)
    return Config(
        path=path,
        opensearch=cluster(opensearch, path),
        maintain=cluster(opensearch["maintain"], path) if "maintain" in opensearch else None,
        collector=collector,
        senders=tuple(_sender(sender, path) for sender in document.get("senders", ())),
        organizations={
            id_: _organization(id_, section or {})
            for id_, section in document.get("organizations", {}).items()
        },
        plans={**PLAN_PRESETS, **document.get("plans", {})},
        default_class=document.get("default_retention_class", "permanent"),
        identity=config_build_sidecar.identity(document.get("identity", {}), people, path),
        sidecar=config_build_sidecar.sidecar(document.get("sidecar", {}), path),
        roles=roles(document.get("roles", {})),
        alerts=config_alerts.build(document.get("alerts", {}), path),
        bus=config_processes.bus(document.get("bus", {}), collector.data_dir, path),
        channels=config_processes.channels(document.get("channels", {}), path),
    )
