"""Each event once, on a real node: conflicts, lost answers, rollovers, restarts."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from activity_center.connection import connect
from collector.deliver import once
from tests.collector.deliver.gate import Answer, Gate, Request, cut_first
from tests.collector.deliver.rig import Rig, backing, make_stream, stored
from tests.collector.spool.entries import entry, wait_until


def _now() -> int:
    return int(time.time() * 1000)


def _entries(stream: str, count: int, **more: Any) -> list[Any]:
    now = _now()
    return [entry(number, stream=stream, time_ms=now, **more) for number in range(count)]


def _once(client: Any, stream: str, entries: list[Any]) -> bool:
    return stored(client, stream) == dict.fromkeys([one.id for one in entries], 1)


def test_everything_arrives_once(opensearch: Any, stream: str, rig: Callable[..., Rig]) -> None:
    """The plain case: 2,500 events, some of them sent twice, one copy each."""
    here = rig()
    entries = _entries(stream, 2500)
    here.deliver([*entries, *entries[:700]])
    here.wait()
    assert _once(opensearch.client, stream, entries)
    assert here.courier.outcomes["created"] == 2500
    assert here.courier.outcomes["existed"] == 700
    assert here.courier.once.asked == 700  # the hashes of the 409s, and nothing else
    assert here.close()


def test_another_event_under_the_same_id(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """A 409 is success only for the same event; another one is kept as an id conflict."""
    here = rig()
    first = entry(1, stream=stream, time_ms=_now(), extra="real")
    second = entry(1, stream=stream, time_ms=_now(), extra="forged")
    here.deliver([first])
    here.wait()
    here.accept([second, first])
    here.wait()
    assert _once(opensearch.client, stream, [first])
    (row,) = here.rejected.select(reason="id_conflict")
    assert row.record == second.body
    assert here.courier.outcomes["conflict"] == 1


def test_a_lost_answer(opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]) -> None:
    """Cut after the request and before the answer: repeated, and stored once."""
    gate.rule = cut_first(2)
    here = rig(gate.url)
    entries = _entries(stream, 300)
    here.deliver(entries)
    here.wait()
    assert _once(opensearch.client, stream, entries)
    assert here.courier.failures["unanswered"] == 2
    assert here.courier.outcomes["existed"] == 300


@pytest.mark.parametrize("rollovers", [1, 3])
def test_a_lost_answer_and_a_rollover(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig], rollovers: int
) -> None:
    """The stream rolls over before the repetition, where ``create`` would succeed again."""

    def roll() -> None:
        for _ in range(rollovers):
            opensearch.client.indices.rollover(alias=stream)

    gate.rule = cut_first(1, roll)
    here = rig(gate.url)
    entries = _entries(stream, 1500)
    here.deliver(entries)
    here.wait()
    assert len(backing(opensearch.client, stream)) == 1 + rollovers
    assert _once(opensearch.client, stream, entries)


def test_lost_answers_and_rollovers_again_and_again(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """Each try is stored somewhere, its answer lost and the stream rolled over, five times."""
    gate.rule = cut_first(5, lambda: opensearch.client.indices.rollover(alias=stream))
    here = rig(gate.url)
    entries = _entries(stream, 200)
    here.deliver(entries)
    here.wait()
    assert _once(opensearch.client, stream, entries)


def test_a_restart_after_a_lost_answer_and_a_rollover(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """The process ends before the repetition: what it had tried is not known any more."""
    gate.rule = cut_first(1, lambda: opensearch.client.indices.rollover(alias=stream))
    here = rig(gate.url)
    # Times far ahead: only the history in the cursor file tells where to look.
    ahead = [entry(number, stream=stream, time_ms=_now() + 10 * 3_600_000) for number in range(50)]
    here.accept([entry(1000, stream=stream, time_ms=_now())])
    here.deliverer.start()
    wait_until(lambda: here.courier.failures["unanswered"] > 0)
    here.wait()
    gate.rule = cut_first(10**6)
    here.accept(ahead)
    wait_until(lambda: here.courier.failures["unanswered"] > 1)
    assert not here.close(0)
    opensearch.client.indices.rollover(alias=stream)
    gate.rule = lambda request: request.forward()
    again = rig(gate.url)
    assert again.spool.records == 50
    again.deliverer.start()
    again.wait()
    assert set(stored(opensearch.client, stream).values()) == {1}
    assert len(stored(opensearch.client, stream)) == 51


def test_a_sender_that_repeats_after_a_rollover(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """Another collector delivered it before: the older generation is asked by the event's time."""
    here = rig()
    entries = _entries(stream, 120)
    here.deliver(entries)
    here.wait()
    opensearch.client.indices.rollover(alias=stream)
    forged = entry(3, stream=stream, time_ms=_now(), extra="forged")
    # Read anew at the latest when an answer names an index that was not expected.
    here.accept([*entries, forged])
    here.wait()
    assert _once(opensearch.client, stream, entries)
    (row,) = here.rejected.select(reason="id_conflict")
    assert row.record == forged.body


def test_a_second_copy_is_removed_and_counted(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """Created in the new index while the old one had it: the newer copy goes."""
    here = rig()
    marker = entry(999, stream=stream, time_ms=_now())
    here.deliver([marker])
    here.wait()  # now the first generation is remembered
    entries = _entries(stream, 20)
    for one in entries:
        opensearch.client.create(index=stream, id=one.id, body=one.body)
    opensearch.client.indices.rollover(alias=stream)
    here.accept(entries)
    here.wait()
    assert _once(opensearch.client, stream, [marker, *entries])
    assert here.courier.once.removed == 20
    older = backing(opensearch.client, stream)[0]
    found = opensearch.client.mget(index=older, body={"ids": [one.id for one in entries]})
    assert all(document["found"] for document in found["docs"])


def test_a_request_under_way_during_a_rollover(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """Another's request lands in the old index after we looked there: found a minute later."""
    here = rig()
    client, entries = opensearch.client, _entries(stream, 10)
    (older,) = backing(client, stream)
    # A request that waits in the old index, for a copy that this node cannot have.
    client.indices.put_settings(index=older, body={"index.number_of_replicas": 1})
    lines = []
    for one in entries[:4]:
        lines += [{"create": {"_index": stream, "_id": one.id}}, one.body.decode()]
    with ThreadPoolExecutor(1) as other, connect(opensearch.cluster) as elsewhere:
        waiting = other.submit(
            elsewhere.bulk,
            body=lines,
            params={"wait_for_active_shards": "all", "timeout": "60s", "request_timeout": 60},
        )
        tasks = "indices:data/write/bulk*"
        wait_until(lambda: client.tasks.list(params={"actions": tasks})["nodes"])
        client.indices.rollover(alias=stream)
        here.deliver(entries)
        here.wait()
        assert here.courier.outcomes["created"] == 10
        client.indices.put_settings(index=older, body={"index.number_of_replicas": 0})
        answer = waiting.result()
    assert [item["create"]["_index"] for item in answer["items"]] == [older] * 4
    assert sorted(stored(client, stream).values()) == [1] * 6 + [2] * 4
    assert here.courier.rechecks.ids == 10
    here.courier.rechecks.run(everything=True)
    assert _once(client, stream, entries)
    assert here.courier.once.removed == 4


def test_no_generation_is_asked_without_need(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """One generation: no look at all, also after lost answers. Two: only for older events."""
    here = rig(gate.url)
    here.deliver(_entries(stream, 10))
    here.wait()
    assert gate.asked("_mget") == 0
    opensearch.client.indices.rollover(alias=stream)
    # An hour and more after the rollover, a live event is newer than the write index.
    later = _now() + once.MARGIN_MS + 60_000
    here.courier.generations.get(stream, fresh=True)
    here.accept([entry(number, stream=stream, time_ms=later) for number in range(100, 110)])
    here.wait()
    assert gate.asked("_mget") == 0
    here.accept([entry(number, stream=stream, time_ms=_now()) for number in range(200, 210)])
    here.wait()
    assert gate.asked("_mget") == 1


def test_an_index_that_cannot_tell_is_asked_again(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """An error for a document in ``_mget`` means unknown, never "not there"."""
    here = rig(gate.url)
    entries = _entries(stream, 15)
    for one in entries:
        opensearch.client.create(index=stream, id=one.id, body=one.body)
    opensearch.client.indices.rollover(alias=stream)
    older = backing(opensearch.client, stream)[0]
    opensearch.client.indices.close(index=older)
    here.deliver(entries)
    wait_until(lambda: gate.asked("_mget") >= 2)
    assert here.courier.requests == 0
    opensearch.client.indices.open(index=older)
    wait_until(lambda: here.courier.outcomes["existed"] >= 15)
    wait_until(lambda: here.spool.records == 0)
    assert _once(opensearch.client, stream, entries)


def test_a_deleted_generation_is_not_waited_for(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """Retention deletes an index between the look at the stream and the look into it."""
    opensearch.client.indices.rollover(alias=stream)
    older = backing(opensearch.client, stream)[0]
    gone = []

    def rule(request: Request) -> Answer | None:
        if "_mget" in request.path and not gone:
            gone.append(opensearch.client.indices.delete(index=older))
        return request.forward()

    gate.rule = rule
    here = rig(gate.url)
    entries = _entries(stream, 5)
    here.deliver(entries)
    here.wait()
    assert gone
    assert _once(opensearch.client, stream, entries)


def test_a_stream_made_anew_is_not_mistaken(opensearch: Any, rig: Callable[..., Rig]) -> None:
    """Backing indices of a new stream have the old names; their dates are their own."""
    name = make_stream(opensearch.client)
    here = rig()
    generations = here.courier.generations
    for _ in range(2):
        opensearch.client.indices.rollover(alias=name)
        read = generations.get(name, fresh=True)
        assert read is not None
        assert len(read.backing) == 2
        for index in read.backing:
            settings = opensearch.client.indices.get_settings(index=index.name)
            created = settings[index.name]["settings"]["index"]["creation_date"]
            assert index.created == int(created)
        opensearch.client.indices.delete_data_stream(name=name)
        make_stream(opensearch.client, name)
    opensearch.client.indices.delete_data_stream(name=name)
