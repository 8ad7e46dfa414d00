"""Replaying the cases of rules on a real OpenSearch, in an index of its own.

The index has the mappings that the streams have, a name that none of our templates and no
clean-up of the retention takes, and is removed at the end whatever happens, but for a kill -9.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.alerting import Case, Rule
from activity_center.alerting.rules import seconds
from activity_center.config_alerts import Hours
from activity_center.errors import ClusterError
from activity_center.setup.cluster import NOT_FOUND, ask
from collector.alerts.evaluate import Evaluator
from collector.alerts.finding import moment

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.setup import Desired

PREFIX: Final = "activity-center-replay-"
HOURS: Final = Hours()
"""Cases are written for these, whatever the configuration says."""
_CASE: Final = "case"
_OWN: Final = ("at", "times", "every")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case did.

    Attributes:
        messages: of the alerts that fired.
    """

    rule: Rule
    case: Case
    messages: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether as many alerts fired as the case says."""
        return len(self.messages) == self.case.fires


def replay(client: OpenSearch, desired: Desired, rules: Iterable[Rule]) -> Iterator[Outcome]:
    """Yield the outcome of every case of the rules, in order.

    Args:
        client: of an account that may make and remove an index.
        desired: whose component templates have the mappings.

    Raises:
        ClusterError: no answer, a right is missing, or a document of a case is refused.
    """
    cases = [(rule, case) for rule in rules for case in rule.cases]
    with _scratch(client, desired) as places:
        _fill(client, places, cases)
        for number, (rule, case) in enumerate(cases):
            also = {"term": {_CASE: {"value": str(number)}}}
            evaluator = Evaluator(client, HOURS, places=places, also=also, machine="this-machine")
            found = evaluator.evaluate(rule, _now(case), case.figures).findings
            yield Outcome(rule, case, tuple(one.message for one in found))


def documents(case: Case) -> Iterator[dict[str, Any]]:
    """Yield the documents of a case, copies made and dotted names spread out."""
    now = _now(case)
    for number, sample in enumerate(case.documents):
        apart = seconds(sample.get("every", "1s"))
        for copy in range(sample.get("times", 1)):
            when = now - seconds(sample["at"][1:]) * 1000 + copy * apart * 1000
            document: dict[str, Any] = {"@timestamp": moment(when)}
            _put(document, "event.id", f"{number}-{copy}")
            for name, value in sample.items():
                if name not in _OWN:
                    filled = value.replace("#", str(copy)) if isinstance(value, str) else value
                    _put(document, name, filled)
            yield document


def _now(case: Case) -> int:
    return int(datetime.fromisoformat(case.now).timestamp() * 1000)


def _put(document: dict[str, Any], name: str, value: Any) -> None:
    *above, last = name.split(".") if name != "@timestamp" else [name]
    for part in above:
        document = document.setdefault(part, {})
    document[last] = value


@contextmanager
def _scratch(client: OpenSearch, desired: Desired) -> Iterator[Mapping[str, str]]:
    """Make the two indices; yields index by stream."""
    name = PREFIX + secrets.token_hex(6)
    components = {name: "activity-mappings", f"{name}-rejected": "activity-rejected-mappings"}
    try:
        for index, component in components.items():
            mappings = dict(desired.components[component]["template"]["mappings"])
            mappings["properties"] = {**mappings["properties"], _CASE: {"type": "keyword"}}
            body = {
                "settings": {
                    "index.number_of_shards": 1,
                    "index.number_of_replicas": 0,
                    "index.hidden": True,
                },
                "mappings": mappings,
            }
            ask(client, "PUT", f"/{index}", body=body, timeout=90)
        lenses = dict.fromkeys(("audit", "agent", "process"), name)
        yield {**lenses, "rejected": f"{name}-rejected"}
    except BaseException:
        with suppress(ClusterError):  # what went wrong first is what is to be told
            _remove(client, components)
        raise
    _remove(client, components)


def _remove(client: OpenSearch, indices: Iterable[str]) -> None:
    for index in indices:
        ask(client, "DELETE", f"/{index}", allow=(NOT_FOUND,), timeout=90)


def _fill(
    client: OpenSearch, places: Mapping[str, str], cases: Iterable[tuple[Rule, Case]]
) -> None:
    lines: list[str] = []
    for number, (rule, case) in enumerate(cases):
        for document in documents(case):
            action = {"index": {"_index": places[rule.streams[0]]}}
            lines += [json.dumps(action), json.dumps({**document, _CASE: str(number)})]
    if not lines:
        return
    answer = ask(
        client,
        "POST",
        "/_bulk",
        params={"refresh": "true"},
        body="\n".join([*lines, ""]),
        timeout=120,
    ).body
    if answer["errors"]:
        wrong = next(one["index"] for one in answer["items"] if "error" in one["index"])
        raise ClusterError(
            f"a document of a case is refused: {wrong['error'].get('reason')}",
            hint="correct the case in the rule's file",
        )
