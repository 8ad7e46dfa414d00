"""Evidence: files of proposals that say whether they are whole."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest

from sidecar_api.export import csv as cells
from sidecar_api.export.proposals import COLUMNS
from sidecar_api.export.verify import verify
from tests.sidecar_api.agents.stage import APPROVER, Stage
from tests.sidecar_api.desk import Desk


def test_one_proposal_with_all_its_entries(stage: Stage) -> None:
    """The chain with what is said of it, each entry as the trail has it, and a manifest."""
    stage.chain("a", "unasked")
    stage.chain("b", at=100)
    stage.store()
    answer = stage.desk.ask(f"/api/v1/proposals/{stage.id('a')}/evidence")
    assert answer.content_type.startswith("application/x-ndjson")
    first, *entries, last = [json.loads(line) for line in answer.data.splitlines()]
    assert first["proposal"]["id"] == stage.id("a")
    assert first["proposal"]["judgement"]["verdict"] == "executed_without_approval"
    told = [one["entry"]["event"]["id"] for one in entries]
    assert told == first["proposal"]["entries"]
    assert (last["manifest"]["what"], last["manifest"]["count"]) == ("proposals", 1)
    times = [one["entry"]["@timestamp"] for one in entries]
    assert last["manifest"]["first"] == first["proposal"]["proposed_at"] == min(times)
    assert last["manifest"]["last"] == max(times) > min(times)
    done = subprocess.run(
        [sys.executable, "-m", "activity_center", "export", "verify", "-"],
        input=answer.data,
        capture_output=True,
        check=False,
    )
    assert done.stdout.startswith(b"whole: 1 proposal as ndjson, ")
    assert ["proposal", stage.id("a")] in last["manifest"]["filter"]
    assert verify(io.BytesIO(answer.data)).whole
    assert not verify(io.BytesIO(answer.data.replace(b"unasked", b"asked", 1)[:-1])).whole


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_period_is_a_file_that_can_be_checked(stage: Stage, form: str) -> None:
    """All that the filters find, newest first; an altered or shortened file is found out."""
    for number in range(45):
        stage.chain(f"p{number:02}", "denied" if number % 3 == 0 else "completed", at=number * 100)
    stage.store()
    answer = stage.desk.ask(f"/api/v1/proposals/export?format={form}&state=completed")
    found = verify(io.BytesIO(answer.data))
    assert (found.whole, found.reason) == (True, "")
    assert found.manifest is not None
    assert found.manifest["count"] == 30
    if form == "csv":
        rows = list(csv.reader(io.StringIO(answer.text)))
        ids = [row[COLUMNS.index("id")] for row in rows[1:-1]]
        assert {len(row) for row in rows} == {len(COLUMNS)}
    else:
        lines = [json.loads(line) for line in answer.data.splitlines()]
        ids = [one["proposal"]["id"] for one in lines if "proposal" in one]
    assert ids == [stage.id(f"p{n:02}") for n in range(44, -1, -1) if n % 3]
    lines = answer.data.splitlines(keepends=True)
    assert not verify(io.BytesIO(b"".join(lines[:-1]))).whole
    assert not verify(io.BytesIO(b"".join([*lines[:3], *lines[4:]]))).whole


def test_a_csv_is_safe_to_open(stage: Stage) -> None:
    """Nothing that an agent says becomes a formula; reading gives it back."""
    nasty = '=HYPERLINK("http://x.example";"y")'
    proposal = {"id": stage.id("a"), "stage": "proposed", "rationale": nasty}
    stage.add("proposed", "a", activity__proposal=proposal, arguments={"command": "@SUM(1)"})
    stage.store()
    answer = stage.desk.ask("/api/v1/proposals/export?format=csv")
    _, row, _ = csv.reader(io.StringIO(answer.text))
    raw = row[COLUMNS.index("rationale")]
    assert raw.startswith("'=")
    assert cells.read(raw) == nasty
    assert json.loads(cells.read(row[COLUMNS.index("whole")]))["rationale"] == nasty
    assert not any(cell[:1] in cells.GUARDED - {"'"} for cell in row)


def test_by_verdict(stage: Stage) -> None:
    """Violations of a period, and nothing else."""
    stage.chain("fine")
    stage.chain("wrong", "unasked", at=100)
    stage.store()
    query = "format=ndjson&verdict=executed_without_approval"
    answer = stage.desk.ask(f"/api/v1/proposals/export?{query}")
    lines = [json.loads(line) for line in answer.data.splitlines()]
    assert [one["proposal"]["id"] for one in lines if "proposal" in one] == [stage.id("wrong")]


def test_what_is_graver_hides_no_other_finding(stage: Stage) -> None:
    """Every finding finds its proposal: in the list, in the file and in the agent's numbers."""
    stage.chain("fine")
    stage.add("proposed", "both", at=100)
    member = {**APPROVER, "roles": ["member"], "authenticated": True}
    quickly = {"outcome": "approved", "source": "user", "wait_ms": 100}
    stage.add("approved", "both", at=101, activity__approver=member, activity__decision=quickly)
    stage.add("executing", "both", at=102)
    stage.store()
    (row,) = [
        one for one in stage.desk.get("/api/v1/proposals")["proposals"] if not one["ended_at"]
    ]
    kinds = [one["kind"] for one in row["judgement"]["findings"]]
    assert kinds == ["approver_lacked_permission", "approved_too_fast"]
    record = stage.desk.get("/api/v1/agents/agt_ops")
    assert record["violations"] == 1
    for kind in kinds:
        assert stage.names(f"verdict={kind}") == ["both"]
        answer = stage.desk.ask(f"/api/v1/proposals/export?format=ndjson&verdict={kind}")
        lines = [json.loads(line) for line in answer.data.splitlines()]
        assert [one["proposal"]["id"] for one in lines if "proposal" in one] == [stage.id("both")]
        assert record["verdicts"][kind] == 1


def test_who_may_not_export_is_refused(desk: Desk) -> None:
    """Who sees a trail without the permission to export it; what they asked for is theirs."""
    role = {"permissions": ["org:audit"]}
    desk.document["roles"] = {"reader": role}
    for one in desk.document["identity"]["people"]:
        if one["id"] == desk.people["member"]:
            one["organizations"] = {desk.a: "reader"}
    stage = _again(desk)
    own = {"id": desk.people["member"]}
    stage.chain("a")
    stage.chain("mine", at=100, activity__initiator=own)
    stage.store()
    assert sorted(stage.names(who="member")) == ["a", "mine"]
    found = desk.problem(403, "/api/v1/proposals/export?format=csv", "member")
    assert found["permission"] == "org:audit:export"
    desk.problem(403, f"/api/v1/proposals/{stage.id('a')}/evidence", "member")
    query = f"format=ndjson&initiator={desk.people['member']}"
    answer = desk.ask(f"/api/v1/proposals/export?{query}", "member")
    assert answer.status_code == 200
    lines = [json.loads(line) for line in answer.data.splitlines()]
    assert [one["proposal"]["id"] for one in lines if "proposal" in one] == [stage.id("mine")]


def _again(desk: Desk) -> Stage:
    from activity_center.config import load
    from sidecar_api.app import create_app

    desk.write()
    desk.app = create_app(load(desk.file, {}), client=desk.client)
    return Stage(desk)
