"""``activity-center retention`` and ``archive``: what people and scripts see and get."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activity_center import node
from activity_center.setup.cluster import ask
from tests.collector.retention.place import REPOSITORY, Place, archiving, emptied

STREAM = "activity-agent-standard-90d"
BILLING = "activity-audit-billing-7y"
INDEX = f".ds-{STREAM}-000001"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def _node() -> Iterator[tuple[node.NodeInfo, Path]]:
    with archiving("retention-commands") as made:
        yield made


@pytest.fixture
def place(_node: tuple[node.NodeInfo, Path]) -> Iterator[Place]:
    """A stream whose first index rolled over 75 days ago, and billing entries."""
    now = datetime.now(UTC)
    with emptied(*_node) as found:
        found.set_up()
        found.stream(STREAM, now - 85 * DAY)
        found.put(STREAM, [(f"n{n}", now - 80 * DAY, "northwind") for n in range(3)])
        found.put(STREAM, [("s", now - 80 * DAY, "southwind")])
        found.roll(STREAM, now - 75 * DAY)
        found.stream(BILLING, now)
        found.put(BILLING, [("bill", now, "northwind")])
        yield found


def test_from_status_to_restored(place: Place) -> None:
    """The whole way: see what is due, do it, see that it is archived, bring it back."""
    dry = place.run("retention", "run", "--dry-run")
    assert dry.returncode == 2, dry.stderr
    assert f"read_only     {INDEX}" in dry.stdout
    late = place.run("retention", "doctor")
    assert late.returncode == 0
    assert "is late" in late.stdout

    done = place.run("retention", "run", "--json")
    assert done.returncode == 0, done.stderr
    kinds = [one["action"] for one in json.loads(done.stdout)["steps"] if one["index"] == INDEX]
    assert kinds == ["read_only", "snapshot", "replica_count"] or kinds == [
        "read_only",
        "force_merge",
        "snapshot",
        "replica_count",
    ]
    again = place.run("retention", "run")
    assert (again.returncode, again.stdout) == (0, "Nothing is due.\n")

    rows = json.loads(place.run("retention", "status", "--json").stdout)["indices"]
    (row,) = [one for one in rows if one["index"] == INDEX]
    due = (datetime.now(UTC) + 15 * DAY).strftime("%Y-%m-%d")
    assert (row["class"], row["tier"], row["next"]) == ("standard-90d", "archive", "delete")
    assert (row["documents"], row["due"], row["deleted"]) == (4, due, due)
    assert row["archived"] == datetime.now(UTC).strftime("%Y-%m-%d")
    lines = place.run("retention", "status").stdout.splitlines()
    names = "index class age entries size tier next due deleted"
    assert lines[0].split("\t") == names.split()
    assert f"{INDEX}\tstandard-90d\t85 d\t4\t" in "\n".join(lines)

    until = place.run("retention", "simulate", "--at", due, "--json")
    before = json.loads(until.stdout)
    assert before["tiers"]["archive"] == 4
    later = json.loads(place.run("retention", "simulate", "--at", "2300-01-01", "--json").stdout)
    (life,) = [one for one in later["indices"] if one["index"] == INDEX]
    assert life["tier"] == "gone"
    assert life["steps"] == [{"at": due, "tier": "delete", "action": "delete"}]

    for what in (INDEX, "n1"):
        told = json.loads(place.run("retention", "explain", what, "--json").stdout)["indices"]
        assert [(one["index"], one["tier"], one["deleted"]) for one in told] == [
            (INDEX, "archive", due)
        ]
    assert f"deleted  {due}" in place.run("retention", "explain", "n1").stdout
    nobody = place.run("retention", "explain", "nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "hint:" in nobody.stderr

    (archived,) = json.loads(place.run("archive", "list", "--json").stdout)["archives"]
    assert (archived["index"], archived["documents"]) == (INDEX, 4)
    assert archived["proven"]
    assert place.run("archive", "restore").returncode == 2
    missing = place.run("archive", "restore", ".ds-activity-audit-permanent-000009")
    assert (missing.returncode, "not archived" in missing.stderr) == (1, True)
    dry = place.run("archive", "restore", INDEX, "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, f"{INDEX}\n")
    since = (datetime.now(UTC) - 81 * DAY).strftime("%Y-%m-%d")
    none = place.run("archive", "restore", "--until", since)
    assert (none.returncode, none.stdout) == (0, "nothing is archived of that\n")
    restored = place.run("archive", "restore", "--stream", STREAM, "--since", since)
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout == f"restored-{STREAM}-000001: 4 entries\n"
    assert place.ids("restored-*") == {"n0", "n1", "n2", "s"}
    well = place.run("retention", "doctor", "--json")
    assert well.returncode == 0
    assert json.loads(well.stdout)["ok"] is True
    everything = json.loads(place.run("doctor", "--json").stdout)["findings"]
    assert [one["level"] for one in everything if one["check"] == "retention"] == ["ok"]


def test_what_fails_is_told_by_the_exit_code(place: Place) -> None:
    """Without a repository the snapshot fails: run and doctor end with 1, and say what to do."""
    ask(place.client, "DELETE", f"/_snapshot/{REPOSITORY}")
    done = place.run("retention", "run", "--json")
    assert done.returncode == 1, done.stderr
    failed = [one for one in json.loads(done.stdout)["steps"] if one["failed"]]
    assert [(one["index"], one["action"]) for one in failed] == [(INDEX, "snapshot")]
    again = place.run("retention", "run")
    assert again.returncode == 1
    assert f"failed: snapshot      {INDEX}" in again.stdout

    told = place.run("retention", "doctor")
    assert told.returncode == 1
    assert f"the repository {REPOSITORY} cannot be used" in told.stdout
    assert "register it" in told.stdout
    as_json = place.run("retention", "doctor", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["ok"]) == (1, False)


def test_a_repository_that_is_missing_is_no_empty_one(place: Place) -> None:
    """Whoever asks for archives where none can be is told so, with 1 and the next step; an
    empty repository is empty, with 0."""
    for arguments in (("list",), ("restore", "--stream", STREAM), ("list", "--json")):
        done = place.run("archive", *arguments, "--repository", "nowhere")
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert "nowhere: there is no such snapshot repository" in done.stderr
        assert "hint: register it (docs/retention.md" in done.stderr
    done = place.run("archive", "list")
    assert (done.returncode, done.stdout) == (0, f"nothing is archived in {REPOSITORY}\n")


@pytest.mark.parametrize("columns", [80, 120])
def test_what_is_kept_can_be_read_on_a_terminal(place: Place, columns: int) -> None:
    """The name of an index stands in one line, beside its tier and what comes next, and when."""
    environment = {**place.environment, "COLUMNS": str(columns), "FORCE_COLOR": "1"}
    done = subprocess.run(
        place.command("retention", "status"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    head, *lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()
    assert {"index", "tier", "next", "due"} <= {*head.split()}
    assert ("size" in head) == (columns == 120)
    (row,) = (line for line in lines if line.startswith(INDEX))
    assert re.search(r" warm  read_only  \d{4}-\d\d-\d\d  \d{4}-\d\d-\d\d$", row.rstrip()), row
    assert max(len(line.rstrip()) for line in (head, *lines[:-1])) <= columns


def test_removing_an_organization(place: Place) -> None:
    """The id is typed first; what the law keeps, and where copies are left, is told.

    A wrong id changes nothing.
    """
    dry = place.run("retention", "remove-organization", "northwind", "--dry-run", "--json")
    indices = json.loads(dry.stdout)["indices"]
    assert {(one["index"], one["documents"], one["legal"]) for one in indices} == {
        (INDEX, 3, False),
        (f".ds-{BILLING}-000001", 1, True),
    }
    wrong = place.run("retention", "remove-organization", "northwind", typed="northwing\n")
    assert wrong.returncode == 2
    assert "3 entries of northwind to delete." in wrong.stdout
    assert "kept by law until" in wrong.stdout
    assert len(place.ids(STREAM)) == 4

    done = place.run("retention", "remove-organization", "northwind", typed="northwind\n")
    assert done.returncode == 0, done.stderr
    assert "3 entries of northwind were deleted." in done.stdout
    assert "1 are kept by law" in done.stdout
    left = done.stdout.splitlines()[-1]
    assert "The step bus keeps steps of processes, and the spool of each" in left
    assert "docs/retention.md" in left
    assert place.ids(STREAM) == {"s"}
    assert place.ids(BILLING) == {"bill"}
    again = place.run("retention", "remove-organization", "northwind", "--yes", "--json")
    document = json.loads(again.stdout)
    assert (document["deleted"], document["elsewhere"]) == ({STREAM: 3}, left)


WRONG = (
    (("retention", "simulate", "--at", "tomorrow"), 2),
    (("retention", "simulate"), 2),
    (("retention", "simulate", "--at", "2020-01-01"), 2),
    (("retention", "simulate", "--at", "+30d"), 0),
    (("retention", "remove-organization", "A B", "--yes"), 1),
    (("archive", "list", "--since", "never"), 2),
    (("archive", "list", "--repository", "nowhere", "--json"), 1),
)


def test_wrong_use(place: Place) -> None:
    """Bad input is told in a sentence, with the exit code of all verbs."""
    for arguments, code in WRONG:
        done = place.run(*arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert "Traceback" not in done.stderr, arguments


@pytest.mark.parametrize("verb", ["run", "status", "simulate", "explain", "doctor",
                                  "remove-organization"])  # fmt: skip
def test_every_verb_has_examples(verb: str) -> None:
    """Help ends with commands to copy."""
    import click

    from activity_center.cli.retention import command

    found = command.get_command(click.Context(command), verb)
    assert found is not None
    assert "Examples:" in (found.help or "")
