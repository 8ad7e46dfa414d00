"""Who acts: three organizations, their people, their agents, the platform's own staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from activity_center.demo.workload.dice import Dice

FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36"
)
SAFARI: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/26.1 Safari/605.1.15"
)
PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1"
)
CURL: Final = "curl/8.17.0"
CLI: Final = "activity-platform-cli/2.4.1 (linux; amd64)"
BROWSERS: Final = ((FIREFOX, 3), (CHROME, 5), (SAFARI, 3), (PHONE, 1))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in.

    Attributes:
        id: the platform's user id.
        role: owner, admin, billing_owner, member, viewer, or staff (of the platform).
        ip: where this person usually works from.
        browser: user agent.
        busy: deeds on a working day, on average.
    """

    id: str
    name: str
    full_name: str
    email: str
    role: str
    ip: str
    browser: str
    busy: int

    def user(self) -> dict[str, Any]:
        """Return the ECS group ``user``."""
        return {**self.brief(), "roles": [self.role]}

    def brief(self) -> dict[str, Any]:
        """Return the group without roles, as for ``activity.initiator``."""
        names = ("id", "name", "full_name", "email")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Agent:
    """An AI agent of an organization."""

    id: str
    name: str
    version: str
    provider: str
    model: str

    def group(self) -> dict[str, Any]:
        """Return the parts of ``gen_ai`` that every entry of the agent has."""
        return {
            "agent": {"id": self.id, "name": self.name, "version": self.version},
            "provider": {"name": self.provider},
            "request": {"model": self.model},
        }


@dataclass(frozen=True, slots=True)
class Organization:
    """One customer of the platform.

    Attributes:
        kind: saas, agency or enterprise: decides what is done here.
        offset: hours from UTC, the same all year (so no time zone data is needed).
        network: first three octets of the office, from the documentation ranges (RFC 5737).
    """

    id: str
    name: str
    kind: str
    offset: int
    network: str
    domain: str
    people: tuple[Person, ...]
    agent: Agent

    def group(self) -> dict[str, Any]:
        """Return the ECS group ``organization``."""
        return {"id": self.id, "name": self.name}

    def with_roles(self, *roles: str) -> tuple[Person, ...]:
        """Return the people who have one of the roles."""
        return tuple(person for person in self.people if person.role in roles)


_NAMES: Final = (
    (
        "Mira Kovač,Jonas Osei,Lena Brandt,Tomáš Novák,Aiko Mori,Peter Zupan,Sara Lindqvist,"
        "Omar Haddad,Nina Petrović,Jan de Vries,Élodie Martin,Luka Horvat"
    ),
    (
        "Grace Whitfield,Diego Fuentes,Hannah Cole,Marcus Reed,Priya Raman,Will Novak,"
        "Tessa Boone,Andre Silva,Joy Park,Colin Frost,Maya Ortiz,Ben Ashford"
    ),
    (
        "Yusuf Demir,Katarzyna Zając,Elif Aydın,Stefan Ionescu,Ingrid Solberg,Rafael Costa,"
        "Chidi Eze,Anna Virtanen,Dmytro Bondar,Leila Farahani,Søren Holm,Zoë Peeters"
    ),
)
_ROLES: Final = ("owner", "admin", "admin", "billing_owner", *["member"] * 7, "viewer")
_PLACES: Final = (
    ("northwind", "Northwind Labs", "saas", 1, "203.0.113", "ops-pilot"),
    ("brightleaf", "Brightleaf Agency", "agency", -5, "198.51.100", "site-pilot"),
    ("atlas_mobility", "Atlas Mobility", "enterprise", 2, "192.0.2", "cluster-pilot"),
)
_MODELS: Final = (
    ("anthropic", "claude-opus"),
    ("openai", "gpt-5"),
    ("mistral_ai", "mistral-large"),
)
_PLAIN: Final = str.maketrans("čšžćáéëøąęłńóśźżıāšöüåçğş", "cszcaeeoaelnoszziasouacgs")


def organizations(dice: Dice, count: int) -> tuple[Organization, ...]:
    """Return the first ``count`` organizations (beyond three: smaller copies of these)."""
    return tuple(_organization(dice.split(f"cast {number}"), number) for number in range(count))


def _organization(dice: Dice, number: int) -> Organization:
    key, name, kind, offset, network, agent = _PLACES[number % 3]
    if number >= 3:
        key, name = f"{key}_{number // 3 + 1}", f"{name} {number // 3 + 1}"
    domain = f"{key.replace('_', '-')}.example"
    people = []
    for place, full in enumerate(_NAMES[number % 3].split(",")):
        first = full.split(" ")[0].lower().translate(_PLAIN)
        ip = f"{network}.{10 + place}"
        if dice.chance(15):  # works from home, over IPv6
            ip = f"2001:db8:{number + 1:x}:{dice.hex(4)}::{place + 1:x}"
        people.append(
            Person(
                id=f"usr_{key[:2]}{number}{place:02}",
                name=first,
                full_name=full,
                email=f"{first}@{domain}",
                role=_ROLES[place],
                ip=ip,
                browser=dice.weighted(BROWSERS),
                busy=dice.between(1, 4) if _ROLES[place] != "viewer" else 1,
            )
        )
    provider, model = _MODELS[number % 3]
    return Organization(
        id=key,
        name=name,
        kind=kind,
        offset=offset,
        network=network,
        domain=domain,
        people=tuple(people),
        agent=Agent(f"agt_{key[:2]}{number}", agent, "2.3", provider, model),
    )


STAFF: Final = Person(
    id="usr_staff1",
    name="ruth",
    full_name="Ruth Amsel",
    email="ruth@platform.example",
    role="staff",
    ip="203.0.113.250",
    browser=FIREFOX,
    busy=2,
)
