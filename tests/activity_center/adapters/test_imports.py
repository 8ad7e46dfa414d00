"""What each adapter needs, and what it says when that is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = ("agents", "langgraph", "langchain_core", "mcp")


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_nothing_is_loaded_that_was_not_asked_for() -> None:
    """Neither the emitter nor the package of adapters loads a framework."""
    done = run(
        "import sys, activity_center.emit, activity_center.adapters.noted\n"
        f"print([name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("module", "framework", "extra"),
    [
        ("openai_agents", "agents", "openai-agents"),
        ("langgraph", "langgraph.types", "langgraph"),
        ("mcp", "mcp.server.context", "mcp"),
    ],
)
def test_a_missing_framework(module: str, framework: str, extra: str) -> None:
    """The error names what to install; each adapter works without the others' frameworks."""
    load = f"import activity_center.adapters.{module}"
    done = run(f"import sys; sys.modules[{framework!r}] = None; {load}")
    assert f"pip install 'activity-center[{extra}]'" in done.stderr
    needed = {"openai_agents": {"agents", "mcp"}, "langgraph": {"langgraph", "langchain_core"}}
    others = [one for one in FRAMEWORKS if one not in needed.get(module, {module})]
    done = run(f"import sys; sys.modules.update(dict.fromkeys({others})); {load}")
    assert done.returncode == 0, done.stderr
