"""A full page of hostile input: a clear 4xx that names what is wrong, or text that is only text.

No row is answered by a server error or with anything of our inside, and after each the
application answers the next request.
"""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import quote, urlencode

import pytest
from werkzeug.test import TestResponse

from activity_center.vocabulary import actions
from sidecar_api.cursors import Sealer
from sidecar_api.search import FILTERS
from tests.conftest import Node
from tests.sidecar_api import hostile
from tests.sidecar_api.desk import Desk, problem_of
from tests.sidecar_api.hostile import API

INSIDE = (
    "Traceback",
    "opensearchpy",
    "werkzeug",
    'File "',
    "_exception",
    "root_cause",
    "index_uuid",
)
"""Words that only an answer with our inside in it has."""
ACTION = "server.update"


@pytest.fixture(scope="module")
def room(streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A sidecar for all rows, with an entry whose name is each of the texts, and one without."""
    rates = {"requests": 100_000, "sign_ins": 10_000, "exports": 10}
    folder = tmp_path_factory.mktemp("hostile")
    desk = Desk(folder, streams.cluster, streams.client, rate_limit=rates)
    for text in hostile.SYNTAX:
        desk.add(event__action=ACTION, activity__resource__name=text)
    desk.add(event__action=ACTION, activity__resource__name="api-prod-2")
    return desk


def calm(room: Desk, answer: TestResponse) -> None:
    """No server error, nothing of our inside, every error in its one shape; and life goes on."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        problem_of(answer)
        assert not [word for word in INSIDE if word in answer.text], answer.text
    assert room.ask("/healthz", "").status_code == 200


def named(room: Desk, answer: TestResponse, parameter: str) -> None:
    """A 400 that names the parameter."""
    calm(room, answer)
    assert answer.status_code == 400, (answer.status_code, answer.text)
    assert problem_of(answer).get("parameter") == parameter, answer.text


@pytest.mark.parametrize(("path", "parameter"), hostile.WRONG)
def test_what_is_wrong_is_named(room: Desk, path: str, parameter: str) -> None:
    """Numbers, times, addresses, closed values, lengths, doubled, unknown and forged ones."""
    named(room, room.ask(path), parameter)


OPEN = [
    one.name
    for one in FILTERS
    if one.kind in ("values", "contains", "text") and not one.choices and one.name != "organization"
]

BY_NAME = {one.name: one for one in FILTERS}


@pytest.mark.parametrize("name", OPEN)
def test_a_value_is_only_text(room: Desk, name: str) -> None:
    """In every filter that takes any value each text finds the entries that have it, literally."""
    texts = [text for text in hostile.SYNTAX if text.strip()]
    if name not in ("resource_name", "target", "q") and BY_NAME[name].repeats:
        # Any of them: were one more than its text, it would find something beside the others too.
        found = room.get(f"{API}?{urlencode([(name, text) for text in texts])}")
        assert found["page"]["total"] == 0
        return
    for text in texts:
        query = urlencode([(name, text), ("size", "100")])
        found = room.get(f"{API}?{query}")
        names = [one["activity"]["resource"]["name"] for one in found["activities"]]
        if name == "resource_name":
            assert names == [text], text
        elif name == "target":  # a part of the name, too
            found_by = [one for one in hostile.SYNTAX if text.lower() in one.lower()]
            assert sorted(names) == sorted(found_by), text
        elif name == "q":
            label = f"{ACTION} {actions()[ACTION].label}"
            told = [f"{label} {one}".lower() for one in [*hostile.SYNTAX, "api-prod-2"]]
            wanted = sum(all(word in one for word in text.lower().split()) for one in told)
            assert found["page"]["total"] == wanted, text
        else:
            assert found["page"]["total"] == 0, text


@pytest.mark.parametrize("text", hostile.SYNTAX)
def test_an_organization_is_only_its_id(room: Desk, text: str) -> None:
    """No text reaches organizations that the reader may not see: what can be no id is refused,
    and an id that is not theirs is."""
    answer = room.ask(f"{API}?{urlencode({'organization': text})}")
    calm(room, answer)
    if text in ("null", "true"):  # these could be ids
        assert answer.status_code == 403
        assert problem_of(answer)["organization"] == text
    else:
        assert answer.status_code == 400
        assert problem_of(answer)["parameter"] == "organization"


@pytest.mark.parametrize("text", hostile.SYNTAX)
def test_text_that_narrows_a_facet_is_only_text(room: Desk, text: str) -> None:
    """The facet lists the values that have the text in them, and no others."""
    query = urlencode({"name": "resource_name", "contains": text})
    found = room.get(f"{API}/facets?{query}")["facets"]["resource_name"]
    values = {one["value"] for one in found} - {"-"}
    wanted = text.strip().lower()
    assert values == {one for one in [*hostile.SYNTAX, "api-prod-2"] if wanted in one.lower()}


@pytest.mark.parametrize("raw", hostile.RAW_BYTES)
def test_bytes_that_are_no_utf_8_are_refused(room: Desk, raw: str) -> None:
    """In every parameter, by its name, and in the path: else they would find nothing, unsaid."""
    for name in ("resource_name", "q", "cursor"):
        named(room, room.ask(f"{API}?{name}=x{raw}x"), name)
    answer = room.ask(f"/api/v1/users/{raw.replace('/', '')}/activities")
    calm(room, answer)
    assert answer.status_code == 400


def test_a_percent_sign_is_only_text(room: Desk) -> None:
    """One that begins nothing stands for itself."""
    for name in ("resource_name", "q"):
        assert room.get(f"{API}?{name}=x%x")["page"]["total"] == 0
    named(room, room.ask(f"{API}?cursor=%"), "cursor")


@pytest.mark.parametrize(("path", "statuses"), hostile.PATHS)
def test_no_path_leads_out(room: Desk, path: str, statuses: tuple[int, ...]) -> None:
    """Parts of an address are ids: not found, not yours, or a list in which nothing is."""
    answer = room.ask(path)
    calm(room, answer)
    assert answer.status_code in statuses, answer.text
    assert b"root:" not in answer.data
    if answer.status_code == 200 and path.startswith("/api/"):
        assert answer.get_json()["page"]["total"] == 0


@pytest.mark.parametrize("method", hostile.METHODS)
@pytest.mark.parametrize("path", [API, f"{API}/x", f"{API}/export?format=csv", "/", "/healthz"])
def test_other_methods_are_refused(room: Desk, path: str, method: str) -> None:
    """405 with the methods that there are; nothing else happens."""
    answer = room.ask(path, method=method)
    calm(room, answer)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(("kind", "body", "status", "parameter"), hostile.BODIES)
def test_bodies(room: Desk, kind: str, body: bytes, status: int, parameter: str | None) -> None:
    """A sign-in with a body of another form is told what is wrong with it."""
    headers = {"Content-Type": kind} if kind else {}
    origin = {"Origin": "http://127.0.0.1:8600"}
    answer = room.ask("/api/v1/session", "", "POST", data=body, headers={**headers, **origin})
    calm(room, answer)
    assert answer.status_code == status, answer.text
    assert problem_of(answer).get("parameter") == parameter


def test_a_body_where_none_is_taken_changes_nothing(room: Desk) -> None:
    """A GET with a body, of whatever form, is answered as one without."""
    for kind, body in (
        ("application/json", b'{"query": {"match_all": {}}}'),
        ("application/x-www-form-urlencoded", b"action=x"),
        ("text/plain", b"\x00" * 1000),
    ):
        answer = room.ask(f"{API}?q=api-prod-2", data=body, headers={"Content-Type": kind})
        calm(room, answer)
        assert answer.get_json()["page"]["total"] == 1
    answer = room.ask(f"{API}?q=api-prod-2", data=b"x" * 100_000)
    calm(room, answer)
    assert answer.status_code == 413


@pytest.mark.parametrize(("name", "value", "statuses"), hostile.HEADERS)
def test_headers(room: Desk, name: str, value: str, statuses: tuple[int, ...]) -> None:
    """Headers are read as they are meant, refused, or left alone."""
    who = "" if name == "Authorization" else "owner"
    answer = room.ask(f"{API}?q=api-prod-2", who, headers={name: value})
    calm(room, answer)
    assert answer.status_code in statuses, answer.text
    if answer.status_code == 200:
        assert answer.get_json()["page"]["total"] == 1
        assert "example.invalid" not in str(answer.headers)


def test_tokens_of_others_are_refused(room: Desk) -> None:
    """A cursor of another reader, other filters, another purpose or a former key is none."""
    mine = room.get(f"{API}?size=25")["page"]["next"]
    assert mine
    assert room.ask(f"{API}?size=25&cursor={mine}").status_code == 200
    forged = [
        mine[::-1],
        f"{mine[:-2]}{mine[-1]}{mine[-2]}x",
        f"AA{mine[2:]}",
        mine[: len(mine) // 2],
        mine[:-1],
        f"{mine}A",
        Sealer(bytes(32), "cursor", "cursor").seal({"side": "after", "at": [], "number": 2}),
    ]
    for cursor in forged:
        named(room, room.ask(f"{API}?size=25&cursor={quote(cursor)}"), "cursor")
    for path, who in (
        (f"{API}?size=25", "admin"),
        (f"{API}?size=25", "member"),
        (f"{API}?size=50", "owner"),
        (f"{API}?size=25&q=x", "owner"),
        (f"/api/v1/organizations/{room.a}/activity-logs?size=25", "owner"),
    ):
        named(room, room.ask(f"{path}&cursor={mine}", who), "cursor")
    named(room, room.ask(f"{API}/export?format=csv&resume={mine}"), "resume")
    place = room.ask(f"{API}/export?format=csv&q=api-prod-2").headers["Content-Location"]
    assert room.ask(place).status_code == 200
    named(room, room.ask(place, "admin"), "resume")
    named(room, room.ask(place.replace("format=csv", "format=ocsf")), "resume")
    named(room, room.ask(place.replace("q=api-prod-2", "q=api-prod-3")), "resume")


def test_script_in_every_field_stays_text(room: Desk) -> None:
    """An entry full of script comes back as JSON text, and as cells and lines that are safe."""
    script = "=cmd|' /C calc'!A0<script>alert(1)</script>\u2028</textarea>"
    id_ = room.add(
        event__action=ACTION,
        activity__resource__name=script,
        activity__resource__type=script,
        user__name=script,
        message=script,
        metadata={script: script},
    )
    answer = room.ask(f"{API}/{id_}")
    assert answer.content_type == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(answer.data)["user"]["name"] == script
    listed = room.ask(f"{API}?resource_name={quote(script)}&include=facets")
    assert listed.content_type == "application/json"
    assert listed.get_json()["page"]["total"] == 1
    table = room.ask(f"{API}/export?format=csv&resource_name={quote(script)}").text
    cells = [cell for row in csv.reader(io.StringIO(table, newline="")) for cell in row]
    assert f"'{script}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
