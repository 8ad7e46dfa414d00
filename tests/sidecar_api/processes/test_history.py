"""Processes out of their stored entries, asked of a real OpenSearch."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from sidecar_api.access import Scope
from sidecar_api.processes import history
from sidecar_api.processes.history import OUTPUT_BYTES
from sidecar_api.processes.history_query import Wanted
from sidecar_api.reader import Reader
from tests.sidecar_api.processes.past import Past, later

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture
def past(streams: Node) -> Past:
    """Nothing stored yet, under a mark of this test's own."""
    return Past(streams.client)


def test_one_row_a_process_newest_first(past: Past) -> None:
    """However many attempts, steps and lines it had, a process is one row, as it is now."""
    past.run("old", "completed", at=0)
    past.run("twice", "failed", "completed", at=10, activity__process__channel="ssl")
    past.run("long", "running", at=5)
    past.add("process.step.started", "old", at=30, activity__step={"id": "a"})
    past.add("process.output", "old", at=31, activity__output={"text": "late\n", "offset": 0})
    past.store()
    assert past.names() == ["twice", "long", "old"]
    found = past.history.page(past.member(), Wanted(), number=1, size=25)
    (row,) = [one for one in found.processes if one["id"].endswith("twice")]
    assert (row["state"], row["attempt"], row["channel"]) == ("done", 2, "ssl")
    assert [one["state"] for one in row["attempts"]] == ["failed"]
    assert "steps" not in row and "output" not in row
    assert (found.total, found.approximate) == (3, False)


def test_a_list_is_in_the_order_of_its_column_started(past: Past) -> None:
    """What began last stands first, whenever it ended; in a range too, where what began before
    it stands last."""
    past.add("process.started", "first", at=0, activity__process__state="running")
    past.add("process.completed", "first", at=90)
    past.run("second", "completed", at=30)
    past.run("third", "failed", "running", at=10)
    past.run("fourth", "running", at=40)
    past.store()
    found = past.history.page(past.member(), Wanted(), number=1, size=25).processes
    starts = [one["started"] for one in found]
    assert starts == sorted(starts, reverse=True)
    assert past.names() == ["fourth", "second", "third", "first"]
    assert past.names(end=later(35)) == ["second", "third", "first"]
    assert past.names(start=later(20)) == ["fourth", "second", "first"]
    assert past.names(states=("done",)) == ["second", "first"]


def test_the_state_is_that_of_the_latest_attempt(past: Past) -> None:
    """One that failed and was tried again is found by what became of it, and by nothing else."""
    past.run("done", "completed")
    past.run("failed", "failed", at=1)
    past.run("mended", "failed", "completed", at=2)
    past.run("again", "completed", "failed", at=3)
    past.run("trying", "cancelled", "running", at=4)
    past.run("gone", "cancelled", at=5)
    past.run("waiting", "failed", at=6)
    past.add("process.retried", "waiting", at=9, activity__process__attempt=2)
    past.run("cleaned", "cancelled", at=11)
    past.add("process.cleaned_up", "cleaned", at=13)
    past.run("silent", "running", at=20)
    past.add("process.stalled", "silent", at=21)
    past.add("process.cleaned_up", "silent", at=22)
    past.run("stalled", "running", at=30)
    past.add("process.stalled", "stalled", at=31)
    past.run("revived", "running", at=40)
    past.add("process.stalled", "revived", at=41)
    lives = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    past.add("process.heartbeat", "revived", at=42, activity__process__lease=lives)
    past.store()
    expected = {
        "done": {"done", "mended"},
        "failed": {"failed", "again", "silent"},
        "cancelled": {"gone", "cleaned"},
        "running": {"trying", "stalled", "revived"},
        "pending": {"waiting"},
        "stalled": {"stalled"},
    }
    for state, names in expected.items():
        assert set(past.names(states=(state,))) == names, state
    assert set(past.names(states=("done", "cancelled"))) == expected["done"] | expected["cancelled"]


def test_pages_without_gap_or_repeat(past: Past) -> None:
    """Pages of 25 of 60 processes, of which every third was retried, list each one once."""
    for number in range(60):
        ends = ("failed", "completed") if number % 3 == 0 else ("completed",)
        past.run(f"p{number:02}", *ends, at=number * 10)
    past.store()
    wanted = [f"p{number:02}" for number in reversed(range(60))]
    pages = [past.names(number=number) for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [25, 25, 10, 0]
    assert [name for page in pages for name in page] == wanted
    found = past.history.page(past.member(), Wanted(states=("done",)), number=2, size=25)
    assert (found.total, found.approximate) == (60, False)
    assert past.names(states=("failed",)) == []


def test_times(past: Past) -> None:
    """A process is in a range in which something of it began or ended; its state is today's."""
    past.run("early", "failed", "completed", at=0)
    past.run("late", "completed", at=100)
    past.store()
    assert past.names(start=later(50)) == ["late"]
    assert past.names(end=later(50)) == ["early"]
    assert past.names(start=later(3), end=later(50)) == ["early"]
    assert past.names(start=later(4), end=later(50)) == []
    assert past.names(end=later(2), states=("failed",)) == []
    assert past.names(end=later(2), states=("done",)) == ["early"]


def test_filters(past: Past) -> None:
    """Channel, organization, server, cloud account, target, initiator and words."""
    server = {"type": "server", "id": f"srv-{past.mark}", "name": f"Web-{past.mark}"}
    past.run(
        "a",
        "completed",
        activity__process__channel="ssl",
        activity__process__name="Certificate for Bakery.example",
        activity__resource={
            "type": "site",
            "id": "sit",
            "name": "bakery.example",
            "parent": server,
        },
        cloud__account={"id": "acc_1", "name": "Northwind-EU"},
    )
    past.run("b", "completed", at=5, activity__process__channel="migration", user__id="usr_z")
    past.run("c", "completed", at=6, activity__process__channel="migration", host__name="h-9")
    past.run("agent", "completed", at=7, activity__initiator={"id": "usr_p", "name": "Pia"})
    past.store()
    cases = [
        ({"channels": ("ssl",)}, ["a"]),
        ({"channels": ("ssl", "migration")}, ["c", "b", "a"]),
        ({"organization": past.organization}, ["agent", "c", "b", "a"]),
        ({"organization": "nobody"}, []),
        ({"server": server["id"]}, ["a"]),
        ({"server": f"web-{past.mark}"}, ["a"]),
        ({"server": "h-9"}, ["c"]),
        ({"cloud_account": "acc_1"}, ["a"]),
        ({"cloud_account": "northwind"}, ["a"]),
        ({"target": "BAKERY"}, ["a"]),
        ({"target": "*"}, []),
        ({"initiator": "usr_z"}, ["b"]),
        ({"initiator": "pia"}, ["agent"]),
        ({"text": "certificate bakery"}, ["a"]),
        ({"text": "certificate mill"}, []),
        ({"text": past.id("c")}, ["c"]),
    ]
    for wanted, names in cases:
        assert past.names(**wanted) == names, wanted


def test_who_sees_what(past: Past) -> None:
    """Role, limited role, initiator, stranger, platform: the list and each single process alike."""
    other = Past(past.client)
    past.run("lab", "completed", activity__workspace="lab")
    past.run("srv", "completed", at=1, activity__resource={"type": "server", "id": "srv"})
    past.run("plain", "completed", at=2)
    past.run("mine", "failed", at=3, user__id=f"{past.mark}-dora")
    past.add(
        "process.retried", "mine", at=9, user__id=f"{past.mark}-emil", activity__process__attempt=2
    )
    past.add("process.cancel", "plain", at=10, user__id=f"{past.mark}-emil", activity__lens="audit")
    past.add("process.started", "nowhere", at=4, organization__id=None)
    other.run("foreign", "completed")
    past.store()
    other.store()
    everything = Scope(Reader("root"), platform=frozenset({"platform:audit"}))
    nobodys = Scope(Reader(""))
    cases = [
        (past.member(), {"lab", "srv", "plain", "mine"}),
        (past.member(workspaces=frozenset({"lab"})), {"lab"}),
        (past.member(resources=frozenset({"srv"})), {"srv"}),
        (past.member(workspaces=frozenset()), set()),
        (past.stranger(), set()),
        (nobodys, set()),
        (past.stranger("dora"), {"mine"}),
        (past.stranger("emil"), set()),
        (past.stranger("anna"), {"lab", "srv", "plain", "nowhere"}),
        (everything, {"lab", "srv", "plain", "mine", "nowhere"}),
    ]
    names = {"lab", "srv", "plain", "mine", "nowhere"}
    for scope, seen in cases:
        if not scope.everything:
            assert set(past.names(scope)) == seen
        single = {name for name in names if past.history.keys(scope, past.id(name))}
        assert single == seen
        assert bool(past.history.keys(scope, other.id("foreign"))) is scope.everything


def test_a_process_stays_with_its_first_sender(past: Past) -> None:
    """Entries that another sender dates back, or heaps up, open a process to nobody: neither in
    the list nor alone, nor does it leave the list of those that it belongs to."""
    whose = {"user__id": None, "activity__initiator__id": f"{past.mark}-anna"}
    past.add(
        "process.started", "kept", at=1, activity__workspace="office", activity__sender="agents",
        **whose,
    )  # fmt: skip
    for number in range(60):
        past.add(
            "process.completed", "kept", at=number - 30, activity__workspace="lab",
            activity__sender="mallory", user__id=None, activity__process__attempt=2,
            activity__initiator__id=f"{past.mark}-dora", event__ingested="2026-12-01T00:00:00Z",
        )  # fmt: skip
    past.store()
    for scope, sees in (
        (past.stranger("dora"), False),
        (past.member(workspaces=frozenset({"lab"})), False),
        (past.stranger("anna"), True),
        (past.member(), True),
    ):
        assert bool(past.history.keys(scope, past.id("kept"))) is sees
    assert past.names(past.stranger("dora")) == []
    assert past.names(past.member(workspaces=frozenset({"lab"}))) == []
    assert past.names(past.member()) == ["kept"]
    found = past.history.one((past.organization, past.id("kept")))
    assert found is not None and found[0].as_dict()["workspace"] == "office"


def test_the_same_id_in_two_organizations(past: Past) -> None:
    """What another organization sends under the same id is another process."""
    past.run("twin", "completed")
    ours, past.organization = past.organization, f"x{past.mark}"
    past.run("twin", "failed", at=5)
    past.store()
    everything = Scope(Reader("root"), platform=frozenset({"platform:audit"}))
    keys = past.history.keys(everything, past.id("twin"))
    assert sorted(keys) == sorted([(ours, past.id("twin")), (past.organization, past.id("twin"))])
    states = {key[0]: found[0].state for key in keys if (found := past.history.one(key))}
    assert states == {ours: "done", past.organization: "failed"}
    assert past.names() == ["twin"]
    rows = past.history.page(everything, Wanted(text=past.id("twin")), number=1, size=25)
    assert sorted(row["state"] for row in rows.processes) == ["done", "failed"]


def test_one_process_is_folded_from_all_its_entries(past: Past) -> None:
    """Steps, output, errors, requests and receipt of a process of 3,000 entries."""
    past.add("process.started", "p", activity__process__steps=["Pack", "Send"])
    past.add("process.step.started", "p", activity__step={"id": "pack", "name": "Pack"})
    for number in range(3000):
        said = {"text": f"line {number}\n", "stream": "stdout", "offset": number * 20}
        past.add("process.output", "p", at=1 + number / 10_000, activity__output=said)
    past.add("process.heartbeat", "p", at=2)
    past.add("process.cancel", "p", at=2, activity__control={"id": "c1"}, event__sequence=None)
    past.add("process.step.failed", "p", at=3, activity__step={"id": "pack"}, error__message="full")
    past.add("process.failed", "p", at=3, activity__receipt={"left_behind": ["half a file"]})
    past.store()
    found = past.history.one((past.organization, past.id("p")))
    assert found is not None and found[1]
    shown = found[0].as_dict()
    assert shown["output"]["total"] == 3000
    assert shown["output"]["lines"][-1]["text"] == "line 2999"
    assert [(one["name"], one["state"]) for one in shown["steps"]] == [
        ("Pack", "failed"),
        ("Send", "pending"),
    ]
    assert shown["error"]["message"] == "full"
    assert [one["kind"] for one in shown["requests"]] == ["cancel"]
    assert shown["receipt"]["left_behind"] == ["half a file"]
    assert past.history.one((past.organization, past.id("q"))) is None


def test_entries_in_order_page_by_page(past: Past) -> None:
    """Every entry once, in the order of their times, in the audit lens too."""
    expected = []
    for number in range(2300):
        made = past.add("process.output", "p", at=number / 100, activity__output={"text": "x"})
        expected.append(made["event"]["id"])
    made = past.add("process.cancel", "p", at=50, activity__lens="audit")
    expected.append(made["event"]["id"])
    past.add("ssl.issue", "p", at=51, activity__lens="audit")
    past.store()
    key, after, found = (past.organization, past.id("p")), None, []
    for size in (1000, 1000, 301):
        batch = past.history.entries(key, after)
        assert len(batch.rows) == size
        found += [row["event"]["id"] for row in batch.rows]
        after = batch.next
    assert after is None
    assert found == expected


def test_ten_megabytes_of_output(past: Past) -> None:
    """All of it comes back, byte by byte, in pages of about 1 MiB; attempt and step narrow it."""
    piece = ("0123456789abcdef" * 4 + "\n") * 490
    for number in range(330):
        step = {"id": "send" if number % 2 else "pack"}
        said = {"text": piece, "stream": "stdout", "offset": number * len(piece)}
        past.add("process.output", "p", at=number / 100, activity__output=said, activity__step=step)
    past.add(
        "process.output", "p", at=60, activity__process__attempt=2, activity__output={"text": "2nd"}
    )
    past.store()
    key, after, offsets, pages = (past.organization, past.id("p")), None, [], 0
    while pages == 0 or after is not None:
        batch = past.history.output(key, attempt=1, after=after)
        assert 0 < sum(len(one["text"]) for one in batch.rows) <= OUTPUT_BYTES
        offsets += [one["offset"] for one in batch.rows]
        after, pages = batch.next, pages + 1
    assert offsets == [number * len(piece) for number in range(330)]
    assert len(offsets) * len(piece) > 10_000_000
    assert pages == 11
    of_step = past.history.output(key, attempt=1, step="pack")
    assert {one["step"] for one in of_step.rows} == {"pack"}
    (second,) = past.history.output(key, attempt=2).rows
    assert second == {
        "attempt": 2,
        "step": "",
        "stream": "log",
        "offset": None,
        "text": "2nd",
        "at": second["at"],
    }


def test_a_lease_that_has_passed(past: Past) -> None:
    """A process that fell silent is shown as stalled although nobody has recorded it."""
    now = datetime.now(UTC)
    for name, lease in (
        ("silent", now - timedelta(minutes=1)),
        ("alive", now + timedelta(hours=1)),
    ):
        past.add("process.started", name, at=now, activity__process__lease=lease.isoformat())
    past.store()
    found = past.history.page(past.member(), Wanted(), number=1, size=25)
    stalled = {row["id"].removeprefix(f"{past.mark}-"): row["stalled"] for row in found.processes}
    assert stalled == {"silent": True, "alive": False}


def test_each_silence_ends_with_the_first_sign_of_life_after_it(past: Past) -> None:
    """One after several ends them all, as any other entry does; other beats are not in it."""
    told = [
        *("started", "heartbeat", "stalled", "stalled", "heartbeat", "heartbeat", "stalled"),
        *("step.started", "heartbeat", "stalled", "completed"),
    ]
    for at, name in enumerate(told):
        past.add(f"process.{name}", "one", at=at)
    past.store()
    frames, whole = past.history.replay((past.organization, past.id("one")))
    moved = [(one["at"][14:16], one["delta"].get("process", {}).get("stalled")) for one in frames]
    assert moved == [
        *[("00", False), ("02", True), ("04", False), ("06", True)],
        *[("07", False), ("09", True), ("10", False)],
    ]
    assert whole


def test_a_process_that_falls_silent_all_the_time_is_replayed_soon(
    past: Past, caplog: pytest.LogCaptureFixture
) -> None:
    """What a replay asks for grows with its pages, not with each silence."""
    past.add("process.started", "long")
    for number in range(1500):
        past.add("process.stalled", "long", at=1 + number / 100)
        past.add("process.heartbeat", "long", at=1.005 + number / 100)
    past.store()
    with caplog.at_level(logging.INFO, "opensearch"):
        frames, whole = past.history.replay((past.organization, past.id("long")))
    moved = [one["delta"]["process"]["stalled"] for one in frames]
    assert (moved, whole) == ([False, *[True, False] * 1500], True)
    assert 0 < len([one for one in caplog.messages if "/_search" in one]) < 15


def test_a_replay_has_a_bound(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process moved too much to be sent at once, its begin comes and that it is cut."""
    past.add("process.started", "much")
    for number in range(50):
        share = (1 + number) / 60
        past.add("process.progress", "much", at=1 + number, activity__process__progress=share)
    past.store()
    key = (past.organization, past.id("much"))
    frames, whole = past.history.replay(key)
    assert (len(frames), whole) == (51, True)
    sizes = [len(orjson.dumps(one)) for one in frames]
    monkeypatch.setattr(history, "REPLAY_BYTES", sum(sizes[:20]))
    assert past.history.replay(key) == (frames[:20], False)
