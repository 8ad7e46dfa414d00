"""Checks of a configuration that need the collector's own parts, all reported together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from activity_center.alerting import load_rules
from activity_center.config import Cluster, Config, examine, listeners
from activity_center.config_words import Place, meant
from activity_center.connection import connect
from activity_center.errors import ActivityCenterError
from activity_center.tls import check_tls
from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.countries import Countries
from collector.normalize.digest import Digests
from collector.normalize.digest import load as load_digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.normalize.pseudonyms import load as load_pseudonyms
from collector.pipeline import Stages
from collector.receive.credentials import Credentials
from collector.redact import Redactor

if TYPE_CHECKING:
    from activity_center.config_file import Findings


def check_config(path: str | Path, *, make_key: bool = True) -> tuple[Config, Stages]:
    """Read the file, check all that can be checked before a start, and build the stages.

    Beyond what loading the file checks: sources, redaction, credentials, TLS files, and that
    events can arrive at all.

    Args:
        path: the configuration file.
        make_key: make the files of the keys when they are missing; without it nothing
            is written, and the stages are good for checking only.

    Returns:
        The configuration and its stages between receiving and the spool.

    Raises:
        ConfigError: every finding of all checks, each with file, line and place.
    """
    config, findings = examine(path)
    stages = None
    if config is not None:
        stages = _stages(config, findings, make_key=make_key)
        _check_senders(config, findings)
        _check_files(config, findings)
        _check_rules(config, findings)
    return findings.check(config), findings.check(stages)


def _stages(config: Config, findings: Findings, *, make_key: bool) -> Stages | None:
    section = config.collector
    router = redactor = pseudonyms = digests = None
    try:
        router = Router(
            load_all(Path(section.sources_dir) if section.sources_dir else None).values()
        )
        for place, name in _source_names(config):
            if name not in router.sources:
                words = f"no source is named {name!r}{meant(name, router.sources)}"
                findings.follow(place, words)
    except ActivityCenterError as wrong:
        findings.follow(("collector", "sources_dir"), wrong)
    try:
        redactor = Redactor(section.redaction)
    except ActivityCenterError as wrong:
        findings.follow(("collector", "redaction", "patterns"), wrong)
    try:
        if make_key and not findings:
            pseudonyms = load_pseudonyms(section.redaction, Path(section.data_dir))
        else:
            pseudonyms = Pseudonyms(section.redaction.hash, b"")
    except ActivityCenterError as wrong:
        findings.follow(("collector", "redaction", "hash"), wrong)
    try:
        if make_key and not findings:
            digests = load_digests(section.digest_key_file, Path(section.data_dir))
        else:
            digests = Digests(b"")
    except ActivityCenterError as wrong:
        findings.follow(("collector", "digest_key_file"), wrong)
    countries = None
    try:
        if section.country_database:
            countries = Countries(Path(section.country_database))
    except ActivityCenterError as wrong:
        findings.follow(("collector", "country_database"), wrong)
        return None
    if router is None or redactor is None or pseudonyms is None or digests is None:
        return None
    normalizer = Normalizer(
        config.organizations,
        config.plans,
        config.default_class,
        countries,
        config.approval_policies,
    )
    return Stages(router, normalizer, redactor, pseudonyms, digests)


def _check_rules(config: Config, findings: Findings) -> None:
    """Alert rules can be read, and the ones that are off exist."""
    alerts = config.alerts
    if not alerts.enabled:
        return
    try:
        rules = load_rules(own=alerts.rules_dir)
    except ActivityCenterError as wrong:
        findings.follow(("alerts", "rules_dir"), wrong)
        return
    for name in sorted(alerts.without - rules.keys()):
        findings.follow(("alerts", "without"), f"no rule is named {name!r}{meant(name, rules)}")


def _source_names(config: Config) -> Iterator[tuple[Place, str]]:
    """Where sources are named."""
    for index, sender in enumerate(config.senders):
        for name in sorted(sender.sources or ()):
            yield ("senders", index, "sources"), name
    for index, listener in enumerate(config.collector.forward):
        if listener.source:
            yield ("collector", "forward", index, "source"), listener.source


def _check_senders(config: Config, findings: Findings) -> None:
    """Credentials fit together, and every listener has senders who can use it."""
    for index in range(len(config.senders)):
        try:
            Credentials(config.senders[: index + 1])
        except ActivityCenterError as wrong:
            findings.follow(("senders", index), wrong)
            break
    section = config.collector
    if not (section.forward or section.http):
        findings.follow(
            ("collector",),
            "no listener: nothing could arrive; add collector.forward or collector.http",
        )
    if findings.within(("senders",)):
        return
    tokens = any(one.token_sha256 for one in config.senders)
    certificates = any(one.certificate_sha256 for one in config.senders)
    users = any(one.username for one in config.senders)
    for index, http in enumerate(section.http):
        by_certificate = certificates and http.tls is not None and http.tls.client_ca
        if not (tokens or by_certificate):
            findings.follow(
                ("collector", "http", index),
                f"{http.bind}: no sender has a token (token, token_file or token_sha256), "
                "so nobody could send here",
            )
    for index, forward in enumerate(section.forward):
        by_certificate = certificates and forward.tls is not None and forward.tls.client_ca
        if not (forward.sender or by_certificate or (forward.shared_key and users)):
            findings.follow(
                ("collector", "forward", index),
                f"{forward.bind}: no sender has a username with a password or a certificate, "
                "so nobody could send here",
            )


def _check_files(config: Config, findings: Findings) -> None:
    """Files of TLS load, those of listeners and those towards OpenSearch."""
    for place, listener in listeners(config):
        try:
            check_tls(listener.tls)
        except ActivityCenterError as wrong:
            findings.follow((*place, "tls"), wrong)
    clusters: list[tuple[Place, Cluster]] = [(("opensearch",), config.opensearch)]
    if config.maintain is not None:
        clusters.insert(0, (("opensearch", "maintain"), config.maintainer))
    for where, cluster in clusters:
        try:
            if cluster.url:
                connect(cluster).close()  # Nothing is sent.
        except ActivityCenterError as wrong:
            findings.follow(where, wrong)
