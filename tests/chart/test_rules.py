"""What must hold of the rendered objects, each rule by itself: golden files only show a change.

A golden file is written anew when the chart changes; these say what a change must not undo.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import pytest
import yaml

from tests.chart.rendering import NAMESPACE, case, objects, one, pods, rendered
from tests.faults.rolling.release import COLLECTOR_GRACE, DRAIN, SIDECAR_GRACE

PART: Final = "app.kubernetes.io/component"
OWN: Final = {"app.kubernetes.io/instance": "ac", "app.kubernetes.io/name": "activity-center"}
DEFAULTS: Final = "fullnameOverride: ac"
HOOKS: Final = ("helm.sh/hook", "helm.sh/hook-delete-policy")


@pytest.fixture(scope="module")
def plain() -> list[dict[str, Any]]:
    """The objects of the defaults."""
    return objects(rendered(DEFAULTS))


@pytest.fixture(scope="module")
def full() -> list[dict[str, Any]]:
    """The objects of the case with everything."""
    return objects(rendered(case("everything")))


def of(part: str) -> dict[str, str]:
    """Labels that are of one part of this release alone."""
    return {**OWN, PART: part}


def pod(every: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The spec of the pods that an object makes."""
    return dict(pods(every))[f"{kind}/{name}"]


def container(every: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Its first container."""
    found: dict[str, Any] = pod(every, kind, name)["containers"][0]
    return found


def with_values(more: str) -> list[dict[str, Any]]:
    """The objects of the defaults and some values (YAML)."""
    return objects(rendered(f"{DEFAULTS}\n{more}"))


# Selectors


@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("Service", "ac-collector", "collector"),
        ("Service", "ac-collector-pods", "collector"),
        ("Service", "ac-sidecar", "sidecar"),
        ("Service", "ac-bus", "bus"),
        ("PodDisruptionBudget", "ac-collector", "collector"),
        ("PodDisruptionBudget", "ac-sidecar", "sidecar"),
        ("StatefulSet", "ac-collector", "collector"),
        ("Deployment", "ac-sidecar", "sidecar"),
        ("Deployment", "ac-bus", "bus"),
        ("DaemonSet", "ac-fluent-bit", "fluent-bit"),
        ("ServiceMonitor", "ac-collector", "collector"),
        ("ServiceMonitor", "ac-sidecar", "sidecar"),
    ],
)
def test_an_object_selects_its_own_part(
    full: list[dict[str, Any]], kind: str, name: str, part: str
) -> None:
    """Of this release alone: two releases in a namespace never mix."""
    selector = one(full, kind, name)["spec"]["selector"]
    assert selector.get("matchLabels", selector) == of(part)


def test_spreading_looks_at_its_own_part(plain: list[dict[str, Any]]) -> None:
    """Over nodes and zones, and only away from pods of the same part of the same release."""
    for kind, part in (("StatefulSet", "collector"), ("Deployment", "sidecar")):
        spec = pod(plain, kind, f"ac-{part}")
        (near,) = spec["affinity"]["podAntiAffinity"].popitem()[1]
        assert near["podAffinityTerm"]["labelSelector"] == {"matchLabels": of(part)}
        assert near["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
        (spread,) = spec["topologySpreadConstraints"]
        assert spread["labelSelector"] == {"matchLabels": of(part)}


# What must survive


def test_the_spool_survives_its_pods(plain: list[dict[str, Any]]) -> None:
    """A volume of its own, kept when pods, set or release go, where the collector writes."""
    made = one(plain, "StatefulSet", "ac-collector")["spec"]
    kept = made["persistentVolumeClaimRetentionPolicy"]
    assert kept == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert made["podManagementPolicy"] == "Parallel"
    (claim,) = made["volumeClaimTemplates"]
    mounts = {
        it["name"]: it for it in container(plain, "StatefulSet", "ac-collector")["volumeMounts"]
    }
    assert not mounts[claim["metadata"]["name"]].get("readOnly")
    text = one(plain, "ConfigMap", "ac-collector")["data"]["activity-center.yml"]
    folder = yaml.safe_load(text)["collector"]["data_dir"]
    assert folder.startswith(mounts[claim["metadata"]["name"]]["mountPath"] + "/")


def test_the_sidecars_key_is_copied_from_the_secret(plain: list[dict[str, Any]]) -> None:
    """All sidecars have the one key of the Secret, where the sidecar looks for it."""
    spec = pod(plain, "Deployment", "ac-sidecar")
    (copying,) = spec["initContainers"]
    script = copying["args"][0]
    text = one(plain, "ConfigMap", "ac-sidecar")["data"]["activity-center.yml"]
    assert f'Path("{yaml.safe_load(text)["sidecar"]["data_dir"]}")' in script
    assert '"secret.key"' in script and "/etc/activity-center/key/sidecar.key" in script
    volumes = {it["name"]: it for it in spec["volumes"]}
    (key,) = [it for it in copying["volumeMounts"] if it["mountPath"] == "/etc/activity-center/key"]
    assert volumes[key["name"]]["secret"]["items"] == [
        {"key": "sidecar.key", "path": "sidecar.key"}
    ]


def test_made_keys_are_long_enough(plain: list[dict[str, Any]]) -> None:
    """No token is shorter than 43 characters of base64 (32 bytes), no key than 32 bytes."""
    data = one(plain, "Secret", "ac-secrets")["data"]
    sizes = {name: len(base64.b64decode(value)) for name, value in data.items()}
    assert min(sizes.values()) >= 32, sizes
    assert len(set(data.values())) == len(data)


# Starting, stopping, probes


@pytest.mark.parametrize(
    ("kind", "name", "port", "scheme"),
    [
        ("StatefulSet", "ac-collector", "health", None),
        ("Deployment", "ac-sidecar", "https", "HTTPS"),
    ],
)
def test_probes_ask_what_they_are_for(
    plain: list[dict[str, Any]], kind: str, name: str, port: str, scheme: str | None
) -> None:
    """Readiness asks whether it can serve; liveness and start only whether it lives."""
    found = container(plain, kind, name)
    for probe, path in (
        ("readiness", "/readyz"),
        ("liveness", "/healthz"),
        ("startup", "/healthz"),
    ):
        asked = found[f"{probe}Probe"]["httpGet"]
        assert (asked["path"], asked["port"], asked.get("scheme")) == (path, port, scheme)
    assert found["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5  # until nobody sends here


def test_rolling_keeps_what_people_use(plain: list[dict[str, Any]]) -> None:
    """A sidecar goes when the next is ready, with time for exports; one collector at a time."""
    made = one(plain, "Deployment", "ac-sidecar")["spec"]
    assert made["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    spec = pod(plain, "Deployment", "ac-sidecar")
    assert spec["terminationGracePeriodSeconds"] >= 5 + 20 + 5  # preStop, sidecar_api.server.GRACE
    for part in ("collector", "sidecar"):
        assert one(plain, "PodDisruptionBudget", f"ac-{part}")["spec"]["maxUnavailable"] == 1
    assert one(plain, "Service", "ac-sidecar")["spec"]["sessionAffinity"] == "ClientIP"
    pods_of = one(plain, "Service", "ac-collector-pods")["spec"]
    assert pods_of["publishNotReadyAddresses"] is True and pods_of["clusterIP"] == "None"


def test_ports_are_those_of_the_parts(plain: list[dict[str, Any]]) -> None:
    """Services, containers and configuration name the same ports."""
    texts = {
        part: yaml.safe_load(one(plain, "ConfigMap", f"ac-{part}")["data"]["activity-center.yml"])
        for part in ("collector", "sidecar")
    }
    ports = {
        port["name"]: port["containerPort"]
        for kind, name in (("StatefulSet", "ac-collector"), ("Deployment", "ac-sidecar"))
        for port in container(plain, kind, name)["ports"]
    }
    (http,) = texts["collector"]["collector"]["http"]
    assert http["bind"].endswith(f":{ports['activities']}")
    assert texts["collector"]["collector"]["health"].endswith(f":{ports['health']}")
    assert texts["sidecar"]["sidecar"]["bind"].endswith(f":{ports['https']}")
    for name in ("ac-collector", "ac-collector-pods", "ac-sidecar"):
        for port in one(plain, "Service", name)["spec"]["ports"]:
            assert port["port"] == ports[port["targetPort"]]


def test_the_rolling_test_gives_no_more_time_than_the_chart() -> None:
    """What tests/faults/rolling replaces, it replaces with these graces and in this order."""
    every = with_values(f"collector: {{drainSeconds: {DRAIN}}}")
    for kind, part, grace in (
        ("StatefulSet", "collector", COLLECTOR_GRACE),
        ("Deployment", "sidecar", SIDECAR_GRACE),
    ):
        spec = pod(every, kind, f"ac-{part}")
        assert grace <= spec["terminationGracePeriodSeconds"]
    assert one(every, "StatefulSet", "ac-collector")["spec"]["updateStrategy"] == {
        "type": "RollingUpdate"
    }


# Hooks and jobs


def test_the_install_hook_runs_first_and_cleans_up(plain: list[dict[str, Any]]) -> None:
    """Before anything of the release, after its file is there, and gone when it succeeded."""
    job, file = one(plain, "Job", "ac-install"), one(plain, "ConfigMap", "ac-install")
    for it in (job, file):
        notes = it["metadata"]["annotations"]
        assert notes[HOOKS[0]] == "pre-install,pre-upgrade"
        assert notes[HOOKS[1]] == "before-hook-creation,hook-succeeded"
    weights = [
        int(it["metadata"]["annotations"].get("helm.sh/hook-weight", 0)) for it in (file, job)
    ]
    assert weights[0] < weights[1]
    found = container(plain, "Job", "ac-install")
    assert found["args"][:2] == ["install", "--yes"]
    notes = one(plain, "Pod", "ac-test")["metadata"]["annotations"]
    assert [notes[hook] for hook in HOOKS] == ["test", "before-hook-creation,hook-succeeded"]


def test_retention_runs_alone(full: list[dict[str, Any]]) -> None:
    """Never two at a time, and it is `retention run`."""
    made = one(full, "CronJob", "ac-retention")["spec"]
    assert made["concurrencyPolicy"] == "Forbid"
    assert container(full, "CronJob", "ac-retention")["args"][:2] == ["retention", "run"]


# The step bus


def test_the_bus_is_closed_and_forgets_nothing_by_itself(plain: list[dict[str, Any]]) -> None:
    """TLS alone, a password, no eviction, and never two of it."""
    script = container(plain, "Deployment", "ac-bus")["args"][0]
    lines = [line.strip() for line in script.splitlines()]
    for line in ("port 0", "tls-port 6379", "maxmemory-policy noeviction"):
        assert line in lines
    assert "requirepass $(cat /etc/bus/own/bus-password)" in lines
    assert one(plain, "Deployment", "ac-bus")["spec"]["strategy"] == {"type": "Recreate"}


# The network


def ends(rule: dict[str, Any]) -> list[Any]:
    """Labels of the pods of a rule."""
    return [
        it.get("podSelector", {}).get("matchLabels") for it in rule.get("from") or rule.get("to")
    ]


def test_each_opening_is_exact(plain: list[dict[str, Any]]) -> None:
    """Who may speak to whom, on which port."""
    every = {it["metadata"]["name"]: it["spec"] for it in plain if it["kind"] == "NetworkPolicy"}
    (bus,) = every["ac-bus"]["ingress"]
    assert ends(bus) == [of("collector"), of("sidecar")]
    assert [port["port"] for port in bus["ports"]] == ["bus"]
    opened = {
        (rule["ports"][0]["port"], *(end[PART] for end in ends(rule)))
        for rule in every["ac-sidecar"]["egress"]
    }
    assert opened == {(8443, "collector"), (6379, "bus")}
    test = [rule for rule in every["ac-test"]["egress"] if ends(rule) == [OWN]]
    assert [[port["port"] for port in rule["ports"]] for rule in test] == [[8443, 8600]]
    search = every["ac-search"]
    (chosen,) = search["podSelector"]["matchExpressions"]
    assert {"collector", "sidecar", "retention"} <= set(chosen["values"])
    assert [9200] in [[port["port"] for port in rule["ports"]] for rule in search["egress"]]


@pytest.mark.parametrize(
    ("url", "port"), [("rediss://valkey.example:6380/1", 6380), ("rediss://valkey.example", 6379)]
)
def test_a_bus_of_ones_own_is_reached(url: str, port: int) -> None:
    """The port of `bus.url` is opened, and no bundled one is there."""
    every = with_values(f"bus: {{url: '{url}'}}")
    assert "ac-bus" not in {it["metadata"]["name"] for it in every if it["kind"] == "Deployment"}
    for part in ("collector", "sidecar"):
        rules = one(every, "NetworkPolicy", f"ac-{part}")["spec"]["egress"]
        assert port in [it["port"] for rule in rules for it in rule["ports"]]


# Ways in from outside


def test_ways_in_lead_to_the_sidecar_over_tls(full: list[dict[str, Any]]) -> None:
    """Ingress, route and monitors speak TLS to it, and streams are not cut off."""
    (rule,) = one(full, "Ingress", "ac-sidecar")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "ac-sidecar", "port": {"name": "https"}}
    notes = one(full, "Ingress", "ac-sidecar")["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"
    (route,) = one(full, "HTTPRoute", "ac-sidecar")["spec"]["rules"]
    assert route["backendRefs"] == [{"name": "ac-sidecar", "port": 8600}]
    assert route["timeouts"] == {"request": "0s"}  # Gateway API: no time-out
    backend = one(full, "BackendTLSPolicy", "ac-sidecar")["spec"]
    assert backend["validation"]["hostname"] == f"ac-sidecar.{NAMESPACE}.svc"
    (collected,) = one(full, "ServiceMonitor", "ac-collector")["spec"]["endpoints"]
    assert (collected["port"], collected["path"]) == ("health", "/metrics")
    (asked,) = one(full, "ServiceMonitor", "ac-sidecar")["spec"]["endpoints"]
    assert (asked["port"], asked["path"], asked["scheme"]) == ("https", "/metrics", "https")
    assert asked["tlsConfig"]["serverName"] == f"ac-sidecar.{NAMESPACE}.svc"


def test_certificates_are_where_they_are_mounted(full: list[dict[str, Any]]) -> None:
    """cert-manager writes server certificates into the Secrets that the pods read."""
    read = {
        volume["secret"]["secretName"]
        for _, spec in pods(full)
        for volume in spec["volumes"]
        if volume.get("secret", {}).get("secretName", "").endswith("-tls")
    }
    made = [it for it in full if it["kind"] == "Certificate"]
    assert {it["spec"]["secretName"] for it in made} == read
    for it in made:
        assert it["spec"]["usages"] == ["server auth"]
        service = it["metadata"]["name"].removesuffix("-tls")
        assert f"{service}.{NAMESPACE}.svc" in it["spec"]["dnsNames"]


def test_autoscaling_moves_the_sidecar(full: list[dict[str, Any]]) -> None:
    """And then the Deployment names no number of its own, which would undo it at each upgrade."""
    scaled = one(full, "HorizontalPodAutoscaler", "ac-sidecar")["spec"]
    assert scaled["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "ac-sidecar",
    }
    assert "replicas" not in one(full, "Deployment", "ac-sidecar")["spec"]


def test_fluent_bit_sees_its_own_login_and_changes_no_audit_file(
    full: list[dict[str, Any]],
) -> None:
    """The shared key and its own password, nothing else; the node's files are read-only."""
    found = container(full, "DaemonSet", "ac-fluent-bit")
    keys = {it["valueFrom"]["secretKeyRef"]["key"] for it in found["env"]}
    assert keys == {"forward-shared-key", "fluent-bit-password"}
    mounts = {it["name"]: it for it in found["volumeMounts"]}
    assert mounts["audit"]["readOnly"] is True


def test_senders_of_the_chart_have_no_more_than_they_need(plain: list[dict[str, Any]]) -> None:
    """The sidecar vouches for approvers; the test sends for its own organization alone."""
    text = one(plain, "ConfigMap", "ac-collector")["data"]["activity-center.yml"]
    senders = {it["name"]: it for it in yaml.safe_load(text)["senders"]}
    assert senders["sidecar"]["may_assert"] == ["approver"]
    assert senders["sidecar"]["sources"] == ["native"]
    assert senders["helm_test"]["organizations"] == ["helm_test"]
    assert "may_assert" not in senders["helm_test"]


# Values that have to reach an object


@pytest.mark.parametrize(
    ("values", "kind", "name", "path", "wanted"),
    [
        ("collector: {tolerations: [{key: a}]}", "StatefulSet", "ac-collector",
         "template.spec.tolerations.0.key", "a"),
        ("sidecar: {affinity: {nodeAffinity: {}}}", "Deployment", "ac-sidecar",
         "template.spec.affinity", {"nodeAffinity": {}}),
        ("sidecar: {podLabels: {team: a}}", "Deployment", "ac-sidecar",
         "template.metadata.labels.team", "a"),
        ("collector: {podAnnotations: {note: a}}", "StatefulSet", "ac-collector",
         "template.metadata.annotations.note", "a"),
        ("sidecar: {service: {type: NodePort}}", "Service", "ac-sidecar", "type", "NodePort"),
        ("image: {pullPolicy: Always}", "StatefulSet", "ac-collector",
         "template.spec.containers.0.imagePullPolicy", "Always"),
        ("sidecar: {autoscaling: {enabled: true, targetCPU: 55}}", "HorizontalPodAutoscaler",
         "ac-sidecar", "metrics.0.resource.target.averageUtilization", 55),
        ("retention: {cronJob: {enabled: true, schedule: '7 3 * * *'}}", "CronJob",
         "ac-retention", "schedule", "7 3 * * *"),
        ("install: {resources: {limits: {memory: 300Mi}}}", "Job", "ac-install",
         "template.spec.containers.0.resources.limits.memory", "300Mi"),
        ("collector: {pdb: {maxUnavailable: 50%}}", "PodDisruptionBudget", "ac-collector",
         "maxUnavailable", "50%"),
    ],
)  # fmt: skip
def test_a_value_reaches_its_object(
    values: str, kind: str, name: str, path: str, wanted: object
) -> None:
    """What people set is what is there."""
    found: Any = one(with_values(values), kind, name)["spec"]
    for step in path.split("."):
        found = found[int(step) if isinstance(found, list) else step]
    assert found == wanted


def test_names_follow_the_release_and_its_override() -> None:
    """The chart's name is in every name, and `nameOverride` goes in its place."""
    named = {it["metadata"]["name"] for it in objects(rendered("nameOverride: record"))}
    assert named and all(name.startswith("ac-record") for name in named)
