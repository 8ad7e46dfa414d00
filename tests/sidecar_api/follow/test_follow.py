"""The live tail: each activity exactly once, whatever comes between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from activity_center.config import Cluster
from activity_center.config_sidecar import SidecarConfig
from activity_center.connection import connect
from sidecar_api import ending
from sidecar_api.access import Access, Scope
from sidecar_api.app import create_app
from sidecar_api.failures import RateLimited, Unavailable
from sidecar_api.follow import Event
from sidecar_api.follow.hub import CATCH_UP
from sidecar_api.follow.topic import RING
from sidecar_api.moments import written
from sidecar_api.reader import Reader
from sidecar_api.search import Filters
from sidecar_api.services import EXTENSION
from tests.integration.process import until
from tests.sidecar_api.export.people import config_of, of
from tests.sidecar_api.follow.following import ALL, begun, names, now, owner, quick, take
from tests.sidecar_api.search.log import Log, document

if TYPE_CHECKING:
    from flask import Flask

    from tests.conftest import Node

PATH = "/api/v1/activities/stream"


def test_new_activities_come_once_in_order(log: Log, scope: Scope) -> None:
    """What is stored after the watch was opened comes, in the order of receipt, and once."""
    log.add(document(at=datetime.now(UTC) - timedelta(minutes=5)))
    hub = quick(log.client)
    with closing(hub.watch(scope, ALL, None)) as watch:
        log.add(*(now(id=f"n{number}") for number in range(5)))
        got = take(watch, 6, beats=3)
    assert names(got) == [f"n{number}" for number in range(5)]


def test_one_poller_for_the_same_question(log: Log, scope: Scope) -> None:
    """Watches with the same scope and filters share a topic; it goes with the last of them."""
    hub = quick(log.client)
    other = Filters.parse({"outcome": ["failure"]})
    watches = [hub.watch(scope, ALL, None), hub.watch(scope, ALL, None)]
    watches.append(hub.watch(scope, other, None))
    assert hub.counts() == (2, 3)
    assert watches[0].topic is watches[1].topic
    log.add(now(id="a"), now(id="b", event__outcome="failure"))
    assert [names(take(one, 3, beats=2)) for one in watches] == [["a", "b"], ["a", "b"], ["b"]]
    for one in watches:
        one.close()
        one.close()  # twice is once
    assert hub.counts() == (0, 0)


@pytest.mark.parametrize("first", ["everything", "one"])
def test_equal_filters_share_nothing_across_rights(
    log: Log, scope: Scope, opensearch: Node, first: str
) -> None:
    """Who sees all and who sees one organization ask the same in one process: each gets theirs."""
    elsewhere = Log(log.client)
    admin = Reader("root", platform_roles=frozenset({"platform_admin"}))
    everything = Access(config_of(opensearch.cluster, log.organization, SidecarConfig())).scope(
        admin
    )
    assert everything.everything
    hub = quick(log.client)
    scopes = {"everything": everything, "one": scope}
    order = sorted(scopes, key=lambda name: name != first)
    watches = {name: hub.watch(scopes[name], ALL, None) for name in order}
    assert hub.counts()[0] == 2

    def add(turn: int) -> set[str]:
        elsewhere.add(now(id=f"theirs-{turn}-{elsewhere.organization}"))
        log.add(now(id=f"ours-{turn}-{log.organization}"))
        return {f"ours-{turn}-{log.organization}", f"theirs-{turn}-{elsewhere.organization}"}

    wanted = add(0)
    with closing(watches["one"]) as watch:
        assert names(take(watch, 2, beats=3)) == [f"ours-0-{log.organization}"]
    with closing(watches["everything"]) as watch:
        seen: set[str] = set()
        for turn, event in enumerate(watch.events(lambda: True)):
            seen |= set(names([event]))
            if event.kind == "reset":  # another test's entries came late
                wanted = add(turn + 1)
            if wanted <= seen:
                break
    assert wanted <= seen


def test_nothing_is_lost_between_the_list_and_the_tail(log: Log, scope: Scope) -> None:
    """With the list's as_of the tail begins there: what came since then is sent too."""
    as_of = datetime.now(UTC) - timedelta(minutes=2)
    log.add(document(at=as_of + timedelta(minutes=1), id="between"))
    log.add(document(at=as_of - timedelta(minutes=1), id="listed"))
    hub = quick(log.client)
    with closing(hub.watch(scope, ALL, None, since=as_of)) as watch:
        assert names(take(watch, 2, beats=2)) == ["between"]


@pytest.mark.timeout(280)
def test_exactly_once_over_reconnects_and_a_rollover(rolling: Cluster, tmp_path: Path) -> None:
    """While entries arrive without pause, late ones among them, and the stream rolls over, a
    client that breaks off again and again gets each exactly once."""
    client = connect(rolling)
    log = Log(client)
    scope = owner(rolling, log, tmp_path)
    hub = quick(client)
    sent: list[str] = []
    done = threading.Event()

    def write() -> None:
        for batch in range(40):
            late = datetime.now(UTC) - timedelta(seconds=3 * (batch % 4))
            made = [
                document(at=datetime.now(UTC), event__ingested=written(late), id=f"b{batch}-{one}")
                for one in range(5)
            ]
            sent.extend(one["event"]["id"] for one in made)
            log.add(*made)
            if batch == 20:
                client.indices.rollover(alias="activity-audit-permanent")
        done.set()

    got: list[str] = []
    watch = hub.watch(scope, ALL, None)
    position = begun(watch)
    writer = threading.Thread(target=write)
    writer.start()
    while True:
        over = done.is_set()
        events: list[Event] = []
        # A shard that is just being made may not answer: the stream ends, the client comes back.
        with suppress(Unavailable), closing(hub.watch(scope, ALL, position)) as watch:
            take(watch, 7, beats=3, into=events)
        got += names(events)
        if events:
            position = events[-1].place
        elif over:  # silent, since all was stored
            break
    writer.join()
    client.close()
    assert sorted(got) == sorted(sent)


def test_too_much_to_catch_up_with_is_a_reset(log: Log, scope: Scope) -> None:
    """Beyond the bound the client is told to begin anew, and then gets what is new."""
    hub = quick(log.client)
    position = begun(hub.watch(scope, ALL, None))
    log.add(*(now() for _ in range(CATCH_UP + 200)))
    with closing(hub.watch(scope, ALL, position)) as watch:
        first = take(watch, 1)
        assert [event.kind for event in first] == ["reset"]
        place = first[0].place
    log.add(document(at=datetime.now(UTC) + timedelta(seconds=1), id="after"))
    with closing(hub.watch(scope, ALL, place)) as watch:
        assert names(take(watch, 2000, beats=2))[-1] == "after"


def test_a_client_that_does_not_keep_up_is_let_go(log: Log, scope: Scope) -> None:
    """The ring does not grow: who falls behind it is ended, and loses nothing when they return."""
    hub = quick(log.client)
    with closing(hub.watch(scope, ALL, None)) as slow, closing(hub.watch(scope, ALL, None)) as fast:
        events = slow.events(lambda: True)
        log.add(now(id="first"))
        first = next(event for event in events if event.kind == "activity")
        log.add(*(now() for _ in range(RING + 1)))
        assert len(take(fast, RING + 2)) == RING + 2
        until(lambda: slow.topic.end() >= RING + 2)  # fast may have caught up without the ring
        assert [event.kind for event in events if event.kind != "beat"] == []
    with closing(hub.watch(scope, ALL, first.place)) as again:
        assert len(names(take(again, RING + 1))) == RING + 1


def test_how_many_there_may_be(log: Log, scope: Scope) -> None:
    """One reader's watches and all together are bounded; a closed one makes room."""
    hub = quick(log.client, per_reader=2, in_all=3)
    stranger = replace(scope, reader=replace(scope.reader, id="another"))
    mine = [hub.watch(scope, ALL, None) for _ in range(2)]
    with pytest.raises(RateLimited) as refused:
        hub.watch(scope, ALL, None)
    assert int(refused.value.headers["Retry-After"]) > 0
    theirs = hub.watch(stranger, ALL, None)
    with pytest.raises(RateLimited):
        hub.watch(stranger, ALL, None)
    mine[0].close()
    mine[0] = hub.watch(scope, ALL, None)
    for one in (*mine, theirs):
        one.close()


def test_the_logs_own_entries_come_only_when_asked_for(log: Log, scope: Scope) -> None:
    """activity_log.* is left out unless a filter names it."""
    asked = Filters.parse({"type": ["ActivityLogs"]})
    named = Filters.parse({"action": ["activity_log.fetch"]})
    hub = quick(log.client)
    watches = [hub.watch(scope, one, None) for one in (ALL, asked, named)]
    log.add(now(event__action="activity_log.fetch", id="meta"), now(id="other"))
    assert [names(take(one, 3, beats=2)) for one in watches] == [["other"], ["meta"], ["meta"]]
    for one in watches:
        one.close()


def test_it_ends_when_the_reader_may_no_longer(log: Log, scope: Scope) -> None:
    """The right to see is asked for again and again; without it the watch ends."""
    hub = quick(log.client, recheck=0.1)
    answers = iter([True, True, False])
    with closing(hub.watch(scope, ALL, None)) as watch:
        assert all(event.kind == "beat" for event in watch.events(lambda: next(answers)))
    assert next(answers, None) is None


def test_it_ends_with_the_process(log: Log, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process is told to end, watches end by themselves."""
    hub = quick(log.client)
    with closing(hub.watch(scope, ALL, None)) as watch:
        events = watch.events(lambda: True)
        assert next(events).kind == "beat"
        monkeypatch.setitem(ending._state, "ending", True)
        assert [event.kind for event in events if event.kind != "beat"] == []


@pytest.fixture
def app(opensearch: Node, log: Log, tmp_path: Path) -> Iterator[Flask]:
    """A sidecar with a quick hub."""
    sidecar = SidecarConfig(data_dir=str(tmp_path))
    made = create_app(config_of(opensearch.cluster, log.organization, sidecar))
    made.extensions["activity_center_hub"] = quick(log.client, recheck=0.2)
    yield made
    assert made.extensions["activity_center_hub"].counts() == (0, 0)


def blocks(chunks: Iterator[bytes]) -> Iterator[dict[str, str]]:
    """Events of a stream: field -> value; a comment is under ``""`` (WHATWG HTML 9.2.5)."""
    rest = ""
    for chunk in chunks:
        rest += chunk.decode()
        while "\n\n" in rest:
            block, rest = rest.split("\n\n", 1)
            pairs = (line.partition(":") for line in block.split("\n"))
            yield {name: value.removeprefix(" ") for name, _, value in pairs}


def test_as_server_sent_events(app: Flask, log: Log) -> None:
    """The stream says when to come back, comments on silence, and goes on after an id."""
    client = app.test_client()
    with client.get(PATH, headers=of("olga")) as answer:
        assert answer.content_type.startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "private, no-store"
        stream = blocks(answer.response)
        assert next(stream)["retry"] == "5000"
        assert next(stream)[""] == "alive"
        log.add(now(id="one", message="two\nlines"))
        got = next(one for one in stream if "data" in one)
        assert got["event"] == "activity"
        assert json.loads(got["data"])["message"] == "two\nlines"
    log.add(now(id="missed"))
    with client.get(PATH, headers={**of("olga"), "Last-Event-ID": got["id"]}) as answer:
        stream = blocks(answer.response)
        again = next(one for one in stream if "data" in one)
        assert json.loads(again["data"])["event"]["id"] == "missed"


@pytest.mark.parametrize("forged", ["x", "a.b", "W10.AAAA", "x" * 4000])
def test_a_foreign_place_is_a_reset(app: Flask, forged: str) -> None:
    """A Last-Event-ID that is none of ours opens the stream with a reset, not with a failure.

    A browser would give up for good over a 4xx.
    """
    headers = {**of("olga"), "Last-Event-ID": forged}
    with app.test_client().get(PATH, headers=headers) as answer:
        stream = blocks(answer.response)
        assert next(stream)["retry"] == "5000"
        assert next(stream) == {"event": "reset", "data": "{}"}


def test_a_place_is_of_one_reader(app: Flask, log: Log) -> None:
    """Somebody else's Last-Event-ID is a foreign one."""
    client = app.test_client()
    with client.get(PATH, headers=of("olga")) as answer:
        place = next(one["id"] for one in blocks(answer.response) if "id" in one)
    with client.get(PATH, headers={**of("root"), "Last-Event-ID": place}) as answer:
        stream = blocks(answer.response)
        next(stream)
        assert next(stream)["event"] == "reset"


def test_who_may_not_gets_no_stream(app: Flask) -> None:
    """Nobody is 401; a wrong filter is 400 and names it."""
    client = app.test_client()
    assert client.get(PATH).status_code == 401
    wrong = client.get(f"{PATH}?as_of=yesterday", headers=of("olga"))
    assert (wrong.status_code, wrong.json["parameter"]) == (400, "as_of")


def test_a_member_sees_their_own_deeds_alone(app: Flask, log: Log) -> None:
    """The stream carries the reader's wall like every search."""
    with app.test_client().get(PATH, headers=of("mia")) as answer:
        stream = blocks(answer.response)
        next(stream)
        log.add(now(id="theirs"), now(id="mine", user__id=f"mia_{log.organization}"))
        got = next(one for one in stream if "data" in one)
        assert json.loads(got["data"])["event"]["id"] == "mine"


def test_a_removed_role_ends_the_stream(
    app: Flask, opensearch: Node, log: Log, tmp_path: Path
) -> None:
    """A reader whose role is taken away is let go within the time of a check."""
    with app.test_client().get(PATH, headers=of("olga")) as answer:
        stream = blocks(answer.response)
        next(stream)
        sidecar, roles = SidecarConfig(data_dir=str(tmp_path)), {"olga": "member"}
        changed = create_app(config_of(opensearch.cluster, log.organization, sidecar, roles))
        app.extensions[EXTENSION] = changed.extensions[EXTENSION]
        assert all("data" not in one for one in stream)  # it ends
