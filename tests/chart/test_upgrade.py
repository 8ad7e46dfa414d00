"""What an install or an upgrade meets: hooks, former policies, certificates, helm's last words."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from tests.chart.provision import KUBERNETES
from tests.chart.rendering import (
    CHART,
    NAMESPACE,
    RELEASE,
    case,
    helm,
    objects,
    one,
    pods,
    rendered,
)

DEFAULTS = "fullnameOverride: ac"
PATIENCE = 300
"""Seconds that helm waits for a hook unless it is told otherwise (helm upgrade --timeout)."""


def hooks(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What comes before an install and an upgrade, in helm's order."""
    marked = [
        it
        for it in found
        if "pre-upgrade" in it["metadata"].get("annotations", {}).get("helm.sh/hook", "").split(",")
    ]
    return sorted(
        marked, key=lambda it: int(it["metadata"]["annotations"].get("helm.sh/hook-weight", "0"))
    )


def selected(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a NetworkPolicy is for pods with these labels."""
    selector = policy["spec"]["podSelector"]
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(it["key"]) in it["values"] for it in selector.get("matchExpressions", ())
    )


@pytest.mark.parametrize("name", ["everything", "outer-bus"])
def test_the_install_job_brings_its_own_ways_out(name: str) -> None:
    """It runs while the former revision's policies hold: what opens its ways comes before it.

    That policy is a hook of a lower weight, and goes when the hooks have succeeded. The release
    has the same one, for the Job of an upgrade that takes all policies away.
    """
    found = objects(rendered(case(name)))
    before = hooks(found)
    assert [it["kind"] for it in before][-1] == "Job"
    assert {it["kind"] for it in before[:-1]} == {"ConfigMap", "NetworkPolicy"}
    weights = [it["metadata"]["annotations"].get("helm.sh/hook-weight", "0") for it in before]
    assert weights == ["-5", "-5", "0"]
    for it in before:
        assert it["metadata"]["annotations"]["helm.sh/hook-delete-policy"].split(",") == [
            "before-hook-creation",
            "hook-succeeded",
        ]
        # One selector removes them all after a failure.
        assert it["metadata"]["labels"]["app.kubernetes.io/component"] == "install"
    labels = before[-1]["spec"]["template"]["metadata"]["labels"]
    policies = [it for it in found if it["kind"] == "NetworkPolicy" and selected(it, labels)]
    by = {it["metadata"]["name"]: it["spec"] for it in policies}
    assert by.keys() == {"ac-deny", "ac-install", "ac-install-hook"}
    (own,) = [it["spec"] for it in before if it["kind"] == "NetworkPolicy"]
    assert own == by["ac-install"]
    ports = {port["port"] for rule in own["egress"] for port in rule["ports"]}
    assert ports == ({53, 9243, 443, 5601} if name == "everything" else {53, 9200})


@pytest.mark.parametrize("part", ["collector", "sidecar", "install", "retention"])
def test_further_ways_out_are_for_every_part(part: str) -> None:
    """networkPolicy.extraEgress reaches all that runs of our own image."""
    found = objects(rendered(case("everything")))
    (wanted,) = yaml.safe_load(case("everything"))["networkPolicy"]["extraEgress"]
    own = {"app.kubernetes.io/name": "activity-center", "app.kubernetes.io/instance": "ac"}
    labels = own | {"app.kubernetes.io/component": part}
    assert f"ac-{part}" in {name.partition("/")[2] for name, _ in pods(found)}
    rules = [
        rule
        for it in found
        if it["kind"] == "NetworkPolicy" and selected(it, labels)
        for rule in it["spec"].get("egress", ())
    ]
    assert wanted in rules


def test_a_failed_job_is_what_helm_reports() -> None:
    """The Job gives up before helm does, so helm says that the hook failed, not that time is up."""
    job = one(objects(rendered(DEFAULTS)), "Job", "ac-install")["spec"]
    assert job["activeDeadlineSeconds"] < PATIENCE


def names(values: str) -> dict[str, set[str]]:
    """The names in each certificate that Helm makes."""
    found = {}
    for it in objects(rendered(values)):
        if it["kind"] == "Secret" and it["type"] == "kubernetes.io/tls":
            read = x509.load_pem_x509_certificate(base64.b64decode(it["data"]["tls.crt"]))
            inside = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            noted = set(it["metadata"]["annotations"]["activity-center/names"].split())
            assert noted == set(inside.get_values_for_type(x509.DNSName))
            found[it["metadata"]["name"]] = noted
    return found


def test_other_names_make_pods_anew() -> None:
    """A certificate notes its names, by which an upgrade sees that others are asked for; then
    all is of a new authority, and every pod that trusts the former one is replaced."""
    more = f"{DEFAULTS}\ncollector: {{tls: {{extraNames: [activities.example]}}}}"
    assert (
        "activities.example" in names(more)["ac-collector-tls"] - names(DEFAULTS)["ac-sidecar-tls"]
    )
    marks = [
        {
            it["metadata"]["name"]: it["spec"]["template"]["metadata"]["annotations"][
                "checksum/names"
            ]
            for it in objects(rendered(values + "\nfluentBit: {enabled: true}"))
            if it["kind"] in {"Deployment", "StatefulSet", "DaemonSet"}
        }
        for values in (DEFAULTS, more)
    ]
    assert marks[0].keys() == {"ac-bus", "ac-collector", "ac-sidecar", "ac-fluent-bit"}
    assert all(marks[0][name] != marks[1][name] for name in marks[0])
    assert "checksum/names" not in rendered(case("everything"))


def words(values: str, folder: Path) -> str:
    """What helm says after an install, rendered as a file: `helm template` leaves it out."""
    copy = folder / CHART.name
    shutil.copytree(CHART, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "files" / "notes.txt")
    text = '{{ dict "notes" (tpl (.Files.Get "files/notes.txt") .) | toYaml }}\n'
    (copy / "templates" / "notes.yaml").write_text(text, "utf-8")
    where = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--values", "-")
    done = helm(
        *("template", RELEASE, str(copy), "--show-only", "templates/notes.yaml", *where),
        values=values,
    )
    assert done.returncode == 0, done.stderr
    said: str = yaml.safe_load(done.stdout)["notes"]
    assert "helm -n record test ac" in said
    return said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("ingress: {enabled: true, host: a.example}", True),
        ("{ingress: {enabled: true, host: a.example}, networkPolicy: {enabled: false}}", False),
        ("{ingress: {enabled: true, host: a.example}, networkPolicy: {readers: []}}", False),
        ("httpRoute: {enabled: true, hostnames: [a.example], parentRefs: [{name: a}]}", True),
        ("{}", False),
    ],
    ids=["defaults", "no-policies", "readers", "route", "no-ingress"],
)
def test_who_is_not_let_in_is_said(values: str, said: bool, tmp_path: Path) -> None:
    """With the default readers an Ingress controller of another namespace is kept out: helm says
    so, and the value to set."""
    assert ("networkPolicy.readers" in words(values, tmp_path)) is said


def test_the_commands_of_the_page_are_about_this_release() -> None:
    """What docs/kubernetes.md deletes is named by namespace and release, not by component alone."""
    page = (CHART.parents[1] / "docs" / "kubernetes.md").read_text("utf-8")
    commands = re.findall(r"kubectl [^`\n]*delete [^`\n]*", page)
    assert len(commands) >= 2
    for command in commands:
        assert " -n activity-center " in command
        assert "app.kubernetes.io/instance=activity-center" in command
    (volumes,) = [it for it in commands if " pvc " in it]
    wanted = dict(it.split("=") for it in volumes.rpartition("-l ")[2].split(","))
    claim = one(objects(rendered(DEFAULTS)), "StatefulSet", "ac-collector")["spec"]
    labels = claim["volumeClaimTemplates"][0]["metadata"]["labels"]
    assert wanted == labels | {"app.kubernetes.io/instance": "activity-center"}
