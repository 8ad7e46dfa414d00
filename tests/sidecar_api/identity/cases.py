"""Configurations, requests, and one case of the conformance suite for each provider."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from activity_center.config import Cluster, CollectorConfig, Config
from activity_center.config_sidecar import (
    ApiToken,
    IdentityConfig,
    JwtIssuer,
    Membership,
    Person,
    ProxyIdentity,
    SidecarConfig,
)
from sidecar_api.failures import Unauthenticated
from sidecar_api.identity import Identity, Subject
from sidecar_api.identity.subject import refused
from sidecar_api.reader import Reader
from tests.sidecar_api.identity.issuer import AUDIENCE, Issuer, rsa

Headers = Sequence[tuple[str, str]]
MARA = Person(
    "u-1",
    name="mara",
    email="mara@northwind.example",
    subjects=frozenset({"m.lind"}),
    memberships=(Membership("northwind", "admin"),),
)
JOE = Person("u-2", name="joe", memberships=(Membership("contoso", "owner"),))
TOKEN = "act_3Zy0qk2v9wQ5nB7d"
PEER = "10.0.3.7"


def people(*persons: Person) -> dict[str, Person]:
    return {person.id: person for person in persons}


def config(folder: Path, cluster: Cluster | None = None, **identity: Any) -> Config:
    identity.setdefault("people", people(MARA, JOE))
    return Config(
        path="activity-center.yml",
        opensearch=cluster or Cluster(),
        maintain=None,
        collector=CollectorConfig(),
        senders=(),
        organizations={},
        plans={},
        identity=IdentityConfig(**identity),
        sidecar=SidecarConfig(data_dir=str(folder / "sidecar")),
    )


def ask(
    headers: Headers = (), peer: str = "127.0.0.1", host: str = "127.0.0.1:8600", **environ: Any
) -> Request:
    """A request as a WSGI server hands it over: header bytes as Latin-1 (PEP 3333), and those
    of one name joined by a comma."""
    builder = EnvironBuilder(path="/api/v1/me", base_url=f"http://{host}")
    sent = {**builder.get_environ(), "REMOTE_ADDR": peer, **environ}
    for name, value in headers:
        key = f"HTTP_{name.upper().replace('-', '_')}"
        text = value.encode("utf-8", "surrogatepass").decode("latin-1")
        sent[key] = f"{sent[key]},{text}" if key in sent else text
    return Request(sent)


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


def of(identity: Identity, token: str) -> Reader | None:
    """Who asks with this bearer token."""
    return identity.authenticate(ask(bearer(token)))


@contextmanager
def refusal() -> Iterator[None]:
    """The one answer to a wrong credential is expected."""
    with pytest.raises(Unauthenticated) as caught:
        yield
    assert str(caught.value) == str(refused())


def basic(user: str, password: str) -> Headers:
    login = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogatepass")).decode()
    return [("Authorization", f"Basic {login}")]


def api_token(person: str = "u-1", value: str = TOKEN, **further: Any) -> ApiToken:
    return ApiToken("ci", person, hashlib.sha256(value.encode()).hexdigest(), **further)


def jwt_issuer(issuer: Issuer, **further: Any) -> JwtIssuer:
    return replace(JwtIssuer(issuer.url, AUDIENCE, ("RS256",), jwks_url=issuer.jwks_url), **further)


@dataclass
class Case:
    """What the suite needs of a provider.

    Attributes:
        config: with this provider alone.
        good: headers that are Mara's; made with the provider's ``Identity``.
        wrong: headers that are nobody's.
        carrier: headers that carry any text where the credential stands.
        peer: whom requests come from.
        refuses: whether a wrong credential is refused; else it is nobody's.
        ambient: whether browsers send the credential by themselves.
        secrets: what must not be shown.
    """

    config: Config
    good: Callable[[Identity], Headers]
    wrong: Sequence[Headers]
    carrier: Callable[[str], Headers]
    peer: str = "127.0.0.1"
    refuses: bool = True
    ambient: bool = False
    secrets: Sequence[str] = field(default_factory=tuple)

    def with_people(self, *persons: Person) -> Config:
        return replace(self.config, identity=replace(self.config.identity, people=people(*persons)))


def tokens_case(folder: Path) -> Case:
    return Case(
        config(folder, tokens=(api_token(),)),
        good=lambda _: bearer(TOKEN),
        wrong=[bearer(TOKEN + "x"), bearer(TOKEN[:-1]), bearer(TOKEN.lower()), basic("ci", TOKEN)],
        carrier=bearer,
        secrets=(TOKEN,),
    )


def jwt_case(folder: Path, issuer: Issuer) -> Case:
    good = issuer.token()
    head, body, signature = good.split(".")
    return Case(
        config(folder, jwt=(jwt_issuer(issuer),)),
        good=lambda _: bearer(good),
        wrong=[
            bearer(f"{head}.{body}.{signature[:-4]}AAAA"),
            bearer(issuer.token(exp=1)),
            bearer(issuer.token(aud="other")),
            bearer(issuer.token(iss="https://other.example")),
            bearer(issuer.token(key=rsa("unknown"))),
            basic("mara", good),
        ],
        carrier=lambda text: bearer(f"{head}.{text}.{signature}"),
        secrets=(signature, body),
    )


def proxy_case(folder: Path) -> Case:
    return Case(
        config(folder, proxy=ProxyIdentity((f"{PEER}/32", "::1"))),
        good=lambda _: [("X-Forwarded-User", "m.lind")],
        wrong=[
            [("X-Forwarded-User", "")],
            [("X-Forwarded-User", "m.lind"), ("X-Forwarded-User", "joe")],
            [("X-Forwarded-User", "a\tb")],
        ],
        carrier=lambda text: [("X-Forwarded-User", text)],
        peer=PEER,
        ambient=True,
    )


def session_case(folder: Path) -> Case:
    def begin(identity: Identity) -> Headers:
        response = Response()
        identity.sessions.begin(ask(), response, identity.token(TOKEN))
        cookie = response.headers["Set-Cookie"].partition(";")[0]
        return [("Cookie", cookie)]

    return Case(
        config(folder, tokens=(api_token(),)),
        good=begin,
        wrong=[[("Cookie", f"activity_session={'A' * 43}")], [("Cookie", "activity_session=")]],
        carrier=lambda text: [("Cookie", f"activity_session={text}")],
        refuses=False,
        ambient=True,
        secrets=(TOKEN,),
    )


def development_case(folder: Path) -> Case:
    return Case(
        config(folder, development="u-1"),
        good=lambda _: [],
        wrong=[bearer("anything"), basic("mara", "anything")],
        carrier=bearer,
        ambient=True,
    )


def opensearch_case(folder: Path, cluster: Cluster) -> Case:
    known = replace(MARA, subjects=frozenset({cluster.username}))
    return Case(
        config(folder, cluster, opensearch=True, people=people(known, JOE)),
        good=lambda _: basic(cluster.username, cluster.password),
        wrong=[
            basic(cluster.username, "wrong"),
            basic("nobody", cluster.password),
            basic("", ""),
            bearer("anything"),
            [("Authorization", "Basic ####")],
        ],
        carrier=lambda text: basic(cluster.username, text),
        secrets=(cluster.password, base64.b64encode(f"{cluster.username}:".encode()).decode()[:8]),
    )


def begun(identity: Identity, subject: Subject) -> Headers:
    """The cookie of a new session."""
    response = Response()
    identity.sessions.begin(ask(), response, subject)
    return [("Cookie", response.headers["Set-Cookie"].partition(";")[0])]
