"""Every verdict by example: the files of ``cases/`` say what entries prove."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import pytest

from activity_center.agents import Chain, Judgement, judge, read_chains, shipped_policies, verdicts

CASES: Final = sorted(Path(__file__).with_name("cases").glob("*.json"))


def read(file: Path) -> dict[str, Any]:
    """Return a case."""
    case: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return case


def judged(case: dict[str, Any], entries: list[dict[str, Any]]) -> tuple[Chain, Judgement]:
    """Judge the one chain of some entries as the case says."""
    (chain,) = read_chains(entries)
    kept = datetime.fromisoformat(case["kept_since"]) if "kept_since" in case else None
    now = datetime.fromisoformat(case["now"])
    return chain, judge(chain, shipped_policies(), now=now, kept_since=kept)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_case(file: Path) -> None:
    """Verdict, findings with their proof, and state are those that the file states, in whatever
    order the entries come."""
    case = read(file)
    wanted = case["expected"]
    ids = {entry["event"]["id"] for entry in case["entries"]}
    for entries in list(permutations(case["entries"]))[:24]:
        chain, said = judged(case, list(entries))
        assert said.verdict.key == wanted["verdict"]
        assert [one.kind for one in said.findings] == wanted["findings"]
        assert chain.state == wanted.get("state", chain.state)
        assert chain.complete is wanted.get("complete", chain.complete)
        for one in said.findings:
            assert one.text and one.entries
            assert set(one.entries) <= ids
        if "difference" in wanted:
            found = [part.as_dict() for one in said.findings for part in one.difference]
            assert found == wanted["difference"]


def test_every_verdict_has_a_case() -> None:
    """No verdict is without an example, and none is named that is not there."""
    assert {read(file)["expected"]["verdict"] for file in CASES} == set(verdicts())


def test_the_shapes_of_the_api() -> None:
    """The first case states the whole JSON of a chain and of a judgement."""
    case = read(Path(__file__).with_name("cases") / "executed_as_approved.json")
    chain, said = judged(case, case["entries"])
    assert chain.as_dict() == case["expected"]["chain"]
    assert said.as_dict() == case["expected"]["judgement"]


def test_a_finding_as_the_api_has_it() -> None:
    """A finding says its label, its proof and the difference."""
    case = read(Path(__file__).with_name("cases") / "parameters_drifted.json")
    _, said = judged(case, case["entries"])
    shown = said.as_dict()
    assert shown["violation"] is True
    assert shown["findings"] == [
        {
            "kind": "parameters_drifted",
            "label": "Parameters drifted",
            "text": "What ran differs from what was approved: arguments.size_gb, arguments.force.",
            "entries": ["evt_2", "evt_3", "evt_4"],
            "difference": case["expected"]["difference"],
        }
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("initiator_not_told", "Nothing tells who asked"),
        ("approved_by_initiator_with_another_id", "asked the agent for it and approved it"),
        ("approved_by_nobody", "names neither a person nor a rule"),
        ("unproven_approval_after_a_denial", "The last word before it ran was: denied."),
        ("run_again_on_an_unproven_approval", "It ran 2 times; 1 would have been allowed."),
        ("dated_ahead", "It ran 17 s before it was approved."),
    ],
)
def test_what_a_finding_says(name: str, words: str) -> None:
    """A finding says what was seen in this very case."""
    case = read(Path(__file__).with_name("cases") / f"{name}.json")
    _, said = judged(case, case["entries"])
    assert words in said.findings[0].text
