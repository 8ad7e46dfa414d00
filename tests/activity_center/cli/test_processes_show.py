"""``processes show``: whose a process is, and what was asked of it, as of the page."""

from __future__ import annotations

import re
from typing import Any

from activity_center.cli.processes_show import about, lines, moved
from activity_center.processes import Process, apply

ENTRIES: list[tuple[str, int, dict[str, Any]]] = [
    ("process.started", 1, {}),
    ("process.step.failed", 1, {"step": {"id": "s", "name": "Order \x1b[2J", "index": 0}}),
    ("process.failed", 1, {"error": "the quota is used up"}),
    ("process.retry", 1, {"id": "ctl_1", "reason": "the quota is raised"}),
    ("process.control_taken", 1, {"id": "ctl_1"}),
    ("process.started", 2, {}),
    ("process.cancel", 2, {"id": "ctl_2", "reason": "too slow"}),
    ("process.cancelled", 2, {}),
    ("process.cleanup", 2, {"id": "ctl_3"}),
    ("process.cleaned_up", 2, {"receipt": {"undone": ["the server"]}}),
]


def _folded(entries: list[tuple[str, int, dict[str, Any]]]) -> Process:
    """The process of these entries, a minute apart."""
    process: Process | None = None
    for number, (action, attempt, said) in enumerate(entries):
        asked = "id" in said
        entry: dict[str, Any] = {
            "@timestamp": f"2026-11-24T13:{number:02}:00Z",
            "event": {"id": f"e{number}", "action": action, "sequence": number},
            "organization": {"id": "northwind", "name": "Northwind"},
            "user": {"id": "usr_mk", "name": "mira"} if not asked else {"id": "usr_jo"},
            "activity": {
                "lens": "process",
                "process": {"id": "prc_1", "attempt": attempt, "name": "Deploy", "channel": "ssl"},
                "resource": {"type": "server", "id": "srv_7", "name": "web-7"},
                **{name: said[name] for name in ("step", "receipt") if name in said},
            },
        }
        if asked:
            entry["activity"]["control"] = {"id": said["id"]}
            entry["event"]["reason"] = said.get("reason", "")
        if "error" in said:
            entry["error"] = {"message": said["error"]}
        found = apply(process, entry)
        process = found[0] if found else process
    assert process is not None
    return process


def test_all_that_people_ask_of_a_process() -> None:
    """Who asked for what, when and why, and what became of it; the former attempt; whose it is,
    what it works on, who began it and when; that it is cleaned up. Nothing steers a terminal."""
    process = _folded(ENTRIES).as_dict()
    text = "\n".join(line.plain for line in (*lines(process), *about(process)))
    assert text.splitlines()[0].startswith("– Deploy  ssl  cleaned up  attempt 2")
    when = r"2026-11-2\d \d\d:\d\d:00"
    for words in (
        rf"  retry asked by usr_jo {when}: the quota is raised \(",
        rf"  cancel asked by usr_jo {when}: too slow",
        rf"  cleanup asked by usr_jo {when}",
        rf"  attempt 1: failed, {when}, at Order \\x1b\[2J: the quota is used up",
        r"  undone: the server",
        r"  organization  Northwind \(northwind\)",
        r"  target        server web-7 \(srv_7\)",
        r"  begun by      mira",
        rf"  started       {when}",
        rf"  ended         {when}",
        r"  id            prc_1",
    ):
        assert re.search(rf"^{words}", text, re.M), (words, text)
    assert "\x1b" not in text
    assert "  server  " not in text  # it is the target


def test_what_is_not_known_is_not_said() -> None:
    """A process of which little is told has few lines."""
    process = _folded([("process.started", 1, {})]).as_dict()
    nothing = dict.fromkeys(("target", "server", "initiator"))
    process = {**process, **nothing, "organization": {"id": "", "name": None}}
    said = [line.plain.split()[0] for line in about(process)]
    assert said == ["started", "id"]


def test_being_cleaned_up_is_a_step_that_is_told() -> None:
    """Who watches is told when a process is cleaned up, once."""
    before, now = _folded(ENTRIES[:-1]).as_dict(), _folded(ENTRIES).as_dict()
    told = [*moved(before, now)]
    assert sum(line.endswith(": cleaned up") for line in told) == 1
    assert [*moved(now, now)] == []
