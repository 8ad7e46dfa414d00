"""What image, compose and release must not lose: each rule by itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
ACTIONS: Final = {"actions", "azure", "docker"}
"""Owners of the actions that the workflow may use."""


@pytest.fixture(scope="module")
def containerfile() -> list[str]:
    """The instructions of the Containerfile, continued lines joined."""
    text = (ROOT / "deploy/Containerfile").read_text("utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line for line in joined.split("\n") if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml, with what services share put in."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())
    return found


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    """The release workflow."""
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    return found


# The image


def test_the_image_runs_as_nobody(containerfile: list[str]) -> None:
    """What is published begins from nothing and runs as a number that is not root's."""
    last = max(at for at, line in enumerate(containerfile) if line.startswith("FROM "))
    assert containerfile[last].startswith("FROM scratch")
    (user,) = [line.split()[1] for line in containerfile[last:] if line.startswith("USER ")]
    assert int(user.split(":")[0]) >= 10000


def test_what_is_installed_has_its_hashes(containerfile: list[str]) -> None:
    """Each pip install of others' packages demands hashes; our own wheel brings none along."""
    installs = re.findall(r"pip install[^&;|]*", "\n".join(containerfile))
    assert len(installs) >= 2
    for one in installs:
        assert "--require-hashes" in one or "--no-deps" in one, one


def test_no_secret_is_baked_in(containerfile: list[str]) -> None:
    """Neither variables nor arguments hold one: both are in the image's history."""
    for line in containerfile:
        if line.startswith(("ENV ", "ARG ", "LABEL ")):
            assert re.search(r"(?i)token|password|secret|_key", line) is None, line


# Compose


def test_our_own_parts_cannot_rise(compose: dict[str, Any]) -> None:
    """No capability, no way to gain one, nothing of the image can be changed."""
    own = [it for it in compose["services"].values() if it["image"].startswith("activity-center")]
    assert len(own) == 4
    for it in own:
        assert it["security_opt"] == ["no-new-privileges:true"]
        assert it["cap_drop"] == ["ALL"] and it["read_only"] is True


def test_what_is_accepted_is_on_a_volume(compose: dict[str, Any]) -> None:
    """The spool survives the container, and the container has time to deliver it."""
    collector = compose["services"]["collector"]
    assert "collector:/var/lib/activity-center" in collector["volumes"]
    text = (ROOT / "deploy/compose/collector.yml").read_text("utf-8")
    assert yaml.safe_load(text)["collector"]["data_dir"].startswith("/var/lib/activity-center/")
    drain = 25  # collector.drain_timeout
    assert int(collector["stop_grace_period"].removesuffix("s")) >= drain + 20
    assert int(compose["services"]["sidecar"]["stop_grace_period"].removesuffix("s")) >= 30
    assert "9600/readyz" in str(collector["healthcheck"]["test"])
    assert "8600/readyz" in str(compose["services"]["sidecar"]["healthcheck"]["test"])


def test_who_is_in_which_network(compose: dict[str, Any]) -> None:
    """OpenSearch and the bus are reached by those that have to, and not from outside."""
    closed = {name for name, it in compose["networks"].items() if (it or {}).get("internal")}
    assert closed == {"store", "steps", "intake"}
    inside: dict[str, set[str]] = {}
    for name, service in compose["services"].items():
        for network in service.get("networks", ()):
            inside.setdefault(network, set()).add(name)
    assert inside["store"] == {"opensearch", "dashboards", "install", "collector", "sidecar"}
    assert inside["steps"] == {"bus", "collector", "sidecar"}
    assert inside["intake"] == {"collector", "sidecar", "fluent-bit"}


def test_the_bus_speaks_tls_alone(compose: dict[str, Any]) -> None:
    """Its password comes by standard input, and no list of processes shows it."""
    script = compose["services"]["bus"]["command"][-1]
    lines = [line.strip() for line in script.splitlines()]
    assert "port 0" in lines and "tls-port 6379" in lines
    assert "maxmemory-policy noeviction" in lines
    assert "requirepass $$BUS_PASSWORD" in script
    assert re.search(r"valkey-server .*BUS_PASSWORD", script) is None


# The release


def test_each_job_has_the_rights_it_needs(workflow: dict[str, Any]) -> None:
    """Nothing writes but what publishes, and only to where it publishes."""
    assert workflow["permissions"] == {"contents": "read"}
    publishing = {"contents": "read", "id-token": "write", "attestations": "write"}
    rights = {name: job.get("permissions") for name, job in workflow["jobs"].items()}
    assert rights == {
        "test": None,
        "wheel": publishing,
        "image": {**publishing, "packages": "write"},
        "chart": {**publishing, "packages": "write"},
        "release": {"contents": "write"},
    }


def test_what_is_published_says_where_it_comes_from(workflow: dict[str, Any]) -> None:
    """Provenance of wheel, image and chart; the image's bill of materials; the tag's version."""
    jobs = workflow["jobs"]
    for name in ("wheel", "image", "chart"):
        used = [step.get("uses", "") for step in jobs[name]["steps"]]
        assert any(one.startswith("actions/attest-build-provenance@") for one in used), name
    (pushed,) = [
        step["with"]
        for step in jobs["image"]["steps"]
        if step.get("uses", "").startswith("docker/build-push-action@")
    ]
    assert (pushed["sbom"], pushed["provenance"]) == (True, "mode=max")
    assert pushed["file"] == "deploy/Containerfile"
    runs = {
        name: "\n".join(step.get("run", "") for step in job["steps"]) for name, job in jobs.items()
    }
    for words in ("activity_center/__init__.py", "Chart.yaml", "CHANGELOG.md"):
        assert words in runs["test"]
    assert "--require-hashes" in runs["wheel"] and "cmp dist/*.whl again/*.whl" in runs["wheel"]
    assert '--version "$version"' in runs["chart"] and '--app-version "$version"' in runs["chart"]


def test_actions_are_of_known_owners_in_a_version(workflow: dict[str, Any]) -> None:
    """No fork, no branch."""
    used = [
        step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert len(used) > 10
    for one in used:
        name, _, version = one.partition("@")
        assert name.split("/")[0] in ACTIONS, one
        assert re.fullmatch(r"v[0-9.]+|[0-9a-f]{40}", version), one
