"""Monitors of the Alerting plugin: reading them, comparing them with ours, putting them.

The plugin gives a monitor an id of its own and has no export or import, so ours are known by
the id of their trigger, which names the rule, and by the name of both, which is the rule's
title, today's or an earlier one: a copy that somebody made under another name stays theirs.
The plugin gives a query back with every default written out; a difference is what we want and
is not there, and what is there beyond those defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activity_center.alerting.monitors import LONGEST_NAME, TITLE, rule_name
from activity_center.setup.cluster import FORBIDDEN, NO_HANDLER, ask
from activity_center.setup.compare import Difference, scalar
from activity_center.setup.steps import Action, Kind, Step

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

MONITORS: Final = "/_plugins/_alerting/monitors"
_MOST: Final = 1000
"""Monitors that the plugin allows by default."""
_NO_INDEX: Final = "index_not_found_exception"
_BOOKKEEPING: Final = frozenset(
    {"schema_version", "user", "enabled_time", "last_update_time", "data_sources", "owner"}
    | {"ui_metadata", "delete_query_index_in_every_run", "should_create_single_alert_for_findings"}
)
"""Keys of a monitor that the plugin adds by itself."""
DEFAULTS: Final[Mapping[str, frozenset[str]]] = {
    "adjust_pure_negative": frozenset({"true"}),
    "boost": frozenset({"1", "1.0"}),
    "execution_hint": frozenset({"None", "direct"}),
    "gap_policy": frozenset({"skip"}),
    "missing_bucket": frozenset({"false"}),
    "missing_order": frozenset({"default"}),
    "order": frozenset({"asc"}),
    "value_type": frozenset({"string"}),
}
"""Key -> values that it has where nobody set it; OpenSearch writes them into what it returns."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A monitor that the plugin holds.

    Attributes:
        id: the plugin's.
        seq_no, primary_term: of its last change.
    """

    id: str
    body: Mapping[str, Any]
    seq_no: int
    primary_term: int


class Refused(dict[str, list[Installed]]):
    """Stands for the monitors where this account may not read them."""


def read_monitors(client: OpenSearch) -> dict[str, list[Installed]] | None:
    """All monitors that bear our mark, by rule.

    Returns:
        ``None`` where there is no such plugin; :class:`Refused` without the right.
    """
    answer = ask(
        client,
        "POST",
        f"{MONITORS}/_search",
        body={"size": _MOST, "seq_no_primary_term": True, "query": {"match_all": {}}},
        allow=(*NO_HANDLER, FORBIDDEN),
    )
    if answer.status == FORBIDDEN:
        return Refused()
    if not answer.ok:
        # The index of monitors comes to be with the first one.
        return {} if _NO_INDEX in str(answer.body) else None
    return by_rule(answer.body["hits"]["hits"])


def by_rule(hits: Iterable[Mapping[str, Any]]) -> dict[str, list[Installed]]:
    """The monitors that bear our mark, by rule, from hits of the plugin's search."""
    found: dict[str, list[Installed]] = {}
    for hit in hits:
        body = hit["_source"].get("monitor", hit["_source"])
        rule = rule_name(body)
        if rule:
            one = Installed(hit["_id"], body, hit["_seq_no"], hit["_primary_term"])
            found.setdefault(rule, []).append(one)
    return found


def steps(
    desired: Mapping[str, Mapping[str, Any]] | None,
    current: Mapping[str, list[Installed]] | None,
    *,
    relied: bool = False,
    unevaluated: Sequence[str] = (),
) -> Iterator[Step]:
    """What to do about each monitor; nothing where there is no plugin.

    A monitor that is off and not there is not made.

    Args:
        desired: ``None``: who evaluates the rules is not known.
        current: see :func:`read_monitors`.
        relied: the configuration leaves rules to the plugin (``alerts.engine``).
        unevaluated: rules that neither the plugin nor a collector evaluates.
    """
    if current is None:
        if relied and desired:
            why = f"there is no Alerting plugin here: nobody evaluates {len(desired)} rules that "
            why += "alerts.engine: plugin leaves to it; set alerts.engine: collector"
            yield Step(Kind.MONITOR, "monitors", Action.SKIP, why)
        return
    if desired is None:
        why = "are left as they are: --config FILE says whether a collector evaluates the rules"
        yield Step(Kind.MONITOR, "monitors", Action.SKIP, why)
        return
    if unevaluated:
        why = "nobody evaluates these, which the plugin cannot: set alerts.enabled, and with "
        why += f"engine: plugin the others stay monitors: {', '.join(unevaluated)}"
        yield Step(Kind.MONITOR, "rules", Action.SKIP, why)
    if isinstance(current, Refused):
        why = "this account may not manage monitors: have an administrator run install"
        yield Step(Kind.MONITOR, "monitors", Action.SKIP, why)
        return
    for rule, body in desired.items():
        ours = _ours(current.get(rule, ()), body)
        there = ours[0] if ours else None
        for one in ours[1:]:
            why = f"a second one of this rule, {one.body.get('name')!r}: remove it in Alerting"
            yield Step(Kind.MONITOR, rule, Action.SKIP, why)
        if there is None:
            if body["enabled"]:
                yield Step(Kind.MONITOR, rule, Action.CREATE, str(body["monitor_type"]), body=body)
            continue
        changes = tuple(differences(there.body, body))
        if changes:
            why = "differs from the rule: is put right"
            yield Step(Kind.MONITOR, rule, Action.CHANGE, why, changes, (there, body))
        else:
            yield Step(Kind.MONITOR, rule, Action.LEAVE)
    for rule in sorted(current.keys() - desired.keys()):
        why = "its rule is gone, or is evaluated by the collector alone; remove it in Alerting"
        yield Step(Kind.MONITOR, rule, Action.SKIP, why)


def put_monitor(client: OpenSearch, step: Step) -> None:
    """Create a monitor, or replace exactly the version that was compared."""
    if step.action is Action.CREATE:
        ask(client, "POST", MONITORS, body=step.body)
        return
    there, body = step.body
    condition = {"if_seq_no": there.seq_no, "if_primary_term": there.primary_term}
    ask(client, "PUT", f"{MONITORS}/{there.id}", params=condition, body=body)


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Difference]:
    """Where a monitor differs from the one that we want, by path."""
    kept = {key: value for key, value in there.items() if key not in _BOOKKEEPING}
    return [*_compare("", kept, wanted)]


def _ours(there: Iterable[Installed], body: Mapping[str, Any]) -> list[Installed]:
    """The monitors of a rule that we made, under today's title first."""
    ours = [one for one in there if one.body.get("name") in (body["name"], _made_as(one.body))]
    return sorted(ours, key=lambda one: one.body.get("name") != body["name"])


def _made_as(body: Mapping[str, Any]) -> str:
    """The name under which we would have made a monitor with the title that its trigger has."""
    titles = [
        one.get("name")
        for trigger in body.get("triggers") or ()
        for one in trigger.values()
        if isinstance(one, Mapping)
    ]
    return f"{TITLE}{titles[0]}"[:LONGEST_NAME] if titles else ""


def _compare(path: str, there: Any, wanted: Any) -> Iterator[Difference]:
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        for key in {**wanted, **there}:
            here = f"{path}.{key}" if path else str(key)
            if key in wanted and key in there:
                yield from _compare(here, there[key], wanted[key])
            elif key in wanted and wanted[key] not in (None, [], {}):
                yield Difference(here, None, wanted[key])
            elif key in there and not _default(key, there[key]):
                yield Difference(here, there[key], None)
    elif _is_list(wanted) and _is_list(there):
        if len(wanted) != len(there):
            yield Difference(path, there, wanted)
            return
        for number, (old, new) in enumerate(zip(there, wanted, strict=True)):
            yield from _compare(f"{path}[{number}]", old, new)
    elif _plain(there) != _plain(wanted):
        yield Difference(path, there, wanted)


def _default(key: str, value: Any) -> bool:
    if value in (None, [], {}):
        return True
    return isinstance(value, str | bool | int | float) and scalar(value) in DEFAULTS.get(key, ())


def _plain(value: Any) -> Any:
    """A value as text: OpenSearch turns whole numbers into fractions and back."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else value if _is_list(value) else scalar(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
