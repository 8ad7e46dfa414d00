"""Fetch and build the tools of the chart's tests, once, into the user's cache.

Go programs are built from their modules (``tools/<name>``, whose ``go.sum`` holds a SHA-256 of
every one), Python's index has the rest (``tools/requirements.txt``, with digests); Go itself is
among the latter. Whatever is not as recorded is refused by ``go`` and ``pip`` themselves.

    python -m tests.chart.provision helm helm-docs        # prints the folder of each
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from activity_center.node.folders import cache_folder, make_folder

TOOLS: Final = Path(__file__).with_name("tools")
KUBERNETES: Final = "1.34.3"
HELM: Final = "3.19.5"
SCHEMAS: Final = ("1.30.0", "1.34.0", "1.37.0")
"""Kubernetes versions that kubeconform compares with: oldest that is supported, tested, newest."""

_COMPONENT: Final = "k8s.io/component-base/version"
_HELM: Final = "helm.sh/helm/v3"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
# Without these the API server calls itself v0.0.0-master and helm assumes Kubernetes 1.20:
# a chart with a kubeVersion is refused by both.
_STAMPS: Final = {
    "kubernetes": {
        f"{_COMPONENT}.gitVersion": f"v{KUBERNETES}",
        f"{_COMPONENT}.gitMajor": _MAJOR,
        f"{_COMPONENT}.gitMinor": _MINOR,
    },
    "helm": {
        f"{_HELM}/internal/version.version": f"v{HELM}",
        f"{_HELM}/pkg/chartutil.k8sVersionMajor": _MAJOR,
        f"{_HELM}/pkg/chartutil.k8sVersionMinor": _MINOR,
        f"{_HELM}/pkg/lint/rules.k8sVersionMajor": _MAJOR,
        f"{_HELM}/pkg/lint/rules.k8sVersionMinor": _MINOR,
    },
}
_DEFINITIONS: Final = {
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "sigs.k8s.io/gateway-api": (
        "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        "config/crd/standard/gateway.networking.k8s.io_backendtlspolicies.yaml",
    ),
    "github.com/cert-manager/cert-manager": ("deploy/crds/cert-manager.io_certificates.yaml",),
}
_STAGES: Final = "kustomize/stage"


def python_tools() -> Path:
    """Return the folder with what Python's index has; programs are in ``bin`` below it."""
    wanted = TOOLS / "requirements.txt"

    def fill(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        command += ["--no-deps", "--disable-pip-version-check", "--target", str(folder)]
        _call([*command, "--requirement", str(wanted)], os.environ.copy())

    return _kept("python", _digest(wanted), fill)


def program(name: str) -> Path:
    """Return the path of a program: ``helm``, ``kubeconform``, ``helm-docs``."""
    return programs(name) / name


def programs(module: str) -> Path:
    """Return the folder with the programs that the module ``tools/<module>`` builds."""
    source = TOOLS / module
    stamps = [f"-X {name}={value}" for name, value in _STAMPS.get(module, {}).items()]
    flags = " ".join(["-s -w", *stamps])

    def fill(folder: Path) -> None:
        environment = _go_environment() | {"GOBIN": str(folder)}
        command = ["go", "install", "-p", "2", "-trimpath", "-ldflags", flags, "tool"]
        _call(command, environment, where=source)

    return _kept(module, _digest(source / "go.mod", source / "go.sum", extra=flags), fill)


def definitions() -> Path:
    """Return the folder with the resource definitions (CRDs) of tools/crds."""
    source = TOOLS / "crds"

    def fill(folder: Path) -> None:
        for module, files in _DEFINITIONS.items():
            for file in files:
                shutil.copyfile(_module(source, module) / file, folder / Path(file).name)

    return _kept("crds", _digest(source / "go.mod", extra=repr(_DEFINITIONS)), fill)


def kwok_stages() -> Path:
    """Return the folder with kwok's own stages and its storage class."""
    source = TOOLS / "kwok"

    def fill(folder: Path) -> None:
        shutil.copytree(_module(source, "sigs.k8s.io/kwok") / _STAGES, folder / "stage")

    return _kept("kwok-stages", _digest(source / "go.mod"), fill) / "stage"


def schemas() -> Path:
    """Return the folder with Kubernetes' JSON schemas as kubeconform looks for them."""

    def fill(folder: Path) -> None:
        packaged = python_tools() / "kubernetes_validate" / "kubernetes-json-schema"
        for version in SCHEMAS:
            target = folder / f"v{version}-standalone-strict"
            target.mkdir()
            for file in sorted((packaged / f"v{version}-local-strict").glob("*.json")):
                text = file.read_text("utf-8").replace(
                    '"/api/_definitions.json#', '"_definitions.json#'
                )
                document = json.loads(text)
                document.pop("$id", None)
                (target / file.name).write_text(json.dumps(document), "utf-8")

    return _kept("schemas", _digest(TOOLS / "requirements.txt", extra=repr(SCHEMAS)), fill)


def definition_schemas() -> Path:
    """Return the folder with a JSON schema of each kind that :func:`definitions` brings.

    A file is called ``<kind>-<group>-<version>.json``, in lower case. Objects take no key that
    they do not name, as an API server that is asked to validate strictly would have it.
    """
    read = definitions()

    def fill(folder: Path) -> None:
        for file in sorted(read.glob("*.yaml")):
            spec = yaml.safe_load(file.read_text("utf-8"))["spec"]
            for version in spec["versions"]:
                name = f"{spec['names']['kind']}-{spec['group']}-{version['name']}.json".lower()
                schema = _closed(version["schema"]["openAPIV3Schema"])
                (folder / name).write_text(json.dumps(schema), "utf-8")

    return _kept("crd-schemas", _digest(*sorted(read.glob("*.yaml"))), fill)


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {name: _closed(one) for name, one in part.items()}
    named = isinstance(part.get("properties"), dict) and part.get("type") == "object"
    if named and not part.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def _kept(name: str, digest: str, fill: Callable[[Path], None]) -> Path:
    store = cache_folder() / "chart-tools"
    make_folder(store)
    target = store / f"{name}-{digest}"
    with _locked(store / f"{name}.lock"):
        if target.is_dir():
            return target
        started = store / f".{name}-{digest}"
        # What a killed run left looks whole and is not.
        shutil.rmtree(started, ignore_errors=True)
        started.mkdir()
        fill(started)
        started.rename(target)
        for former in store.glob(f"{name}-????????????"):
            if former != target and former.name.rpartition("-")[0] == name:
                shutil.rmtree(former, ignore_errors=True)
    return target


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _digest(*files: Path, extra: str = "") -> str:
    digest = hashlib.sha256(f"{platform.machine()} {extra}".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _go_environment() -> dict[str, str]:
    # Go 1.24 is the first that knows the "tool" lines of go.mod; Debian 12 has 1.19.
    path = os.pathsep.join((str(python_tools() / "go" / "bin"), os.environ.get("PATH", "")))
    return os.environ | {
        "PATH": path,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def _module(source: Path, name: str) -> Path:
    command = ["go", "mod", "download", "-json", name]
    answer = _call(command, _go_environment(), where=source, keep=True)
    return Path(json.loads(answer)["Dir"])


def _call(
    command: list[str],
    environment: dict[str, str],
    *,
    where: Path | None = None,
    keep: bool = False,
) -> str:
    print(f"Making ready: {' '.join(command[:4])} … ({(where or TOOLS).name})", file=sys.stderr)
    done = subprocess.run(
        [shutil.which(command[0], path=environment["PATH"]) or command[0], *command[1:]],
        cwd=where,
        env=environment,
        stdout=subprocess.PIPE if keep else sys.stderr,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: its words stand above")
    return done.stdout or ""


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(programs(wanted))
