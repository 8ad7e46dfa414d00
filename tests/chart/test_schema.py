"""The schema of the values: complete, fresh, and bad values are refused with their path."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.chart.provision import KUBERNETES
from tests.chart.rendering import (
    CHART,
    NAMESPACE,
    RELEASE,
    case,
    helm,
    objects,
    one,
    rendered,
    template,
)

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
        ("collector: {resources: {limits: {memory: 512MB}}}", "/collector/resources/limits/memory"),
        ("collector: {resources: {limits: {memory: 512m}}}", "/collector/resources/limits/memory"),
        ("collector: {resources: {limits: {memory: 512}}}", "/collector/resources/limits/memory"),
        ("sidecar: {resources: {requests: {cpu: 0.5m}}}", "/sidecar/resources/requests/cpu"),
        ("collector: {persistence: {size: 11GB}}", "/collector/persistence/size"),
        ('collector: {persistence: {size: "11"}}', "/collector/persistence/size"),
        ("collector: {persistence: {size: 11}}", "/collector/persistence/size"),
        ("collector: {pdb: {maxUnavailable: 0}}", "/collector/pdb/maxUnavailable"),
        ("collector: {pdb: {maxUnavailable: 0%}}", "/collector/pdb/maxUnavailable"),
        *(
            (f"retention: {{cronJob: {{schedule: '{schedule}'}}}}", "/retention/cronJob/schedule")
            for schedule in ("99 99 * * *", "* * * *", "60 * * * *", "0 0 0 * *", "@often")
        ),
        ("collector: {podLabels: {app.kubernetes.io/name: mine}}", "/collector/podLabels"),
        ("sidecar: {podLabels: {team: 'no blanks'}}", "/sidecar/podLabels/team"),
        ("collector: {podAnnotations: {checksum/config: a}}", "/collector/podAnnotations"),
        (
            "monitoring: {serviceMonitor: {labels: {app.kubernetes.io/instance: a}}}",
            "/monitoring/serviceMonitor/labels",
        ),
        ("networkPolicy: {readers: [{}]}", "/networkPolicy/readers/0"),
        ("networkPolicy: {senders: [{ipblock: {}}]}", "/networkPolicy/senders/0"),
        ("fluentBit: {auditLogs: /var/../etc}", "/fluentBit/auditLogs"),
        ("image: {repository: 'https://registry.example/ac'}", "/image/repository"),
        ("image: {repository: 'registry.example/ac:1'}", "/image/repository"),
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


def given(collector: str, sidecar: str, bus: str) -> str:
    """Values that name a Secret for each certificate."""
    return (
        f"{{fullnameOverride: ac, tls: {{mode: existing}}, "
        f"collector: {{tls: {{existingSecret: {collector}}}}}, "
        f"sidecar: {{tls: {{existingSecret: {sidecar}}}}}, "
        f"bus: {{bundled: {{tls: {{existingSecret: {bus}}}}}}}}}"
    )


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
        ("collector: {persistence: {size: 1Gi}}", "collector.persistence.size: 1Gi is too small"),
        ("collector: {quota: 8GiB}", "too small for a quota of 8GiB"),
        ("collector: {quota: 99516192768}", "collector.persistence.size: 11Gi is too small"),
        ("bus: {bundled: {maxMemory: 512mb}}", "bus.bundled.maxMemory: 512mb has to be less"),
        ("bus: {bundled: {maxMemory: 384mb}}", "bus.bundled.resources.limits.memory, 384Mi"),
        (
            "sidecar: {autoscaling: {enabled: true, minReplicas: 9, maxReplicas: 6}}",
            "sidecar.autoscaling.minReplicas",
        ),
        (
            "sidecar: {resources: {requests: {memory: 1Gi}}}",
            "sidecar.resources.requests.memory: has to be at most sidecar.resources.limits.memory",
        ),
        ("install: {resources: {limits: {memory: 120M}}}", "install.resources.requests.memory"),
        ("collector: {resources: {limits: {cpu: 200m}}}", "collector.resources.requests.cpu"),
        ("collector: {resources: {limits: {cpu: 0.2}}}", "collector.resources.requests.cpu"),
    ],
)
def test_what_belongs_together_is_asked_for(bad: str, words: str) -> None:
    """A switch that needs another value names it, and values that contradict each other too."""
    done = template(bad)
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            "secrets: {existingSecret: ac-activity-center-secrets}",
            "secrets.existingSecret: ac-activity-center-secrets is the name of the Secret that",
        ),
        (
            "{fullnameOverride: x, secrets: {existingSecret: x-collector-tls}}",
            "secrets.existingSecret: x-collector-tls",
        ),
        (given("ac-collector-tls", "s", "b"), "collector.tls.existingSecret: ac-collector-tls is"),
        (given("c", "ac-sidecar-tls", "b"), "sidecar.tls.existingSecret: ac-sidecar-tls is"),
        (given("c", "s", "ac-bus-tls"), "bus.bundled.tls.existingSecret: ac-bus-tls is"),
    ],
)
def test_an_upgrade_does_not_take_helms_own_secrets_for_given_ones(bad: str, words: str) -> None:
    """Helm would delete what it made. A first install has nothing to lose: there the name is
    somebody's own, as cert-manager or a sealed Secret made it."""
    where = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--values", "-")
    done = helm("template", RELEASE, str(CHART), "--is-upgrade", *where, values=bad)
    assert done.returncode != 0
    assert words in done.stderr
    assert template(bad).returncode == 0


@pytest.mark.parametrize(
    "good",
    [
        "bus: {bundled: {enabled: false}}",
        "collector: {resources: {limits: {cpu: 250m}}}",
        "collector: {resources: {limits: {cpu: 1}}}",
        given("c", "s", "b"),
        "{fullnameOverride: ac, secrets: {existingSecret: ac-keys}}",
        "collector: {quota: 7516192768}",
        "collector: {quota: 8GiB, persistence: {size: 12Gi}}",
        "bus: {bundled: {maxMemory: 383mb}}",
        "bus: {bundled: {maxMemory: 512mb}, url: 'rediss://valkey.example'}",
        "sidecar: {autoscaling: {minReplicas: 9}}",
        "sidecar: {resources: {requests: {memory: 512Mi}}}",
        "image: {repository: 'registry.example:5000/team/activity-center'}",
        "collector: {resources: {limits: {memory: 0.5Gi}, requests: {cpu: 2, memory: 268435456}}}",
        "sidecar: {pdb: {maxUnavailable: 50%}}",
        *(
            f"retention: {{cronJob: {{enabled: true, schedule: '{schedule}'}}}}"
            for schedule in (
                *("@daily", "@every 6h", "*/15 0-6,22,23 1 JAN-MAR MON", "05 4 ? * 0"),
                *("0 3 * * mon", "0  3 * * *"),
            )
        ),
        "ingress: {enabled: true, host: a.example, annotations: {mine: null}}",
        "networkPolicy: {extraEgress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}",
    ],
)
def test_what_fits_together_is_taken(good: str) -> None:
    """The checks refuse no more than they have to: right at the limits the chart is rendered."""
    assert template(good).returncode == 0, template(good).stderr


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
