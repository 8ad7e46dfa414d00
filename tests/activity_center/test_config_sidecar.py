"""The sections identity, sidecar, roles and the people: what they become, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from activity_center.config import Config, load
from activity_center.config_sidecar import Membership
from activity_center.errors import ConfigError

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
GOOD = f"""
opensearch: {{url: "https://search.example:9200", ca: ca.pem, username: c, password: "${{SECRET}}"}}
organizations:
  northwind: {{name: Northwind, members_see: organization, withhold: {{billing_owner: [agent]}}}}
  contoso: {{}}
roles:
  auditor: {{description: Reads., permissions: [org:audit]}}
  billing_owner: {{permissions: []}}
identity:
  people_file: PEOPLE
  people:
    - {{id: u-1, name: mara, full_name: Mara Lind, email: Mara@Northwind.example,
        subjects: [auth0|7], organizations: {{northwind: admin, contoso: [member, viewer]}}}}
  tokens:
    - {{name: ci, person: u-1, token: "${{SECRET}}", expires: "2027-12-31"}}
    - {{name: night, person: u-2, token_sha256: {DIGEST}, expires: "2027-12-31T12:00:00+01:00"}}
  jwt:
    - {{issuer: https://id.example/, audience: audit, algorithms: [ES256, EdDSA],
        jwks_url: https://id.example/keys, claims: {{subject: email}}}}
  oidc: {{issuer: "http://127.0.0.1:9000", client_id: page, client_secret: "${{SECRET}}"}}
  proxy: {{peers: [10.0.3.0/24, "::1"]}}
  opensearch: true
  sessions: {{idle: 600}}
sidecar:
  bind: 0.0.0.0:8600
  public_url: https://audit.example
  tls: {{certificate: a.crt, key: a.key}}
  opensearch: {{username: s, password: "${{SECRET}}"}}
  recording: {{url: https://collector.example, token: "${{SECRET}}"}}
  rate_limit: {{exports: 3}}
"""
PEOPLE = """
- id: u-2
  name: joe
  organizations:
    northwind: [{role: auditor, workspaces: [shop], resources: [srv-1]}]
- {id: u-3, platform_roles: [platform_admin]}
"""


def write(folder: Path, text: str, people: str = PEOPLE) -> Path:
    (folder / "people.yml").write_text(people)
    file = folder / "activity-center.yml"
    file.write_text(text.replace("PEOPLE", str(folder / "people.yml")))
    return file


def read(folder: Path, text: str, people: str = PEOPLE) -> Config:
    return load(write(folder, text, people), {"SECRET": "geheim"})


def test_people_come_from_both_places(tmp_path: Path) -> None:
    """People of the section and of the file of their own are one list, with their roles."""
    people = read(tmp_path, GOOD).identity.people
    assert list(people) == ["u-1", "u-2", "u-3"]
    assert people["u-1"].subjects == {"auth0|7"}
    assert people["u-1"].memberships == (
        Membership("northwind", "admin"),
        Membership("contoso", "member"),
        Membership("contoso", "viewer"),
    )
    limited = Membership("northwind", "auditor", frozenset({"shop"}), frozenset({"srv-1"}))
    assert people["u-2"].memberships == (limited,)
    assert people["u-3"].platform_roles == {"platform_admin"}


def test_identity_and_sidecar_are_resolved(tmp_path: Path) -> None:
    """Every section becomes its values; what is left out has its default; no secret is shown."""
    config = read(tmp_path, GOOD)
    identity, sidecar = config.identity, config.sidecar
    first, second = identity.tokens
    assert (first.person, len(first.sha256)) == ("u-1", 64)
    assert first.expires == datetime(2028, 1, 1, tzinfo=UTC)  # the 31st is its last day
    assert second.sha256 == DIGEST
    assert second.expires == datetime(2027, 12, 31, 11, tzinfo=UTC)
    assert identity.jwt[0].algorithms == ("ES256", "EdDSA")
    assert (identity.jwt[0].claims.subject, identity.jwt[0].claims.name) == (
        "email",
        "preferred_username",
    )
    assert identity.oidc is not None
    assert identity.oidc.client_secret == "geheim"
    assert identity.oidc.algorithms == ("RS256",)
    assert identity.proxy is not None
    assert identity.proxy.peers == ("10.0.3.0/24", "::1")
    assert (identity.sessions.idle, identity.sessions.absolute) == (600, 604_800)
    assert (sidecar.rate_limit.exports, sidecar.rate_limit.requests) == (3, 600)
    assert sidecar.tls is not None
    assert sidecar.recording.token == "geheim"
    assert "geheim" not in repr(config)
    assert DIGEST not in repr(config)


def test_roles_add_to_and_replace_the_built_in_ones(tmp_path: Path) -> None:
    """A role of the section is added, one with a built-in name replaces its permissions."""
    roles = read(tmp_path, GOOD).roles
    assert roles["auditor"].permissions == {"org:audit"}
    assert roles["billing_owner"].permissions == frozenset()
    assert "org:audit" in roles["admin"].permissions
    assert roles["platform_admin"].permissions == {"platform:audit"}


def test_organizations_have_their_rules(tmp_path: Path) -> None:
    """Name, the view of members and withheld lenses; an organization without any has defaults."""
    organizations = read(tmp_path, GOOD).organizations
    northwind, contoso = organizations["northwind"], organizations["contoso"]
    assert (northwind.name, northwind.members_see) == ("Northwind", "organization")
    assert northwind.withhold == {"billing_owner": {"agent"}}
    assert (contoso.name, contoso.members_see, contoso.withhold) == ("", "own", {})


@pytest.mark.parametrize(
    ("sections", "user", "url"),
    [
        ("sidecar: {opensearch: {username: s, password: '${SECRET}'}}", "s", "https://a:1"),
        ("sidecar: {opensearch: {url: 'https://b:1'}}", "", "https://b:1"),
        ("sidecar: {workers: 2}", "m", "https://a:1"),
    ],
)
def test_the_searching_account(tmp_path: Path, sections: str, user: str, url: str) -> None:
    """It is the sidecar's own, else the maintainer; at OpenSearch's address unless it has one."""
    maintain = "maintain: {username: m, password: '${SECRET}'}"
    text = f"opensearch: {{url: 'https://a:1', {maintain}}}\n{sections}"
    searcher = read(tmp_path, text).searcher
    assert (searcher.username, searcher.url) == (user, url)


def test_without_the_sections_nobody_is_known(tmp_path: Path) -> None:
    """A collector's file has neither identity nor sidecar and loads as before."""
    config = read(tmp_path, "senders: []")
    assert not config.identity.people
    assert config.sidecar.bind == "127.0.0.1:8600"
    assert "admin" in config.roles


ONE = "identity:\n  people: [{id: u, organizations: {a: admin}}]\n"
JWT = "issuer: 'https://i.example', audience: a, jwks_file: k.json"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # roles and organizations
        (
            "roles:\n  a:\n    permissions: [org:audti]",
            3,
            "roles.a.permissions.0: no permission is named 'org:audti'; did you mean 'org:audit'?",
        ),
        (
            "roles:\n  a: {permissions: [platform:audit]}",
            2,
            "is a permission of the platform, and a role belongs to an organization; give the "
            "person platform_roles: [platform_admin]",
        ),
        ("roles:\n  platform_admin: {permissions: []}", 2, "platform's own and cannot be changed"),
        ("roles:\n  Auditor: {permissions: []}", 2, "the name 'Auditor' must be 1 to 63 lower"),
        ("roles:\n  a: {}", 2, "'permissions' is missing"),
        (
            "organizations:\n  a:\n    withhold: {membr: [agent]}",
            3,
            "organizations.a.withhold.membr: no role is named 'membr'; did you mean 'member'?",
        ),
        ("organizations:\n  a:\n    withhold: {member: [agents]}", 3, "did you mean 'agent'?"),
        ("organizations:\n  a: {members_see: all}", 2, "(known: organization, own)"),
        # people
        (
            "identity:\n  people:\n    - id: u\n      organizations:\n        a: amdin",
            5,
            "identity.people.0.organizations.a: no role is named 'amdin'; did you mean 'admin'?",
        ),
        (
            "identity:\n  people:\n    - {id: u, organizations: {a: [{role: auditor}]}}",
            3,
            "no role is named 'auditor' (known: admin, billing_owner, member, owner, viewer)",
        ),
        (
            "identity:\n  people:\n    - {id: u, organizations: {a: platform_admin}}",
            3,
            "platform_admin is no role of an organization; see platform_roles",
        ),
        (
            "identity:\n  people:\n    - {id: u, organizations: {North-Wind: admin}}",
            3,
            "the name 'North-Wind' must be 1 to 63 lower-case letters, digits and _",
        ),
        (
            "identity:\n  people:\n    - {id: u, organizations: {a: {role: admin}}}",
            3,
            "must be a role, a list of roles, or a list of {role: ...",
        ),
        (
            "identity:\n  people:\n    - {id: u, organizations: {a: [{role: a, workspace: [b]}]}}",
            3,
            "no such key; did you mean 'workspaces'?",
        ),
        ("identity:\n  people:\n    - {name: u}", 3, "'id' is missing"),
        ("identity:\n  people:\n    - {id: 7}", 3, "in quotes where YAML would read a number"),
        ('identity:\n  people:\n    - {id: "a\\0b"}', 3, "must be text of 1 to 256 characters"),
        (
            "identity:\n  people:\n    - {id: u}\n    - {id: u}",
            4,
            "identity.people.1.id: a person with the id 'u' stands at",
        ),
        (
            "identity:\n  people:\n    - {id: u, email: A@b.example}\n"
            "    - {id: v, subjects: [a@B.example]}",
            4,
            "'a@b.example' is also a name of the person 'u'",
        ),
        (
            "identity:\n  people:\n    - {id: u, name: v}\n    - {id: v}",
            4,
            "'v' is also a name of the person 'u'",
        ),
        ("identity:\n  people_file: /no/such", 2, "identity.people_file: /no/such: cannot read"),
        # tokens
        (
            f"{ONE}  tokens:\n    - {{name: t, person: U, token_sha256: {DIGEST}}}",
            4,
            "identity.tokens.0.person: no person has the id 'U' (known: u)",
        ),
        (
            f"{ONE}  tokens:\n    - {{name: t, person: u, token_sha256: {DIGEST}}}\n"
            f"    - {{name: s, person: u, token_sha256: {DIGEST}}}",
            5,
            "it is the same token as that of 't'",
        ),
        (
            f"{ONE}  tokens:\n    - {{name: t, person: u, token_sha256: {DIGEST}}}\n"
            '    - {name: t, person: u, token: "${SECRET}"}',
            5,
            "the name 't' stands twice",
        ),
        (f"{ONE}  tokens:\n    - {{name: t, person: u}}", 4, "needs one of token, token_file"),
        (
            f"{ONE}  tokens:\n    - {{name: t, person: u, token: geheim}}",
            4,
            "a secret stands here as plain text",
        ),
        (
            f"{ONE}  tokens:\n    - name: t\n      person: u\n      token_sha256: {DIGEST}\n"
            "      expires: tomorrow",
            7,
            "'tomorrow': must be a date or a time with its offset",
        ),
        (
            f"{ONE}  tokens:\n    - name: t\n      person: u\n      token_sha256: {DIGEST}\n"
            "      expires: '2027-02-30'",
            7,
            "'2027-02-30': must be a date or a time",
        ),
        (
            f"{ONE}  tokens:\n    - name: t\n      person: u\n      token_sha256: {DIGEST}\n"
            "      expires: 2027-02-01",
            7,
            "in quotes",
        ),
        # issuers
        (
            f"identity:\n  jwt:\n    - {{{JWT}, algorithms: [none]}}",
            3,
            "none: a token without signature could be made by anybody",
        ),
        (
            f"identity:\n  jwt:\n    - {{{JWT}, algorithms: [RS256, HS256]}}",
            3,
            "algorithms.1: HS256: its key is known to all who check tokens",
        ),
        (
            f"identity:\n  jwt:\n    - {{{JWT}, algorithms: [RS265]}}",
            3,
            "'RS265' is no signature that is accepted; did you mean 'RS256'?",
        ),
        (f"identity:\n  jwt:\n    - {{{JWT}, algorithms: []}}", 3, "must not be empty"),
        (
            "identity:\n  jwt:\n    - {issuer: 'http://i.example', audience: a,"
            " algorithms: [RS256], jwks_file: k}",
            3,
            "http://i.example: must be https; http is for loopback addresses alone",
        ),
        (
            "identity:\n  jwt:\n    - {issuer: 'https://i.example', audience: a,"
            " algorithms: [RS256], jwks_url: 'http://i.example/k'}",
            3,
            "jwks_url: http://i.example/k: must be https",
        ),
        (
            f"identity:\n  jwt:\n    - {{{JWT}, algorithms: [RS256], "
            "jwks_url: 'https://i.example/k'}",
            3,
            "needs one of jwks_url and jwks_file",
        ),
        (
            f"identity:\n  jwt:\n    - {{{JWT}, algorithms: [RS256]}}\n"
            f"    - {{{JWT}, algorithms: [RS256]}}",
            4,
            "identity.jwt.1.issuer: https://i.example stands twice",
        ),
        (
            "identity:\n  oidc: {issuer: 'http://[::1]:1', client_id: c, scopes: [email]}",
            2,
            "identity.oidc.scopes: must contain openid",
        ),
        (
            "identity:\n  oidc: {issuer: 'https://i.example', client_id: c, client_secret: geheim}",
            2,
            "a secret stands here as plain text; use ${ENV} or client_secret_file",
        ),
        # proxies
        ("identity:\n  proxy: {peers: [0.0.0.0/0]}", 2, "everybody's headers would be believed"),
        ("identity:\n  proxy: {peers: ['::/0']}", 2, "everybody's headers would be believed"),
        ("identity:\n  proxy: {peers: [gateway]}", 2, "'gateway': must be an address or a network"),
        ("identity:\n  proxy: {peers: [10.0.3.7/24]}", 2, "did you mean 10.0.3.0/24, or the"),
        ("identity:\n  proxy: {peers: ['::1'], user: X_User}", 2, "letters, digits and -"),
        ("sidecar:\n  trusted_proxies: ['0.0.0.0/0']", 2, "everybody's headers would be believed"),
        # the address
        (
            "sidecar:\n  bind: 0.0.0.0:8600",
            2,
            "0.0.0.0:8600: an address beyond loopback needs tls, or trusted_proxies",
        ),
        ("sidecar:\n  bind: unix:/a", 2, "must be host:port or [::1]:port"),
        ("sidecar:\n  bind: 127.0.0.1:99999", 2, "the highest port is 65535"),
        ("sidecar:\n  public_url: http://audit.example", 2, "must be https"),
        ("sidecar:\n  public_url: https://audit.example/page", 2, "an address without a path"),
        ("sidecar:\n  recording: {url: 'http://collector.example'}", 2, "must be https"),
        (
            f"{ONE}  development: u\nsidecar: {{bind: '0.0.0.0:1', trusted_proxies: [10.0.0.1]}}",
            3,
            "everyone would be 'u' without a login: sidecar.bind is 0.0.0.0:1, beyond loopback",
        ),
        (
            f"{ONE}  development: u\nsidecar: {{trusted_proxies: [10.0.0.1]}}",
            3,
            "everyone would be 'u' without a login: sidecar.trusted_proxies lets others in",
        ),
        (
            f"{ONE}  development: u\nsidecar: {{public_url: 'https://a.example'}}",
            3,
            "everyone would be 'u' without a login: sidecar.public_url is beyond loopback",
        ),
        (f"{ONE}  development: v", 3, "identity.development: no person has the id 'v' (known: u)"),
        ("identity:\n  sessions: {idle: 900, absolute: 600}", 2, "is longer than absolute (600 s)"),
    ],
)
def test_a_wrong_file_names_line_and_next_step(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    """Every contradiction is found with file, line and path; a secret is never repeated."""
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(file, {"SECRET": "geheim"})
    assert f"{file}:{line}:" in str(caught.value)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}: 1 finding\n")
    assert "geheim" not in str(caught.value)
