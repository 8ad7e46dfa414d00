"""Processes on a terminal: a row, a step list, and what moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.text import Text

from activity_center.cli.table import table
from activity_center.processes import ENDS
from activity_center.tailing.rows import printable

MARKS: Final = {
    "pending": ("○", "dim"),
    "running": ("●", "cyan"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("–", "yellow"),
    "skipped": ("–", "dim"),
    "stalled": ("?", "yellow"),
    "cleaned up": ("–", "dim"),
}
_SHOWN_LINES: Final = 3
_BAR: Final = 20


def standing(process: Mapping[str, Any]) -> str:
    """The state that people read: cleaned up, or stalled where it fell silent."""
    if process.get("cleaned"):
        return "cleaned up"
    return "stalled" if process.get("stalled") else str(process.get("state"))


def show_table(processes: Sequence[Mapping[str, Any]]) -> None:
    """One row a process; with its organization where they are of several."""
    several = len({one["organization"]["id"] for one in processes}) > 1
    titles = ["State", "Started", "Took", "Channel", "Name", "Id"]
    rows = []
    for one in processes:
        mark, style = MARKS.get(standing(one), ("?", ""))
        cells: list[str | Text] = [Text(f"{mark} {standing(one)}", style), _local(one["started"])]
        cells += [took(one), one["channel"] or "-", one["name"], one["id"]]
        rows.append([*cells, one["organization"]["id"] or "-"] if several else cells)
    table(
        [*titles, "Organization"] if several else titles,
        rows,
        whole=("State", "Started", "Took"),
        rather=("Channel",),
    )


def lines(process: Mapping[str, Any], *, output: int = _SHOWN_LINES) -> Iterator[Text]:
    """A process with its steps, as lines.

    Args:
        output: last lines of output below the steps, while it has not ended well.
    """
    mark, style = MARKS.get(standing(process), ("?", ""))
    done = round(process["progress"] * _BAR)
    head = Text(f"{mark} ", style)
    head.append(printable(process["name"]), "bold")
    head.append(f"  {printable(process['channel'] or '-')}  {standing(process)}", style)
    if process["state"] not in ENDS:
        head.append(f"  {'━' * done}{'╌' * (_BAR - done)} {process['progress']:.0%}", "dim")
    if process["attempt"] > 1:
        head.append(f"  attempt {process['attempt']}")
    head.append(f"  {took(process)}", "dim")
    yield head
    for step in process["steps"]:
        mark, style = MARKS.get(step["state"], ("?", ""))
        line = Text(f"  {mark} ", style)
        line.append(printable(step["name"]))
        line.append(f"  {took(step)}", "dim")
        yield line
    if process["error"]:
        yield Text(f"  {printable(process['error']['message'])}", "red")
    if process["state"] != "done":
        for row in process["output"]["lines"][-output:] if output else ():
            yield Text(f"  │ {printable(row['text'])}", "dim")
    receipt = process["receipt"] or {}
    if not receipt and process["state"] in ("failed", "cancelled"):
        yield Text("  it did not say what is left", "dim")
    for name in ("undone", "left_behind", "needs_person"):
        for text in receipt.get(name, ()):
            yield Text(f"  {name.replace('_', ' ')}: {printable(text)}", "yellow")


def about(process: Mapping[str, Any]) -> Iterator[Text]:
    """What was asked of it, its former attempts, whose it is and when it ran."""
    for one in process["requests"]:
        by = f" by {who}" if (who := _person(one["by"])) else ""
        said = f"{one['kind'] or 'something'} asked{by} {_local(one['at'], year=True)}"
        said += f": {one['reason']}" if one["reason"] else ""
        answer = f": {one['answer']}" if one["answer"] else ""
        said += "" if one["state"] == "requested" else f" ({one['state']}{answer})"
        yield Text(f"  {printable(said)}")
    for one in reversed(process["attempts"]):
        said = f"attempt {one['attempt']}: {one['state']}, {_local(one['started'], year=True)}"
        said += f", at {one['step']}" if one["step"] else ""
        said += f": {one['error']}" if one["error"] else ""
        yield Text(f"  {printable(said)}", "dim")
    target, organization = process["target"] or {}, process["organization"]
    server = _named(process["server"] or {})
    facts = (
        ("organization", _named(organization)),
        ("target", " ".join(part for part in (target.get("type"), _named(target)) if part)),
        ("server", "" if server == _named(target) else server),
        ("account", _named(process["cloud_account"] or {})),
        ("begun by", _person(process["initiator"])),
        ("started", _local(process["started"], year=True)),
        ("ended", _local(process["ended"], year=True) if process["ended"] else ""),
        ("id", process["id"]),
    )
    for name, value in facts:
        if value:
            yield Text(f"  {name:<13} {printable(value)}")


def _named(one: Mapping[str, Any]) -> str:
    """Name and id of something; either may be missing, or both may be the same."""
    name, id_ = one.get("name") or "", one.get("id") or ""
    return f"{name} ({id_})" if name and id_ and name != id_ else name or id_


def _person(one: Mapping[str, Any] | None) -> str:
    """Who did something: the name that people read, and the agent that they prompted."""
    one = one or {}
    name = one.get("full_name") or one.get("name") or one.get("email") or one.get("id") or ""
    agent = one.get("agent")
    return f"{agent} for {name}" if agent and name else str(agent or name)


def moved(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> Iterator[str]:
    """What happened to a process, as plain lines: when, of whom, its id and name, and what."""
    at = f"{_local(now['updated'], seconds=True)}  {now['organization']['id'] or '-'}  {now['id']}"
    name = printable(f"{at}  {now['name']}")
    known = before if before and before["attempt"] == now["attempt"] else None
    if known is None or standing(known) != standing(now):
        yield f"{name}: {standing(now)}"
    steps = {} if known is None else {one["index"]: one["state"] for one in known["steps"]}
    for step in now["steps"]:
        if step["state"] not in ("pending", steps.get(step["index"])):
            yield f"{name}: {printable(step['name'])}: {step['state']}"
    if now["error"] and (known is None or known["error"] != now["error"]):
        yield f"{name}: {printable(now['error']['message'])}"
    asked = {} if before is None else {one["id"]: one["state"] for one in before["requests"]}
    for one in now["requests"]:
        under_way = one["state"] in ("requested", "taken")
        if one["state"] != asked.get(one["id"]) and (before or under_way):
            yield f"{name}: {printable(_request(one))}"


def _request(one: Mapping[str, Any]) -> str:
    """What was asked, or became of it."""
    by, said = one["by"] or {}, f"{one['kind']} {one['state']}"
    who = by.get("name") or by.get("id")
    if one["state"] == "requested":
        said += f" by {who}" if who else ""
        return f"{said}: {one['reason']}" if one["reason"] else said
    return f"{said}: {one['answer']}" if one["answer"] else said


def took(one: Mapping[str, Any]) -> str:
    """How long something took, or has taken until now."""
    duration = one["duration_ms"]
    if duration is None and one["started"] and not one["ended"]:
        since = datetime.now(UTC) - datetime.fromisoformat(one["started"])
        duration = max(since.total_seconds() * 1000, 0)
    if duration is None:
        return ""
    seconds = int(duration // 1000)
    if seconds < 60:
        return f"{duration / 1000:.1f} s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def _local(at: str | None, *, seconds: bool = False, year: bool = False) -> str:
    if not at:
        return "-"
    form = "%m-%d %H:%M:%S" if seconds or year else "%m-%d %H:%M"
    form = f"%Y-{form}" if year else form
    return datetime.fromisoformat(at).astimezone().strftime(form)
