"""The demo workload: the same for a seed, believable, and it covers what the platform knows."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from activity_center import vocabulary
from activity_center.agents import judge, read_chain, shipped_policies, verdicts
from activity_center.agents.kept import kept_since
from activity_center.cli.demo_remains import made
from activity_center.demo.stack import AGENTS_SENDER
from activity_center.demo.workload import Event, generate, live, remains, until
from activity_center.demo.workload.lapses import LAPSES
from activity_center.demo.workload.processes import CHANNELS
from activity_center.errors import ConfigError

START: Final = datetime(2026, 10, 1, tzinfo=UTC)
DIGEST: Final = "fba79360a6ae9a367d7e57cf280dd0fab90d5564699381ce8023fec15644151b"

NAMED: Final = Path(__file__).with_name("named_actions.txt").read_text().split()
"""Actions that the documents this project answers to name, in the catalogue's spelling."""


@pytest.fixture(scope="module")
def month() -> list[Event]:
    """Return the 30 days of seed 7."""
    return list(generate(7, START))


def native(events: list[Event]) -> list[dict[str, Any]]:
    """Return the records of the emitter's form."""
    return [event.record for event in events if event.source == "native"]


def line(event: Event) -> str:
    """Return all of an event as one line."""
    parts = [event.time.isoformat(), event.transport, event.sender, event.source, event.record]
    return json.dumps(parts, ensure_ascii=True, separators=(",", ":"))


def test_the_same_bytes_everywhere(month: list[Event]) -> None:
    """A seed gives the same month in every run and on every machine."""
    digest = hashlib.sha256("\n".join(map(line, month)).encode()).hexdigest()
    assert digest == DIGEST, "if the change is meant, pin this digest and raise VERSION"


def test_not_a_matter_of_hash_seeds(month: list[Event]) -> None:
    """Another PYTHONHASHSEED and time zone of the machine change nothing."""
    code = (
        "import hashlib, json, sys\n"
        "from datetime import UTC, datetime\n"
        "from activity_center.demo.workload import generate\n"
        "for event in generate(7, datetime(2026, 10, 1, tzinfo=UTC), days=2):\n"
        "    print(event.time.isoformat(), json.dumps(event.record))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(Path(__file__).parents[4])},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Kolkata"))
    }
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) > 50


def test_another_seed_is_another_month(month: list[Event]) -> None:
    """Seeds differ."""
    assert [event.id for event in generate(8, START, days=1)] != [
        event.id for event in generate(7, START, days=1)
    ]


def test_size_and_order(month: list[Event]) -> None:
    """A month has thousands of events, in order of time, within its bounds."""
    assert 3000 <= len(month) <= 6500
    assert all(one.time <= two.time for one, two in pairwise(month))
    assert month[0].time >= START
    assert month[-1].time < START + timedelta(days=30)


def test_the_catalogue_is_covered(month: list[Event]) -> None:
    """Every action used is in the catalogue, and every one that the documents name is used."""
    known = vocabulary.actions()
    used = {record["event"]["action"] for record in native(month)}
    assert used <= set(known)
    named = set(NAMED)
    assert named <= set(known)
    assert named <= used, sorted(named - used)
    assert {known[action].lens for action in used} == {"audit", "agent", "process"}
    named_types = {known[action].type for action in named}
    assert {known[action].type for action in used} >= named_types


def test_every_field_is_in_the_vocabulary(month: list[Event]) -> None:
    """Native events use field names of the vocabulary, and no reserved one."""
    fields = vocabulary.fields()

    def leaves(value: Any, path: str) -> set[str]:
        if path in fields or not isinstance(value, dict):
            return {path}
        return {leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}")}

    used = set()
    for record in native(month):
        for key, value in record.items():
            used |= leaves(value, key)
    assert used <= set(fields)
    assert not [name for name in used if fields[name].reserved]


def test_ids_are_unique(month: list[Event]) -> None:
    """Every native event has an id of its own; equal records of other sources do not occur."""
    ids = [event.id for event in month if event.id is not None]
    assert len(ids) == len(set(ids))
    assert all(event.id for event in month if event.source == "native")
    others = [json.dumps(event.record) for event in month if event.id is None]
    assert len(others) == len(set(others)) > 0


def test_other_sources_and_both_transports(month: list[Event]) -> None:
    """A share comes in other programs' own form."""
    by_source = Counter(event.source for event in month)
    assert by_source["kubernetes-audit"] > 100
    assert by_source["opensearch-security"] > 50
    assert {event.transport for event in month} == {"forward", "http"}
    for event in month:
        if event.source == "kubernetes-audit":
            assert event.record["apiVersion"] == "audit.k8s.io/v1"
            assert event.id == event.record["auditID"]


def test_processes_are_complete(month: list[Event]) -> None:
    """Each step transition is an activity; sequence has no gap; all channels run, some fail.

    While it runs each entry has a lease that lasts until the next one: cut off anywhere, the
    process does not run for ever. What ends an attempt or a step says how long it took, as the
    emitter does."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in native(month):
        if record["event"]["action"] in PROCESS:
            runs[record["activity"]["process"]["id"]].append(record)
    assert {run[0]["activity"]["process"]["channel"] for run in runs.values()} == {
        channel.name for channel in CHANNELS
    }
    endings: Counter[str] = Counter()
    for run in runs.values():
        assert [record["event"]["sequence"] for record in run] == list(range(len(run)))
        for record, later in pairwise(run):
            lease = record["activity"]["process"].get("lease")
            if record["activity"]["process"]["state"] in ("pending", "running"):
                assert datetime.fromisoformat(lease) > datetime.fromisoformat(later["@timestamp"])
            else:
                assert lease is None
        open_steps: set[int] = set()
        begun: dict[str, datetime] = {}
        for record in run:
            action, activity = record["event"]["action"], record["activity"]
            if action == "process.step.started":
                open_steps.add(activity["step"]["index"])
            elif action.startswith("process.step."):
                open_steps.remove(activity["step"]["index"])
            when = datetime.fromisoformat(record["@timestamp"])
            subject, _, word = action.rpartition(".")
            if word == "started":
                begun[subject] = when
            took = record["event"].get("duration")
            if word in ("completed", "failed", "cancelled"):
                assert timedelta(microseconds=took / 1000) == when - begun[subject]
            else:
                assert took is None
        endings[run[-1]["event"]["action"]] += 1
    assert endings["process.completed"] > endings["process.failed"] > 0
    assert (
        max(record["activity"]["process"]["attempt"] for run in runs.values() for record in run)
        == 2
    )


PROCESS: Final = frozenset(
    name for name, action in vocabulary.actions().items() if action.lens == "process"
)


def judged(events: list[Event], now: datetime) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return each chain's verdict and entries, as the collector takes them: the demo's sender
    of agents' entries may name approvers."""
    chains: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in native(events):
        if "proposal" in record.get("activity", {}):
            chains[record["activity"]["case"]["id"]].append(record)
    found = []
    for entries in chains.values():
        stored = copy.deepcopy(entries)
        for one in stored:
            if "approver" in one["activity"]:
                one["activity"]["approver"]["authenticated"] = True
        chain = read_chain(stored)
        said = judge(chain, shipped_policies(), now=now)
        found.append((said.verdict.key, entries))
    return found


def test_who_approves_comes_from_a_sender_that_may_say_so(month: list[Event]) -> None:
    """Every entry with an approver is sent by the sender that the demo's collector believes: no
    ordinary decision is one that nothing proves."""
    senders = {
        event.sender
        for event in month
        if event.source == "native" and "approver" in event.record.get("activity", {})
    }
    assert senders == {AGENTS_SENDER}


def test_agent_chains(month: list[Event]) -> None:
    """Proposal, decision, execution share a case; every ending occurs; one drifted. All that is
    in order is so in the records themselves."""
    chains = judged(month, month[-1].time)
    assert len(chains) > 40
    last = Counter(chain[-1]["activity"]["proposal"]["stage"] for _, chain in chains)
    assert last.keys() >= {"completed", "failed", "denied", "expired"}
    drifted = destructive = orderly = 0
    for verdict, chain in chains:
        if verdict in LAPSES:
            continue
        orderly += 1
        stages = [record["activity"]["proposal"]["stage"] for record in chain]
        assert stages[0] == "proposed"
        assert [record["event"]["sequence"] for record in chain] == list(range(len(chain)))
        ran = [one for one in chain if one["activity"]["proposal"]["stage"] == "completed"]
        approved = [one for one in chain if one["activity"]["proposal"]["stage"] == "approved"]
        if ran:
            assert approved, "nothing runs without a decision"
            arguments = [
                one["gen_ai"]["tool"]["call"]["arguments"] for one in (approved[0], ran[0])
            ]
            assert (arguments[0] != arguments[1]) is (verdict == "parameters_drifted")
            drifted += arguments[0] != arguments[1]
        if approved and approved[0]["activity"]["impact"]["level"] == "destructive":
            confirmed = approved[0]["activity"]["confirmation"]["text"]
            assert confirmed == approved[0]["activity"]["resource"]["name"]
            destructive += 1
    assert drifted >= 1
    assert destructive >= 1
    assert orderly > 40


@pytest.mark.parametrize("days", [7, 30])
@pytest.mark.parametrize("clock", ["00:00", "03:20", "07:59", "08:01", "12:00", "16:30", "23:59"])
def test_the_last_week_has_every_verdict(clock: str, days: int) -> None:
    """Whenever the demo is played, its last seven days have each verdict, and most chains are in
    order; what is left of a chain whose beginning is gone is stored as received when it was."""
    now = datetime.fromisoformat(f"2026-10-08T{clock}:00Z")
    week = [one for one in until(7, now, days) if one.time >= now - timedelta(days=7)]
    found = Counter(verdict for verdict, _ in judged(week, now))
    assert set(found) == set(verdicts()) - {"unknown"}
    violations = sum(count for key, count in found.items() if verdicts()[key].violation)
    assert violations < 0.3 * found.total()
    chain = read_chain(json.loads(entry.body) for entry in made(remains(7, now)))
    judgement = judge(chain, shipped_policies(), now=now, kept_since=kept_since(chain, now))
    assert judgement.verdict.key == "unknown"


def test_the_same_day_is_the_same_month() -> None:
    """Played again later on the same day it goes on; nothing has another time or another id."""
    early, late = (datetime(2026, 10, 8, hour, tzinfo=UTC) for hour in (9, 21))
    before, after = until(7, early, 7), until(7, late, 7)
    assert len(before) < len(after)
    assert list(map(line, before)) == list(map(line, after[: len(before)]))
    assert list(map(line, remains(7, early))) == list(map(line, remains(7, late)))
    assert not {one.id for one in until(7, late + timedelta(days=1), 7)} & {
        one.id for one in after if one.id
    }


def test_incidents(month: list[Event]) -> None:
    """What alerts look for is there: failed sign-ins in a burst, mass deletion, escalation."""
    failed: Counter[tuple[str, str]] = Counter()
    deleted: Counter[tuple[str, str, str]] = Counter()
    raised = 0
    for record in native(month):
        action, stamp = record["event"]["action"], record["@timestamp"]
        if action == "user.login_failed":
            failed[record["source"]["ip"], stamp[:13]] += 1
        if "old_value" in record.get("activity", {}) and "new_value" not in record["activity"]:
            deleted[record["user"]["id"], action, stamp[:13]] += 1
        raised += action == "user.role_change" and record["activity"].get("new_value") == {
            "roles": ["admin"]
        }
    assert max(failed.values()) >= 15
    assert max(deleted.values()) >= 10
    assert raised >= 1
    assert any(record["event"].get("type") == ["denied"] for record in native(month))


def test_old_and_new_follow_the_operation(month: list[Event]) -> None:
    """Create has only new, delete only old, update both and different, fetch neither."""
    verbs = {"create": 0, "delete": 0, "update": 0, "fetch": 0, "fetch_all": 0}
    for record in native(month):
        noun, _, verb = record["event"]["action"].rpartition(".")
        activity = record.get("activity", {})
        if verb not in verbs or activity.get("result") == "denied" or "gen_ai" in record:
            continue
        if noun == "server.agent" or (noun == "backup" and "process" in activity):
            continue
        has = ("old_value" in activity, "new_value" in activity)
        expected = {"create": (False, True), "delete": (True, False), "update": (True, True)}
        if verb != "create" or activity.get("result") != "failed" or any(has):
            assert has == expected.get(verb, (False, False)), record
        if verb == "update":
            assert activity["old_value"] != activity["new_value"]
        verbs[verb] += 1
    assert all(verbs.values()), verbs


def test_office_hours(month: list[Event]) -> None:
    """People work by day, in their own zone, and hardly at the weekend."""
    logins = [
        event.time for event in month if event.record.get("event", {}).get("action") == "user.login"
    ]
    assert len({time.utcoffset() for time in logins}) == 3
    assert sum(6 <= time.hour < 20 for time in logins) / len(logins) > 0.95
    weekend = sum(time.weekday() >= 5 for time in logins) / len(logins)
    assert 0 < weekend < 0.12


def test_three_organizations_of_twelve(month: list[Event]) -> None:
    """Ids are fit for stream names, and everybody shows up."""
    people: dict[str, set[str]] = defaultdict(set)
    for record in native(month):
        people[record["organization"]["id"]].add(record.get("user", {}).get("id", ""))
    assert sorted(people) == ["atlas_mobility", "brightleaf", "northwind"]
    for seen in people.values():
        assert len(seen - {"", "usr_staff1"}) == 12


def test_one_day_shows_it_all() -> None:
    """The shortest run has all lenses, an incident, a denial and a failure."""
    day = list(generate(1, START, days=1))
    actions = {record["event"]["action"] for record in native(day)}
    assert {vocabulary.actions()[action].lens for action in actions} == {
        "audit",
        "agent",
        "process",
    }
    assert {"user.locked", "agent.ssh_denied", "agent.proposal.expired"} <= actions


@pytest.mark.parametrize("count", [1, 2, 5])
def test_other_numbers_of_organizations(count: int) -> None:
    """Any number from one on."""
    events = list(generate(3, START, days=2, organizations=count))
    seen = {record["organization"]["id"] for record in native(events)}
    assert len(seen) == count


def test_live_goes_on_in_order() -> None:
    """The trickle never ends, starts now, keeps order, and repeats for the same arguments."""
    now = datetime(2026, 11, 25, 9, tzinfo=timezone(timedelta(hours=2)))
    events = list(islice(live(7, now), 500))
    assert all(one.time <= two.time for one, two in pairwise(events))
    assert events[0].time >= now
    assert events[-1].time < now + timedelta(hours=2)
    assert list(map(line, events)) == list(map(line, islice(live(7, now), 500)))
    assert len({event.id for event in events if event.id}) == sum(1 for event in events if event.id)


@pytest.mark.parametrize(
    "arguments", [{"days": 0}, {"organizations": 0}, {"start": datetime(2026, 1, 1)}]
)
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    """Bad input raises our error."""
    with pytest.raises(ConfigError):
        next(generate(**{"seed": 1, "start": START, **arguments}))
    if "days" not in arguments:
        with pytest.raises(ConfigError):
            next(live(1, arguments.get("start", START), arguments.get("organizations", 3)))
