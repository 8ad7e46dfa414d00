"""Retention policies: the files ``opensearch/policies/<class>.json``, read and checked.

Each file is the body that OpenSearch's Index State Management (ISM) gets. Where that plugin
is absent, ``collector.retention`` carries out the same files, so only what both can do is
taken here. What a policy promises is checked against ``retention.yml``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from activity_center.errors import VocabularyError
from activity_center.streams import LENSES, stream_name
from activity_center.vocabulary import retention_classes

PREFIX: Final = "activity-center-"
"""A policy's id in ISM is this and the class: ids are shared by the whole cluster."""

MARK: Final = re.compile(r"activity-center v(\d+): ")
"""A policy has no ``_meta``: its description begins with owner and version instead."""

ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    "rollover": frozenset({"min_index_age", "min_size", "min_doc_count"}),
    "read_only": frozenset(),
    "force_merge": frozenset({"max_num_segments"}),
    "replica_count": frozenset({"number_of_replicas"}),
    "snapshot": frozenset({"repository", "snapshot"}),
    "delete": frozenset(),
}
"""Action -> its parameters. ``shrink`` is not among them: it cannot handle data streams."""

CONDITIONS: Final = frozenset({"min_index_age", "min_rollover_age"})
_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZES: Final = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_QUANTITY: Final = re.compile(r"(\d{1,12})([a-z]+)")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that is done to an index."""

    kind: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Transition:
    """To which state an index goes on, and at which age.

    Attributes:
        age: least age; ``None``: at once.
        since_rollover: the age counts from rollover, else from creation.
    """

    state: str
    age: timedelta | None
    since_rollover: bool


@dataclass(frozen=True, slots=True)
class State:
    """A tier: what is done on entering it, in order, and where it leads."""

    name: str
    actions: tuple[Action, ...]
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to the indices of one retention class.

    Attributes:
        retention_class: also the stem of the file.
        version: as its description says.
        body: what ISM gets: ``{"policy": {...}}``.
    """

    retention_class: str
    version: int
    body: Mapping[str, Any]
    first: str
    states: Mapping[str, State]

    @property
    def id(self) -> str:
        """Its id in ISM."""
        return PREFIX + self.retention_class

    @property
    def keeps(self) -> timedelta | None:
        """Least age at which an index is deleted, counted from its rollover; or never."""
        ages = [
            one.age or timedelta()
            for state in self.states.values()
            for one in state.transitions
            if any(action.kind == "delete" for action in self.states[one.state].actions)
        ]
        return min(ages, default=None)

    @property
    def repository(self) -> str | None:
        """The repository that it archives to, if it does."""
        for state in self.states.values():
            for action in state.actions:
                if action.kind == "snapshot":
                    return str(action.parameters["repository"])
        return None


def policies(folder: Path | None = None) -> dict[str, Policy]:
    """Read the policies, by retention class.

    Args:
        folder: default: ours.

    Raises:
        VocabularyError: a file cannot be read, says what we cannot carry out, or promises
            something else than ``retention.yml``; or a class has no file.
    """
    from activity_center.assets import data_folder

    folder = folder or data_folder("opensearch/policies")
    found = {}
    for file in sorted(folder.glob("*.json")):
        try:
            body = json.loads(file.read_text(encoding="utf-8"))
            found[file.stem] = parse(file.stem, body)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise VocabularyError(
                f"not readable as a policy: {wrong!r}", where=str(file)
            ) from wrong
    if found.keys() != retention_classes().keys():
        other = ", ".join(sorted(found.keys() ^ retention_classes().keys()))
        raise VocabularyError(f"classes and policies differ: {other}", where=str(folder))
    return found


def parse(retention_class: str, body: Mapping[str, Any]) -> Policy:
    """Make a policy of what ISM gets.

    Raises:
        VocabularyError: as for :func:`policies`.
    """
    inner = body["policy"]
    mark = MARK.match(inner["description"])
    if not mark:
        raise VocabularyError(
            'the description does not begin with "activity-center v1: " or a later version',
            where=retention_class,
        )
    states = {one["name"]: _state(one) for one in inner["states"]}
    policy = Policy(retention_class, int(mark.group(1)), body, inner["default_state"], states)
    for problem in _problems(policy):
        raise VocabularyError(problem, where=f"opensearch/policies/{retention_class}.json")
    return policy


def patterns(retention_class: str) -> list[str]:
    """The names of a class's streams: the shared one and organizations' own, lens by lens.

    ``activity-*-<class>*`` would also match the streams of an organization of that name.
    """
    names = [stream_name(lens, retention_class) for lens in LENSES]
    return [pattern for name in names for pattern in (name, f"{name}-*")]


def duration(text: str) -> timedelta:
    """``"30d"`` and the like.

    Raises:
        VocabularyError: not a whole number with d, h, m, s or ms.
    """
    return timedelta(milliseconds=_quantity(text, _UNITS))


def size(text: str) -> int:
    """``"30gb"`` and the like in bytes.

    Raises:
        VocabularyError: not a whole number with b, kb, mb, gb or tb.
    """
    return _quantity(text, _SIZES)


def _quantity(text: Any, units: Mapping[str, int]) -> int:
    found = _QUANTITY.fullmatch(str(text))
    if not found or found.group(2) not in units:
        raise VocabularyError(f"{text!r} is not understood; units are {', '.join(units)}")
    return int(found.group(1)) * units[found.group(2)]


def _state(body: Mapping[str, Any]) -> State:
    actions = []
    for one in body["actions"]:
        ((kind, parameters),) = ((k, v) for k, v in one.items() if k not in ("retry", "timeout"))
        if kind not in ACTIONS or not parameters.keys() <= ACTIONS[kind]:
            raise VocabularyError(f"this cannot be carried out: {json.dumps(one)}")
        actions.append(Action(kind, parameters))
    return State(body["name"], tuple(actions), tuple(map(_transition, body["transitions"])))


def _transition(body: Mapping[str, Any]) -> Transition:
    conditions = body.get("conditions") or {}
    if not (len(conditions) <= 1 and conditions.keys() <= CONDITIONS):
        raise VocabularyError(f"this condition cannot be checked: {json.dumps(conditions)}")
    for kind, age in conditions.items():
        return Transition(body["state_name"], duration(age), kind == "min_rollover_age")
    return Transition(body["state_name"], None, since_rollover=False)


def _problems(policy: Policy) -> Iterator[str]:
    """Where a policy breaks its class's promise, or would break a data stream."""
    wanted = retention_classes().get(policy.retention_class)
    if wanted is None:
        yield "no retention class has this name"
        return
    targets = {one.state for state in policy.states.values() for one in state.transitions}
    for missing in sorted({policy.first, *targets} - policy.states.keys()):
        yield f"a transition leads to {missing}, which is not there"
        return
    kept = None if wanted.days is None else timedelta(days=wanted.days)
    if policy.keeps != kept:
        yield f"deletes after {policy.keeps}, retention.yml says {kept}"
    templates = policy.body["policy"].get("ism_template") or [{}]
    listed = [one for template in templates for one in template.get("index_patterns", ())]
    if sorted(listed) != sorted(patterns(policy.retention_class)):
        yield f"ism_template must name {', '.join(patterns(policy.retention_class))}"
    first = policy.states[policy.first]
    if not first.actions or first.actions[0].kind != "rollover":
        yield "the first action must be rollover: a write index cannot be deleted"
    for state in policy.states.values():
        for one in state.transitions:
            deletes = any(action.kind == "delete" for action in policy.states[one.state].actions)
            if deletes and not one.since_rollover:
                yield "deletion must go by min_rollover_age, or the youngest entries go early"
