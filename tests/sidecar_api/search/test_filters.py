"""Each filter on a table of documents in the real streams: what it finds, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from activity_center.streams import ORGANIZATION_ID
from sidecar_api.failures import BadRequest
from sidecar_api.search import FILTERS
from sidecar_api.search.clauses import lower
from tests.sidecar_api.search.documents import AGENT, ALL, DOCUMENTS, FAILED, PROCESS
from tests.sidecar_api.search.log import NOON, Log, document, filters, ids, minutes


@pytest.fixture(scope="module")
def filled(table: Log) -> Log:
    table.add(*DOCUMENTS)
    return table


CASES: list[tuple[dict[str, str | list[str]], set[str]]] = [
    ({}, ALL),
    # action and its parts
    ({"action": "server.create"}, {"create"}),
    ({"action": ["server.create", "server.delete"]}, {"create", "delete"}),
    ({"action": "server.CREATE"}, set()),
    ({"action": "server"}, set()),
    ({"action_contains": "RESIZE"}, {"resize"}),
    ({"action_contains": "fetch_all"}, {"fetched"}),
    ({"action_contains": "Fetch all"}, {"fetched"}),
    ({"action_contains": "service.re"}, {"service"}),
    ({"action_contains": "restart"}, {"service", "restarted"}),
    ({"action_contains": "restartservice"}, {"restarted"}),
    ({"action_contains": "ÜBER.MASS"}, set()),
    ({"action_contains": "über.maß"}, {"odd"}),
    ({"action_contains": "ß"}, {"odd"}),
    ({"action_contains": "00%"}, {"odd"}),
    ({"action_contains": "Servers: Create"}, {"create"}),
    ({"verb": "start-stop"}, {"start", "service", "restarted"}),
    ({"verb": ["create", "delete"], "type": "Servers"}, {"create", "delete"}),
    ({"verb": "-"}, {"odd", "bare"}),
    ({"verb": ["-", "start-stop"]}, {"odd", "bare", "start", "service", "restarted"}),
    ({"type": "Odd"}, {"odd"}),
    ({"type": "-"}, {"bare"}),
    ({"critical": "true"}, {"terminated"}),
    ({"critical": "false", "type": "Workspace"}, set()),
    # who
    ({"actor": "usr_mk"}, {"create", "resize", "fetched", "terminated", "approved"}),
    ({"actor": "MIRA kovač"}, {"create", "resize", "fetched", "terminated", "approved"}),
    (
        {"actor": "mira@northwind.EXAMPLE"},
        {"create", "resize", "fetched", "terminated", "approved"},
    ),
    ({"actor": "USR_MK"}, set()),
    ({"actor": "mir"}, set()),
    ({"actor": "ŽIGA"}, {"service"}),
    ({"actor": ["jonas", "root"]}, {"delete", "start", "login", "refused", "failed_login"}),
    ({"actor": "ops-pilot"}, {"proposed", "approved", "executed", "denied", "restarted"}),
    ({"actor": "agt_ops"}, {"proposed", "approved", "executed", "denied", "restarted"}),
    ({"actor": "agt_ops", "lens": "audit"}, set()),
    ({"actor": "usr_li"}, set()),
    ({"initiator": "usr_li"}, {"executed"}),
    ({"initiator": ["LIN", "nobody"]}, {"executed"}),
    ({"initiator": "lin weiß"}, {"executed"}),
    ({"initiator": "lin@northwind.EXAMPLE"}, {"executed"}),
    ({"initiator": "usr_mk"}, set()),
    ({"initiator": "-", "lens": "agent"}, AGENT - {"executed"}),
    ({"actor": "-", "lens": "agent"}, {"expired", "broke"}),
    ({"source": "agent"}, {"proposed", "approved", "executed"}),
    ({"source": ["ui", "cli"]}, {"create", "resize"}),
    ({"source": "-", "lens": "agent"}, {"denied", "expired", "restarted", "broke"}),
    ({"approver": "usr_mk"}, {"approved"}),
    ({"approver": ["JONAS", "mira kovač"]}, {"approved", "denied"}),
    ({"approver": "jonas@northwind.EXAMPLE"}, {"denied"}),
    # on what
    ({"resource_type": "site"}, {"site"}),
    ({"resource_id": "s1"}, {"create", "resize"}),
    ({"resource_name": "API-prod-2"}, {"create", "resize"}),
    ({"resource_name": "straße*?.example"}, {"site"}),
    ({"resource_name": "web"}, set()),
    ({"target": "web-prod-01"}, {"service", "web"}),
    ({"target": "NGINX"}, {"service", "restarted"}),
    ({"target": "EB-prod"}, {"service", "web"}),
    ({"target": ["ginx", "EB-prod"]}, {"service", "web", "restarted"}),
    ({"project": "checkout"}, {"create"}),
    ({"workspace": "data-lab"}, {"resize"}),
    ({"workspace": ["data-lab", "Data-Lab"]}, {"resize", "terminated"}),
    ({"environment": "production"}, {"delete"}),
    # how it ended
    ({"outcome": "failure"}, FAILED),
    ({"outcome": "unknown"}, {"odd"}),
    ({"result": "failed"}, {"failed_login", "p_failed", "broke"}),
    ({"result": "denied"}, {"refused", "denied"}),
    ({"result": "expired"}, {"expired"}),
    ({"result": "-"}, {"odd", "proposed", "approved"}),
    ({"result": "completed"}, ALL - FAILED - {"odd", "proposed", "approved", "expired", "denied"}),
    ({"result": ["expired", "denied"], "lens": "agent"}, {"expired", "denied"}),
    # agents and processes
    ({"impact": "destructive"}, {"proposed"}),
    ({"impact": ["safe", "caution"]}, {"denied", "restarted"}),
    ({"tool": "resize_disk"}, {"proposed"}),
    ({"decision": "approved"}, {"approved"}),
    ({"case": "case_1"}, {"proposed", "approved", "executed"}),
    ({"lens": "agent"}, AGENT),
    ({"lens": "process"}, PROCESS),
    ({"lens": ["agent", "process"]}, AGENT | PROCESS),
    ({"channel": "deploy"}, PROCESS),
    ({"action": "process.output"}, set()),
    # where from
    ({"ip": "203.0.113.24"}, {"create"}),
    ({"ip": "203.0.113.0/24"}, {"create", "resize"}),
    ({"ip": "203.0.113.77/24"}, {"create", "resize"}),
    ({"ip": ["2001:db8::/32", "198.51.100.7"]}, {"delete", "login"}),
    ({"ip": "2001:0DB8:0::5"}, {"delete"}),
    ({"ip": "::/0", "lens": "audit"}, {"create", "resize", "delete", "login"}),
    ({"ip": "0.0.0.0/0"}, {"create", "resize", "login"}),
    ({"ip": "-", "actor": "usr_jo"}, {"start", "refused"}),
    ({"severity": "3"}, {"failed_login"}),
    ({"severity": ["0", "1"]}, {"fetched", "login"}),
    # when
    ({"from": "2026-11-20T12:05:00Z"}, {"late"}),
    ({"from": "2026-11-20T13:05:00+01:00"}, {"late"}),
    ({"to": "2026-11-17T12:00:00Z"}, {"older", "oldest"}),
    ({"to": "2026-11-17T12:00:00.001Z"}, {"old", "older", "oldest"}),
    ({"from": "2026-10-31", "to": "2026-11-17"}, {"old", "older"}),
    ({"from": "2026-11-17", "to": "2026-11-17"}, {"old"}),
    ({"from": "2026-11-18", "to": "2026-11-19"}, set()),
    ({"from": "1970-01-01", "to": "2199-12-31"}, ALL),
    ({"range": "24h"}, ALL - {"old", "older", "oldest"}),
    ({"range": "7d"}, ALL - {"older", "oldest"}),
    ({"range": "30d"}, ALL - {"oldest"}),
    # words
    ({"q": "resize"}, {"resize"}),
    ({"q": "mira"}, {"create", "resize", "fetched", "terminated", "approved"}),
    ({"q": "MIRA create"}, {"create"}),
    ({"q": "create  Kovač"}, {"create"}),
    ({"q": "kovač staging"}, set()),
    ({"q": "northwind.example resize"}, {"resize"}),
    ({"q": "prod-01"}, {"service", "web"}),
    ({"q": "pilot"}, {"proposed", "approved", "executed", "denied", "restarted"}),
    ({"q": "žig"}, {"service"}),
    ({"q": "Ž"}, {"service"}),
    ({"q": "STRASSE"}, set()),
    ({"q": "STRAßE"}, {"site"}),
    ({"q": "ße*?."}, {"site"}),
    ({"q": "*?"}, {"site"}),
    ({"q": "?"}, {"site"}),
    ({"q": "100%"}, {"start", "odd"}),
    ({"q": "db"}, {"delete", "restarted"}),
    ({"q": "service restart"}, {"service", "restarted"}),
    ({"q": "fetch all"}, {"fetched"}),
    # several
    ({"actor": "usr_mk", "lens": "audit", "q": "api"}, {"create", "resize"}),
    (
        {"actor": "usr_mk", "source": "ui", "ip": "203.0.113.0/24", "resource_type": "server"},
        {"create"},
    ),
    (
        {"verb": "delete", "outcome": "success", "range": "24h", "action_contains": "server"},
        {"delete"},
    ),
]


@pytest.mark.parametrize(("args", "expected"), CASES, ids=[str(args) for args, _ in CASES])
def test_filter(filled: Log, args: dict[str, Any], expected: set[str]) -> None:
    """Each filter finds exactly what it says; different ones all hold."""
    assert filled.found(**args, now=NOON + minutes(30)) == expected


def test_every_filter_is_in_the_table() -> None:
    """No filter goes untested; the wall of a test is its organization."""
    tested = {name for args, _ in CASES for name in args}
    assert tested | {"organization"} == {one.name for one in FILTERS}


def test_organization(filled: Log) -> None:
    """The filter for an organization holds beside the wall and never widens it."""
    now = NOON + minutes(30)
    assert filled.found(now=now, organization=filled.organization) == ALL
    assert filled.found(now=now, organization="-") == set()
    other = Log(filled.client)
    other.add(document(id="foreign"))
    assert filled.found(now=now, organization=other.organization) == set()
    both = [filled.organization, other.organization]
    assert filled.found(now=now, organization=both) == ALL


HOSTILE = [
    "*",
    "?",
    "**",
    "*:*",
    '"',
    "'",
    "\\",
    "\\*",
    "a OR b",
    "_exists_:user.id",
    '") OR 1=1 --',
    "{!lucene}x",
    '{"match_all":{}}',
    "/.*/",
    "[a TO z]",
    "\x00",
    "a\x00b",
    "\u202e",
    "💥",
    "\u0130",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "%",
    "--",
    "-1",
    "NaN",
    "9" * 200,
    "*" * 200,
    "?" * 200,
    "\\" * 200,
]
OPEN = [one for one in FILTERS if one.kind in ("text", "contains", "values") and not one.choices]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_hostile_text_is_text(filled: Log, value: str) -> None:
    """Whatever stands in a filter is looked for as it is: no syntax, no pattern, no failure."""
    for one in OPEN:
        if one.name == "organization" and not ORGANIZATION_ID.fullmatch(value):
            with pytest.raises(BadRequest):  # it can be no id
                filled.found(organization=value, now=NOON + minutes(30))
            continue
        found = filled.found(**{one.name: value}, now=NOON + minutes(30))
        texts = [
            lower(repr(document)) for document in DOCUMENTS if document["event"]["id"] in found
        ]
        words = value.split() if one.kind == "text" else [value]
        assert all(lower(word) in text for text in texts for word in words), one.name


def test_hostile_values_are_found_where_they_are(log: Log) -> None:
    """A stored value full of syntax is found by itself, whole and in part."""
    texts = [text for text in HOSTILE if text.strip() and text != "-"]
    log.add(
        *(
            document(id=str(number), activity__resource__name=text, user__full_name=f"name {text}")
            for number, text in enumerate(texts)
        )
    )
    for number, text in enumerate(texts):
        assert str(number) in log.found(resource_name=text, now=NOON), text
        assert len(log.found(resource_name=text, now=NOON)) == 1, text
        if len(text) < 100:
            assert str(number) in log.found(q=text, now=NOON), text


def test_a_page_of_patterns_is_answered(filled: Log) -> None:
    """The heaviest filters that can be sent together are answered."""
    made = filters(
        q=" ".join(["*?\\ab" * 4] * 8),
        action_contains="?*\\" * 80,
        actor=["*" * 256] * 1 + [f"{n}" * 200 for n in range(10)],
        resource_name=[chr(0x1F600 + n) * 1024 for n in range(50)],
        ip=[f"10.{n}.0.0/16" for n in range(50)],
    )
    assert filled.search.page(filled, made, size=25, histogram=True).total == 0
    with pytest.raises(BadRequest) as refused:
        filters(q="a b c d e f g h i")
    assert refused.value.members["parameter"] == "q"


def test_one_by_id(filled: Log) -> None:
    """An entry is found by its id, behind the wall and in the trail alone; a foreign id is none."""
    found = filled.search.one(filled, f"{filled.organization}-create")
    assert found is not None
    assert found["event"]["id"] == "create"
    assert filled.search.one(Log(filled.client), f"{filled.organization}-create") is None
    for nothing in (f"{filled.organization}-p_output", "*", "", "x" * 600, "a,b"):
        assert filled.search.one(filled, nothing) is None


def test_recent(filled: Log) -> None:
    """The latest six, newest first, of an organization if one is named."""
    latest = filled.search.recent(filled)
    assert len(latest) == 6
    assert latest[0]["event"]["id"] == "late"
    assert ids(filled.search.recent(filled, filled.organization, 100)) == ALL
    assert filled.search.recent(filled, "another") == []
