"""``activity-center proposals``: list, show, verdicts, oversight, replay, against OpenSearch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from activity_center.agents import shipped_policies, verdicts
from activity_center.cli.proposals import STATES
from activity_center.cli.proposals_read import Reading
from sidecar_api.agents.query import STATES as API_STATES
from tests.sidecar_api.search.log import NOON, Log, document, put_templates
from tests.weighed import Weighed

if TYPE_CHECKING:
    from tests.conftest import Node

COMMAND: Final = [sys.executable, "-m", "activity_center", "proposals"]
CASES: Final = Path(__file__).parents[1] / "agents" / "cases"
PERIOD: Final = ("--from", "2026-11-24T12:00:00Z", "--to", "2026-11-24T15:00:00Z")
TIMELESS: Final = ("unknown", "pending", "expired_not_yet_written")
"""Cases whose verdict depends on the time of reading, or on the class that keeps them."""


class Stored:
    """The cases in OpenSearch, in an organization of their own.

    Attributes:
        organization: its id.
        wanted: verdict by proposal id.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.organization = f"o{uuid.uuid4().hex[:12]}"
        self.wanted: dict[str, str] = {}
        lines: list[dict[str, Any]] = []
        for file in sorted(CASES.glob("*.json")):
            if file.stem in TIMELESS:
                continue
            case = json.loads(file.read_text(encoding="utf-8"))
            for entry in case["entries"]:
                lines += [{"create": {"_index": "activity-agent-permanent"}}]
                lines += [self._own(entry, file.stem)]
            self.wanted[self.id(file.stem)] = case["expected"]["verdict"]
        body = "\n".join(map(json.dumps, lines)) + "\n"
        answer = node.client.bulk(body=body, params={"refresh": "true"})
        assert not answer["errors"], answer

    def id(self, name: str) -> str:
        """The proposal id of a case."""
        return f"{name}-{self.organization}"

    def _own(self, entry: dict[str, Any], name: str) -> dict[str, Any]:
        entry["event"] |= {
            "id": f"{entry['event']['id']}-{self.id(name)}",
            "hash": uuid.uuid4().hex * 2,
            "ingested": entry["event"].get("ingested", entry["@timestamp"]),
        }
        entry["organization"] = {"id": self.organization}
        call = entry["gen_ai"]["tool"]["call"]
        if call["id"]:
            call["id"] += self.id(name)
        ours = entry["activity"]
        ours |= {"schema_version": 1, "retention": {"class": "permanent"}}
        if "id" in ours["proposal"]:
            ours["proposal"]["id"] = self.id(name)
        return entry

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command over the period, in this organization."""
        period = () if verb == "show" else PERIOD
        return run(
            verb, *arguments, *period, "--organization", self.organization, url=self.node.url
        )


def run(*arguments: str, url: str = "http://127.0.0.1:1") -> subprocess.CompletedProcess[str]:
    """Run ``activity-center proposals`` with these arguments."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, "OPENSEARCH_URL": url, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def stored(opensearch: Node) -> Stored:
    """The cases, stored once."""
    put_templates(opensearch.client)
    return Stored(opensearch)


def test_list(stored: Stored) -> None:
    """Every chain with its verdict, whichever entries name the proposal; newest first."""
    done = stored.run("list", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    known = {one["id"]: one["judgement"]["verdict"] for one in rows}
    assert known == stored.wanted
    begun = [one["proposed_at"] for one in rows if one["proposed_at"]]
    assert begun == sorted(begun, reverse=True)


def test_entries_are_read_in_answers_of_a_bounded_size(opensearch: Node) -> None:
    """However large each of them is."""
    put_templates(opensearch.client)
    log = Log(opensearch.client)
    long = {f"k{part}": "x" * 30_000 for part in range(30)}
    for number in range(12):
        proposal = {"id": f"p{number}", "stage": "proposed"}
        log.add(
            document(
                event__action="agent.proposal.created",
                activity__proposal=proposal,
                activity__size=930_000,
                metadata=long,
            )
        )
    weighed = Weighed(opensearch.client)
    reading = Reading(weighed.client, shipped_policies(), NOON + timedelta(days=1))
    found = reading.chains(NOON - timedelta(days=1), None, log.organization)
    assert len(found) == 12
    assert max(weighed.answers) < 9_000_000


def test_list_filtered(stored: Stored) -> None:
    """Each filter takes what it says, and no other."""

    def ids(*arguments: str) -> set[str]:
        done = stored.run("list", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return {one["id"] for one in json.loads(done.stdout)}

    violations = {key for key, one in verdicts().items() if one.violation}
    assert ids("--violations") == {id_ for id_, v in stored.wanted.items() if v in violations}
    assert ids("--verdict", "denied") == {stored.id("denied")}
    both = {stored.id("several_findings"), stored.id("confirmation_missing")}
    assert both <= ids("--verdict", "confirmation_missing"), "what is graver hides no finding"
    assert ids("--impact", "unrated") == set()
    assert stored.id("approved_by_initiator") in ids("--approver", "jonas")
    assert stored.id("denied") not in ids("--approver", "jonas")
    assert ids("--state", "cancelled") == {stored.id("cancelled")}
    safe = {stored.id("safe_without_approval"), stored.id("safe_though_denied")}
    assert ids("--impact", "safe") == safe
    assert ids("--tool", "resize_disk", "--agent", "ops-pilot") == set(stored.wanted)
    assert ids("--initiator", "mira") == set()
    table = stored.run("list", "--verdict", "parameters_drifted", "--limit", "1")
    assert "Parameters drifted" in table.stdout
    assert table.stderr.startswith("1 proposals, of ")


def test_what_has_no_organization_is_named_by_a_dash(opensearch: Node) -> None:
    """Where several have a proposal of one id the refusal lists it as what names it."""
    put_templates(opensearch.client)
    id_, one = uuid.uuid4().hex, f"o{uuid.uuid4().hex[:12]}"
    lines: list[dict[str, Any]] = []
    for organization in (one, None):
        made = document(
            event__action="agent.proposal.created",
            organization__id=organization,
            activity__proposal={"id": id_, "stage": "proposed"},
        )
        lines += [{"create": {"_index": "activity-agent-permanent"}}, made]
    body = "\n".join(map(json.dumps, lines)) + "\n"
    assert not opensearch.client.bulk(body=body, params={"refresh": "true"})["errors"]
    url = opensearch.url
    assert f"2 organizations have one of this id: -, {one}" in run("show", id_, url=url).stderr
    for named, organization in (("-", None), (one, one)):
        asked = ("--organization", named, "--json")
        shown = json.loads(run("show", id_, *asked, url=url).stdout)
        assert (shown["id"], shown["organization"]["id"]) == (id_, organization)
        listed = json.loads(run("list", *asked, "--from", "2026-01-01", url=url).stdout)
        assert {other["organization"]["id"] for other in listed if other["id"] == id_} == {
            organization
        }


def test_show(stored: Stored) -> None:
    """Verdict first, what differs, and the whole chain; as JSON the shape of the API."""
    done = stored.run("show", stored.id("parameters_drifted"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("! Parameters drifted\n")
    assert "arguments.size_gb: 160 -> 320" in done.stdout
    assert "approved by Mira Kovač after 47 s" in done.stdout
    whole = json.loads(stored.run("show", stored.id("parameters_drifted"), "--json").stdout)
    assert whole["judgement"]["findings"][0]["difference"][0]["path"] == "arguments.size_gb"
    joined = json.loads(stored.run("show", stored.id("joined_by_call"), "--json").stdout)
    assert len(joined["entries"]) == 4


def test_show_what_is_not_there(stored: Stored) -> None:
    """An unknown id is told, with the next step."""
    done = stored.run("show", "prp_gone")
    assert done.returncode == 1
    assert "there is no proposal 'prp_gone'" in done.stderr
    assert "proposals list" in done.stderr


def test_verdicts(stored: Stored) -> None:
    """Each verdict with its count, its explanation, and what to do."""
    done = stored.run("verdicts", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {one["verdict"]: one["count"] for one in rows if one["count"]} == Counter(
        stored.wanted.values()
    )
    assert [one["verdict"] for one in rows] == list(verdicts())
    assert all(one["explanation"] and one["what_to_do"] for one in rows)
    assert "! executed_without_approval: " in stored.run("verdicts").stdout


def test_oversight(stored: Stored) -> None:
    """Who decided how, as a table and as JSON."""
    rows = json.loads(stored.run("oversight", "--json").stdout)
    by = {(one["approver"]["id"], one["impact"]): one for one in rows}
    assert by["usr_jo", "destructive"]["decided"] == 2
    assert by["nobody", "caution"]["standing"] == 1
    assert "Mira Kovač" in stored.run("oversight").stdout


def test_replay(stored: Stored, tmp_path: Path) -> None:
    """A changed policy: what would differ, and nothing else."""
    file = tmp_path / "policies.yml"
    file.write_text(
        "- {id: two-people-for-caution, version: 1, applies: {impact: [caution]},\n"
        "   needs: {roles: [owner], authenticated: true}, standing: true}\n"
    )
    done = stored.run("replay", "--policies", str(file), "--json")
    assert done.returncode == 0, done.stderr
    found = {one["id"]: one["after"]["verdict"] for one in json.loads(done.stdout)}
    assert found == {
        stored.id("unproven_is_enough_for_caution"): "approver_lacked_permission",
        stored.id("decision_alone"): "approver_lacked_permission",
        stored.id("approved_too_fast_by_the_receipts"): "approver_lacked_permission",
    }
    told = stored.run("replay", "--policies", str(file))
    assert "executed_as_approved -> approver_lacked_permission" in told.stdout
    assert told.stderr.startswith("3 of ")


def test_wrong_use(tmp_path: Path) -> None:
    """A wrong verdict, period or policy file ends with a message, before anything is asked."""
    assert "No such option" in run("list", "--nothing").stderr
    unknown = run("list", "--verdict", "deneid")
    assert (unknown.returncode, "denied" in unknown.stderr) == (2, True)
    assert run("list", "--from", "yesterday").returncode == 2
    nonsense = run("list", "--state", "nonsense")
    assert (nonsense.returncode, "'proposed'" in nonsense.stderr) == (2, True)
    assert tuple(STATES) == API_STATES
    file = tmp_path / "policies.yml"
    file.write_text("- {id: a, version: 1, four_eyes: true}\n")
    wrong = run("replay", "--policies", str(file))
    assert wrong.returncode == 2
    assert "policies.yml:1" in wrong.stderr and "four_eyes" in wrong.stderr


def test_nobody_answers() -> None:
    """Without OpenSearch it fails with 1, and says why."""
    done = run("verdicts")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr
