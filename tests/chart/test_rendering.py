"""What the chart renders: golden files, and rules that hold whatever the values are."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from activity_center import config
from collector.rejected.store import DEFAULT_QUOTA, RESERVE
from collector.spool.spool import WAITING_SHARE
from tests.chart.rendering import (
    CHART,
    GOLDEN,
    NAMES,
    NAMESPACE,
    case,
    helm,
    objects,
    one,
    pods,
    rendered,
)

ETC: Final = "/etc/activity-center"
DEFAULTS: Final = "fullnameOverride: ac"
CASES: Final = ("defaults", *NAMES)
RUNNERS: Final = ("collector", "sidecar", "install", "retention")
"""Parts that read activity-center.yml; each has a ConfigMap and pods of its name."""


def found(name: str) -> list[dict[str, Any]]:
    """The objects of a case."""
    return objects(rendered(DEFAULTS if name == "defaults" else case(name)))


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    """A change of what is rendered is seen: `python -m tests.chart.rendering` writes it anew."""
    golden = (GOLDEN / f"{name}.yaml").read_text("utf-8")
    assert rendered(case(name)).splitlines() == golden.splitlines()


def parts(name: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The parts of a case that read our file."""
    yield from parts_of(found(name))


def parts_of(every: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each part that reads our file: its name, the file's text, and the spec of its pods."""
    specs = dict(pods(every))
    for part in RUNNERS:
        texts = [
            it["data"]["activity-center.yml"]
            for it in every
            if it["kind"] == "ConfigMap" and it["metadata"]["name"] == f"ac-{part}"
        ]
        if texts:
            (spec,) = [spec for key, spec in specs.items() if key.endswith(f"/ac-{part}")]
            yield part, texts[0], spec


def is_mounted(file: str, spec: dict[str, Any]) -> bool:
    """Whether the first container sees ``file`` in one of its Secrets or ConfigMaps."""
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in spec["containers"][0]["volumeMounts"]:
        if not file.startswith(f"{mount['mountPath']}/"):
            continue
        secret = volumes[mount["name"]].get("secret")
        inside = file.removeprefix(f"{mount['mountPath']}/")
        if secret and "items" in secret:
            return inside in {item["path"] for item in secret["items"]}
        if secret and mount["name"] == "tls":
            return inside in {"tls.crt", "tls.key", "ca.crt"}
        return secret is not None
    return False


def variables(spec: dict[str, Any]) -> set[str]:
    """Variables that the chart itself sets in the first container."""
    return {one["name"] for one in spec["containers"][0]["env"]}


@pytest.mark.parametrize("name", CASES)
def test_what_a_configuration_names_is_there(name: str) -> None:
    """Each file in a configuration is mounted in its pods, each ``${NAME}`` is set there."""
    seen = 0
    for part, text, spec in parts(name):
        files = set(re.findall(rf"{ETC}/[\w./-]+", text))
        assert {file for file in files if not is_mounted(file, spec)} == set(), part
        asked = set(re.findall(r"\$\{(\w+)", text)) - {"CLUSTER_A_PASSWORD"}
        assert asked <= variables(spec), part
        seen += len(files)
    assert seen > 4


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_mounted_for_nothing(name: str) -> None:
    """Least privilege: a part sees no key of the installation that its file does not name."""
    for part, text, spec in parts(name):
        for volume in spec["volumes"]:
            for item in volume.get("secret", {}).get("items", ()):
                if volume["name"] == "key":  # read by the init container
                    continue
                assert f"/{item['path']}" in text, (part, volume["name"], item["path"])


def loaded(every: list[dict[str, Any]], folder: Path) -> dict[str, config.Config]:
    """What our own reader makes of each part's activity-center.yml, with files as in its pods."""
    seen = {}
    for part, text, spec in parts_of(every):
        for file in set(re.findall(rf"{ETC}/([\w./-]+)", text)):
            (folder / part / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / part / file).write_text(hashlib.sha256(file.encode()).hexdigest())
        path = folder / f"{part}.yml"
        path.write_text(text.replace(ETC, str(folder / part)), "utf-8")
        environment = dict.fromkeys(variables(spec), "someone") | {"CLUSTER_A_PASSWORD": "p"}
        seen[part] = config.load(path, environment)
    return seen


@pytest.mark.parametrize("name", CASES)
def test_configurations_are_valid(name: str, tmp_path: Path) -> None:
    """Our own reader accepts each activity-center.yml, and it says what the values said."""
    seen = loaded(found(name), tmp_path)
    assert {"collector", "sidecar", "install"} <= seen.keys()
    assert seen["collector"].senders[0].name == "sidecar"
    assert seen["sidecar"].sidecar.recording.url == f"https://ac-collector.{NAMESPACE}.svc:8443"
    if name == "everything":
        assert "acme" in seen["collector"].organizations
        assert seen["sidecar"].sidecar.public_url == "https://audit.example"
        assert seen["collector"].senders[-1].name == "cluster-a"
        assert [one.name for one in seen["collector"].alerts.webhooks] == ["duty"]
        assert seen["install"].alerts.webhooks == ()


def test_the_volume_holds_its_quota() -> None:
    """The default volume is as large as each page says that it must be, by the code's figures."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))["collector"]
    size = int(values["persistence"]["size"].removesuffix("Gi"))
    quota = int(values["quota"].removesuffix("GiB"))
    rejected = DEFAULT_QUOTA * (1 + RESERVE) / 1024**3
    factor = 1 + WAITING_SHARE
    assert size >= (factor * quota + rejected) * 1.05
    sentence = f"{factor:g} × quota + {rejected:g} GiB"
    root = CHART.parents[1]
    for page in (CHART / "values.yaml", CHART / "README.md", root / "docs" / "kubernetes.md"):
        assert sentence in page.read_text("utf-8"), page
    for name in ("configuration.md", "operations.md"):
        assert sentence in (root / "docs" / name).read_text("utf-8"), name


@pytest.mark.parametrize("name", CASES)
def test_pods_are_locked_down(name: str) -> None:
    """Not root, no way up, a read-only root, no token of Kubernetes, and bounded resources."""
    every = dict(pods(found(name)))
    assert len(every) >= 3
    for where, spec in every.items():
        assert spec["automountServiceAccountToken"] is False, where
        reads_nodes = where.startswith("DaemonSet/")  # files of root: needs PodSecurity's leave
        assert spec["securityContext"].get("runAsNonRoot", False) is not reads_nodes, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, where
            assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"][
                "requests"
            ].keys()
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", CASES)
def test_services_reach_pods(name: str) -> None:
    """Each Service selects pods, and its ports are ports of their containers."""
    every = found(name)
    labels = {
        it["metadata"]["name"]: it["spec"]["template"]
        for it in every
        if it["kind"] in {"Deployment", "StatefulSet"}
    }
    services = [it for it in every if it["kind"] == "Service"]
    assert len(services) >= 3
    for service in services:
        wanted = service["spec"]["selector"].items()
        (pod,) = [it for it in labels.values() if wanted <= it["metadata"]["labels"].items()]
        ports = {port["name"] for it in pod["spec"]["containers"] for port in it["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_no_secret_is_rendered_where_secrets_are_given() -> None:
    """With Secrets of one's own and cert-manager, the release holds no Secret at all."""
    for name in ("everything", "small"):
        assert "Secret" not in {it["kind"] for it in found(name)}
    text = rendered(DEFAULTS)
    own = [it for it in objects(text) if it["kind"] == "Secret"]
    assert {it["metadata"]["name"] for it in own} >= {"ac-secrets", "ac-collector-tls"}
    for value in one(own, "Secret", "ac-secrets")["data"].values():
        assert text.count(value) == 1
        assert base64.b64decode(value).decode() not in text


def test_generated_certificates_are_of_one_authority() -> None:
    """Each part's certificate is valid for its Service's name, and signed by the ca.crt of all."""
    secrets = [it for it in found("defaults") if it["kind"] == "Secret"]
    tls = {
        it["metadata"]["name"]: {k: base64.b64decode(v) for k, v in it["data"].items()}
        for it in secrets
        if it["type"] == "kubernetes.io/tls"
    }
    assert tls.keys() == {"ac-collector-tls", "ac-sidecar-tls", "ac-bus-tls"}
    assert len({one["ca.crt"] for one in tls.values()}) == 1
    for name, data in tls.items():
        trusted = Store([x509.load_pem_x509_certificate(data["ca.crt"])])
        service = x509.DNSName(f"{name.removesuffix('-tls')}.{NAMESPACE}.svc")
        verifier = PolicyBuilder().store(trusted).build_server_verifier(service)
        assert verifier.verify(x509.load_pem_x509_certificate(data["tls.crt"]), [])


def policies(name: str) -> dict[str, dict[str, Any]]:
    """The NetworkPolicies of a case."""
    return {
        it["metadata"]["name"].removeprefix("ac-"): it["spec"]
        for it in found(name)
        if it["kind"] == "NetworkPolicy"
    }


def test_the_network_is_closed() -> None:
    """One policy denies all pods of the release both ways; openings name ports and ends."""
    every = policies("everything")
    assert every["deny"].keys() == {"podSelector", "policyTypes"}
    assert sorted(every["deny"]["policyTypes"]) == ["Egress", "Ingress"]
    for name, spec in every.items():
        for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]:
            assert rule["ports"], name
            assert rule.get("from") or rule.get("to"), name
    (sending, health) = every["collector"]["ingress"]
    senders = yaml.safe_load(case("everything"))["networkPolicy"]["senders"]
    assert [port["port"] for port in sending["ports"]] == ["activities", "forward"]
    assert sending["from"][-1:] == senders
    assert [port["port"] for port in health["ports"]] == ["health"]


@pytest.mark.parametrize("tests", [False, True], ids=["plain", "tests"])
def test_an_empty_list_of_ends_opens_nothing(tests: bool) -> None:
    """Kubernetes takes a rule without ends for one that opens to everybody: there is none."""
    ends = "{senders: [], readers: [], monitoring: [], dns: []}"
    own = f"tests: {{enabled: {str(tests).lower()}}}\nnetworkPolicy: {ends}"
    every = objects(rendered(f"{DEFAULTS}\n{own}"))
    names = set()
    for it in every:
        if it["kind"] != "NetworkPolicy":
            continue
        names.add(it["metadata"]["name"])
        for rule in it["spec"].get("ingress") or ():
            assert rule["from"], it["metadata"]["name"]
        for rule in it["spec"].get("egress") or ():
            assert rule.get("to") or 53 not in [port["port"] for port in rule["ports"]]
            assert rule.get("to") != []
    assert {"ac-deny", "ac-sidecar", "ac-collector"} <= names
    sidecar = one(every, "NetworkPolicy", "ac-sidecar")["spec"]
    assert "Ingress" in sidecar["policyTypes"]
    assert bool(sidecar.get("ingress")) is tests


def test_the_keys_of_a_secret_of_ones_own_are_listed() -> None:
    """docs/kubernetes.md and its command name exactly the keys that the chart makes and mounts."""
    made = one(objects(rendered(DEFAULTS)), "Secret", "ac-secrets")["data"].keys()
    text = (CHART.parents[1] / "docs" / "kubernetes.md").read_text("utf-8")
    table = text.partition("`secrets.existingSecret` has these keys")[2].partition("\n\n")[2]
    listed = re.findall(r"(?m)^\| `([\w.-]+)`", table.partition("\n\n")[0])
    assert sorted(listed) == sorted(made)
    command = text.partition("create secret generic activity-center-keys")[2].partition("```")[0]
    loop = command.partition("for key in")[2].partition(";")[0].replace("\\", " ").split()
    assert {*loop, *re.findall(r"--from-literal=([a-z][\w.-]+)=", command)} == made


def test_a_secret_of_ones_own_is_rendered_alike_each_time() -> None:
    """GitOps renders again and again: with Secrets of one's own nothing differs in between."""
    where = ("template", "ac", str(CHART), "--namespace", NAMESPACE, "--values", "-")
    values = (
        f"{DEFAULTS}\nsecrets: {{existingSecret: keys}}\ntls: {{mode: certManager, "
        "certManager: {issuerRef: {name: authority}}}"
    )
    first, second = (helm(*where, values=values) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


@pytest.mark.parametrize(
    ("values", "kind", "there"),
    [
        ("sidecar: {autoscaling: {enabled: true}}", "HorizontalPodAutoscaler", True),
        ("{}", "HorizontalPodAutoscaler", False),
        ("retention: {cronJob: {enabled: true}}", "CronJob", True),
        ("{}", "CronJob", False),
        ("install: {enabled: false}", "Job", False),
        ("{}", "Job", True),
        ("tests: {enabled: false}", "Pod", False),
        ("{}", "DaemonSet", False),
        ("networkPolicy: {enabled: false}", "NetworkPolicy", False),
        ("{}", "Ingress", False),
        ("{}", "ServiceMonitor", False),
    ],
)
def test_switches(values: str, kind: str, there: bool) -> None:
    """A switch brings its objects or leaves them out; nothing optional is there unasked."""
    assert (kind in {it["kind"] for it in objects(rendered(values))}) is there


def test_fluent_bit_delivers_as_the_ready_files_do() -> None:
    """The DaemonSet's configuration is deploy/fluent-bit's, but for its places and its names."""
    data = one(found("everything"), "ConfigMap", "ac-fluent-bit")["data"]
    here = yaml.safe_load(data["fluent-bit.yaml"])
    ready = CHART.parents[1] / "deploy" / "fluent-bit" / "kubernetes-audit.yaml"
    there = yaml.safe_load(ready.read_text("utf-8"))
    places = {"storage.path", "http_listen", "path", "db", "host", "tls.ca_file", "username"}
    for ours, theirs in (
        (here["service"], there["service"]),
        (here["parsers"][0], there["parsers"][0]),
        (here["pipeline"]["inputs"][0], there["pipeline"]["inputs"][0]),
        (here["pipeline"]["outputs"][0], there["pipeline"]["outputs"][0]),
    ):
        assert ours.keys() == theirs.keys()
        assert {key for key in ours if ours[key] != theirs[key]} <= places | {"password"}


def test_the_drain_fits_into_the_grace_period() -> None:
    """A pod is not killed while its collector drains: the grace period follows the value."""
    every = objects(rendered(f"{DEFAULTS}\ncollector: {{drainSeconds: 600}}"))
    spec = one(every, "StatefulSet", "ac-collector")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= 600 + 5 + 20
    text = one(every, "ConfigMap", "ac-collector")["data"]["activity-center.yml"]
    assert yaml.safe_load(text)["collector"]["drain_timeout"] == 600


def test_every_section_reaches_a_configuration() -> None:
    """A section that the schema lets into ``config`` is written into a file, not forgotten."""
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    template = (CHART / "templates" / "_config.tpl").read_text("utf-8")
    sections = schema["properties"]["config"]["properties"].keys()
    assert len(sections) > 8
    assert {name for name in sections if f'"{name}"' not in template} == set()


def test_a_changed_configuration_starts_pods_anew() -> None:
    """Files are mounted by subPath, which Kubernetes never updates: a checksum restarts pods."""
    sums = {
        one(objects(rendered(f"{DEFAULTS}\n{more}")), "StatefulSet", "ac-collector")["spec"][
            "template"
        ]["metadata"]["annotations"]["checksum/config"]
        for more in ("", "config: {organizations: {acme: {}}}", "sidecar: {replicas: 2}")
    }
    assert len(sums) == 2
