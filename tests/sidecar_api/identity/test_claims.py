"""From the claims of a genuine token to a reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activity_center.config_sidecar import Claims
from sidecar_api.identity import Identity
from sidecar_api.reader import Grant
from tests.sidecar_api.identity.cases import config, jwt_issuer, of, refusal
from tests.sidecar_api.identity.issuer import Issuer


@pytest.fixture
def identity(tmp_path: Path, issuer: Issuer) -> Identity:
    return Identity(config(tmp_path, jwt=(jwt_issuer(issuer),)))


ROLES = Claims(organizations="orgs", platform_roles="roles")


def test_claims_may_carry_roles(tmp_path: Path, issuer: Issuer) -> None:
    """With the claims configured a stranger has the roles that the issuer vouches for."""
    identity = Identity(config(tmp_path, jwt=(jwt_issuer(issuer, claims=ROLES),)))
    reader = of(
        identity,
        issuer.token(
            sub="u-77",
            name="Ada L.",
            orgs={"contoso": ["member", "owner"], "northwind": "viewer"},
            roles=["platform_admin"],
        ),
    )
    assert reader is not None
    assert (reader.id, reader.full_name) == ("u-77", "Ada L.")
    assert reader.grants == {
        "contoso": (Grant("member"), Grant("owner")),
        "northwind": (Grant("viewer"),),
    }
    assert reader.platform_roles == {"platform_admin"}


def test_claims_add_to_the_roles_of_people(tmp_path: Path, issuer: Issuer) -> None:
    """Someone whom the configuration knows has both."""
    identity = Identity(config(tmp_path, jwt=(jwt_issuer(issuer, claims=ROLES),)))
    reader = of(identity, issuer.token(orgs={"northwind": "member", "contoso": "viewer"}))
    assert reader is not None
    assert reader.grants == {
        "northwind": (Grant("admin"), Grant("member")),
        "contoso": (Grant("viewer"),),
    }


def test_without_configuration_claims_carry_no_roles(identity: Identity, issuer: Issuer) -> None:
    """Roles in a token are nothing unless the configuration says which claims hold them."""
    carried: dict[str, Any] = {"organizations": {"contoso": "owner"}, "": {"contoso": "owner"}}
    token = issuer.token(sub="u-77", platform_roles=["platform_admin"], **carried)
    reader = of(identity, token)
    assert reader is not None
    assert (reader.id, reader.grants, reader.platform_roles) == ("u-77", {}, frozenset())


@pytest.mark.parametrize(
    "claims",
    [
        {"orgs": "contoso"},
        {"orgs": [["contoso", "owner"]]},
        {"orgs": {"contoso": {"role": "owner"}}},
        {"orgs": {"contoso": 7, "northwind": None}},
        {"orgs": {"Contoso": "owner", "con*": "owner", "../x": "owner", "": "owner"}},
        {"orgs": {"contoso": ["platform_admin", "no_such_role", "\u0000", "x" * 1000]}},
        {"roles": ["owner", "admin"]},
        {"roles": {"platform_admin": True}},
    ],
    ids=str,
)
def test_claims_of_another_form_give_nothing(
    tmp_path: Path, issuer: Issuer, claims: dict[str, Any]
) -> None:
    """Unknown roles, ids that are none and other shapes open nothing and break nothing."""
    identity = Identity(config(tmp_path, jwt=(jwt_issuer(issuer, claims=ROLES),)))
    reader = of(identity, issuer.token(sub="u-77", **claims))
    assert reader is not None
    assert (reader.grants, reader.platform_roles) == ({}, frozenset())


def test_an_unverified_address_names_nobody(tmp_path: Path, issuer: Issuer) -> None:
    """Where people are known by e-mail, the issuer must have verified it."""
    section = jwt_issuer(issuer, claims=Claims(subject="email"))
    identity = Identity(config(tmp_path, jwt=(section,)))
    mine = "Mara@Northwind.example"
    reader = of(identity, issuer.token(sub="x", email=mine, email_verified=True))
    assert reader is not None
    assert reader.id == "u-1"
    for verified in ({}, {"email_verified": False}, {"email_verified": "true"}):
        with refusal():
            of(identity, issuer.token(sub="x", email=mine, **verified))


def test_an_address_beside_another_subject_names_nobody(identity: Identity, issuer: Issuer) -> None:
    """The subject alone says who it is: an e-mail address beside it gives no one's rights."""
    token = issuer.token(sub="x", email="mara@northwind.example", preferred_username="mara")
    reader = of(identity, token)
    assert reader is not None
    assert (reader.id, reader.grants) == ("x", {})


@pytest.mark.parametrize(
    ("claimed", "mfa"),
    [
        ({"amr": ["pwd", "otp", "mfa"]}, True),
        ({"amr": ["pwd"]}, False),
        ({"amr": []}, False),
        ({"amr": "mfa"}, None),
        ({"amr": [["mfa"]]}, False),
        ({"mfa": True}, None),
        ({}, None),
    ],
    ids=["mfa", "password", "none", "text", "nested", "other-claim", "absent"],
)
def test_a_second_factor(
    identity: Identity, issuer: Issuer, claimed: dict[str, Any], mfa: bool | None
) -> None:
    """The issuer's ``amr`` says whether there was one (RFC 8176); without it nothing is said."""
    reader = of(identity, issuer.token(**claimed))
    assert reader is not None
    assert reader.mfa is mfa
