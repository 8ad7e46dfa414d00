"""What the sidecar's answer about a proposal means for the program that waits."""

from __future__ import annotations

import time
from typing import Any

import pytest

from activity_center.emit.decision import Decision, understand
from tests.activity_center.emit.heard import Heard
from tests.activity_center.emit.proposals import MIRA, Sidecar, decided, wish

UNDECIDED: dict[str, Any] = {"state": "proposed", "decisions": []}


@pytest.mark.parametrize("outcome", ["approved", "edited", "auto_approved"])
def test_only_an_authenticated_decision_lets_it_run(outcome: str) -> None:
    """Another producer may claim an approval; it does not count, an authenticated one does."""
    claimed = decided(outcome, authenticated=False, arguments={})
    assert understand(claimed) is None
    known = understand(decided(outcome, arguments={}))
    assert known is not None and known.allows
    claimed["decisions"][0]["authenticated"] = "yes"
    assert understand(claimed) is None


@pytest.mark.parametrize("outcome", ["denied", "expired", "cancelled"])
def test_a_no_counts_from_whomever(outcome: str) -> None:
    """A denial stops, also one that is not authenticated, and beside an approval."""
    no = understand(decided(outcome, authenticated=False))
    assert no is not None and not no.allows
    both = decided("approved")
    both["decisions"] += decided(outcome)["decisions"]
    found = understand(both)
    assert found is not None and found.outcome == outcome
    assert understand({**UNDECIDED, "state": outcome}) == Decision(outcome)


def test_undecided() -> None:
    """No decision is none, whatever else the proposal says."""
    assert understand(UNDECIDED) is None
    assert understand({**UNDECIDED, "state": "executing"}) is None


def test_secrets_in_edited_arguments() -> None:
    """Who edits sees marks instead of secrets; what is left as it was shown means what was
    proposed, and what was changed means what stands there.
    """
    proposed = {"host": "db", "password": "hunter2", "list": [{"key": "s3cret", "n": 1}, 2]}
    shown = {"host": "db", "password": "[redacted]", "list": [{"key": "[redacted]", "n": 1}, 2]}
    edited = {"host": "db2", "password": "[redacted]", "list": [{"key": "[redacted]", "n": 5}, 2]}
    found = understand(decided("edited", shown=shown, arguments=edited), proposed)
    assert found is not None
    assert found.arguments == {
        "host": "db2",
        "password": "hunter2",
        "list": [{"key": "s3cret", "n": 5}, 2],
    }
    assert found.by == MIRA


@pytest.mark.parametrize(
    "answer",
    [
        "no json",
        "[]",
        "{}",
        '{"state": "approved", "decisions": [7]}',
        '{"state": "approved", "decisions": 7}',
        '{"state": "edited", "decisions": [{"outcome": "edited", "arguments": [1], '
        '"authenticated": true}]}',
        '{"state": "approved", "proposed": 5, "decisions": []}',
        "[" * 5000,
        401,
        302,
    ],
    ids=range(10),
)
def test_an_answer_that_is_not_understood_allows_nothing(
    answer: Any, asked: Heard, sidecar: Sidecar, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked again, nothing raises into the program, and the log says so without the token."""
    sidecar.answers = [answer]
    with wish(asked.emitter.agent("agt_ops")) as proposal:
        assert proposal.wait(0.2) is None
    assert "cannot hear of decisions" in caplog.text
    assert "token-of" not in caplog.text


def test_a_sidecar_that_is_away(
    forward: Any, emitter: Any, until: Any, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody listens: the wait ends in its time."""
    away = Heard(forward, emitter, until, controls_url=f"http://127.0.0.1:{free_port}")
    began = time.monotonic()
    with wish(away.emitter.agent("agt_ops")) as proposal:
        assert proposal.wait(0.3) is None
    assert time.monotonic() >= began + 0.3
    assert "ConnectionRefusedError" in caplog.text
