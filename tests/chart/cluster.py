"""A real Kubernetes API server for tests: etcd, control plane and kwok, on loopback.

Admission, quotas, RBAC and garbage collection are the real ones; nodes are kwok's, so pods
become ready without running, and a bare Pod (``helm test``) succeeds.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
import yaml

from tests.chart import provision
from tests.chart.provision import definitions, kwok_stages, programs

PATIENCE: Final = 120.0
"""Seconds that a part has to begin, or a state to be reached."""
_STAGES: Final = (
    "node/fast/node-initialize",
    "node/heartbeat/node-heartbeat",
    "pod/fast/pod-ready",
    "pod/fast/pod-complete",
    "pod/fast/pod-delete",
    "volume/fast/pv-bind",
    "volume/fast/pv-delete",
    "volume/fast/pvc-provision",
    "volume/fast/pvc-delete",
)
_NODES: Final = 2


class Cluster:
    """The running control plane: a client of its API, and helm with its kubeconfig."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"https://127.0.0.1:{_free_port()}"
        self.kubeconfig = folder / "kubeconfig"
        self._token = secrets.token_hex(16)
        self._started: list[subprocess.Popen[bytes]] = []
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {self._token}"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Ask the API server."""
        kind = options.pop("content_type", "application/json")
        return self._session.request(
            method,
            self.url + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": kind},
            timeout=30,
            **options,
        )

    def get(self, path: str) -> Any:
        """The object or list at ``path``."""
        answer = self.call("GET", path)
        end = time.monotonic() + PATIENCE
        # Those of a definition that was just made are not served at once.
        while answer.status_code == requests.codes.too_many and time.monotonic() < end:
            time.sleep(0.2)
            answer = self.call("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def apply(self, path: str, body: dict[str, Any]) -> None:
        """Server-side apply of an object; ``path`` ends with its name."""
        answer = self.call(
            "PATCH",
            f"{path}?fieldManager=tests&force=true",
            body,
            content_type="application/apply-patch+yaml",
        )
        assert answer.ok, answer.text

    def namespace(self, name: str) -> None:
        """A namespace that admits what PodSecurity calls restricted, and nothing else."""
        labels = {
            f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")
        }
        metadata = {"name": name, "labels": labels}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.apply(f"/api/v1/namespaces/{name}", body)
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        until(lambda: self.call("GET", account).ok, "the namespace has its account")

    def helm(self, *arguments: str, values: str = "") -> subprocess.CompletedProcess[str]:
        """Run helm against this cluster."""
        home = self.folder / "helm"
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "HELM_CACHE_HOME": str(home),
            "HELM_CONFIG_HOME": str(home),
            "HELM_DATA_HOME": str(home),
        }
        command = [str(provision.program("helm")), *arguments]
        return subprocess.run(
            command,
            input=values,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env=environment,
        )

    def everything(self, namespace: str) -> set[tuple[str, str]]:
        """Kind and name of every object in a namespace, but events and what each one has."""
        found = set()
        for group in ["/api/v1", *self._groups()]:
            for resource in self.get(group)["resources"]:
                listed = "list" in resource["verbs"] and resource["namespaced"]
                if not listed or "/" in resource["name"] or resource["kind"] == "Event":
                    continue
                items = self.get(f"{group}/namespaces/{namespace}/{resource['name']}")["items"]
                found |= {(resource["kind"], item["metadata"]["name"]) for item in items}
        return found - {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}

    def _groups(self) -> Iterator[str]:
        for group in self.get("/apis")["groups"]:
            yield f"/apis/{group['preferredVersion']['groupVersion']}"

    def start(self) -> None:
        """Start all parts, one after the other."""
        binaries, kwok = programs("kubernetes"), programs("kwok")
        etcd, peer = (f"http://127.0.0.1:{_free_port()}" for _ in range(2))
        key = self.folder / "service-accounts.key"
        tokens = self.folder / "tokens.csv"
        certificates = self.folder / "certificates"
        tokens.write_text(f'{self._token},admin,admin,"system:masters"\n')
        _run("openssl", "genrsa", "-out", str(key), "2048")
        self._process(
            [
                binaries / "server",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync=true",
            ]
        )
        until(lambda: _answers(f"{etcd}/health"), "etcd answers")
        self._process(
            [
                binaries / "kube-apiserver",
                f"--etcd-servers={etcd}",
                "--bind-address=127.0.0.1",
                f"--secure-port={self.url.rpartition(':')[2]}",
                f"--cert-dir={certificates}",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.96.0.0/16",
                f"--token-auth-file={tokens}",
                "--authorization-mode=RBAC",
                "--enable-admission-plugins=PodSecurity",
            ]
        )
        self._session.verify = str(certificates / "apiserver.crt")
        until(self._ready, "the API server is ready")
        self._write_kubeconfig(certificates / "apiserver.crt")
        self._process(
            [
                binaries / "kube-controller-manager",
                f"--kubeconfig={self.kubeconfig}",
                f"--service-account-private-key-file={key}",
                "--leader-elect=false",
                f"--secure-port={_free_port()}",
                "--bind-address=127.0.0.1",
                "--controllers=*,-nodeipam,-route,-service-lb-controller,-cloud-node-lifecycle",
            ]
        )
        self._process(
            [
                binaries / "kube-scheduler",
                f"--kubeconfig={self.kubeconfig}",
                "--leader-elect=false",
                "--secure-port=0",
            ]
        )
        self._start_nodes(kwok / "kwok")
        for file in sorted(definitions().glob("*.yaml")):
            definition = yaml.safe_load(file.read_text("utf-8"))
            place = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            self.apply(f"{place}/{definition['metadata']['name']}", definition)
        self.namespace("default")

    def _start_nodes(self, kwok: Path) -> None:
        stages = self.folder / "stages.yaml"
        texts = [(kwok_stages() / f"{name}.yaml").read_text("utf-8") for name in _STAGES]
        stages.write_text("\n---\n".join([*texts, yaml.safe_dump(_bare_pods())]), "utf-8")
        storage = (kwok_stages() / "volume/fast/storage-class.yaml").read_text("utf-8")
        for one in yaml.safe_load_all(storage):
            name = one["metadata"]["name"]
            annotations = one["metadata"].setdefault("annotations", {})
            annotations["storageclass.kubernetes.io/is-default-class"] = "true"
            self.apply(f"/apis/storage.k8s.io/v1/storageclasses/{name}", one)
        self._process(
            [
                kwok,
                f"--kubeconfig={self.kubeconfig}",
                "--manage-all-nodes",
                f"--config={stages}",
                "--node-lease-duration-seconds=0",
                f"--server-address=127.0.0.1:{_free_port()}",
            ]
        )
        for number in range(_NODES):
            name = f"node-{number}"
            labels = {"kubernetes.io/hostname": name, "pool": "data"}
            metadata = {"name": name, "labels": labels}
            node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
            self.apply(f"/api/v1/nodes/{name}", node)
            # kwok's own nodes have no ephemeral storage, and our pods ask for some.
            room = {"cpu": "64", "memory": "256Gi", "pods": "200", "ephemeral-storage": "1Ti"}
            status = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            status["status"] = {"capacity": room, "allocatable": room}
            self.apply(f"/api/v1/nodes/{name}/status", status)

    def _ready(self) -> bool:
        crt = Path(str(self._session.verify))
        try:
            return crt.is_file() and self.call("GET", "/readyz").ok
        except requests.RequestException:
            return False

    def _write_kubeconfig(self, authority: Path) -> None:
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "tests",
                    "contexts": [
                        {"name": "tests", "context": {"cluster": "tests", "user": "admin"}}
                    ],
                    "clusters": [
                        {
                            "name": "tests",
                            "cluster": {
                                "server": self.url,
                                "certificate-authority": str(authority),
                            },
                        }
                    ],
                    "users": [{"name": "admin", "user": {"token": self._token}}],
                }
            ),
            "utf-8",
        )
        self.kubeconfig.chmod(0o600)

    def _process(self, command: Sequence[str | Path]) -> None:
        log = self.folder / f"{Path(command[0]).name}.log"
        with log.open("wb") as output:
            self._started.append(
                subprocess.Popen(
                    list(map(str, command)),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=self.folder,
                )
            )

    def stop(self) -> None:
        """End all parts. The API server before etcd: the other way round it hangs."""
        for process in reversed(self._started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster of its own in ``folder``, stopped at the end."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until ``holds()``.

    Raises:
        AssertionError: it does not in time.
    """
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.1)


def _bare_pods() -> dict[str, Any]:
    """kwok's stage for pods that nothing owns: they end, and well."""
    statuses = (
        "{{ $now := Now }}\n"
        "phase: Succeeded\n"
        "startTime: {{ $now | Quote }}\n"
        "containerStatuses:\n"
        "{{ range .spec.containers }}\n"
        "- image: {{ .image | Quote }}\n"
        "  name: {{ .name | Quote }}\n"
        "  ready: false\n"
        "  restartCount: 0\n"
        "  state: {terminated: {exitCode: 0, reason: Completed, "
        "startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}\n"
        "{{ end }}\n"
    )
    expressions = [
        {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
        {"key": ".metadata.ownerReferences.[].kind", "operator": "DoesNotExist"},
        {"key": ".spec.nodeName", "operator": "Exists"},
        {"key": ".status.phase", "operator": "NotIn", "values": ["Succeeded", "Failed"]},
    ]
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": "pod-bare-succeeds"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": expressions},
            "next": {"statusTemplate": statuses},
        },
    }


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5, proxies={"http": ""}).ok
    except requests.RequestException:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
