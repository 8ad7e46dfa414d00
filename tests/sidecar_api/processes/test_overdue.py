"""What did not happen in time is recorded, once, however many sidecars see it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.config_processes import BusConfig
from activity_center.processes.lease import DEFAULT_LEASE
from activity_center.streams import LENS_PATTERNS
from sidecar_api.processes.board import Board
from sidecar_api.processes.overdue import GRACE, MOST_AT_ONCE, Overdue
from tests.activity_center.processes.entries import NOW, entry_of
from tests.integration.process import TOKEN, Collector, until
from tests.sidecar_api.processes.stage import Stage, at

if TYPE_CHECKING:
    from tests.conftest import Node

LATE = NOW + GRACE + timedelta(seconds=1)


class Records:
    """What is recorded.

    Attributes:
        made: (id, action, fields).
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.made: list[tuple[str, str, dict[str, Any]]] = []
        self.look = Overdue(self._take, b"s" * 32)

    def _take(self, action: str, *, event_id: str, **fields: Any) -> None:
        self.made.append((event_id, action, fields))

    def after(self, now: datetime) -> list[str]:
        """Look once; return the actions that this recorded."""
        before = len(self.made)
        self.look([*self.board], now)
        return [action for _, action, _ in self.made[before:]]


def board(*entries: dict[str, Any]) -> Board:
    """What a sidecar has after these entries."""
    made = Board()
    for one in entries:
        made.take(one)
    return made


def silent(process: str = "prc", **own: Any) -> dict[str, Any]:
    """A process that runs, and whose lease ends now."""
    return entry_of(process, "process.started", own={"lease": NOW.isoformat(), **own})


def asked(kind: str, process: str = "prc") -> dict[str, Any]:
    """A control that is valid until now."""
    control = {"id": f"ctl_{kind}", "kind": kind, "expires_at": NOW.isoformat()}
    return entry_of(process, f"process.{kind}", activity__control={**control, "state": "requested"})


def test_what_is_not_heard_is_said_again() -> None:
    """Only after a minute, and it is the same that is said."""
    records = Records(board(silent()))
    assert records.after(LATE) == ["process.stalled"]
    assert records.after(LATE + timedelta(seconds=59)) == []
    assert records.after(LATE + timedelta(seconds=61)) == ["process.stalled"]
    assert len({id_ for id_, _, _ in records.made}) == 1
    fields = records.made[0][2]
    assert fields["activity.process.id"] == "prc"
    assert fields["organization"] == {"id": "acme"}
    assert fields["activity.process.lease"] == "2026-11-24T13:00:00.000Z"


def test_every_sidecar_says_the_same() -> None:
    """All of it follows from what is overdue, its time too, whatever else a sidecar knows and
    whenever it looks; another attempt, lease, process or organization is something else."""
    one, two = Records(board(silent())), Records(board(silent("other"), silent()))
    one.after(LATE)
    two.after(LATE + timedelta(seconds=3))
    assert one.made[0] in two.made and len(two.made) == 2
    retried = entry_of("prc", "process.retried", 2, own={"attempt": 2, "lease": NOW.isoformat()})
    again = Records(board(silent(), retried))
    again.after(LATE)
    elsewhere = Records(board({**silent(), "organization": {"id": "umbrella"}}))
    elsewhere.after(LATE)
    ids = {made[0] for records in (one, two, again, elsewhere) for made in records.made}
    assert len(ids) == 4


@pytest.mark.parametrize(
    "entries",
    [
        [silent(lease="2026-11-24T13:01:00Z")],
        [silent(), entry_of("prc", "process.completed", 2)],
        [silent(), entry_of("prc", "process.stalled", 2, own={"lease": NOW.isoformat()})],
        [entry_of("prc", "process.started")],
    ],
    ids=["lease not over", "ended", "said already", "no lease"],
)
def test_who_has_not_stalled(entries: list[dict[str, Any]]) -> None:
    """Nothing is recorded of a process that lives, has ended, promised nothing a moment ago, or
    of which it was said."""
    assert Records(board(*entries)).after(LATE) == []


def test_a_process_without_a_lease_does_not_run_for_ever() -> None:
    """An hour after its last word it has stalled, and again after a later one; what it did not
    say of a lease is not recorded as said."""
    began = entry_of("prc", "process.started")
    records = Records(board(began))
    assert records.after(NOW + DEFAULT_LEASE + GRACE) == []
    over = NOW + DEFAULT_LEASE + GRACE + timedelta(seconds=1)
    assert records.after(over) == ["process.stalled"]
    assert "activity.process.lease" not in records.made[0][2]
    told = entry_of("prc", "process.stalled", 2, at=over)
    again = entry_of("prc", "process.output", 3, at=over + DEFAULT_LEASE)
    later = Records(board(began, told, again))
    assert later.after(over + DEFAULT_LEASE) == []
    silent_again = over + 2 * DEFAULT_LEASE + GRACE + timedelta(seconds=1)
    assert later.after(silent_again) == ["process.stalled"]
    assert later.made[0][0] != records.made[0][0]


def test_what_nobody_took() -> None:
    """A control past its time has expired; one that was taken has not; the clean-up of a process
    that is known to have stalled then has failed, with what is left behind."""
    taken = entry_of("prc", "process.control_taken", 3, activity__control={"id": "ctl_cancel"})
    running = entry_of("prc", "process.started", own={"lease": "2026-11-24T14:00:00Z"})
    assert Records(board(running, asked("cancel"))).after(LATE) == ["process.control_expired"]
    assert Records(board(running, asked("cancel"))).after(NOW) == []
    assert Records(board(running, asked("cancel"), taken)).after(LATE) == []
    assert Records(board(running, asked("cleanup"))).after(LATE) == ["process.control_expired"]
    steps = [
        entry_of("prc", f"process.step.{state}", n, activity__step={"name": name, "index": n})
        for n, (name, state) in enumerate([("Build", "completed"), ("Ship", "started")], 2)
    ]
    fell_silent = entry_of("prc", "process.stalled", 5, own={"lease": NOW.isoformat()})
    records = Records(board(silent(name="Deploy"), *steps, fell_silent, asked("cleanup")))
    assert records.after(LATE) == ["process.cleaned_up"]  # the other once this was heard
    receipt = records.made[0][2]
    assert receipt["outcome"] == "failure"
    assert receipt["activity.receipt.left_behind"] == ["Build"]
    assert [one for one in receipt["activity.receipt.needs_person"] if "Ship" in one]
    assert [one for one in receipt["activity.receipt.needs_person"] if "Deploy" in one]


def test_many_at_once() -> None:
    """After a long silence not all is recorded in one go, and nothing is left out."""
    records = Records(board(*(silent(f"prc_{n}") for n in range(MOST_AT_ONCE + 50))))
    assert len(records.after(LATE)) == MOST_AT_ONCE
    assert len(records.after(LATE + timedelta(seconds=1))) == 50
    assert len({id_ for id_, _, _ in records.made}) == MOST_AT_ONCE + 50


def test_organizations_take_turns() -> None:
    """One of which a hundred processes are late at every look starves no other, whether that
    has one late process or as many organizations do as there are turns."""
    held = board(*(silent(f"prc_{n}") for n in range(MOST_AT_ONCE * 3)))
    for name in ("umbrella", "zenith"):
        held.take({**silent(name), "organization": {"id": name}})
    records = Records(held)
    assert len(records.after(LATE)) == MOST_AT_ONCE
    said = [fields["organization"]["id"] for _, _, fields in records.made]
    assert {name: said.count(name) for name in said} == {
        "acme": MOST_AT_ONCE - 2,
        "umbrella": 1,
        "zenith": 1,
    }
    everybody = Records(
        board(
            *(
                {**silent(f"{n}-{turn}"), "organization": {"id": f"org{n}"}}
                for n in range(MOST_AT_ONCE + 50)
                for turn in range(2)
            )
        )
    )
    everybody.after(LATE)
    everybody.after(LATE)
    said = [fields["organization"]["id"] for _, _, fields in everybody.made]
    assert len(set(said)) == MOST_AT_ONCE + 50


def test_nobody_without_the_secret_knows_the_id_beforehand() -> None:
    """An entry of that id, sent first, would make the real one one too many."""
    ids = []
    for secret in (b"s" * 32, b"s" * 32, b"t" * 32):
        records = Records(board(silent()))
        records.look = Overdue(records._take, secret)
        assert records.after(LATE) == ["process.stalled"]
        ids += [id_ for id_, _, _ in records.made]
    assert ids[0] == ids[1] != ids[2]


# -- two sidecars, a collector, OpenSearch -----------------------------------------------


class Both:
    """Two sidecars that share a secret, over the bus of one collector."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.client = node.client
        self.collector = Collector(folder / "collector", node.cluster)
        self.collector.document["senders"][0]["may_assert"] = ["approver"]
        self.collector.start()
        token = folder / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        bus = BusConfig(folder=str(self.collector.data_dir / "steps"))
        recording = {"url": self.collector.url, "token_file": str(token)}
        for number in (0, 1):
            data = folder / str(number) / "sidecar" / "data"
            data.mkdir(mode=0o700, parents=True)
            (data / "secret.key").write_bytes(b"s" * 32)
            (data / "secret.key").chmod(0o600)
        self.sidecars = [
            Stage(node, folder / str(number), bus=bus, recording=recording) for number in (0, 1)
        ]
        for one in self.sidecars:
            one.start()
        self.organization = self.sidecars[0].a

    def post(self, *activities: dict[str, Any]) -> None:
        """Send activities to the collector."""
        request = urllib.request.Request(
            f"{self.collector.url}/v1/activities?source=native",
            json.dumps(activities).encode(),
            {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.loads(answer.read())["accepted"] == len(activities)

    def all_show(self, process: str, **members: Any) -> None:
        """Wait until both sidecars show a process so."""
        for one in self.sidecars:
            until(lambda one=one: _has(one.sees(process, "admin"), members), why=str(members))

    def stored(self, process: str, action: str) -> list[dict[str, Any]]:
        """What OpenSearch has, after all is delivered."""
        self.collector.wait_delivered()
        index = ",".join(LENS_PATTERNS)
        self.client.indices.refresh(index=index)
        terms = [{"term": {"activity.process.id": process}}, {"term": {"event.action": action}}]
        body = {"size": 100, "query": {"bool": {"filter": terms}}}
        hits = self.client.search(index=index, body=body)["hits"]["hits"]
        return [hit["_source"] for hit in hits]


def _has(process: dict[str, Any] | None, members: dict[str, Any]) -> bool:
    return process is not None and {name: process[name] for name in members} == members


@pytest.fixture(scope="module")
def both(streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """One of it for the module."""
    made = Both(streams, tmp_path_factory.mktemp("both"))
    yield made
    for one in made.sidecars:
        one.__exit__()
    made.collector.kill()


def test_one_entry_of_a_producer_that_fell_silent(both: Both, process: str) -> None:
    """Two sidecars see it, and the record has it once; both show it as stalled."""
    own = {"id": process, "channel": "ssl", "attempt": 1, "lease": at(1), "controls": ["cancel"]}
    both.post(
        {
            "event": {"id": f"{process}-1", "action": "process.started", "sequence": 1},
            "organization": {"id": both.organization},
            "activity": {"process": own},
        }
    )
    until(lambda: both.stored(process, "process.stalled"))
    both.all_show(process, stalled=True, state="running", controls=["cancel", "cleanup"])
    (found,) = both.stored(process, "process.stalled")
    assert found["organization"]["id"] == both.organization
    assert found["event"]["id"].startswith("stalled-")


def test_one_entry_of_a_control_that_nobody_took(both: Both, process: str) -> None:
    """It has expired, once; the clean-up of what has stalled ends with a receipt, once."""
    own = {"id": process, "channel": "ssl", "attempt": 1}
    control = {"id": f"ctl_{process}", "kind": "cleanup", "state": "requested"}
    said = {"organization": {"id": both.organization}}

    def event(action: str, number: int, **activity: Any) -> dict[str, Any]:
        head = {"id": f"{process}-{number}", "action": action, "sequence": number}
        return {"event": head, **said, "activity": {"process": own, **activity}}

    step = {"id": "build", "name": "Build", "index": 0}
    both.post(
        {
            **event("process.started", 1),
            "activity": {"process": {**own, "lease": at(-1)}},
        },
        event("process.step.completed", 2, step=step),
    )
    both.all_show(process, stalled=True)
    until(lambda: both.stored(process, "process.stalled"))
    both.post(event("process.cleanup", 3, control={**control, "expires_at": at(1)}))
    both.all_show(process, cleaned=False, state="failed")
    for one in both.sidecars:
        until(lambda one=one: one.sees(process, "admin")["requests"][0]["state"] == "expired")
        assert one.sees(process, "admin")["receipt"]["left_behind"] == ["Build"]
    for action in ("process.stalled", "process.control_expired", "process.cleaned_up"):
        until(lambda action=action: both.stored(process, action))
        assert len(both.stored(process, action)) == 1, action
