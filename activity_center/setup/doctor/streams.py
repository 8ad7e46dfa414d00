"""Our streams and templates: there, healthy, writable, current, and whole when searched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from activity_center.answers import whole
from activity_center.errors import IncompleteAnswer
from activity_center.setup.apply import look
from activity_center.setup.cluster import FORBIDDEN, Stream, ask, read_plain, read_streams
from activity_center.setup.doctor.finding import Finding, fail, ok, unreadable, warn
from activity_center.setup.steps import Action, Kind
from activity_center.streams import ALERTS_STREAM, LENS_PATTERNS, REJECTED_STREAM

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.setup.desired import Desired

INSTALL: Final = "run activity-center install --config FILE"

BLOCKS: Final = {
    "index.blocks.read_only_allow_delete": "flood stage: free disk space, it goes by itself then",
    "index.blocks.read_only": "",
    "index.blocks.write": "",
    "index.blocks.metadata": "",
}
"""Setting of a write index -> why it may be there; empty: someone set it."""


def check_streams(client: OpenSearch, desired: Desired) -> Iterator[Finding]:
    """Each stream exists, is no plain index, is not red, and can be written to."""
    streams = read_streams(client)
    plain = read_plain(client, desired.streams)
    for name, kind in sorted(plain.items()):
        if name == desired.state_index:
            continue
        yield fail(
            "streams",
            f"{name} is a plain {kind}, not a data stream: it was created by a write before "
            "install",
            f"copy it with _reindex (op_type create), delete it, then {INSTALL}",
        )
    missing = [name for name in desired.streams if name not in streams and name not in plain]
    if missing:
        yield fail(
            "streams",
            f"missing: {_some(missing)}; what belongs there waits in the spool",
            INSTALL,
        )
    sick = [finding for stream in streams.values() for finding in _stream(stream)]
    yield from sick
    if not (plain or missing or sick):
        yield ok("streams", f"all {len(desired.streams)} are there, healthy and writable")


def _stream(stream: Stream) -> Iterator[Finding]:
    if stream.status == "RED":
        yield fail(
            "streams",
            f"{stream.name} is red: some of its documents cannot be reached",
            "GET _cluster/allocation/explain says why",
        )
    for block, why in BLOCKS.items():
        if str(stream.settings.get(block, "false")) == "true":
            yield fail(
                "streams",
                f"{stream.name} takes no writes: {block} on {stream.write_index}",
                why or f'PUT {stream.write_index}/_settings {{"{block}": null}}',
            )


def check_templates(client: OpenSearch, desired: Desired) -> Iterator[Finding]:
    """What ``install`` would do; missing streams are named by :func:`check_streams`."""
    plan = look(client, desired)
    named = [
        step
        for step in plan.of(Action.CREATE, Action.CHANGE, Action.REFUSE, Action.SKIP)
        if not (step.kind is Kind.STREAM and step.action is not Action.CHANGE)
    ]
    for step in named:
        words = f"{step.kind} {step.name}"
        if step.action is Action.REFUSE:
            yield fail("templates", f"{words}: {step.reason}", "see the message")
        elif step.action is Action.SKIP:
            # What there is to do about a monitor is no matter of rights, or its reason says so.
            rights = "run doctor as an administrator"
            advice = "see the message" if step.kind is Kind.MONITOR else rights
            yield warn("templates", f"{words}: {step.reason}", advice)
        elif step.action is Action.CREATE:
            yield fail("templates", f"{words} is missing", INSTALL)
        elif step.kind is Kind.SETTING:
            yield warn(
                "templates",
                f"{step.name} is {step.differences[0].there}: a misspelt stream would become a "
                "plain index",
                INSTALL,
            )
        else:
            where = step.differences[0].path if step.differences else ""
            yield warn("templates", f"{words}: {step.reason} (at {where})", INSTALL)
    if not named:
        yield ok("templates", "templates, state index, settings and roles are current")


def check_completeness(client: OpenSearch) -> Iterator[Finding]:
    """Whether a search over everything reaches every shard (OpenSearch answers 200 if not)."""
    patterns = ",".join((*LENS_PATTERNS, REJECTED_STREAM, ALERTS_STREAM))
    answer = ask(
        client,
        "POST",
        f"/{patterns}/_search",
        params={
            "allow_partial_search_results": "true",
            "ignore_unavailable": "true",
            "expand_wildcards": "open,hidden",
        },
        body={"size": 0, "track_total_hits": False},
        allow=(FORBIDDEN, 503),
    )
    if answer.status == FORBIDDEN:
        yield unreadable("completeness", "documents")
        return
    try:
        shards = whole(answer.body)["_shards"]
    except IncompleteAnswer as wrong:
        yield fail(
            "completeness",
            f"answers are incomplete: {wrong.message}" if answer.ok else "no shard answers",
            "wait while shards recover; else GET _cluster/allocation/explain says why",
        )
    else:
        yield ok("completeness", f"a search reaches all {shards['total']} shards")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
