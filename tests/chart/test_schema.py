"""The schema of the values: complete, fresh, and bad values are refused with their path."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, case, objects, one, rendered, template

GENERATOR = CHART.parent / "generate_schema.py"


def test_schema_is_fresh() -> None:
    """values.schema.json is what its script writes: run it when this fails."""
    done = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def missing(values: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Paths of values that the schema does not name."""
    if not isinstance(values, dict) or "properties" not in schema:
        return []
    named = schema["properties"]
    found = [f"{path}/{key}" for key in values if key not in named]
    for key in values.keys() & named.keys():
        found += missing(values[key], named[key], f"{path}/{key}")
    return found


def test_schema_is_complete() -> None:
    """Each default has its place in the schema, and no part of it lets unknown keys in."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    assert missing(values, schema) == []
    assert missing({"opensearch": {"uri": ""}}, schema) == ["/opensearch/uri"]
    closed = [schema["properties"][key] for key in values if key in schema["properties"]]
    open_ones = [
        one for one in closed if "properties" in one and one["additionalProperties"] is not False
    ]
    assert open_ones == []


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ("collector: {replicas: many}", "/collector/replicas"),
        ("collector: {replicas: 0}", "/collector/replicas"),
        ("colector: {}", "colector"),
        ("opensearch: {uri: x}", "/opensearch"),
        ('opensearch: {url: "https://admin:secret@search:9200"}', "/opensearch/url"),
        ('bus: {url: "redis://valkey:6379"}', "/bus/url"),
        ("tls: {mode: none}", "/tls/mode"),
        ("sidecar: {pdb: {maxUnavailable: 200%}}", "/sidecar/pdb/maxUnavailable"),
        ("collector: {resources: {requests: {memory: lots}}}", "/collector/resources"),
        ("image: {digest: latest}", "/image/digest"),
        ("config: {opensearch: {url: x}}", "/config"),
        ("config: {collector: {data_dir: /tmp}}", "/config/collector"),
        ("config: {default_retention_class: forever}", "/config/default_retention_class"),
        (
            "config: {senders: [{name: a, username: a, password: hunter2}]}",
            "/config/senders/0/password",
        ),
    ],
)
def test_a_bad_value_is_refused_with_its_path(bad: str, path: str) -> None:
    """helm says where a value is wrong, before it asks the cluster anything."""
    done = template(bad)
    assert done.returncode != 0
    assert path in done.stderr, done.stderr
    assert "values don't meet the specifications of the schema" in done.stderr


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("tls: {mode: certManager}", "tls.certManager.issuerRef.name"),
        ("tls: {mode: existing}", "collector.tls.existingSecret"),
        ("ingress: {enabled: true}", "ingress.host"),
        ("httpRoute: {enabled: true}", "httpRoute.parentRefs"),
        (
            "{fluentBit: {enabled: true}, collector: {forward: false}}",
            "fluentBit.enabled",
        ),
    ],
)
def test_what_belongs_together_is_asked_for(bad: str, words: str) -> None:
    """A switch that needs another value names it."""
    done = template(bad)
    assert done.returncode != 0
    assert words in done.stderr


def test_the_page_has_it_right() -> None:
    """Values on docs/kubernetes.md can be pasted, and it lists the keys that we make up."""
    page = (CHART.parents[1] / "docs" / "kubernetes.md").read_text("utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.S)
    assert examples
    for example in examples:
        done = template(example)
        assert done.returncode == 0, done.stderr
    _, _, after = page.partition("The Secret of `secrets.existingSecret` has these keys:")
    table, _, after = after.partition("Without it Helm makes one")
    command = after.partition("```console")[2].partition("```")[0]
    made = one(objects(rendered("fullnameOverride: ac")), "Secret", "ac-secrets")["data"]
    assert set(re.findall(r"^\| `([\w.-]+)`", table, re.M)) == made.keys()
    assert {key for key in made if key not in command} == set()


def test_the_cases_are_accepted() -> None:
    """The checks above refuse the values alone: the same chart takes the large case."""
    assert template(case("everything")).returncode == 0
