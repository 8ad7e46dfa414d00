"""The sections ``identity``, ``sidecar`` and ``roles`` of ``activity-center.yml``.

The values alone; :mod:`activity_center.config` reads and checks the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from activity_center.config import Cluster, Tls


@dataclass(frozen=True, slots=True)
class Role:
    """A role of organizations: a name for a set of permissions (section ``roles``).

    One with the name of a built-in role replaces that role's permissions.
    """

    name: str
    permissions: frozenset[str]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """A person's role in an organization, perhaps limited to a part of it."""

    organization: str
    role: str
    workspaces: frozenset[str] | None = None
    resources: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Someone whom the file knows.

    Attributes:
        id: the platform's ``user.id``.
        subjects: further names under which providers know them (``sub`` of a JWT, a name in
            a proxy's header, a user of OpenSearch); ``id``, ``name`` and ``email`` count too.
        platform_roles: ``platform_admin`` or nothing.
    """

    id: str
    name: str = ""
    full_name: str = ""
    email: str = ""
    subjects: frozenset[str] = frozenset()
    platform_roles: frozenset[str] = frozenset()
    memberships: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token of the API: kept as its SHA-256 alone.

    Attributes:
        person: id of the person whose rights it has.
        expires: from then on it is refused; ``None``: never.
    """

    name: str
    person: str
    sha256: str = field(repr=False)
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """Which claim of a token says what.

    Attributes:
        organizations: claim with an object of organization id -> role or list of roles;
            empty: roles come from ``people`` alone.
        platform_roles: claim with a list of platform roles; empty: from ``people`` alone.
    """

    subject: str = "sub"
    name: str = "preferred_username"
    full_name: str = "name"
    email: str = "email"
    organizations: str = ""
    platform_roles: str = ""


@dataclass(frozen=True, slots=True)
class JwtIssuer:
    """Bearer tokens of one issuer (RFC 7519); issuer, audience and algorithms are pinned."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    jwks_url: str = ""
    jwks_file: str = ""
    ca: str = ""
    claims: Claims = Claims()


@dataclass(frozen=True, slots=True)
class Oidc:
    """Sign-in of people by OpenID Connect (authorization code with PKCE)."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[str, ...] = ("RS256",)
    label: str = "single sign-on"
    ca: str = ""
    claims: Claims = Claims()


@dataclass(frozen=True, slots=True)
class ProxyIdentity:
    """Headers of an authenticating proxy, believed from ``peers`` (addresses, networks) alone.

    Attributes:
        user: header with the name of the person.
        email: header with their e-mail address; empty: none is read.
    """

    peers: tuple[str, ...]
    user: str = "X-Forwarded-User"
    email: str = ""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Life of a session, in seconds: without use, and in all (less with roles from claims)."""

    idle: int = 8 * 3600
    absolute: int = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class IdentityConfig:
    """The section ``identity``: several kinds can stand side by side.

    Attributes:
        development: person whom everyone is until they choose another on the sign-in page;
            only while the sidecar binds to loopback. Empty: off.
        opensearch: accept logins of OpenSearch Security (Basic, or its bearer tokens).
    """

    people: Mapping[str, Person] = field(default_factory=dict)
    tokens: tuple[ApiToken, ...] = ()
    jwt: tuple[JwtIssuer, ...] = ()
    oidc: Oidc | None = None
    proxy: ProxyIdentity | None = None
    opensearch: bool = False
    development: str = ""
    sessions: Sessions = Sessions()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Requests a minute: of one reader or address, failed sign-ins of one address, and
    exports of one reader at once.
    """

    requests: int = 600
    sign_ins: int = 20
    exports: int = 2


@dataclass(frozen=True, slots=True)
class Recording:
    """Where the sidecar's own records go: the collector's HTTP address. Empty: nowhere."""

    url: str = ""
    token: str = field(default="", repr=False)
    ca: str = ""


@dataclass(frozen=True, slots=True)
class SidecarConfig:
    """The section ``sidecar``.

    Attributes:
        bind: ``host:port`` or ``[::1]:port``.
        public_url: the address that people use, without a path; empty: ``http(s)://bind``.
        data_dir: folder of sessions and of the key that seals cursors; made 0700.
        opensearch: the account that searches; ``None``: ``opensearch.maintain``, else
            ``opensearch``.
        trusted_proxies: addresses and networks whose X-Forwarded-For is believed, besides
            ``identity.proxy.peers``.
        origins: further origins whose pages may open sockets, besides the sidecar's own.
    """

    bind: str = "127.0.0.1:8600"
    public_url: str = ""
    tls: Tls | None = None
    data_dir: str = "activity-center-sidecar"
    opensearch: Cluster | None = None
    recording: Recording = Recording()
    trusted_proxies: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    workers: int = 1
    rate_limit: RateLimit = RateLimit()
