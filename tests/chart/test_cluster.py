"""The chart in a real Kubernetes API: install, test, upgrade, roll back, uninstall.

The API server, its admission and its controllers are real; what runs inside the pods is not
(tests/chart/cluster.py) and is tested elsewhere.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509

from tests.chart.cluster import Cluster, running, until
from tests.chart.rendering import CHART, case

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WAIT = ("--wait", "--timeout", "90s")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One control plane for the module; each test has a namespace of its own."""
    folder: Path = tmp_path_factory.mktemp("kubernetes")
    with running(folder) as started:
        yield started


class Release:
    """The release ``ac`` in a namespace that admits nothing but restricted pods."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        cluster.namespace(namespace)

    def helm(self, *arguments: str, values: str = "") -> subprocess.CompletedProcess[str]:
        """Run helm; it has to succeed, and the API server to warn of nothing."""
        done = self.cluster.helm(*arguments, "--namespace", self.namespace, values=values)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Warning" not in done.stderr, done.stderr
        return done

    def get(self, kinds: str, name: str = "", group: str = "api/v1") -> Any:
        """An object, or the list of a kind."""
        path = f"/{group}/namespaces/{self.namespace}/{kinds}"
        return self.cluster.get(f"{path}/{name}" if name else path)

    def collectors(self) -> dict[str, Any]:
        """The StatefulSet of the collectors."""
        name = "ac-activity-center-collector"
        found: dict[str, Any] = self.get("statefulsets", name, "apis/apps/v1")
        return found

    def secrets(self) -> dict[str, Any]:
        """What Helm made up: the keys and the certificates."""
        return {
            one["metadata"]["name"]: one["data"]
            for one in self.get("secrets")["items"]
            if one["type"] != "helm.sh/release.v1"
        }


def test_a_release_comes_changes_goes_back_and_goes(cluster: Cluster) -> None:
    """Each step ends with all pods ready; keys outlive them all; of it stay the volumes alone."""
    release = Release(cluster, "record")
    done = release.helm("install", "ac", str(CHART), *WAIT)
    assert "STATUS: deployed" in done.stdout
    assert "kubectl -n record port-forward service/ac-activity-center-sidecar" in done.stdout
    assert release.collectors()["status"]["readyReplicas"] == 2
    before = release.secrets()
    assert before.keys() == {
        f"ac-activity-center-{name}"
        for name in ("secrets", "collector-tls", "sidecar-tls", "bus-tls")
    }
    everything = cluster.everything("record")
    assert ("PodDisruptionBudget", "ac-activity-center-collector") in everything
    assert ("NetworkPolicy", "ac-activity-center-deny") in everything
    # The install Job has done its work and is gone, with what came before it.
    assert "Job" not in {kind for kind, _ in everything}
    assert ("NetworkPolicy", "ac-activity-center-install-hook") not in everything

    assert "Phase:          Succeeded" in release.helm("test", "ac", "--timeout", "60s").stdout

    changed = "{collector: {replicas: 3, drainSeconds: 120}, sidecar: {replicas: 2}}"
    release.helm("upgrade", "ac", str(CHART), *WAIT, "--values", "-", values=changed)
    collectors = release.collectors()
    assert collectors["status"]["readyReplicas"] == 3
    spec = collectors["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 150
    assert release.secrets() == before

    release.helm("rollback", "ac", "1", *WAIT)
    assert release.collectors()["spec"]["replicas"] == 2
    assert release.secrets() == before

    release.helm("uninstall", "ac", *WAIT)
    volumes = {
        ("PersistentVolumeClaim", f"data-ac-activity-center-collector-{number}")
        for number in range(3)
    }
    until(lambda: cluster.everything("record") == volumes, "all but the volumes is gone")


def test_a_bad_value_changes_nothing(cluster: Cluster) -> None:
    """helm refuses it with its path, and the release stays at its revision."""
    release = Release(cluster, "bad-value")
    release.helm("install", "ac", str(CHART), *WAIT)
    bad = ("upgrade", "ac", str(CHART), "--set", "collector.replicas=many")
    done = cluster.helm(*bad, "--namespace", release.namespace)
    assert done.returncode != 0
    assert "at '/collector/replicas': got string, want integer" in done.stderr
    assert release.helm("history", "ac").stdout.count("deployed") == 1
    assert release.collectors()["metadata"]["generation"] == 1
    release.helm("uninstall", "ac", *WAIT)


def test_an_upgrade_takes_no_keys_away(cluster: Cluster) -> None:
    """What would delete the keys, or begin with new ones, is refused with the value to set.

    Then with a copy of them under another name the upgrade goes through, and the keys live on.
    """
    release = Release(cluster, "keys")
    release.helm("install", "ac", str(CHART), *WAIT)
    before = release.secrets()
    for value, words in (
        ("secrets.existingSecret=ac-activity-center-secrets", "Helm would delete it"),
        ("secrets.existingSecret=nowhere", "there is no Secret nowhere"),
        ("fullnameOverride=other", "the StatefulSet ac-activity-center-collector"),
        ("nameOverride=other", "the StatefulSet ac-activity-center-collector"),
    ):
        bad = ("upgrade", "ac", str(CHART), "--set", value)
        done = cluster.helm(*bad, "--namespace", release.namespace)
        assert done.returncode != 0, value
        assert words in done.stderr, done.stderr
    assert release.secrets() == before
    keys = before["ac-activity-center-secrets"]
    copy = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "data": keys}
    cluster.apply("/api/v1/namespaces/keys/secrets/mine", copy)
    release.helm("upgrade", "ac", str(CHART), *WAIT, "--set", "secrets.existingSecret=mine")
    after = release.secrets()
    assert after.pop("mine") == keys
    assert after.keys() == before.keys() - {"ac-activity-center-secrets"}
    forgotten = ("upgrade", "ac", str(CHART), "--reset-values", "--namespace", release.namespace)
    done = cluster.helm(*forgotten)
    assert done.returncode != 0
    assert "this upgrade would make new keys" in done.stderr
    release.helm("uninstall", "ac", *WAIT)


def test_a_certificate_for_other_names_is_made_anew(cluster: Cluster) -> None:
    """One authority signs all of them again, pods are replaced; asked the same, all stays."""
    release = Release(cluster, "names")
    release.helm("install", "ac", str(CHART), *WAIT)
    before = release.secrets()
    more = ("--set", "collector.tls.extraNames={activities.example}")
    release.helm("upgrade", "ac", str(CHART), *WAIT, *more)
    after = release.secrets()
    keys = "ac-activity-center-secrets"
    assert {name for name in after if after[name] == before[name]} == {keys}
    assert len({after[name]["ca.crt"] for name in after if name != keys}) == 1
    read = x509.load_pem_x509_certificate(
        base64.b64decode(after["ac-activity-center-collector-tls"]["tls.crt"])
    )
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "activities.example" in names.get_values_for_type(x509.DNSName)
    assert release.collectors()["metadata"]["generation"] == 2
    release.helm("upgrade", "ac", str(CHART), *WAIT, *more)
    assert release.secrets() == after
    assert release.collectors()["metadata"]["generation"] == 2
    release.helm("uninstall", "ac", *WAIT)


@pytest.mark.parametrize("name", ["everything", "outer-bus"])
def test_the_api_server_takes_the_case(cluster: Cluster, name: str) -> None:
    """With the resource definitions of cert-manager, Gateway API and Prometheus' operator.

    Fluent Bit's DaemonSet is left out: it mounts folders of the node, which PodSecurity's
    ``restricted`` forbids. Nobody here gives a LoadBalancer its address, or has the class of
    volumes that the case asks for.
    """
    release = Release(cluster, name)
    here = (
        "fluentBit.enabled=false",
        "collector.service.type=NodePort",
        "collector.persistence.storageClass=",
    )
    values = ("--values", "-", "--set", ",".join(here))
    release.helm("install", "ac", str(CHART), *WAIT, *values, values=case(name))
    kinds = {kind for kind, _ in cluster.everything(name)}
    optional = {
        *("Certificate", "HTTPRoute", "BackendTLSPolicy", "ServiceMonitor", "PrometheusRule"),
        *("Ingress", "CronJob", "HorizontalPodAutoscaler"),
    }
    assert kinds & optional == (optional if name == "everything" else set())
    release.helm("uninstall", "ac", *WAIT)
    left = {"PersistentVolumeClaim"}
    until(lambda: {it[0] for it in cluster.everything(name)} == left, "all else is gone")


def test_admission_is_on(cluster: Cluster) -> None:
    """The namespaces of these tests do refuse a pod that is not restricted."""
    release = Release(cluster, "admission")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "root", "image": "none"}]},
    }
    answer = cluster.call("POST", f"/api/v1/namespaces/{release.namespace}/pods", pod)
    assert answer.status_code == requests.codes.forbidden
    assert "violates PodSecurity" in answer.text
