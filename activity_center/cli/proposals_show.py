"""Proposals on a terminal: a row, a whole chain, a change of verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from activity_center.agents.policy import UNRATED
from activity_center.tailing.rows import local_time, printable

if TYPE_CHECKING:
    from activity_center.agents import Chain, Judgement
    from activity_center.agents.oversight import Oversight
    from activity_center.agents.replay import Changed

_STYLES: Final = {"destructive": "red", "caution": "yellow", "safe": "green"}


def fits(
    chain: Chain,
    said: Judgement,
    *,
    state: tuple[str, ...],
    impact: tuple[str, ...],
    verdict: tuple[str, ...],
    agent: str | None,
    tool: str | None,
    approver: str | None,
    initiator: str | None,
) -> bool:
    """Whether a chain is what was asked for; several values of one filter are alternatives."""
    return (
        (not state or chain.state in state)
        and (not impact or (chain.impact or UNRATED) in impact)
        and (not verdict or not said.kinds.isdisjoint(verdict))
        and _is(agent, [chain.agent])
        and (tool is None or chain.tool["name"] == tool)
        and _is(approver, [one.approver for one in chain.decisions])
        and _is(initiator, [chain.initiator])
    )


def _is(wanted: str | None, people: Iterable[dict[str, Any]]) -> bool:
    return wanted is None or any(wanted in one.values() for one in people)


def table(found: Iterable[tuple[Chain, Judgement]]) -> Table:
    """One row a proposal."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Verdict", "Proposed", "Impact", "Tool", "Target", "Agent", "Id"):
        whole = title in ("Verdict", "Proposed", "Impact", "Id")
        made.add_column(title, overflow="fold" if whole else "ellipsis", no_wrap=True)
    for chain, said in found:
        shown = chain.as_dict()
        target = shown["target"]["name"] or shown["target"]["id"]
        made.add_row(
            Text(said.verdict.label, "red" if said.verdict.violation else ""),
            Text(local_time(shown["proposed_at"] or shown["started_at"])),
            Text(chain.impact or "-", _STYLES.get(chain.impact, "")),
            *(
                Text(printable(text) or "-")
                for text in (
                    shown["tool"]["name"],
                    target,
                    shown["agent"]["name"] or shown["agent"]["id"],
                    chain.id,
                )
            ),
        )
    return made


def lines(chain: Chain, said: Judgement) -> Iterator[str]:
    """Yield a whole chain, verdict first."""
    shown = chain.as_dict()
    yield f"{'! ' if said.verdict.violation else ''}{said.verdict.label}"
    yield f"  {said.verdict.explanation}"
    for one in said.findings:
        yield f"  - {printable(one.text)}"
        for part in one.difference:
            yield f"      {printable(part.path)}: {_json(part.approved)} -> {_json(part.ran)}"
    yield f"  What to do: {said.verdict.what_to_do}"
    yield f"  Policy: {said.policy.id} version {said.policy.version}"
    yield ""
    tool, target = shown["tool"]["name"], shown["target"]["name"] or shown["target"]["id"]
    yield f"{printable(tool)} on {printable(target)} ({chain.impact or 'impact not rated'})"
    yield f"  asked for by {_who(shown['initiator'])}, proposed by {_who(shown['agent'])}"
    if shown["proposed"]:
        arguments = _json(shown["proposed"]["arguments"])
        yield f"{local_time(shown['proposed_at'])}  proposed  {arguments}"
        if chain.rationale:
            yield f"  because: {printable(chain.rationale)}"
    for one in shown["decisions"]:
        by = f" by {_who(one['approver'])}" if one["approver"] else f" by {one['source'] or '-'}"
        proof = "" if one["authenticated"] or not one["approver"] else " (not authenticated)"
        waited = "" if one["wait_ms"] is None else f" after {one['wait_ms'] / 1000:g} s"
        yield f"{local_time(one['at'])}  {printable(one['outcome'])}{by}{proof}{waited}"
        if one["reason"]:
            yield f"  because: {printable(one['reason'])}"
        if one["confirmation"]:
            yield f"  typed: {printable(one['confirmation'])}"
    for one in shown["executions"]:
        begun = one["started"] or one["ended"]
        yield f"{local_time(begun)}  {one['state']}  {_json(one['arguments'])}"
        if one["output"] is not None:
            yield f"  output: {_json(one['output'])}"
        if one["error"]:
            yield f"  error: {printable(one['error'])}"
    yield f"Entries: {', '.join(map(printable, shown['entries']))}"


def oversight_table(rows: Iterable[Oversight]) -> Table:
    """One row an approver and impact."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Approver", "Impact"):
        made.add_column(title, overflow="ellipsis", no_wrap=True)
    for title in ("Decided", "Approved", "In a row", "Standing", "p50 s", "p95 s"):
        made.add_column(title, justify="right", no_wrap=True)
    for one in rows:
        rate = "-" if one.approval_rate is None else f"{one.approval_rate:.0%}"
        times = ("-" if ms is None else f"{ms / 1000:.1f}" for ms in (one.p50_ms, one.p95_ms))
        counts = (str(one.decided), rate, str(one.in_a_row), str(one.standing))
        made.add_row(Text(printable(one.name)), Text(one.impact or "-"), *counts, *times)
    return made


def change(one: Changed) -> str:
    """What would be said of a chain else, as a line: the gravest, then what comes and goes."""
    before, after = one.before.verdict.key, one.after.verdict.key
    gravest = after if before == after else f"{before} -> {after}"
    rest = [f"+{key}" for key in one.appears if key != after]
    rest += [f"-{key}" for key in one.disappears if key != before]
    why = "; ".join(printable(part.text) for part in one.after.findings[:2])
    policy = f"{one.after.policy.id} version {one.after.policy.version}"
    parts = [printable(one.chain.id), " ".join([gravest, *rest]), f"({policy})", why]
    return "  ".join(part for part in parts if part)


def _who(person: dict[str, Any] | None) -> str:
    names = (person or {}).get
    return printable(names("full_name") or names("name") or names("id")) or "somebody"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return printable(text if len(text) <= 400 else f"{text[:400]}...")
