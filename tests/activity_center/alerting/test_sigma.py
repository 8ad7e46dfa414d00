"""Sigma rules become rules of ours that find what pySigma's own query finds."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sigma.backends.opensearch import OpensearchLuceneBackend
from sigma.collection import SigmaCollection

from activity_center.alerting.conditions import compiled
from activity_center.alerting.loading import rule_of
from activity_center.alerting.sigma import _pipeline, convert
from activity_center.config_alerts import Hours
from activity_center.errors import VocabularyError
from activity_center.setup import desired_state
from activity_center.setup.cluster import ask
from collector.alerts.replay import replay

if TYPE_CHECKING:
    from tests.conftest import Node

EXEC = """
title: Shell in a container
status: test
description: Somebody ran a command inside a container.
references: [https://attack.mitre.org/techniques/T1609/]
logsource: {product: kubernetes, service: audit}
detection:
  selection:
    verb: create
    objectRef.resource: pods
    objectRef.subresource: exec
  filter:
    user.username|startswith: 'system:'
  condition: selection and not filter
falsepositives: [Debugging by people who may]
level: high
"""
MANY = """
title: Many things
logsource: {product: kubernetes, service: audit}
detection:
  names:
    objectRef.name|contains:
      - 'prod'
      - 'pay?'
  code:
    responseStatus.code|gte: 400
  address:
    sourceIPs|cidr: 203.0.113.0/24
  nobody:
    impersonatedUser.username: null
  agent:
    userAgent|endswith: '1.29'
  exact:
    user.username:
      - mira
      - jonas
  condition: (names or code) and address and nobody and not agent and exact
level: informational
"""
COUNTED = """
title: Failed sign-in
name: failed_sign_in
logsource: {category: audit}
detection:
  selection: {event.action: user.login_failed}
  condition: selection
---
title: Password spraying
correlation:
  type: value_count
  rules: [failed_sign_in]
  group-by: [source.ip]
  timespan: 15m
  condition: {gte: 5, field: user.name}
level: critical
"""


def test_a_rule() -> None:
    """Fields, values, level, references and false positives come over; the rule is whole."""
    ((name, document),) = convert(EXEC, "exec.yml").items()
    rule = rule_of(name, document, "exec.yml")
    assert (rule.name, rule.severity, rule.streams) == ("shell-in-a-container", "high", ("audit",))
    assert rule.reference == "https://attack.mitre.org/techniques/T1609/"
    assert rule.false_positives == ("Debugging by people who may",)
    assert {"field": "event.module", "is": "kubernetes-audit"} in rule.query
    assert {"field": "event.action", "is": "kubernetes.exec"} in rule.query
    assert {"not": {"field": "user.name", "prefix": "system:"}} in rule.query


def test_a_correlation() -> None:
    """A correlation becomes one rule with its groups, its window and what it counts."""
    ((name, document),) = convert(COUNTED, "spray.yml").items()
    rule = rule_of(name, document, "spray.yml")
    assert rule.name == "password-spraying"
    assert (rule.group_by, rule.distinct, rule.at_least, rule.window) == (
        ("source.ip",),
        "user.name",
        5,
        900,
    )
    assert rule.severity == "critical"


@pytest.mark.parametrize("text", [EXEC, MANY, COUNTED])
def test_the_samples_of_an_import_do_what_they_say(opensearch: Node, text: str) -> None:
    """The sample that an import makes of the conditions fires, and the other does not."""
    rules = [rule_of(name, one, "x") for name, one in convert(text, "x.yml").items()]
    outcomes = [*replay(opensearch.client, desired_state(), rules)]
    assert len(outcomes) == 2
    assert [one.right for one in outcomes] == [True, True], [one.messages for one in outcomes]


@pytest.fixture(scope="module")
def index(opensearch: Node) -> Iterator[str]:
    """An index with the mappings of our streams and activities around the rules above."""
    name = f"sigma-{secrets.token_hex(6)}"
    template = desired_state().components["activity-mappings"]["template"]["mappings"]
    ask(opensearch.client, "PUT", f"/{name}", body={"mappings": template}, timeout=60)
    names = ("web-prod-1", "pays", "pay", "dev", "Prod")
    lines = []
    for object_ in names:
        for user in ("mira", "jonas", "system:node:a"):
            for ip in ("203.0.113.7", "198.51.100.1"):
                for code, agent in ((200, "kubectl/1.28"), (403, "kubectl/1.29"), (500, "x")):
                    one: dict[str, Any] = {
                        "@timestamp": "2026-11-24T13:00:00Z",
                        "event": {"action": "kubernetes.exec", "module": "kubernetes-audit"},
                        "activity": {"resource": {"type": "pods"}},
                        "metadata": {"verb": "create"},
                        "orchestrator": {"resource": {"name": object_}},
                        "user": {"name": user},
                        "source": {"ip": ip},
                        "user_agent": {"original": agent},
                        "http": {"response": {"status_code": code}},
                    }
                    if code == 500 and object_ == "dev":
                        one["user"]["effective"] = {"name": "root"}
                    lines += ['{"index": {}}', json.dumps(one)]
    bulk = "\n".join([*lines, ""])
    ask(opensearch.client, "POST", f"/{name}/_bulk", body=bulk, params={"refresh": "true"})
    yield name
    ask(opensearch.client, "DELETE", f"/{name}")


@pytest.mark.parametrize("text", [EXEC, MANY])
def test_as_pysigma_finds_it(opensearch: Node, index: str, text: str) -> None:
    """The rule's query finds exactly what the query of pySigma's OpenSearch backend finds."""
    ((_, document),) = convert(text, "x.yml").items()
    ours = {"bool": {"filter": compiled(document["query"], Hours())}}
    backend = OpensearchLuceneBackend(processing_pipeline=_pipeline())
    (lucene,) = backend.convert(SigmaCollection.from_yaml(text))
    theirs = {"query_string": {"query": lucene, "analyze_wildcard": True}}
    found = [
        {
            hit["_id"]
            for hit in ask(
                opensearch.client, "POST", f"/{index}/_search", body={"size": 1000, "query": query}
            ).body["hits"]["hits"]
        }
        for query in (ours, theirs)
    ]
    assert found[0] == found[1]
    assert 0 < len(found[0]) < 90


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("objectRef.resource: pods", "objectRef.name|re: 'a.*'"), "RegularExpression cannot be"),
        (("objectRef.resource: pods", "hostPath: /"), "hostPath: no such field"),
        (("subresource: exec", "subresource: attachment"), "not in the catalogue"),
        (("objectRef.resource: pods", "objectRef.name|expand: '%names%'"), "placeholders"),
        (("selection and not filter", "selection and"), "Shell in a container"),
        (("level: high", "level: loud"), "no Sigma rule"),
        (("detection:", "detections:"), "no Sigma rule"),
    ],
)
def test_what_cannot_be_said(change: tuple[str, str], words: str) -> None:
    """What our language cannot say is refused by name and file, never half converted."""
    with pytest.raises(VocabularyError) as wrong:
        convert(EXEC.replace(*change), "exec.yml")
    assert words in str(wrong.value)
    assert "exec.yml" in str(wrong.value)


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "- 1", "title: x", "[]", "null", "a: &a [*a]", "title: {a: b}\nlogsource: 3"],
)
def test_what_is_no_sigma_rule(text: str) -> None:
    """Anything else is refused as that."""
    with pytest.raises(VocabularyError, match=r"x\.yml"):
        convert(text, "x.yml")


def test_a_verb_is_told_from_another_one() -> None:
    """An action of several verbs keeps its verb, so a deletion is no other change of a role."""
    text = EXEC.replace("verb: create", "verb: [delete, get]").replace("pods", "rolebindings")
    text = text.replace("    objectRef.subresource: exec\n", "")
    ((_, document),) = convert(text, "x.yml").items()
    (verbs,) = [one["any"] for one in document["query"] if "any" in one]
    assert {one["field"]: one["any_of"] for one in verbs} == {
        "event.action": ["kubernetes.delete", "kubernetes.get"],
        "metadata.verb": ["delete", "get"],
    }


def test_aliases_are_refused() -> None:
    """Eight lines of aliases stand for gigabytes: they are refused before they are resolved."""
    bomb = "a0: &a0 [x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    with pytest.raises(VocabularyError, match="aliases") as wrong:
        convert(bomb + EXEC, "x.yml")
    assert wrong.value.where == "x.yml:2"


@pytest.mark.parametrize("times", [30, 400, 4000])
def test_deep_conditions_are_refused(times: int) -> None:
    """A condition that is nested very deep is refused in words, however deep it is."""
    with pytest.raises(VocabularyError, match=r"deep|no Sigma rule"):
        convert(EXEC.replace("selection and not filter", "not " * times + "filter"), "x.yml")


def test_a_long_timespan_is_refused() -> None:
    """No date can be said for thousands of years ago."""
    with pytest.raises(VocabularyError, match="timespan: is longer than 400 days"):
        convert(COUNTED.replace("timespan: 15m", "timespan: 99999y"), "x.yml")


def test_names_of_ours_and_names_that_stand_twice_are_refused() -> None:
    """A title that makes a name that is taken is refused with that name, when it is imported."""
    with pytest.raises(VocabularyError, match="comes with this is named mass-deletion"):
        convert(EXEC.replace("Shell in a container", "Mass deletion"), "x.yml")
    with pytest.raises(VocabularyError, match="before it is named shell-in-a-container too"):
        convert(f"{EXEC}---{EXEC}", "x.yml")


def test_keywords_have_no_field() -> None:
    """Words without a field would need a full-text search over everything: refused."""
    text = EXEC.replace(
        "  filter:\n    user.username|startswith: 'system:'\n", "  filter: [evil]\n"
    )
    with pytest.raises(VocabularyError, match="words without a field"):
        convert(text, "x.yml")


def test_other_correlations() -> None:
    """An order in time, or fewer than so many, cannot be said in a rule of ours."""
    for old, new in (("value_count", "temporal"), ("gte: 5", "lt: 5")):
        with pytest.raises(VocabularyError):
            convert(COUNTED.replace(old, new), "x.yml")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- 1", 1, "a rule is a mapping of keys to values"),
        ("just text", 1, "a rule is a mapping of keys to values"),
        ("title: x\na: {b: c\nd: e\n", 3, "not YAML: did not find expected ',' or '}'"),
        (f"{EXEC}---\ntitle: Second\ncorrelation: 3\n", 18, "a part of it is not of the form"),
        (EXEC.replace("selection and not filter", "3"), 0, "a part of it is not of the form"),
        (EXEC.replace("selection and not filter", "'selection and'"), 0, "its condition cannot be"),
        (EXEC.replace("title: Shell in a container\n", ""), 2, "no Sigma rule"),
    ],
    ids=["list", "text", "braces", "second", "number", "condition", "title"],
)
def test_what_is_wrong_is_said_in_words(text: str, line: int, words: str) -> None:
    """Nothing of Python's or of a parser's insides; the line where it is known; the next step."""
    with pytest.raises(VocabularyError) as wrong:
        convert(text, "x.yml")
    assert words in wrong.value.message
    assert wrong.value.where == (f"x.yml:{line}" if line else "x.yml")
    assert wrong.value.hint
    for inside in ("object has no", "unicode string", "Expected {", "not iterable"):
        assert inside not in str(wrong.value)


def test_messages_read_well_for_one_and_for_many() -> None:
    """A message names a count where no word has to agree with it."""
    (one,) = convert(EXEC, "x.yml").values()
    assert one["message"] == "Shell in a container by {user.name}: {count} within {window}"
    (counted,) = convert(COUNTED, "x.yml").values()
    assert counted["message"] == (
        "Password spraying for {source.ip}: {distinct} of user.name within {window}"
    )
