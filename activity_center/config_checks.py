"""What a schema cannot say of ``activity-center.yml``: one part contradicts another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from activity_center import config_alerts, config_checks_sidecar, config_processes
from activity_center.address import binds_loopback
from activity_center.config import Config, listeners
from activity_center.config_words import Place, meant

if TYPE_CHECKING:
    from activity_center.config_file import Findings
    from activity_center.config_people import Entry

MAX_PORT: Final = 65_535


def check(
    config: Config, document: Mapping[str, Any], people: Sequence[Entry], findings: Findings
) -> None:
    """Note what is wrong: names that refer to nothing, TLS off loopback, and the like.

    Args:
        config: what was built of the document.
        document: where each thing stands.
        people: the persons, each with its place.
        findings: gets what is found.
    """
    config_checks_sidecar.check(config, document, people, findings)
    config_alerts.check(config, findings)
    config_processes.check(config, findings)
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
    _check_port(config.sidecar.bind, 0, ("sidecar", "bind"), findings)
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


def _check_port(bind: str, further: int, place: Place, findings: Findings) -> None:
    """A port, and the ``further`` ones after it, are at most 65535."""
    port = bind.rpartition(":")[2]
    if not bind.startswith("unix:") and port.isdigit() and int(port) + further > MAX_PORT:
        findings.follow(place, f"{bind}: the highest port is {MAX_PORT}")
