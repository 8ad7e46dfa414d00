"""The route: what is in an export, who gets one, and what becomes of one that breaks."""

from __future__ import annotations

import csv as reader
import io
import json
import multiprocessing
import tracemalloc
import zlib
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy import OpenSearch

from activity_center.config_sidecar import SidecarConfig
from sidecar_api.app import create_app
from sidecar_api.export import write
from sidecar_api.export.columns import COLUMNS
from sidecar_api.export.verify import verify
from sidecar_api.export.write import FORMATS
from sidecar_api.moments import written
from sidecar_api.routes import exports
from tests.sidecar_api.export.people import config_of, of
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flask import Flask
    from werkzeug.test import TestResponse

    from activity_center.config import Config
    from tests.conftest import Node
    from tests.sidecar_api.search.log import Log

BEFORE = datetime.now(UTC) - timedelta(hours=2)
PATH = "/api/v1/activities/export"


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 500 entries, so that few thousand are many pages."""
    for module in (write, exports):
        monkeypatch.setattr(module, "PAGE", 500)


def documents(count: int, **values: Any) -> list[dict[str, Any]]:
    """So many activities, a millisecond after each other, two hours ago."""
    return [
        document(
            at=BEFORE + timedelta(milliseconds=number),
            id=f"e{number:06}",
            activity__new_value={"size": number},
            activity__resource__name=f"=server {number}",
            **values,
        )
        for number in range(count)
    ]


def arrival() -> dict[str, Any]:
    """An activity of two hours ago that is received now."""
    now = written(datetime.now(UTC))
    return document(at=BEFORE, event__ingested=now, event__action="server.create")


def get(app: Flask, who: str = "olga", *, path: str = PATH, **query: Any) -> TestResponse:
    """Ask for an export; ``from_`` stands for ``from``."""
    named = {name.rstrip("_"): value for name, value in query.items()}
    client = app.test_client()
    return client.get(path, query_string=named or None, headers=of(who), buffered=True)


def whole(content: bytes) -> dict[str, Any]:
    """The manifest of an export that is whole."""
    verdict = verify(io.BytesIO(content))
    assert verdict.whole, verdict.reason
    assert verdict.manifest is not None
    return verdict.manifest


def lines(content: bytes) -> list[Any]:
    """The lines of an export as NDJSON, without the manifest."""
    return [json.loads(line) for line in content.splitlines()[:-1]]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_all_that_the_filters_find(app: Flask, log: Log, form: str) -> None:
    """Every format has all entries of the filter, newest first, and a manifest that says so."""
    log.add(*documents(120), *documents(0), document(event__action="server.delete", at=BEFORE))
    answer = get(app, format=form, action="server.update", organization=log.organization)
    assert answer.status_code == 200
    manifest = whole(answer.data)
    assert manifest["count"] == 120
    assert manifest["filter"] == [
        ["action", "server.update"],
        ["organization", log.organization],
    ]
    if form == "csv":
        rows = list(reader.reader(io.StringIO(answer.text, newline=""), strict=True))[1:-1]
        found = [row[COLUMNS.index("event.id")] for row in rows]
        assert rows[0][COLUMNS.index("activity.resource.name")] == "'=server 119"
    elif form == "ndjson":
        found = [one["event"]["id"] for one in lines(answer.data)]
    else:
        found = [one["unmapped"]["event"]["id"] for one in lines(answer.data)]
        assert {one["class_uid"] for one in lines(answer.data)} == {6003}
    assert found == [f"e{number:06}" for number in range(119, -1, -1)]


def test_the_head_of_the_answer(app: Flask, log: Log) -> None:
    """It is a file with a name, kept by nobody, and says where it can be had again."""
    log.add(*documents(1))
    answer = get(app, format="csv", organization=log.organization)
    assert answer.content_type.startswith("text/csv")
    name = answer.headers["Content-Disposition"]
    assert name.startswith(f'attachment; filename="activities-{log.organization}-')
    assert name.endswith('Z.csv"')
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Location"].startswith(f"{PATH}?format=csv&organization=")
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_nothing_found_is_a_whole_export(app: Flask, log: Log) -> None:
    """No entries: a header, and a manifest that counts none."""
    assert whole(get(app, format="csv").data)["count"] == 0
    assert get(app, format="csv").data.count(b"\r\n") == 2


def test_compressed_when_asked(app: Flask, log: Log) -> None:
    """With Accept-Encoding: gzip it comes compressed, and is the same."""
    log.add(*documents(300))
    headers = {**of("olga"), "Accept-Encoding": "gzip"}
    answer = app.test_client().get(f"{PATH}?format=ndjson", headers=headers)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert whole(zlib.decompress(answer.data, 31))["count"] == 300


def test_head_exports_nothing(make_app: Callable[..., Flask]) -> None:
    """HEAD has the same head without a body, and asks OpenSearch for nothing: it may be away."""
    app = make_app(client=OpenSearch("http://127.0.0.1:9", max_retries=0))
    assert get(app, format="csv").status_code == 503
    answer = app.test_client().head(f"{PATH}?format=csv", headers=of("olga"))
    assert answer.status_code == 200 and answer.data == b""
    assert "Content-Location" in answer.headers


def test_what_came_just_now_is_left_out(app: Flask, log: Log) -> None:
    """What else was received then is perhaps not searchable yet: resumed, it would be there."""
    log.add(*documents(2), arrival())
    assert whole(get(app, format="ndjson").data)["count"] == 2


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({}, "format"),
        ({"format": "xml"}, "format"),
        ({"format": "csv", "offset": "5"}, "offset"),
        ({"format": "csv", "offset": "-1", "resume": "a.b"}, "offset"),
        ({"format": "csv", "offset": "1e3", "resume": "a.b"}, "offset"),
        ({"format": "csv", "resume": "a.b"}, "resume"),
        ({"format": "csv", "resume": "x" * 5000}, "resume"),
        ({"format": "csv", "colour": "red"}, "colour"),
        ({"format": "csv", "from": "yesterday"}, "from"),
    ],
)
def test_wrong_requests_name_the_parameter(
    app: Flask, query: dict[str, str], parameter: str
) -> None:
    """Anything wrong is a 400 that names what."""
    answer = get(app, **query)
    assert answer.status_code == 400
    assert answer.json["parameter"] == parameter


def test_a_resumed_export_is_the_uninterrupted_one(app: Flask, log: Log) -> None:
    """What broke off at any byte, and the rest from Content-Location, are the same bytes.

    Also when entries arrived in between, whenever they say that they happened.
    """
    log.add(*documents(400))
    first = get(app, format="csv", organization=log.organization)
    content = first.data
    log.add(*(arrival() for _ in range(5)))
    for offset in (0, 1, 1000, len(content) // 2, len(content) - 5, len(content)):
        again = get(app, path=f"{first.headers['Content-Location']}&offset={offset}")
        assert again.status_code == 200
        assert content[:offset] + again.data == content
    assert whole(content)["count"] == 400


def test_a_token_is_of_one_export(app: Flask, log: Log) -> None:
    """With other filters, another format or another reader a token opens nothing."""
    log.add(*documents(3))
    address = get(app, format="csv", organization=log.organization).headers["Content-Location"]
    others = (
        (address.replace("format=csv", "format=ndjson"), "olga"),
        (f"{address}&action=server.update", "olga"),
        (address, "root"),
        (address[:-1] + ("A" if address[-1] != "A" else "B"), "olga"),
    )
    for path, who in others:
        answer = get(app, who, path=path)
        assert (answer.status_code, answer.json["parameter"]) == (400, "resume"), path


@pytest.mark.usefixtures("small_pages")
def test_what_arrives_meanwhile_changes_nothing(app: Flask, log: Log) -> None:
    """Entries that are stored while an export runs are not in it, and it is whole."""
    log.add(*documents(2_500))
    answer = app.test_client().get(f"{PATH}?format=ndjson", headers=of("olga"))
    got = []
    for number, chunk in enumerate(answer.response):
        got.append(chunk)
        if number < 3:
            log.add(arrival())
    answer.close()
    content = b"".join(got)
    assert whole(content)["count"] == 2_500
    assert not any(one["event"]["action"] == "server.create" for one in lines(content))


def test_only_what_may_be_exported(app: Flask, make_app: Callable[..., Flask], log: Log) -> None:
    """A member exports their own deeds, a viewer without a right nothing of others."""
    mine = document(at=BEFORE, user__id=f"mia_{log.organization}", id="mine")
    log.add(mine, document(at=BEFORE, user__id="somebody", id="other"))
    found = lines(get(app, "mia", format="ndjson").data)
    assert [one["event"]["id"] for one in found] == ["mine"]
    assert {one["event"]["id"] for one in lines(get(app, format="ndjson").data)} == {
        "mine",
        "other",
    }
    assert app.test_client().get(f"{PATH}?format=csv").status_code == 401
    refused = get(app, "mia", format="csv", organization="another_one")
    assert refused.status_code == 403
    assert refused.json["organization"] == "another_one"


def test_what_is_seen_and_not_exportable_is_refused(
    make_app: Callable[..., Flask], log: Log, opensearch: Node
) -> None:
    """Who sees a trail without org:audit:export gets 403 for it, and their own deeds anyway."""
    from dataclasses import replace

    from activity_center.config_sidecar import Role
    from sidecar_api.access import Access
    from sidecar_api.services import EXTENSION

    app = make_app(roles={"rita": "reviewer"})
    config = app.extensions[EXTENSION].config
    roles = {**config.roles, "reviewer": Role("reviewer", frozenset({"org:audit"}))}
    app.extensions[EXTENSION] = replace(
        app.extensions[EXTENSION], access=Access(replace(config, roles=roles))
    )
    log.add(document(at=BEFORE, user__id=f"rita_{log.organization}", id="mine"), *documents(2))
    refused = get(app, "rita", format="csv")
    assert refused.status_code == 403
    assert refused.json["permission"] == "org:audit:export"
    mine = f"rita_{log.organization}"
    both = get(app, "rita", format="csv", actor=[mine, "somebody"])
    assert (both.status_code, both.json["permission"]) == (403, "org:audit:export")
    own = get(app, "rita", format="ndjson", actor=mine)
    assert [one["event"]["id"] for one in lines(own.data)] == ["mine"]


def test_two_at_a_time(app: Flask, log: Log) -> None:
    """A reader's third export at once is 429; when one ends, there is room again."""
    log.add(*documents(3))
    running = [app.test_client().get(f"{PATH}?format=csv", headers=of("olga")) for _ in range(2)]
    third = get(app, format="csv")
    assert third.status_code == 429
    assert int(third.headers["Retry-After"]) > 0
    assert get(app, "root", format="csv", organization=log.organization).status_code == 200
    running[0].close()
    assert get(app, format="csv").status_code == 200
    running[1].close()


def test_memory_is_flat(log: Log, opensearch: Node, tmp_path: Path) -> None:
    """Ten times as many entries need hardly more memory: it is that of a page."""
    section = SidecarConfig(data_dir=str(tmp_path))
    config = config_of(opensearch.cluster, log.organization, section)
    log.add(*documents(1_500))
    # In a process of its own: what threads of other tests need here is counted too.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        small = pool.submit(_peak, config, 1_500).result(120)
        log.add(
            *(
                document(at=BEFORE, id=f"m{number}", activity__new_value={"size": number})
                for number in range(13_500)
            )
        )
        assert pool.submit(_peak, config, 15_000).result(120) < 1.5 * small


def _peak(config: Config, count: int) -> int:
    """The most bytes at once of an export, in pages of 500 entries."""
    for module in (write, exports):
        setattr(module, "PAGE", 500)  # noqa: B010 - mypy knows it as final
    app = create_app(config)
    tracemalloc.start()
    size = 0
    tail = b""
    answer = app.test_client().get(f"{PATH}?format=ndjson", headers=of("olga"))
    for chunk in answer.response:
        size += len(chunk)
        tail = chunk[-2000:]
    answer.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > count * 500 and f'"count":{count}'.encode() in tail
    return peak
