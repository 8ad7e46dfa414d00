"""The image: built from the Containerfile, and run with a read-only root by its own user."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import requests

from activity_center import __version__
from activity_center.streams import LENS_PATTERNS
from tests.image.building import ROOT, TOOLS, USER, Builder, inside
from tests.integration.process import free_port, until

if TYPE_CHECKING:
    from tests.conftest import Node

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
IMAGE = "localhost/activity-center"
SECRETS = ("BUS_PASSWORD", "FORWARD_SHARED_KEY", "SENDER_TOKEN", "RECORDING_TOKEN", "READER_TOKEN")


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """buildah with the built image."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid():
        pytest.skip(f"needs root and {', '.join(TOOLS)}")
    made = Builder(tmp_path_factory.mktemp("image"))
    made.base("localhost/debian")
    arguments = ["--build-arg", "BASE=localhost/debian", "--build-arg", f"VERSION={__version__}"]
    arguments += ["--build-arg", "REVISION=abc", "--timestamp", "0", "-t", IMAGE]
    made.ask("build", "-f", "deploy/Containerfile", *arguments, ".", cwd=made.context())
    yield made
    made.ask("umount", "--all")
    made.ask("rm", "--all")


@pytest.fixture(scope="session")
def root(builder: Builder) -> Path:
    """Its root file system."""
    return builder.mounted(IMAGE)


def run(root: Path, volume: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the image."""
    return subprocess.run(
        inside(root, volume, {}, command), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume that the image's user may write, as fsGroup makes one."""
    made = tmp_path / "volume"
    made.mkdir()
    os.chown(made, USER, USER)
    return made


def test_what_the_image_says_of_itself(builder: Builder) -> None:
    """User by number, one entry point, a full set of labels, no secret among its variables."""
    said = json.loads(builder.ask("inspect", "--type", "image", IMAGE))["OCIv1"]
    config = said["config"]
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["/opt/activity-center/bin/activity-center"]
    assert config["StopSignal"] == "SIGTERM"
    labels = {
        key.removeprefix("org.opencontainers.image."): config["Labels"][key]
        for key in config["Labels"]
    }
    assert labels["version"] == __version__ and labels["revision"] == "abc"
    assert labels["licenses"] == "Apache-2.0" and labels["created"] == "1970-01-01T00:00:00Z"
    names = {one.partition("=")[0] for one in config["Env"]}
    assert names == {"PATH", "LANG", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert said["created"].startswith("1970-01-01")


def test_nothing_is_there_that_need_not_be(root: Path) -> None:
    """No shell, no package manager, no pip, no setuid file, nothing that anyone may write."""
    bins = {
        file.name
        for folder in ("bin", "usr/bin", "sbin", "usr/sbin")
        for file in (root / folder).glob("*")
    }
    assert not bins & {"sh", "bash", "dash", "apt", "apt-get", "dpkg", "curl", "wget", "perl"}
    packages = root / "opt/activity-center/lib/python3.11/site-packages"
    assert (packages / "sidecar_api/web/main.js").is_file()
    assert not [
        one.name
        for one in packages.iterdir()
        if one.name.startswith(("pip", "setuptools", "tests"))
    ]
    loose = []
    for folder, _, files in os.walk(root):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                continue
            if mode & (stat.S_ISUID | stat.S_ISGID) or (
                mode & stat.S_IWOTH and path != root / "tmp"
            ):
                loose.append(str(path.relative_to(root)))
    assert loose == []


def normalized(purl: str) -> str:
    """A package's address with its name as PyPI compares names (PEP 503)."""
    name, _, version = purl.partition("@")
    return f"{re.sub('[-_.]+', '-', name).lower()}@{version}"


def test_the_bill_of_materials_is_whole(root: Path) -> None:
    """CycloneDX with each Python and each Debian package that lies in the image, by version."""
    bill = json.loads((root / "usr/share/activity-center/sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == __version__
    told = {one["purl"].partition("?")[0] for one in bill["components"] if "purl" in one}
    python = {normalized(one) for one in told if one.startswith("pkg:pypi/")}
    packages = root / "opt/activity-center/lib/python3.11/site-packages"
    infos = [one.name.removesuffix(".dist-info") for one in packages.glob("*.dist-info")]
    there = {normalized("pkg:pypi/{}@{}".format(*one.rsplit("-", 1))) for one in infos}
    assert len(there) > 40
    assert there - python == {normalized(f"pkg:pypi/activity-center@{__version__}")}
    debian = {
        unquote(one.split("/")[-1].partition("@")[0]) for one in told if one.startswith("pkg:deb/")
    }
    assert debian == {file.name for file in (root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libssl3", "python3.11-minimal", "libc6"} <= debian


def test_it_runs_by_its_own_user_and_writes_nowhere_else(root: Path, volume: Path) -> None:
    """The command line works; only the volume and /tmp can be written."""
    assert run(root, volume, "activity-center", "--version").stdout.endswith(f"{__version__}\n")
    code = """
import os
for place in ("/", "/opt/activity-center", "/usr", "/etc", "/var/lib/activity-center", "/tmp"):
    try:
        open(f"{place}/x", "w").close()
        print(os.getuid(), place)
    except OSError:
        pass
"""
    told = run(root, volume, "python", "-c", code)
    assert told.stdout.split("\n")[:-1] == [f"{USER} /var/lib/activity-center", f"{USER} /tmp"], (
        told
    )


class Part:
    """A process in the image, with the configuration of deploy/compose."""

    def __init__(
        self, root: Path, volume: Path, environment: Mapping[str, str], *command: str
    ) -> None:
        line = inside(root, volume, dict(environment), command)
        self.log = volume.parent / f"{command[1]}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(line, stdout=log, stderr=log)

    def stop(self) -> None:
        """End it, as a pod is ended."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for child in children.split():
            os.kill(int(child), 15)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()


@pytest.fixture
def settings(opensearch: Node, tmp_path: Path, volume: Path) -> dict[str, Any]:
    """What deploy/compose configures, on free ports of loopback, and its environment."""
    http, forward, health, sidecar = (free_port() for _ in range(4))
    names = ["bus", "collector=127.0.0.1", "sidecar=127.0.0.1"]
    make = ["python3", str(ROOT / "deploy/compose/certificates.py"), str(volume / "tls"), *names]
    subprocess.run(make, check=True)
    texts = {
        name: (ROOT / f"deploy/compose/{name}.yml").read_text()
        for name in ("install", "collector", "sidecar")
    }
    for old, new in {
        '"0.0.0.0:8443"': f'"127.0.0.1:{http}"',
        '"0.0.0.0:24224"': f'"127.0.0.1:{forward}"',
        '"127.0.0.1:9600"': f'"127.0.0.1:{health}"',
        '"0.0.0.0:8600"': f'"127.0.0.1:{sidecar}"',
        "https://127.0.0.1:8600": f"https://127.0.0.1:{sidecar}",
        # The embedded one: Valkey is not part of the image.
        "bus:\n  url: ${BUS}\n  password: ${BUS_PASSWORD}\n  ca: ${TLS}/authority/ca.crt\n": "",
    }.items():
        assert any(old in text for text in texts.values())
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    for name, text in texts.items():
        (volume / f"{name}.yml").write_text(text)
    for folder, _, files in os.walk(volume):
        for name in ("", *files):
            os.chown(Path(folder, name), USER, USER)
    environment = {name: uuid.uuid4().hex for name in SECRETS}
    environment |= {
        "OPENSEARCH": opensearch.cluster.url,
        "COLLECTOR": f"https://127.0.0.1:{http}",
        "TLS": "/var/lib/activity-center/tls",
    }
    return {
        "environment": environment,
        "collector": f"https://127.0.0.1:{http}",
        "sidecar": f"https://127.0.0.1:{sidecar}",
        "health": f"http://127.0.0.1:{health}",
        "ca": str(volume / "tls/authority/ca.crt"),
    }


def answers(url: str, **options: Any) -> bool:
    """Whether somebody answers with 200."""
    try:
        return requests.get(url, timeout=5, **options).status_code == 200
    except requests.ConnectionError:
        return False


def test_an_activity_from_end_to_end(
    root: Path, volume: Path, opensearch: Node, settings: dict[str, Any]
) -> None:
    """The image sets the cluster up; its collector and sidecar take an activity, store it and
    answer with it, configured as compose does."""
    config = "/var/lib/activity-center/{}.yml".format
    environment, ca = settings["environment"], settings["ca"]
    collect = ("activity-center", "collect", "--config", config("collector"))
    serve = ("activity-center", "serve", "--config", config("sidecar"))
    install = ("activity-center", "install", "--yes", "--config", config("install"))
    done = subprocess.run(
        inside(root, volume, environment, install), capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = [Part(root, volume, environment, *collect)]
    try:
        until(lambda: answers(f"{settings['health']}/readyz"), why=f"see {parts[0].log}")
        parts.append(Part(root, volume, environment, *serve))
        until(
            lambda: answers(f"{settings['sidecar']}/readyz", verify=ca),
            why="the sidecar is not ready",
        )
        name = f"image-{uuid.uuid4().hex}"
        answer = requests.post(
            f"{settings['collector']}/v1/activities",
            json={
                "event": {"action": "server.create"},
                "activity": {"resource": {"type": "server", "id": name}},
            },
            headers={"Authorization": f"Bearer {environment['SENDER_TOKEN']}"},
            verify=ca,
            timeout=30,
        )
        assert answer.json()["accepted"] == 1, answer.text

        def found() -> bool:
            opensearch.client.indices.refresh(index=",".join(LENS_PATTERNS))
            listed = requests.get(
                f"{settings['sidecar']}/api/v1/activities",
                params={"resource_id": name},
                headers={"Authorization": f"Bearer {environment['READER_TOKEN']}"},
                verify=ca,
                timeout=30,
            )
            assert listed.status_code == 200, listed.text
            return listed.json()["page"]["total"] == 1

        until(found, why="the activity is not found")
    finally:
        for part in reversed(parts):
            part.stop()
    assert [part.process.returncode for part in parts] == [0, 0], [
        part.log.read_text()[-2000:] for part in parts
    ]
