"""Entries of processes as the collector stores them, and whole runs of producers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=1)
BEYOND = "9999-12-31T23:59:59-17:00"
"""A time that has no counterpart in UTC."""
STEPS = ["Check DNS", "Order certificate", "Install certificate"]
END_ACTIONS = ("process.completed", "process.failed", "process.cancelled")


class Unreadable(dict[str, Any]):
    """A part of an entry that cannot be looked at."""

    def get(self, key: str, default: Any = None) -> Any:
        """Refuse."""
        raise RuntimeError(f"{key} cannot be read")


def entry(action: str, sequence: int | None = None, **fields: Any) -> dict[str, Any]:
    """An entry; ``seconds`` after noon, or ``at`` a moment; other fields with ``__`` between
    their parts."""
    seconds = fields.pop("seconds", sequence or 0)
    at = fields.pop("at", None) or NOON + timedelta(seconds=seconds)
    made: dict[str, Any] = {
        "@timestamp": at if isinstance(at, str) else at.isoformat().replace("+00:00", "Z"),
        "event": {"id": fields.pop("id", f"{action}-{sequence}-{seconds}"), "action": action},
        "organization": {"id": "northwind"},
        "activity": {"lens": "process", "process": {"id": "prc_1"}},
    }
    if sequence is not None:
        made["event"]["sequence"] = sequence
    for name, value in fields.items():
        place = made
        *path, last = name.split("__")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return made


def entry_of(
    process: str,
    action: str,
    sequence: int | None = 1,
    *,
    organization: str = "acme",
    at: datetime | str = NOW,
    own: Mapping[str, Any] = {},
    **fields: Any,
) -> dict[str, Any]:
    """An entry of one process of several.

    Args:
        own: what it says of the process itself, beside its id, and its attempt if not the first.
        fields: of :func:`entry`.
    """
    fields.setdefault("id", f"{process}-{action}-{sequence}")
    return entry(
        action,
        sequence,
        at=at,
        organization__id=organization,
        activity__process={"id": process, "attempt": 1, **own},
        **fields,
    )


@st.composite
def runs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """All entries of one process in the order in which they happened.

    Up to three attempts that end or break off, steps in any order, output of several streams,
    what persons asked, silence and clean-up; some of it without a sequence, as the sidecar
    writes it.
    """
    made: list[dict[str, Any]] = []
    sequence = 0
    clock = 0.0

    def say(action: str, **fields: Any) -> None:
        nonlocal clock
        clock += draw(st.sampled_from([0, 0.001, 1, 70]))
        made.append(entry(action, seconds=clock, id=f"e{len(made)}", **fields))

    def producer(action: str, **fields: Any) -> None:
        nonlocal sequence
        sequence += 1
        if draw(st.booleans()):
            fields["activity__process__lease"] = (
                (NOON + timedelta(seconds=clock + 60)).isoformat().replace("+00:00", "Z")
            )
        say(action, sequence=sequence, activity__process__attempt=attempt, **fields)

    for attempt in range(1, draw(st.integers(1, 3)) + 1):
        offsets: dict[str, int] = {}
        producer(
            "process.started" if attempt == 1 else "process.retried",
            activity__process__steps=draw(st.sampled_from([STEPS, STEPS[:2], []])),
            activity__process__controls=draw(st.lists(st.sampled_from(["cancel", "retry"]))),
            activity__process__channel="ssl",
            user__id=draw(st.sampled_from(["usr_a", "usr_b"])),
        )
        for _ in range(draw(st.integers(0, 12))):
            index = draw(st.integers(0, 3))
            name = [*STEPS, "Something else"][index]
            step = {"id": name.lower().replace(" ", "-"), "name": name}
            if draw(st.booleans()):
                step["index"] = index
            kind = draw(
                st.sampled_from(["step", "output", "beat", "progress", "control", "silence"])
            )
            if kind == "step":
                ending = draw(st.sampled_from(["started", "completed", "failed", "skipped"]))
                fields: dict[str, Any] = {"activity__step": step}
                if ending == "failed":
                    fields["error__message"] = draw(st.text(max_size=20))
                producer(f"process.step.{ending}", **fields)
            elif kind == "output":
                stream = draw(st.sampled_from(["stdout", "stderr"]))
                text = draw(st.text(min_size=1, max_size=30)) * draw(st.sampled_from([1, 40]))
                offset = offsets.get(stream, 0)
                offsets[stream] = offset + len(text.encode())
                said = {"stream": stream, "offset": offset, "text": text}
                producer("process.output", activity__step=step, activity__output=said)
            elif kind == "beat":
                producer("process.heartbeat")
            elif kind == "progress":
                producer("process.progress", activity__process__progress=draw(st.floats(0, 1)))
            elif kind == "control":
                id_ = draw(st.sampled_from(["ctl_1", "ctl_2"]))
                action = draw(
                    st.sampled_from(["cancel", "control_taken", "control_done", "control_expired"])
                )
                of = draw(st.integers(1, attempt))
                control = {"id": id_}
                said = {"activity__control": control, "activity__process__attempt": of}
                say(f"process.{action}", user__id="usr_c", **said)
            else:
                say("process.stalled", activity__process__attempt=attempt)
        if draw(st.booleans()):
            producer(draw(st.sampled_from(END_ACTIONS)), activity__receipt__left_behind=["a"])
        if draw(st.booleans()):
            say(
                "process.cleaned_up",
                activity__process__attempt=attempt,
                event__outcome=draw(st.sampled_from(["success", "failure"])),
                activity__receipt=draw(
                    st.sampled_from([{"left_behind": ["b"]}, {"undone": ["a"]}, {}])
                ),
            )
    return made
