"""From the checked document to the values of the sections ``identity`` and ``sidecar``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from activity_center.config_parts import cluster, secret, tls
from activity_center.config_sidecar import (
    ApiToken,
    Claims,
    IdentityConfig,
    JwtIssuer,
    Oidc,
    ProxyIdentity,
    RateLimit,
    Recording,
    Sessions,
    SidecarConfig,
)

if TYPE_CHECKING:
    from activity_center.config_people import Entry

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")


def moment(text: str) -> datetime | None:
    """Return the moment of an RFC 3339 time, or the end of the day (UTC) of a date.

    ``None``: it is neither.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        return datetime.fromisoformat(text.upper()) if _TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def identity(section: Mapping[str, Any], people: Sequence[Entry], path: str) -> IdentityConfig:
    """Return the section ``identity``; of two persons with one id the first."""
    persons = {entry.person.id: entry.person for entry in reversed(people)}
    proxy = section.get("proxy")
    return IdentityConfig(
        people={entry.person.id: persons[entry.person.id] for entry in people},
        tokens=tuple(_token(token, path) for token in section.get("tokens", ())),
        jwt=tuple(_issuer(issuer) for issuer in section.get("jwt", ())),
        oidc=_oidc(section["oidc"], path) if "oidc" in section else None,
        proxy=ProxyIdentity(**{**proxy, "peers": tuple(proxy["peers"])}) if proxy else None,
        opensearch=section.get("opensearch", False),
        development=section.get("development", ""),
        sessions=Sessions(**section.get("sessions", {})),
    )


def sidecar(section: Mapping[str, Any], path: str) -> SidecarConfig:
    """Return the section ``sidecar``."""
    plain = ("bind", "public_url", "data_dir", "workers")
    recording = section.get("recording", {})
    return SidecarConfig(
        **{key: section[key] for key in plain if key in section},
        tls=tls(section),
        opensearch=cluster(section["opensearch"], path) if "opensearch" in section else None,
        recording=Recording(
            url=recording.get("url", ""),
            token=secret(recording, "token", path),
            ca=recording.get("ca", ""),
        ),
        trusted_proxies=tuple(section.get("trusted_proxies", ())),
        origins=tuple(section.get("origins", ())),
        rate_limit=RateLimit(**section.get("rate_limit", {})),
    )


def _token(section: Mapping[str, Any], path: str) -> ApiToken:
    token = secret(section, "token", path)
    digest = hashlib.sha256(token.encode()).hexdigest() if token else ""
    return ApiToken(
        name=section["name"],
        person=section["person"],
        sha256=digest or section.get("token_sha256", ""),
        expires=moment(section["expires"]) if "expires" in section else None,
    )


def _issuer(section: Mapping[str, Any]) -> JwtIssuer:
    lists = {
        "algorithms": tuple(section["algorithms"]),
        "claims": Claims(**section.get("claims", {})),
    }
    return JwtIssuer(**{**section, **lists})


def _oidc(section: Mapping[str, Any], path: str) -> Oidc:
    plain = ("issuer", "client_id", "label", "ca")
    values: dict[str, Any] = {key: section[key] for key in plain if key in section}
    for key in ("scopes", "algorithms"):
        if key in section:
            values[key] = tuple(section[key])
    return Oidc(
        **values,
        client_secret=secret(section, "client_secret", path),
        claims=Claims(**section.get("claims", {})),
    )
