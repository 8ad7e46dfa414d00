"""What deploy/ and the release workflow hold fits the code: packages, configuration, commands."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from activity_center.config import load

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy/compose"
OWN = {"collector", "sidecar", "install", "certificates"}


def locked(name: str) -> dict[str, str]:
    """Package -> version of a list of deploy/image; each has its hashes."""
    text = (ROOT / "deploy/image" / name).read_text()
    blocks = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
    found = {}
    for block in blocks:
        match = re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", block)
        assert match, block[:80]
        assert "--hash=sha256:" in block, block[:80]
        found[canonicalize_name(match[1])] = match[2]
    return found


def declared(*extras: str) -> list[Requirement]:
    """What setup.cfg demands for these extras, those that they name included."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].split("\n")
    for extra in (*extras, "cli", "watch"):
        lines += config["options.extras_require"][extra].split("\n")
    wanted = [Requirement(line) for line in lines if line.strip()]
    return [one for one in wanted if canonicalize_name(one.name) != "activity-center"]


def test_the_image_has_what_the_package_demands() -> None:
    """Each requirement of collector and sidecar is in the list, in a version that it allows."""
    there = locked("requirements.txt")
    wanted = declared("collector", "sidecar")
    assert len(wanted) > 20
    missing = [str(one) for one in wanted if canonicalize_name(one.name) not in there]
    assert missing == [], "run make image-lock"
    wrong = [
        str(one)
        for one in wanted
        if not one.specifier.contains(there[canonicalize_name(one.name)], prereleases=True)
    ]
    assert wrong == [], "run make image-lock"


def test_what_builds_the_image_is_listed_too() -> None:
    """The tools of the build stage have their hashes as well."""
    there = locked("build-requirements.txt")
    wanted = (ROOT / "deploy/image/build-requirements.in").read_text().split("\n")
    for one in (Requirement(line) for line in wanted if line):
        assert one.specifier.contains(there[canonicalize_name(one.name)]), one


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of compose.yaml, with what they share put in."""
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    return found


def test_compose_names_what_is_there(services: dict[str, Any]) -> None:
    """Each mounted file exists, each volume and each dependency is declared."""
    whole = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    assert set(services) > OWN
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (COMPOSE / source).is_file(), (name, source)
            else:
                assert source in whole["volumes"], (name, source)
        assert set(service.get("depends_on", ())) <= set(services), name
        assert set(service.get("networks", ())) <= set(whole["networks"]), name


def test_compose_opens_loopback_alone(services: dict[str, Any]) -> None:
    """Nothing of it can be reached from another machine, and our own parts have no rights."""
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert len(ports) >= 5
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    for name in OWN:
        service = services[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service and "user" not in service, name


def test_compose_pins_every_image(services: dict[str, Any]) -> None:
    """No image without a version, and none from a registry that is named."""
    for name, service in services.items():
        image, _, tag = service["image"].partition(":")
        assert tag and tag != "latest", name
        assert "." not in image.split("/")[0], name


def variables() -> dict[str, str]:
    """What .env holds once it is filled in."""
    example = (COMPOSE / ".env.example").read_text()
    names = re.findall(r"(?m)^([A-Z_]+)=$", example)
    assert len(names) == 5
    return {name: f"{name.lower()}-0123456789abcdef" for name in names}


def test_the_configuration_of_compose_is_right(services: dict[str, Any], tmp_path: Path) -> None:
    """It loads with what .env.example asks for and compose sets, and with certificates made so."""
    command = services["certificates"]["command"]
    assert services["certificates"]["entrypoint"][0] == "python"
    done = subprocess.run(
        [sys.executable, str(COMPOSE / "certificates.py"), str(tmp_path), *command[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "made certificates for bus, collector, sidecar" in done.stdout
    seen = {}
    for name in ("install", "collector", "sidecar"):
        environment = {
            key: re.sub(r"\$\{(\w+):[^}]*\}", lambda found: variables()[found[1]], value)
            for key, value in services[name]["environment"].items()
        }
        seen[name] = load(mounted(services[name]), {**environment, "TLS": str(tmp_path)})
        assert seen[name].opensearch.url == "http://opensearch:9200"
    collector, sidecar = seen["collector"], seen["sidecar"]
    assert collector.bus.url == sidecar.bus.url == "rediss://bus:6379/0"
    assert {one.name for one in collector.senders} == {"sidecar", "programs", "fluent-bit"}
    programs = [one for one in collector.senders if one.name == "programs"]
    assert list(sidecar.senders) == programs
    assert sidecar.sidecar.tls is not None
    assert seen["install"].organizations == collector.organizations == sidecar.organizations
    again = subprocess.run(
        [sys.executable, str(COMPOSE / "certificates.py"), str(tmp_path), *command[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "there already" in again.stdout


def mounted(service: dict[str, Any]) -> Path:
    """The file that a service has as its activity-center.yml."""
    places = dict(volume.split(":")[:2] for volume in service["volumes"])
    (source,) = [it for it, to in places.items() if to.endswith("/activity-center.yml")]
    return COMPOSE / source


@pytest.mark.parametrize("name", sorted(OWN))
def test_compose_gives_no_secret_for_nothing(services: dict[str, Any], name: str) -> None:
    """Least privilege: a part is given exactly the variables that its own file names."""
    given = services[name].get("environment", {})
    if name == "certificates":
        assert given == {}
        return
    assert set(re.findall(r"\$\{(\w+)\}", mounted(services[name]).read_text())) == set(given)


def test_compose_brings_dashboards_on_demand_alone(services: dict[str, Any]) -> None:
    """Dashboards asks nobody to sign in here: it is there only where somebody asks for it."""
    assert services["dashboards"]["profiles"] == ["dashboards"]
    needed = {one for service in services.values() for one in service.get("depends_on", ())}
    assert "dashboards" not in needed


@pytest.mark.parametrize("name", ["install", "collector", "sidecar"])
def test_the_commands_of_compose_exist(services: dict[str, Any], name: str) -> None:
    """Each verb with its options is one of the command line."""
    verb, *rest = services[name]["command"]
    options = {one for one in rest if one.startswith("--")}
    command = [sys.executable, "-m", "activity_center", verb, "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert options and all(option in told for option in options)


def test_the_image_copies_no_more_than_it_needs() -> None:
    """What is no part of the program stays out of the build, by one file for all builders."""
    ignored = (ROOT / ".containerignore").read_text().split("\n")
    assert {".git", ".venv", "tests", "docs"} <= set(ignored)
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()
    file = (ROOT / "deploy/Containerfile").read_text()
    for name in re.findall(r"deploy/image/[\w.-]+", file):
        assert (ROOT / name).is_file(), name
    for verb in re.findall(r"FROM (\S+)", file):
        assert verb in {"${BASE}", "scratch"}


def test_compose_and_chart_run_the_same_versions(services: dict[str, Any]) -> None:
    """What stands beside ours is the same in both."""
    values = yaml.safe_load((ROOT / "charts/activity-center/values.yaml").read_text())
    for service, image in (
        ("bus", values["bus"]["bundled"]["image"]),
        ("fluent-bit", values["fluentBit"]["image"]),
    ):
        assert services[service]["image"] == f"{image['repository']}:{image['tag']}"


def test_a_release_publishes_nothing_untested() -> None:
    """Every job of the workflow comes after the tests, and has rights of its own alone."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    jobs = workflow["jobs"]
    assert workflow["permissions"] == {"contents": "read"}

    def before(name: str) -> set[str]:
        needs = jobs[name].get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        return {one for need in needs for one in ({need} | before(need))}

    assert set(jobs) == {"test", "wheel", "image", "chart", "release"}
    assert all("test" in before(name) for name in set(jobs) - {"test"})
    runs = [step.get("run", "") for step in jobs["test"]["steps"]]
    assert ".ci/run" in runs and any("make image" in run for run in runs)
    text = (ROOT / ".github/workflows/release.yml").read_text()
    for name in re.findall(r"(?:file: |-r )(\S+\.?\w*)", text):
        assert (ROOT / name).is_file(), name
