"""Sigma rules (sigmahq.io, specification 2.1) as alert rules of ours.

pySigma parses a rule and applies a pipeline that gives fields and values their names in our
record; what stands there then is written in our own query language, so an imported rule is
read, checked, replayed and compiled like every other one. What the language cannot say
(regular expressions, words without a field, comparisons of fields) is refused by name.

Sigma ignores case; our fields do so where docs/reference/fields.md says "any case".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from activity_center.alerting.loading import rule_of, shipped_names
from activity_center.alerting.reading import documents_of
from activity_center.alerting.rules import DEEPEST, LONGEST, RULE_NAME, words
from activity_center.alerting.samples import cases
from activity_center.errors import ConfigError, VocabularyError
from activity_center.vocabulary import actions

if TYPE_CHECKING:
    from sigma.collection import SigmaCollection
    from sigma.processing.pipeline import ProcessingPipeline
    from sigma.rule import SigmaRule

LARGEST: Final = 256 * 1024
"""Bytes of a Sigma file."""
FIELDS: Final[Mapping[str, str]] = {
    "verb": "event.action",
    "objectRef.resource": "activity.resource.type",
    "objectRef.subresource": "event.action",
    "objectRef.name": "orchestrator.resource.name",
    "objectRef.namespace": "orchestrator.namespace",
    "resource": "activity.resource.type",
    "subresource": "event.action",
    "namespace": "orchestrator.namespace",
    "user.username": "user.name",
    "username": "user.name",
    "user.groups": "user.group.name",
    "impersonatedUser.username": "user.effective.name",
    "sourceIPs": "source.ip",
    "src_ip": "source.ip",
    "userAgent": "user_agent.original",
    "requestURI": "url.original",
    "responseStatus.code": "http.response.status_code",
    "responseStatus.reason": "error.type",
}
"""Name in Sigma rules (those of the Kubernetes audit log, mostly) -> name in our record."""
VERBS: Final[Mapping[str, str]] = {
    verb: f"kubernetes.{verb}"
    for verb in (
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "impersonate",
    )
}
"""Verb of the API -> the action of an entry that has no better one; every other keeps its verb."""
_VERB_FIELDS: Final = ["event.action", "metadata.verb"]
SUBRESOURCES: Final[Mapping[str, str]] = {
    "exec": "kubernetes.exec",
    "attach": "kubernetes.attach",
    "portforward": "kubernetes.portforward",
    "proxy": "kubernetes.proxy",
    "log": "kubernetes.logs",
    "eviction": "kubernetes.evict",
    "binding": "kubernetes.bind",
    "token": "kubernetes.token_create",
    "scale": "kubernetes.scale",
    "approval": "kubernetes.certificate_approve",
}
_FORM: Final = "https://sigmahq.io/docs/basics/rules.html says what a rule has"
_NO_RULE: Final = (RecursionError, TypeError, AttributeError, ValueError)
"""What pySigma raises over what is no rule: its own errors, which are ValueErrors, and Python's."""
_MODULE: Final = "kubernetes-audit"
_STREAMS: Final = ("audit", "agent", "process")
_LEVELS: Final = {"informational": "low"}
Document = dict[str, Any]


def convert(text: str, where: str) -> dict[str, Document]:
    """Return the documents of alert rules, by name, for the rules of a Sigma file.

    A correlation (``event_count``, ``value_count``) of one rule becomes one rule with that.

    Args:
        text: YAML, one or several documents.
        where: the file, for errors.

    Raises:
        ConfigError: pySigma is not installed.
        VocabularyError: what cannot be converted, and why.
    """
    collection = _parsed(text, where)
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

    found: dict[str, Document] = {}
    used: set[int] = set()
    plain = [one for one in collection.rules if isinstance(one, SigmaRule)]
    for one in collection.rules:
        if isinstance(one, SigmaCorrelationRule):
            rule, extra = _correlated(one, where)
            used.add(id(rule))
            _add(found, one.title or rule.title, {**_document(rule, where), **extra}, where)
    for rule in plain:
        if id(rule) not in used:
            _add(found, rule.title, _document(rule, where), where)
    if not found:
        raise VocabularyError("holds no Sigma rule", where=where, hint=_FORM)
    return found


def _parsed(text: str, where: str) -> SigmaCollection:
    if len(text.encode()) > LARGEST:
        raise VocabularyError(f"over {LARGEST} bytes", where=where)
    try:
        from sigma.collection import SigmaCollection
    except ModuleNotFoundError as wrong:
        raise ConfigError(
            "Sigma rules are read by pySigma, which is not installed",
            hint="pip install 'activity-center[sigma]'",
        ) from wrong
    documents = documents_of(text, where)
    try:
        collection = SigmaCollection.from_dicts(deepcopy([one for _, one in documents]))
        collection.resolve_rule_references()
    except _NO_RULE as wrong:
        place = where
        for line, document in documents:
            try:
                SigmaCollection.from_dicts([deepcopy(document)], resolve_references=False)
            except _NO_RULE:
                place = f"{where}:{line}"
                break
        raise VocabularyError(f"no Sigma rule: {_said(wrong)}", where=place, hint=_FORM) from wrong
    return collection


def _pipeline() -> ProcessingPipeline:
    from sigma.processing.conditions import IncludeFieldCondition
    from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
    from sigma.processing.transformations import (
        FieldMappingTransformation,
        MapStringTransformation,
    )

    def values(mapping: Mapping[str, str], names: list[str]) -> ProcessingItem:
        plain: dict[str, str | list[str]] = dict(mapping.items())
        return ProcessingItem(
            MapStringTransformation(plain), field_name_conditions=[IncludeFieldCondition(names)]
        )

    renamed: dict[str | None, str | list[str]] = dict(FIELDS.items())
    renamed["verb"] = _VERB_FIELDS
    return ProcessingPipeline(
        name="activity-center",
        items=[
            values(SUBRESOURCES, ["subresource", "objectRef.subresource"]),
            ProcessingItem(FieldMappingTransformation(renamed)),
            values(VERBS, ["event.action"]),
        ],
    )


def _document(rule: SigmaRule, where: str) -> Document:
    """One rule without what a correlation adds."""
    try:
        _pipeline().apply(rule)
        parsed = [one.parsed for one in rule.detection.parsed_condition]
    except _NO_RULE as wrong:
        raise VocabularyError(f"{rule.title}: {_said(wrong)}", where=where, hint=_FORM) from wrong
    walked = [_walk(one, f"{where}: {rule.title}") for one in parsed]
    query = [walked[0] if len(walked) == 1 else {"any": walked}]
    if "all" in query[0]:
        query = query[0]["all"]
    if rule.logsource.product == "kubernetes":
        query.insert(0, {"field": "event.module", "is": _MODULE})
    title = re.sub(r"\s+", " ", rule.title).replace("{", "(").replace("}", ")")[:100]
    level = str(rule.level.name).lower() if rule.level else "medium"
    references = [one for one in rule.references if one.startswith("https://")]
    stream = rule.logsource.service or rule.logsource.category
    return {
        "title": title,
        "question": f"Did this happen: {title}?",
        "severity": _LEVELS.get(level, level),
        "kind": "threshold",
        "streams": [stream if stream in _STREAMS else "audit"],
        "query": query,
        "group_by": ["organization.id", "user.name"],
        "at_least": 1,
        "window": "10m",
        "throttle": "1h",
        "message": f"{title} by {{user.name}}: {{count}} within {{window}}",
        "false_positives": [one for one in rule.falsepositives if len(one) > 4] or ["None known"],
        "reference": references[0] if references else "https://sigmahq.io/",
    }


def _correlated(one: Any, where: str) -> tuple[SigmaRule, Document]:
    """The rule that a correlation counts, and what it makes of it."""
    from sigma.correlations import SigmaCorrelationConditionOperator as Operator
    from sigma.correlations import SigmaCorrelationType as Kind

    place = f"{where}: {one.title}"
    if one.type not in (Kind.EVENT_COUNT, Kind.VALUE_COUNT) or len(one.rules or ()) != 1:
        raise VocabularyError(
            "only event_count and value_count of one rule can be said", where=place
        )
    operator = getattr(one.condition, "op", None)
    if operator not in (Operator.GTE, Operator.GT):
        raise VocabularyError("only gte and gt can be said of a count", where=place)
    groups = [FIELDS.get(name, name) for name in one.group_by or ()]
    span = int(one.timespan.seconds)
    if span > LONGEST:
        raise VocabularyError(f"timespan: is longer than {words(LONGEST)}", where=place)
    extra: Document = {
        "at_least": one.condition.count + (operator is Operator.GT),
        "window": f"{span}s",
        "throttle": f"{max(span, 3600)}s",
        "group_by": groups,
    }
    if not groups:
        del extra["group_by"]
    counted = "{count}"
    if one.type is Kind.VALUE_COUNT:
        names = one.condition.fieldref
        name = names if isinstance(names, str) else (names or [""])[0]
        extra["distinct"] = FIELDS.get(name, name)
        counted = f"{{distinct}} of {extra['distinct']}"
    shown = ", ".join(f"{{{name}}}" for name in groups)
    title = re.sub(r"[{}\s]+", " ", one.title)[:100]
    extra |= {
        "title": title,
        "question": f"Did this happen: {title}?",
        "message": f"{title}{f' for {shown}' if shown else ''}: {counted} within {{window}}",
    }
    if one.level:
        level = str(one.level.name).lower()
        extra["severity"] = _LEVELS.get(level, level)
    return one.rules[0].rule, extra


def _walk(node: Any, where: str, depth: int = 0) -> Document:
    """A parsed condition in our language."""
    from sigma import conditions as sigma

    if depth > DEEPEST:
        raise VocabularyError(f"conditions are nested over {DEEPEST} deep", where=where)
    if isinstance(node, sigma.ConditionAND | sigma.ConditionOR):
        word = "all" if isinstance(node, sigma.ConditionAND) else "any"
        parts = [_walk(one, where, depth + 1) for one in node.args]
        flat = [deep for part in parts for deep in part.get(word, [part])]
        return _joined(flat) if word == "any" else {"all": flat}
    if isinstance(node, sigma.ConditionNOT):
        return {"not": _walk(node.args[0], where, depth + 1)}
    if isinstance(node, sigma.ConditionFieldEqualsValueExpression):
        return _compared(node.field, node.value, where)
    raise VocabularyError("words without a field cannot be searched", where=where)


def _joined(parts: Sequence[Document]) -> Document:
    """Alternatives; several values of one field are one condition."""
    names = {part.get("field") for part in parts}
    if len(names) == 1 and all("is" in part for part in parts):
        return {"field": parts[0]["field"], "any_of": [part["is"] for part in parts]}
    return {"any": list(parts)}


def _compared(name: str, value: Any, where: str) -> Document:
    from sigma import types as sigma

    if isinstance(value, sigma.SigmaString):
        return _text(name, value, where)
    if isinstance(value, sigma.SigmaNumber):
        return {"field": name, "is": value.number}
    if isinstance(value, sigma.SigmaBool):
        return {"field": name, "is": value.boolean}
    if isinstance(value, sigma.SigmaNull):
        return {"field": name, "exists": False}
    if isinstance(value, sigma.SigmaExists):
        return {"field": name, "exists": value.exists}
    if isinstance(value, sigma.SigmaCIDRExpression):
        return {"field": name, "is": value.cidr}
    if isinstance(value, sigma.SigmaCompareExpression):
        number, operator = value.number.number, value.op.name
        if operator in ("GTE", "LT"):
            return {"field": name, "at_least" if operator == "GTE" else "below": number}
        if isinstance(number, int):
            return {"field": name, "at_least" if operator == "GT" else "below": number + 1}
    kind = type(value).__name__.removeprefix("Sigma")
    raise VocabularyError(f"{name}: {kind} cannot be said in a rule of ours", where=where)


def _text(name: str, value: Any, where: str) -> Document:
    from sigma.types import SpecialChars

    parts = list(value.s)
    texts = [part for part in parts if isinstance(part, str)]
    if not all(isinstance(part, str | SpecialChars) for part in parts):
        raise VocabularyError(f"{name}: placeholders are not filled in", where=where)
    if len(texts) == len(parts):
        text = "".join(texts)
        if name == "event.action" and text not in actions():
            raise VocabularyError(
                f"{name}: {text!r} is not in the catalogue",
                where=where,
                hint="activity-center catalogue",
            )
        return {"field": name, "is": text}
    if len(parts) == 2 and isinstance(parts[0], str) and parts[1] is SpecialChars.WILDCARD_MULTI:
        return {"field": name, "prefix": parts[0]}
    return {"field": name, "like": "".join(_pattern(part) for part in parts)}


def _pattern(part: Any) -> str:
    from sigma.types import SpecialChars

    if isinstance(part, str):
        return re.sub(r"([\\*?])", r"\\\1", part)
    return "*" if part is SpecialChars.WILDCARD_MULTI else "?"


def _add(found: dict[str, Document], title: str, document: Document, where: str) -> None:
    """Give a rule a name and cases, and check it as if it were read from a file."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:80].strip("-")
    if not RULE_NAME.fullmatch(name):
        raise VocabularyError(f"{title!r}: no name can be made of this title", where=where)
    if name in found:
        raise VocabularyError(
            f"{title!r}: a rule before it is named {name} too", where=where, hint="change a title"
        )
    if name in shipped_names():
        raise VocabularyError(
            f"{title!r}: a rule that comes with this is named {name}",
            where=where,
            hint="change the title; a rule of ours is turned off in alerts.without",
        )
    document["cases"] = cases(document)
    try:
        rule_of(name, document, where)
    except VocabularyError as wrong:
        raise VocabularyError(
            f"{title}: {wrong.message}",
            where=where,
            hint="fields are named as in docs/reference/fields.md",
        ) from wrong
    found[name] = document


def _said(wrong: Exception) -> str:
    """What pySigma says; of errors of Python's own, which are not for people, in our words."""
    from sigma.exceptions import SigmaConditionError, SigmaError

    if isinstance(wrong, RecursionError):
        return "nested too deep"
    if isinstance(wrong, SigmaConditionError) and str(wrong).startswith("Expected "):
        return (
            "its condition cannot be read; it is made of names of the detection with and, or, "
            "not, brackets, 1 of NAME* and all of NAME*"
        )
    if isinstance(wrong, SigmaError):
        return re.sub(r"\s+", " ", str(wrong))[:300]
    return "a part of it is not of the form that a Sigma rule has (a list, a mapping or a text)"
