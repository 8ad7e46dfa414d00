"""What stands in each cell of the five column sets, for entries of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Windows
from tests.browser.stand_in import StandIn
from tests.browser.table import loaded
from tests.sidecar_api.search.documents import document

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2, hours=2)
MONTH = "Sept" if AT.month == 9 else f"{AT:%b}"  # as the browser writes it for en-GB
EXACT = f"{AT.day} {MONTH} {AT:%Y}, {AT:%H:%M:%S} UTC+0"
MAIL = "mira@northwind.example"
JONAS = "jonas@northwind.example"
HOLDER = "web-prod-01 / nginx"
NGINX = f"{HOLDER} service"
LABS = "Northwind Labs"
SIZES = "size: small, nodes: 2 | size: large, nodes: 3"
DIFFERENCE = "size small → large, nodes 2 → 3"
MIRA = {
    "user__id": "usr_mk",
    "user__full_name": "Mira Kovač",
    "user__email": MAIL,
    "organization__id": "northwind",
    "organization__name": LABS,
}
ENTRIES = {
    "changed": document(
        at=AT,
        **MIRA,
        event__action="workspace.update",
        event__outcome="success",
        source__ip="203.0.113.24",
        activity__origin="ui",
        activity__type="Workspace",
        activity__project="checkout",
        activity__workspace="data-lab",
        activity__resource__type="workspace",
        activity__resource__id="ws_7",
        activity__resource__name="data-lab",
        activity__old_value={"size": "small", "nodes": 2},
        activity__new_value={"size": "large", "nodes": 3},
        activity__changes=[
            {"field": "size", "old": "small", "new": "large"},
            {"field": "nodes", "old": "2", "new": "3"},
        ],
    ),
    "made": document(
        at=AT,
        **MIRA,
        event__action="user.create",
        event__outcome="success",
        activity__origin="api",
        activity__type="Users",
        activity__resource__type="user",
        activity__resource__id="usr_9",
        activity__resource__name=JONAS,
        activity__new_value="member",
        activity__changes=[{"field": "", "new": "member"}],
    ),
    "refused": document(
        at=AT,
        user__email="eve@example.net",
        event__action="auth.login",
        event__outcome="failure",
        event__reason="wrong password",
        source__ip="198.51.100.7",
        activity__origin="ui",
    ),
    "ran": document(
        at=AT,
        **MIRA,
        event__action="agent.proposal.executed",
        event__outcome="success",
        client__ip="198.51.100.44",
        activity__origin="agent",
        activity__proposal__stage="completed",
        activity__initiator__id="usr_jo",
        activity__initiator__full_name="Jonas Osei",
        activity__initiator__email=JONAS,
        activity__decided={
            "at": AT.isoformat(),
            "outcome": "approved",
            "source": "user",
            "authenticated": True,
            "approver": {"id": "usr_mk", "email": MAIL},
        },
        activity__execution__output="restarted in 4 s",
        activity__resource__type="service",
        activity__resource__id="svc_1",
        activity__resource__name="nginx",
        activity__resource__parent__name="web-prod-01",
        activity__impact__level="destructive",
        gen_ai__agent__name="ops-pilot",
        gen_ai__tool__name="restart_service",
    ),
    "gone": document(
        at=AT,
        event__action="server.delete",
        event__outcome="unknown",
        service__name="reaper",
        activity__origin="system",
        activity__resource__type="server",
        activity__resource__id="srv_204",
        activity__resource__name="api-prod-2",
        activity__resource__url="https://panel.example/servers/204",
        activity__resource__deleted=True,
    ),
}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with one entry of each kind."""
    made = StandIn([{"id": name, **entry} for name, entry in ENTRIES.items()])
    yield made
    made.close()


WHEN = "2 d ago"
CELLS = {
    "center": f"""
        changed | {WHEN} | Update | data-lab workspace | checkout | Mira Kovač | UI | Success
        made | {WHEN} | Create | {JONAS} user | – | Mira Kovač | API | Success
        refused | {WHEN} | Login, failed | – | – | eve@example.net | UI | Failure
        ran | {WHEN} | Executed | {NGINX} | – | AI Pilot for J. Osei | AI Pilot | Success
        gone | {WHEN} | Delete | api-prod-2 deleted server | – | System | System | Unknown
    """,
    "trail": f"""
        changed | {EXACT} | UI | {MAIL} | – | Update | data-lab | Completed
        made | {EXACT} | API | {MAIL} | – | Create | {JONAS} | Completed
        refused | {EXACT} | UI | eve@example.net | – | Login, failed | – | Failed
        ran | {EXACT} | AI Pilot | {JONAS} | {MAIL} | Executed | {HOLDER} | Completed
        gone | {EXACT} | System | – | – | Delete | api-prod-2 deleted | Unknown
    """,
    "logs": f"""
        changed | {WHEN} | Workspace | Update | Mira Kovač | {LABS} | data-lab | data-lab | {SIZES}
        made | {WHEN} | Users | Create | Mira Kovač | {LABS} | – | {JONAS} | – | member
        refused | {WHEN} | – | Login, failed | eve@example.net | – | – | – | – | –
        ran | {WHEN} | AI Agent | Executed | AI Pilot for J. Osei | {LABS} | – | {HOLDER} | – | –
        gone | {WHEN} | Servers | Delete | System | – | – | api-prod-2 deleted | – | –
    """,
    "log": f"""
        changed | data-lab workspace · {LABS} | Update | {WHEN} | Mira Kovač
        made | {JONAS} user · {LABS} | Create | {WHEN} | Mira Kovač
        refused | – | Login, failed | {WHEN} | eve@example.net
        ran | {NGINX} · {LABS} | Execute | {WHEN} | AI Pilot for J. Osei
        gone | api-prod-2 deleted server | Delete | {WHEN} | System
    """,
    "audit": f"""
        changed | {EXACT} | Mira Kovač | Update | data-lab workspace | 203.0.113.24 | {DIFFERENCE}
        made | {EXACT} | Mira Kovač | Create | {JONAS} user | – | member
        refused | {EXACT} | eve@example.net | Login, failed | – | 198.51.100.7 | wrong password
        ran | {EXACT} | AI Pilot for J. Osei | Executed | {NGINX} | 198.51.100.44 | restarted in 4 s
        gone | {EXACT} | System | Delete | api-prod-2 deleted server | – | –
    """,
}
"""Column set -> a line of each entry; texts that only a screen reader says are among them."""


@pytest.mark.parametrize("columns", CELLS)
def test_each_cell_says_what_its_head_promises(
    windows: Windows, server: StandIn, columns: str
) -> None:
    """A change, a thing that was made, a refused login, an agent's action that somebody else
    approved, and what a system did to a resource that is gone, in each product's columns."""
    window = windows(size=(2400, 900), zone="UTC")
    page = window.open(f"{server.url}/audit?columns={columns}")
    loaded(page)
    shown = [" | ".join([name, *cells(page, name)]) for name in ENTRIES]
    assert shown == [line.strip() for line in CELLS[columns].strip().splitlines()]
    window.shoot(f"cells-{columns}")


def cells(page: Page, name: str) -> list[str]:
    """The texts of a row's cells, without the initials that stand for a picture."""
    found = page.locator(f'#activities tr.row[data-id="{name}"] td[class*="c-"]')
    texts = found.evaluate_all(
        """all => all.map((cell) =>
            cell.innerText.replace(cell.querySelector(".avatar")?.innerText ?? "", ""))"""
    )
    return [" ".join(text.split()).replace(" ,", ",") for text in texts]
