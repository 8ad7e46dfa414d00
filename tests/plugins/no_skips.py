"""A pytest plugin: says at the end what was left out and why; on demand a skip fails.

``make test`` loads it with ``-p no_skips``. With ``ACTIVITY_CENTER_NO_SKIPS=1`` (CI sets
it) a test that skips itself, for want of a tool or a part, counts as failed: a run that
proves less than it seems to must not be green. Marks such as ``slow`` are a choice, not
a lack: those tests are named, and never fail for it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest

FORBIDDEN = os.environ.get("ACTIVITY_CENTER_NO_SKIPS") == "1"
_left_out = pytest.StashKey[dict[str, int]]()
_WORKER_KEY = "left_out"


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    where = report.longrepr
    return str(where[2]) if isinstance(where, tuple) else str(where)


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure; an expected failure (xfail) is reported as skipped too."""
    if FORBIDDEN and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"left out, and ACTIVITY_CENTER_NO_SKIPS=1 forbids that: {_why(report)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips itself."""
    report = yield
    _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself as a whole."""
    report = yield
    _fail(report)
    return report


def pytest_configure(config: pytest.Config) -> None:
    """Start with nothing left out."""
    config.stash[_left_out] = {}


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what a mark expression left out, by mark."""
    for item in items:
        counts = item.config.stash[_left_out]
        mark = "slow" if item.get_closest_marker("slow") else "deselected by -m or -k"
        counts[mark] = counts.get(mark, 0) + 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """An xdist worker hands its counts to the controller."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_WORKER_KEY] = session.config.stash[_left_out]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker collects everything, so one worker's counts are the whole."""
    node.config.stash[_left_out].update(getattr(node, "workeroutput", {}).get(_WORKER_KEY, {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name what was left out, and how to run it."""
    lines = [
        f"{count} slow: run them with make test ARGS='-m slow'"
        if mark == "slow"
        else f"{count} {mark}"
        for mark, count in sorted(config.stash[_left_out].items())
    ]
    lines += [
        f"{report.nodeid}: {_why(report)}"
        for report in terminalreporter.stats.get("skipped", [])
        if not hasattr(report, "wasxfail")
    ]
    if lines:
        terminalreporter.section("left out", sep="-")
        for line in lines:
            terminalreporter.write_line(line)
