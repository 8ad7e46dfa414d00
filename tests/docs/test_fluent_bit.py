"""The Fluent Bit configurations that we ship hold to Fluent Bit's documentation and to ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from collector.mapping import Router, load_all
from collector.mapping.router import tag_pattern

ROOT = Path(__file__).resolve().parents[2]
VALUES = ROOT / "deploy/fluent-bit/helm-values.yaml"
FILES = sorted(set((ROOT / "deploy/fluent-bit").glob("*.yaml")) - {VALUES})

SECTIONS: Final = {"service", "parsers", "pipeline"}
"""Fluent Bit manual, administration/configuring-fluent-bit/yaml (of the sections, what we use)."""

SERVICE: Final = {
    # administration/configuring-fluent-bit/yaml/service-section
    *("flush", "grace", "log_level", "scheduler.base", "scheduler.cap"),
    *("http_server", "http_listen", "http_port", "health_check"),
    *("storage.path", "storage.sync", "storage.checksum", "storage.max_chunks_up"),
    *("storage.backlog.mem_limit", "storage.metrics"),
}
PARSER: Final = {"name", "format", "time_key", "time_format", "time_keep"}
"""pipeline/parsers/configuring-parser"""

ANY_INPUT: Final = {"name", "tag", "alias", "storage.type"}
INPUTS: Final = {
    # pipeline/inputs/tail
    "tail": {
        *("path", "parser", "db", "db.sync", "db.locking", "read_from_head", "refresh_interval"),
        *("rotate_wait", "buffer_chunk_size", "buffer_max_size", "skip_long_lines"),
    },
    # pipeline/inputs/http
    "http": {"listen", "port", "buffer_chunk_size", "buffer_max_size", "tag_key"},
    # pipeline/inputs/forward
    "forward": {"listen", "port", "buffer_chunk_size", "buffer_max_size", "unix_path"},
    # pipeline/inputs/tcp
    "tcp": {"listen", "port", "format", "chunk_size", "buffer_size", "separator"},
}
OUTPUT: Final = {
    # pipeline/outputs/forward
    *("name", "match", "host", "port", "require_ack_response", "compress", "time_as_integer"),
    *("send_options", "shared_key", "self_hostname", "username", "password", "workers"),
    # administration/transport-security
    *("tls", "tls.verify", "tls.verify_hostname", "tls.ca_file", "tls.crt_file", "tls.key_file"),
    # administration/scheduling-and-retries, administration/networking
    *("retry_limit", "net.io_timeout", "net.keepalive"),
}
PLACEHOLDER: Final = re.compile(r"\$\{[A-Z_]+\}")


def load(text: str) -> dict[str, Any]:
    """Read YAML the way Fluent Bit does for scalars: everything else stays as it is."""
    document = yaml.safe_load(text)
    assert isinstance(document, dict)
    return document


def unknown_keys(document: dict[str, Any]) -> list[str]:
    """Keys that Fluent Bit's documentation does not name for their place."""
    found = [f"section {key}" for key in document.keys() - SECTIONS]
    found += [f"service {key}" for key in document.get("service", {}).keys() - SERVICE]
    for parser in document.get("parsers", ()):
        found += [f"parser {key}" for key in parser.keys() - PARSER]
    pipeline = document.get("pipeline", {})
    found += [f"pipeline {key}" for key in pipeline.keys() - {"inputs", "outputs"}]
    for one in pipeline.get("inputs", ()):
        allowed = ANY_INPUT | INPUTS[one["name"]]
        found += [f"input {one['name']} {key}" for key in one.keys() - allowed]
    for one in pipeline.get("outputs", ()):
        assert one["name"] == "forward"
        found += [f"output {key}" for key in one.keys() - OUTPUT]
    return found


def test_the_three_are_there() -> None:
    """Kubernetes audit files, HTTP and Forward each have a ready configuration."""
    assert [file.stem for file in FILES] == ["forward", "http", "kubernetes-audit"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_key_is_documented(file: Path) -> None:
    """Fluent Bit refuses an unknown key at start, so each key is one that its manual names."""
    assert unknown_keys(load(file.read_text())) == []


def test_a_wrong_key_is_noticed() -> None:
    """The check above fails on a key that is not there, in each place."""
    wrong = {
        "filters": [],
        "service": {"storage.sink": 1},
        "pipeline": {
            "inputs": [{"name": "tail", "file": "x"}],
            "outputs": [{"name": "forward", "ack": 1}],
        },
    }
    assert unknown_keys(wrong) == [
        "section filters",
        "service storage.sink",
        "input tail file",
        "output ack",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_delivery_loses_nothing(file: Path) -> None:
    """Acks, no retry limit, a synced buffer on disk, and no size at which chunks are dropped."""
    document = load(file.read_text())
    (output,) = document["pipeline"]["outputs"]
    assert output["require_ack_response"] is True
    assert output["retry_limit"] == "no_limits"
    assert output["time_as_integer"] is False
    assert document["service"]["storage.path"].startswith("/var/lib/")
    assert document["service"]["storage.sync"] == "full"
    assert {one["storage.type"] for one in document["pipeline"]["inputs"]} == {"filesystem"}
    assert "storage.total_limit_size" not in file.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_wire_is_closed(file: Path) -> None:
    """TLS with chain and name checked, and credentials that stand in no file."""
    (output,) = load(file.read_text())["pipeline"]["outputs"]
    assert output["tls"] is output["tls.verify"] is output["tls.verify_hostname"] is True
    for key in ("shared_key", "username", "password", "host"):
        assert PLACEHOLDER.fullmatch(output[key]), key


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_listeners_stay_on_this_host(file: Path) -> None:
    """What listens without a password listens on loopback."""
    document = load(file.read_text())
    assert document["service"]["http_listen"] == "127.0.0.1"
    for one in document["pipeline"]["inputs"]:
        if one["name"] != "tail":
            assert one["listen"] == "127.0.0.1"


def test_the_output_is_one() -> None:
    """The part that decides about loss is the same in all three files, and on the docs page."""
    outputs = [load(file.read_text())["pipeline"]["outputs"] for file in FILES]
    page = (ROOT / "docs/shippers/fluent-bit.md").read_text()
    shown = re.search(r"```yaml\n(pipeline:\n  outputs:.*?)```", page, re.S)
    assert shown
    outputs.append(load(shown.group(1))["pipeline"]["outputs"])
    assert all(one == outputs[0] for one in outputs)
    assert len({str(load(file.read_text())["service"]) for file in FILES}) == 1


def test_the_values_hold_the_same_configuration() -> None:
    """What Fluent Bit's own chart is given is kubernetes-audit.yaml, but for the probes' address;
    each variable and folder that it names is given to the pod, and no secret is in the values."""
    values = load(VALUES.read_text())
    within = load(values["config"]["extraFiles"]["fluent-bit.yaml"])
    alone = load((ROOT / "deploy/fluent-bit/kubernetes-audit.yaml").read_text())
    assert within["service"].pop("http_listen") == "0.0.0.0"
    assert alone["service"].pop("http_listen") == "127.0.0.1"
    assert within == alone
    asked = set(re.findall(r"\$\{([A-Z_]+)\}", str(within))) - {"HOSTNAME"}
    assert {one["name"] for one in values["env"]} == asked
    assert all(one["valueFrom"]["secretKeyRef"]["key"] for one in values["env"])
    mounts = {one["mountPath"] for one in values["daemonSetVolumeMounts"]}
    assert within["pipeline"]["outputs"][0]["tls.ca_file"] in mounts
    assert {"/var/log/kubernetes/audit", "/var/lib/fluent-bit"} < mounts
    volumes = {one["name"] for one in values["daemonSetVolumes"]}
    assert {one["name"] for one in values["daemonSetVolumeMounts"]} == volumes


@pytest.mark.parametrize(
    ("tag", "record", "source"),
    [
        ("kube.audit", {"apiVersion": "audit.k8s.io/v1", "kind": "Event"}, "kubernetes-audit"),
        ("activity.native", {"event.action": "server.create"}, "native"),
    ],
)
def test_the_tags_reach_their_mappings(tag: str, record: dict[str, str], source: str) -> None:
    """The tags that the configurations and their pages use are tags of the shipped sources."""
    assert tag in (ROOT / "deploy/fluent-bit/README.md").read_text(encoding="utf-8")
    found = Router(load_all().values()).route(None, tag, record)
    assert found and found.name == source
    assert any(tag_pattern(pattern).search(tag) for pattern in found.tags)
