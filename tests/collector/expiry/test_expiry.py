"""An undecided proposal becomes expired, exactly once, whoever writes it."""

from __future__ import annotations

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from activity_center.agents import deadline_of, judge, read_chain, shipped_policies
from activity_center.agents.policy import made
from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.processes.reading import EPOCH, MICROSECOND
from activity_center.setup.cluster import ask
from collector.expiry.loop import ExpiryLoop, once
from collector.expiry.overdue import overdue, subject
from collector.expiry.record import Recorder
from tests.collector.expiry.parts import NOW, POLICIES, SECOND, STREAMS, Place, entry, stamp
from tests.integration.process import TOKEN, Collector, until
from tests.weighed import Weighed

EXPIRES = NOW - 61 * SECOND
HOUR = 3600 * SECOND


def names(place: Place) -> list[tuple[str, str]]:
    """Organization and proposal of each expiry."""
    found = [hit["_source"] for hit in place.expired()]
    return [(one["organization"]["id"], one["activity"]["proposal"]["id"]) for one in found]


def test_no_long_field_is_read(place: Place) -> None:
    """Whatever a sender puts into the entries of a chain, a page of them is no large answer."""
    for number in range(10):
        proposal = entry("proposed", NOW - 1800 * SECOND, f"prp_{number}", expires=EXPIRES)
        claim = entry("denied", NOW - 1700 * SECOND, f"prp_{number}", sender="another")
        claim["activity"]["approver"]["roles"] = ["r" * 256] * 1000
        for one in (proposal, claim):
            one["orchestrator"] = {"resource": {"annotation": ["x" * 500] * 500}}
            one["activity"]["proposal"]["rationale"] = "x" * 30_000
            one["metadata"] = {"k": "x" * 30_000}
        place.record(proposal, claim)
    weighed = Weighed(place.client)
    found = list(overdue(weighed.client, POLICIES, 0, NOW))
    assert len(found) == 10
    assert max(weighed.answers) < 50_000


def test_the_entry(place: Place) -> None:
    """It stands in its proposal's stream, names what it is about, and is judged expired."""
    proposal = entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES, retention="standard-30d")
    place.record(proposal, stream="activity-agent-standard-30d")
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 1
    (hit,) = place.expired()
    found = hit["_source"]
    assert hit["_index"].startswith(".ds-activity-agent-standard-30d-")
    assert found["activity"]["retention"]["class"] == "standard-30d"
    assert found["@timestamp"] == "2026-11-24T12:58:59.000000Z"
    assert found["activity"]["decision"] == {
        "outcome": "expired",
        "source": "timeout",
        "wait_ms": 1_739_000,
    }
    assert found["activity"]["result"] == "expired"
    assert found["activity"]["policy"] == {"id": "caution-needs-approval", "version": "1"}
    assert found["activity"]["case"] == {"id": "case_1"}
    assert found["activity"]["initiator"] == {"id": "usr_jo"}
    assert found["gen_ai"]["tool"] == {"name": "deploy", "call": {"id": "call_7"}}
    chain = read_chain([proposal, found])
    judged = judge(chain, shipped_policies(), now=EPOCH + NOW * 1000 * MICROSECOND)
    assert (chain.state, judged.verdict.key) == ("expired", "expired")


@pytest.mark.parametrize(
    "later",
    [
        *("approved", "denied", "cancelled", "expired"),
        *("executing", "completed", "failed"),
    ],
)
def test_what_went_on_does_not_expire(place: Place, later: str) -> None:
    """A decision, or an execution that needed none, keeps a proposal from expiring."""
    place.record(
        entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES),
        entry(later, NOW - 900 * SECOND),
    )
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 0


@pytest.mark.parametrize("later", ["approved", "denied", "cancelled", "expired"])
def test_what_another_claims_does_not_keep_it(place: Place, later: str) -> None:
    """A decision of another sender that nothing proves, by its id or its call, keeps no proposal
    from expiring; a proven one does."""
    expires = {"expires": EXPIRES}
    place.record(
        entry("proposed", NOW - 1800 * SECOND, **expires),
        entry(later, NOW - 900 * SECOND, sender="mallory"),
        entry(later, NOW - 900 * SECOND, proposal="", sender="mallory"),
        entry("proposed", NOW - 1800 * SECOND, "prp_2", call="call_8", **expires),
        entry(later, NOW - 900 * SECOND, "prp_2", call="call_8", sender="sidecar", proven=True),
    )
    recorder = Recorder(place.client)
    assert once(place.client, recorder, POLICIES, NOW) == 1
    assert once(place.client, recorder, POLICIES, NOW + SECOND) == 0
    written = [one["_source"] for one in place.expired()]
    ours = [one["activity"] for one in written if one["activity"]["sender"] == "expiry"]
    assert [one["proposal"]["id"] for one in ours] == ["prp_1"]


def test_an_approval_that_names_nobody_does_not_keep_it(place: Place) -> None:
    """As the judge has it, that is none."""
    place.record(
        entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES),
        entry("approved", NOW - 900 * SECOND, approver=""),
    )
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 1


def test_a_decision_that_knows_the_call_alone(place: Place) -> None:
    """A decision without the proposal's id counts by the id of the tool's call."""
    place.record(
        entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES),
        entry("approved", NOW - 900 * SECOND, proposal=""),
    )
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 0


def test_a_minute_for_what_is_on_its_way(place: Place) -> None:
    """It is written 60 seconds after the time is over, and not before."""
    place.record(entry("proposed", NOW - 1800 * SECOND, expires=NOW))
    recorder = Recorder(place.client)
    assert once(place.client, recorder, POLICIES, NOW + 59 * SECOND) == 0
    assert once(place.client, recorder, POLICIES, NOW + 60 * SECOND) == 1


def test_organizations_are_apart(place: Place) -> None:
    """The same proposal id in another organization is another proposal."""
    place.record(
        entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES),
        entry("approved", NOW - 900 * SECOND),
        entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES, organization="brightleaf"),
    )
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 1
    assert names(place) == [("brightleaf", "prp_1")]


def test_once_over_repetitions_and_rollovers(place: Place) -> None:
    """Told twice, looked for again, after a restart and a rollover: one entry."""
    place.record(
        entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES),
        entry("proposed", NOW - 1799 * SECOND, expires=EXPIRES),
    )
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 1
    ask(place.client, "POST", "/activity-agent-permanent/_rollover")
    assert once(place.client, Recorder(place.client), POLICIES, NOW + SECOND) == 0
    ask(place.client, "DELETE", "/activity-center-state/_doc/expiry-cursor")
    assert once(place.client, Recorder(place.client), POLICIES, NOW + 2 * SECOND) == 0
    assert names(place) == [("northwind", "prp_1")]


def test_what_arrives_late_expires_too(place: Place) -> None:
    """A proposal that was delivered an hour after its time is found all the same."""
    recorder = Recorder(place.client)
    assert once(place.client, recorder, POLICIES, NOW) == 0
    late = entry("proposed", NOW - 9 * HOUR, expires=NOW - 8 * HOUR, ingested=NOW + HOUR)
    place.record(late)
    assert once(place.client, recorder, POLICIES, NOW + HOUR + SECOND) == 1


@pytest.mark.parametrize(
    ("impact", "hours"), [("destructive", 1), ("caution", 24), ("", 24)], ids=["1h", "24h", "none"]
)
def test_the_policy_ends_it_too(place: Place, impact: str, hours: int) -> None:
    """A proposal without a time of its own expires when its policy's time is over, by it."""
    proposal = entry("proposed", NOW, impact=impact)
    place.record(proposal)
    recorder, over = Recorder(place.client), NOW + hours * HOUR
    assert once(place.client, recorder, POLICIES, over + 59 * SECOND) == 0
    assert once(place.client, recorder, POLICIES, over + 60 * SECOND) == 1
    assert once(place.client, recorder, POLICIES, over + 65 * SECOND) == 0
    (hit,) = place.expired()
    assert hit["_source"]["activity"]["decision"]["wait_ms"] == hours * HOUR
    ended = datetime.fromisoformat(hit["_source"]["@timestamp"])
    chain = read_chain([proposal])
    deadline = deadline_of(chain, POLICIES.of(chain))
    assert deadline is not None and ended == EPOCH + deadline * MICROSECOND


@pytest.mark.parametrize(("own", "ends"), [(HOUR // 2, HOUR // 2), (9 * HOUR, HOUR)])
def test_the_earlier_of_both_counts(place: Place, own: int, ends: int) -> None:
    """Its own time or the policy's: whichever is over first, as where a decision is refused."""
    place.record(entry("proposed", NOW, expires=NOW + own, impact="destructive"))
    recorder = Recorder(place.client)
    assert once(place.client, recorder, POLICIES, NOW + ends + 59 * SECOND) == 0
    assert once(place.client, recorder, POLICIES, NOW + ends + 60 * SECOND) == 1
    assert once(place.client, recorder, POLICIES, NOW + 10 * HOUR) == 0
    (hit,) = place.expired()
    assert hit["_source"]["activity"]["decision"]["wait_ms"] == ends


def test_without_any_time_it_waits(place: Place) -> None:
    """What needs no approval and names no time does not expire."""
    place.record(entry("proposed", NOW, impact="safe"))
    assert once(place.client, Recorder(place.client), POLICIES, NOW + 9000 * HOUR) == 0


def test_other_policies_are_asked_of_all_that_wait(place: Place) -> None:
    """A policy with a shorter time ends what has waited longer than that, at once and once."""
    place.record(entry("proposed", NOW))
    recorder, later = Recorder(place.client), NOW + 5 * HOUR
    assert once(place.client, recorder, POLICIES, later) == 0
    shorter = made([{"id": "quick", "version": 1, "within_s": 3600}])
    assert once(place.client, recorder, shorter, later) == 1
    assert once(place.client, recorder, shorter, later + SECOND) == 0
    (hit,) = place.expired()
    assert hit["_source"]["activity"]["decision"]["wait_ms"] == HOUR


def test_it_waits_as_long_as_the_policy_has_it_that_it_came_under(place: Place) -> None:
    """A version with a shorter time ends nothing that came in before it; its entry says so."""
    proposal = entry("proposed", NOW)
    told = {"id": "caution-needs-approval", "version": "1"}
    proposal["activity"]["policy_at_receipt"] = told
    place.record(proposal)
    shorter = made(
        [
            {
                "id": "caution-needs-approval",
                "version": 2,
                "applies": {"impact": ["caution"]},
                "within_s": 3600,
            }
        ]
    )
    recorder = Recorder(place.client)
    assert once(place.client, recorder, shorter, NOW + 5 * HOUR) == 0
    assert once(place.client, recorder, shorter, NOW + 25 * HOUR) == 1
    (hit,) = place.expired()
    assert hit["_source"]["activity"]["decision"]["wait_ms"] == 24 * HOUR
    assert hit["_source"]["activity"]["policy"] == told


def test_a_round_that_failed_is_made_up_for(place: Place) -> None:
    """What became due hours ago and could not be written is written by the next round, also
    after a restart: a round that fails is not counted as done."""
    recorder = Recorder(place.client)
    assert once(place.client, recorder, POLICIES, NOW - 10 * HOUR) == 0
    late = {"expires": NOW - 8 * HOUR, "ingested": NOW - 9 * HOUR}
    place.record(entry("proposed", NOW - 9 * HOUR, "prp_1", **late))
    for name in ("prp_2", "prp_3"):
        place.record(
            entry("proposed", NOW - 9 * HOUR, name, call=name, **late, retention="standard-30d"),
            stream=STREAMS[2],
        )
    blocked = f"/{STREAMS[2]}/_settings"
    ask(place.client, "PUT", blocked, body={"index.blocks.write": True})
    try:
        with pytest.raises(ClusterError):
            once(place.client, recorder, POLICIES, NOW)
        assert names(place) == [("northwind", "prp_1")]
    finally:
        ask(place.client, "PUT", blocked, body={"index.blocks.write": None})
    assert once(place.client, Recorder(place.client), POLICIES, NOW + SECOND) == 2
    assert names(place) == [("northwind", f"prp_{n}") for n in (1, 2, 3)]


@pytest.mark.parametrize("told", ["outcome", "action"])
@pytest.mark.parametrize("word", ["approved", "edited", "auto_approved", "denied", "cancelled"])
def test_a_decision_without_a_stage_counts(place: Place, word: str, told: str) -> None:
    """One that is told by its outcome or its action alone keeps a proposal from expiring."""
    decision = entry("", NOW - 900 * SECOND)
    decision["event"]["action"] = f"agent.proposal.{word}" if told == "action" else "agent.reply"
    if told == "outcome":
        decision["activity"]["decision"] = {"outcome": word}
    place.record(entry("proposed", NOW - 1800 * SECOND, expires=EXPIRES), decision)
    assert read_chain([decision]).decision is not None
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 0


def test_a_proposal_without_a_stage_expires(place: Place) -> None:
    """One that is told by its action alone expires as the others do."""
    proposal = entry("", NOW - 1800 * SECOND, expires=EXPIRES)
    proposal["event"]["action"] = "agent.ssh_proposed"
    place.record(proposal)
    assert once(place.client, Recorder(place.client), POLICIES, NOW) == 1


def test_more_than_a_page(place: Place) -> None:
    """Pages join without a gap and without a repetition."""
    for organization in ("northwind", "brightleaf"):
        entries = [
            entry("proposed", NOW - 1800 * SECOND, f"prp_{n}", organization, expires=EXPIRES)
            for n in range(302)
        ]
        place.record(*entries, entry("denied", NOW - 900 * SECOND, "prp_7", organization))
    found = [subject(one.hit["_source"]) for one in overdue(place.client, POLICIES, 0, NOW)]
    assert len(found) == 602
    assert len(set(found)) == 602


def test_several_leaders_write_one(place: Place) -> None:
    """Even of four that lead at the same moment, one writes each entry."""
    entries = [
        entry("proposed", NOW - 1800 * SECOND, f"prp_{n}", expires=EXPIRES) for n in range(5)
    ]
    place.record(*entries)

    def lead(_: int) -> int:
        client = connect(Cluster(place.url))
        try:
            return once(client, Recorder(client), POLICIES, NOW)
        finally:
            client.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lead, range(4))) == 5
    assert names(place) == [("northwind", f"prp_{n}") for n in range(5)]


def test_collectors_take_turns(place: Place) -> None:
    """Of two loops one leads; when it ends, another one goes on."""
    now = int(time.time() * 1000)
    clients = [connect(Cluster(place.url)) for _ in range(2)]
    first, second = (ExpiryLoop(client, POLICIES) for client in clients)
    first.start()
    second.start()
    try:
        place.record(entry("proposed", now - 9 * 60 * SECOND, "a", expires=now - 62 * SECOND))
        until(lambda: len(place.expired()) == 1, 60, "nobody wrote the expiry")
        first.stop()
        place.record(entry("proposed", now - 9 * 60 * SECOND, "b", expires=now - 62 * SECOND))
        until(lambda: len(place.expired()) == 2, 90, "nobody went on")
    finally:
        second.stop()
        for client in clients:
            client.close()
    assert names(place) == [("northwind", "a"), ("northwind", "b")]


def test_a_collector_does_it(place: Place, tmp_path: Path) -> None:
    """The whole way: a proposal sent to a running collector expires without anybody's doing."""
    now = int(time.time() * 1000)
    with Collector(tmp_path, Cluster(place.url)) as collector:
        collector.start()
        event = {
            "@timestamp": stamp(now - 1800 * SECOND),
            "event": {"id": "proposed-1", "action": "agent.proposal.created"},
            "organization": {"id": "northwind"},
            "activity": {
                "proposal": {
                    "id": "prp_9",
                    "stage": "proposed",
                    "expires_at": stamp(now - 55 * SECOND),
                }
            },
        }
        request = urllib.request.Request(
            f"{collector.url}/v1/activities",
            data=json.dumps(event).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        until(lambda: len(place.expired()) == 1, 90, "it did not expire")
        assert collector.terminate() == 0
    assert names(place) == [("northwind", "prp_9")]
