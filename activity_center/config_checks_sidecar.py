"""What a schema cannot say of ``identity``, ``sidecar``, ``roles`` and people."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from activity_center.address import binds_loopback, is_loopback, is_safe
from activity_center.config_build_sidecar import moment
from activity_center.config_people import PLATFORM_ADMIN, names_of
from activity_center.config_words import Place, meant
from activity_center.vocabulary import permissions

if TYPE_CHECKING:
    from activity_center.config import Config
    from activity_center.config_file import Findings
    from activity_center.config_people import Entry
    from activity_center.config_sidecar import JwtIssuer, Oidc

ALGORITHMS: Final = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
) | {"EdDSA", "Ed25519"}
"""Asymmetric signatures (RFC 7518 section 3.1, RFC 8037, RFC 9864); no other counts."""
_TOKEN: Final = ("token", "token_file", "token_sha256")


def check(
    config: Config, document: Mapping[str, Any], people: Sequence[Entry], findings: Findings
) -> None:
    """Note what is wrong.

    Args:
        config: what was built of the document.
        document: where each thing stands.
        people: the persons, each with its place.
        findings: gets what is found.
    """
    _roles(document.get("roles", {}), findings)
    _organizations(config, findings)
    _people(config, people, findings)
    _tokens(config, document.get("identity", {}).get("tokens", ()), findings)
    _issuers(config, findings)
    _sidecar(config, findings)
    _development(config, findings)
    _networks(config, findings)
    sessions = config.identity.sessions
    if sessions.idle > sessions.absolute:
        findings.follow(
            ("identity", "sessions"),
            f"idle ({sessions.idle} s) is longer than absolute ({sessions.absolute} s)",
        )


def _roles(section: Mapping[str, Any], findings: Findings) -> None:
    """A role holds permissions of organizations, which exist."""
    known = permissions()
    organizational = [name for name, one in known.items() if one.scope == "organization"]
    for name, role in section.items():
        place = ("roles", name)
        if name == PLATFORM_ADMIN:
            findings.follow(place, "this role is the platform's own and cannot be changed")
        for index, permission in enumerate(role["permissions"]):
            at = (*place, "permissions", index)
            if permission not in known:
                words = f"no permission is named {permission!r}{meant(permission, organizational)}"
                findings.follow(at, words)
            elif permission not in organizational:
                findings.follow(
                    at,
                    f"{permission} is a permission of the platform, and a role belongs to an "
                    f"organization; give the person platform_roles: [{PLATFORM_ADMIN}]",
                )


def _organizations(config: Config, findings: Findings) -> None:
    for organization in config.organizations.values():
        for role in organization.withhold:
            place = ("organizations", organization.id, "withhold", role)
            _known_role(config, role, place, findings)


def _known_role(config: Config, role: str, place: Place, findings: Findings) -> None:
    roles = config.roles.keys() - {PLATFORM_ADMIN}
    if role == PLATFORM_ADMIN:
        findings.follow(place, f"{role} is no role of an organization; see platform_roles")
    elif role not in roles:
        findings.follow(place, f"no role is named {role!r}{meant(role, roles)}")


def _people(config: Config, people: Sequence[Entry], findings: Findings) -> None:
    """Ids and names are one person's alone, and roles exist."""
    owners: dict[str, Entry] = {}
    ids: dict[str, Entry] = {}
    for entry in people:
        person, place = entry.person, entry.place
        first = ids.setdefault(person.id, entry)
        if first is not entry:
            words = f"a person with the id {person.id!r} stands at {_stands(first)} already"
            entry.findings.follow((*place, "id"), words)
            continue
        for name in sorted(names_of(person)):
            first = owners.setdefault(name, entry)
            if first is not entry:
                entry.findings.follow(
                    place,
                    f"{name!r} is also a name of the person {first.person.id!r} "
                    f"({_stands(first)}): it could not be told who that is",
                )
        for membership in person.memberships:
            at = (*place, "organizations", membership.organization)
            _known_role(config, membership.role, at, entry.findings)


def _stands(entry: Entry) -> str:
    return entry.findings.stands(entry.place)


def _tokens(config: Config, sections: Sequence[Mapping[str, Any]], findings: Findings) -> None:
    names: set[str] = set()
    digests: dict[str, str] = {}
    for index, (token, section) in enumerate(zip(config.identity.tokens, sections, strict=True)):
        place = ("identity", "tokens", index)
        if token.name in names:
            findings.follow((*place, "name"), f"the name {token.name!r} stands twice")
        names.add(token.name)
        _known_person(config, token.person, (*place, "person"), findings)
        if sum(key in section for key in _TOKEN) != 1:
            findings.follow(place, "needs one of token, token_file and token_sha256")
        elif not token.sha256:
            findings.follow(place, "the token is empty")
        elif token.sha256 in digests:
            words = f"it is the same token as that of {digests[token.sha256]!r}"
            findings.follow(place, words)
        digests.setdefault(token.sha256, token.name)
        if "expires" in section and moment(section["expires"]) is None:
            findings.follow(
                (*place, "expires"),
                f"{section['expires']!r}: must be a date or a time with its offset, such as "
                '"2027-12-31" or "2027-12-31T12:00:00Z"',
            )


def _known_person(config: Config, person: str, place: Place, findings: Findings) -> None:
    broken = ("identity", "people"), ("identity", "people_file")
    if person not in config.identity.people and not any(map(findings.within, broken)):
        words = f"no person has the id {person!r}{meant(person, config.identity.people)}"
        findings.follow(place, words)


def _issuers(config: Config, findings: Findings) -> None:
    issuers: set[str] = set()
    for index, issuer in enumerate(config.identity.jwt):
        place = ("identity", "jwt", index)
        if issuer.issuer in issuers:
            findings.follow((*place, "issuer"), f"{issuer.issuer} stands twice")
        issuers.add(issuer.issuer)
        if bool(issuer.jwks_url) == bool(issuer.jwks_file):
            findings.follow(place, "needs one of jwks_url and jwks_file")
        if issuer.jwks_url:
            _https(issuer.jwks_url, (*place, "jwks_url"), findings)
        _issuer(issuer, place, findings)
    oidc = config.identity.oidc
    if oidc is not None:
        place_oidc = ("identity", "oidc")
        if "openid" not in oidc.scopes:
            findings.follow((*place_oidc, "scopes"), "must contain openid")
        _issuer(oidc, place_oidc, findings)


def _issuer(issuer: JwtIssuer | Oidc, place: Place, findings: Findings) -> None:
    _https(issuer.issuer, (*place, "issuer"), findings)
    for index, algorithm in enumerate(issuer.algorithms):
        at = (*place, "algorithms", index)
        if algorithm.lower() == "none":
            findings.follow(at, "none: a token without signature could be made by anybody")
        elif algorithm.upper().startswith("HS"):
            findings.follow(
                at,
                f"{algorithm}: its key is known to all who check tokens, and each of them could "
                "make some; ask the issuer for RS256, ES256 or EdDSA",
            )
        elif algorithm not in ALGORITHMS:
            words = f"{algorithm!r} is no signature that is accepted{meant(algorithm, ALGORITHMS)}"
            findings.follow(at, words)


def _https(url: str, place: Place, findings: Findings) -> None:
    if not is_safe(url):
        findings.follow(place, f"{url}: must be https; http is for loopback addresses alone")


def _sidecar(config: Config, findings: Findings) -> None:
    section = config.sidecar
    if not (binds_loopback(section.bind) or section.tls or section.trusted_proxies):
        findings.follow(
            ("sidecar", "bind"),
            f"{section.bind}: an address beyond loopback needs tls, or trusted_proxies with "
            "the proxy that speaks TLS before it",
        )
    if section.public_url:
        _https(section.public_url, ("sidecar", "public_url"), findings)
    if section.recording.url:
        _https(section.recording.url, ("sidecar", "recording", "url"), findings)


def _development(config: Config, findings: Findings) -> None:
    """Everyone is that person: so nobody from elsewhere may come."""
    person, section = config.identity.development, config.sidecar
    if not person:
        return
    place = ("identity", "development")
    _known_person(config, person, place, findings)
    host = urlsplit(section.public_url).hostname if is_safe(section.public_url) else None
    for wrong, what in (
        (not binds_loopback(section.bind), f"sidecar.bind is {section.bind}, beyond loopback"),
        (bool(section.trusted_proxies), "sidecar.trusted_proxies lets others in"),
        (bool(host) and not is_loopback(str(host)), "sidecar.public_url is beyond loopback"),
    ):
        if wrong:
            findings.follow(place, f"everyone would be {person!r} without a login: {what}")


def _networks(config: Config, findings: Findings) -> None:
    proxy = config.identity.proxy
    _check_networks(proxy.peers if proxy else (), ("identity", "proxy", "peers"), findings)
    _check_networks(config.sidecar.trusted_proxies, ("sidecar", "trusted_proxies"), findings)


def _check_networks(networks: Iterable[str], place: Place, findings: Findings) -> None:
    for index, text in enumerate(networks):
        at = (*place, index)
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            words = f"{text!r}: must be an address or a network such as 10.0.3.0/24"
            findings.follow(at, words)
            continue
        if network.prefixlen == 0:
            findings.follow(at, f"{text}: everybody's headers would be believed")
        elif "/" in text and str(network.network_address) != text.partition("/")[0].lower():
            findings.follow(at, f"{text}: did you mean {network}, or the address alone?")
