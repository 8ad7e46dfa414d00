"""Every rule does what its own cases say, on a real OpenSearch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.alerting import Case, Rule, load_rules
from activity_center.errors import ClusterError
from activity_center.setup import desired_state
from activity_center.setup.cluster import ask
from collector.alerts.replay import PREFIX, Outcome, documents, replay
from collector.retention.archive import leftovers

if TYPE_CHECKING:
    from tests.conftest import Node

RULES = load_rules()


@pytest.fixture(scope="module")
def outcomes(opensearch: Node) -> dict[tuple[str, str], Outcome]:
    """What every case of every rule did, replayed in one go."""
    found: Iterator[Outcome] = replay(opensearch.client, desired_state(), RULES.values())
    return {(one.rule.name, one.case.name): one for one in found}


@pytest.mark.parametrize(
    ("rule", "case"),
    [(rule.name, case.name) for rule in RULES.values() for case in rule.cases],
)
def test_case(rule: str, case: str, outcomes: dict[tuple[str, str], Outcome]) -> None:
    """A case that must fire fires as often as it says, and one that must not does not."""
    one = outcomes[rule, case]
    assert len(one.messages) == one.case.fires, one.messages


def _weaker() -> Iterator[tuple[str, Rule]]:
    """Each rule with one condition less, and with a limit that is one higher or lower."""
    for rule in RULES.values():
        for key in ("query", "counterpart", "rather", "own", "unless", "basis"):
            conditions = getattr(rule, key)
            for number in range(len(conditions)):
                rest = conditions[:number] + conditions[number + 1 :]
                changed: dict[str, Any] = {key: rest}
                yield f"{rule.name} without {key}.{number}", replace(rule, **changed)
        for limit in {rule.at_least + 1, max(rule.at_least - 1, 1)} - {rule.at_least}:
            yield f"{rule.name} from {limit:g} on", replace(rule, at_least=limit)


WEAKER = dict(sorted(_weaker()))


@pytest.fixture(scope="module")
def proven(opensearch: Node) -> set[str]:
    """The changed rules of which a case came out wrong."""
    outcomes = replay(opensearch.client, desired_state(), WEAKER.values())
    return {
        name
        for name, rule in WEAKER.items()
        if [one.right for one in islice(outcomes, len(rule.cases))].count(False)
    }


@pytest.mark.parametrize("name", WEAKER)
def test_the_cases_prove_every_condition(name: str, proven: set[str]) -> None:
    """Without any one of its conditions, or with another limit, a rule fails its own cases."""
    assert name in proven


def test_the_index_of_a_replay_is_removed(
    opensearch: Node, outcomes: dict[tuple[str, str], Outcome]
) -> None:
    """A replay leaves nothing behind, also when a document of a case is refused."""
    assert outcomes
    broken = replace(
        RULES["break-glass"],
        cases=(Case("no date", 1, documents=({"at": "-1m", "event.start": "yesterday"},)),),
    )
    with pytest.raises(ClusterError, match="a document of a case is refused"):
        list(replay(opensearch.client, desired_state(), [broken]))
    params = {"expand_wildcards": "all"}
    left = ask(opensearch.client, "GET", f"/_resolve/index/{PREFIX}*", params=params).body
    assert left["indices"] == []


def test_the_retention_lets_a_running_replay_alone(opensearch: Node) -> None:
    """The index of a replay is none that the retention removes as left behind by a killed run."""
    running = replay(opensearch.client, desired_state(), [RULES["break-glass"]])
    next(running)
    there = ask(opensearch.client, "GET", f"/{PREFIX}*", params={"expand_wildcards": "all"}).body
    assert len(there) >= 2
    assert there.keys() & {*leftovers(opensearch.client)} == set()
    assert all(one.right for one in running)


def test_a_case_that_expects_the_wrong_thing_is_told(opensearch: Node) -> None:
    """A case whose number of alerts is wrong comes out as wrong."""
    rule = RULES["break-glass"]
    lying = replace(rule, cases=(replace(rule.cases[0], fires=0),))
    (one,) = replay(opensearch.client, desired_state(), [lying])
    assert not one.right
    assert len(one.messages) == 1


def test_copies_of_a_sample() -> None:
    """``times`` and ``every`` make copies so far apart, and # becomes the number of each."""
    sample = {"at": "-10m", "times": 3, "every": "2m", "user.name": "person-#"}
    case = Case("three", 0, documents=(sample,))
    made = [*documents(case)]
    assert [one["user"]["name"] for one in made] == ["person-0", "person-1", "person-2"]
    assert [one["@timestamp"] for one in made] == [
        "2026-11-24T12:55:00.000+00:00",
        "2026-11-24T12:57:00.000+00:00",
        "2026-11-24T12:59:00.000+00:00",
    ]
