"""What other programs say about the chart: helm, kubeconform, helm-docs, PromQL's grammar."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.provision import (
    SCHEMAS,
    definition_schemas,
    program,
    python_tools,
    schemas,
)
from tests.chart.rendering import (
    CHART,
    GOLDEN,
    NAMES,
    NAMESPACE,
    case,
    helm,
    objects,
    one,
    rendered,
)

DASHBOARD = CHART / "files" / "grafana-dashboard.json"


@pytest.mark.parametrize("name", ["defaults", *NAMES])
def test_lint(name: str) -> None:
    """`helm lint --strict` has nothing to say, with the defaults and with every case."""
    values = "" if name == "defaults" else case(name)
    done = helm("lint", "--strict", str(CHART), "--values", "-", values=values)
    assert done.returncode == 0, done.stdout + done.stderr


def conforms(file: Path, version: str) -> dict[str, Any]:
    """What kubeconform says of the objects in ``file``."""
    done = subprocess.run(
        [
            str(program("kubeconform")),
            *("-strict", "-summary", "-output", "json", "-kubernetes-version", version),
            *("-schema-location", str(schemas())),
            "-schema-location",
            f"{definition_schemas()}/{{{{.ResourceKind}}}}-{{{{.Group}}}}-"
            "{{.ResourceAPIVersion}}.json",
            str(file),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("name", NAMES)
def test_objects_conform(name: str, version: str) -> None:
    """Every object is valid in that Kubernetes; none is left out for want of a schema."""
    report = conforms(GOLDEN / f"{name}.yaml", version)
    assert report["resources"] == []
    summary = report["summary"]
    assert summary.pop("valid") == len(objects((GOLDEN / f"{name}.yaml").read_text("utf-8")))
    assert set(summary.values()) == {0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": "many"}]}},
        {"apiVersion": "v1", "kind": "Service", "spec": {"selektor": {}}},
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "spec": {"rules": [{"timeout": "0s"}]},
        },
    ],
    ids=["type", "key", "key-of-a-definition"],
)
def test_what_does_not_conform_is_found(wrong: dict[str, Any], tmp_path: Path) -> None:
    """The check above refuses a wrong type and an unknown key, also of a CRD's kind."""
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(wrong | {"metadata": {"name": "wrong"}}), "utf-8")
    assert conforms(file, SCHEMAS[-1])["summary"]["invalid"] == 1


def test_readme_is_fresh(tmp_path: Path) -> None:
    """README.md is what helm-docs writes from values.yaml: run `make chart-docs` when not."""
    copy = tmp_path / CHART.name
    shutil.copytree(CHART, copy)
    (copy / "README.md").unlink()
    done = subprocess.run(
        [str(program("helm-docs")), "--chart-search-root", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (copy / "README.md").read_text("utf-8") == (CHART / "README.md").read_text("utf-8")


def is_promql(expressions: list[str]) -> list[str]:
    """Those that PromQL's grammar refuses, each with its reason."""
    program = (
        "import json, sys\n"
        "import promql_parser\n"
        "for text in json.load(sys.stdin):\n"
        "    try:\n"
        "        promql_parser.parse(text)\n"
        "    except Exception as wrong:\n"
        "        print(json.dumps(f'{text}: {wrong}'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(expressions),
        env={"PYTHONPATH": str(python_tools())},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def rules() -> list[dict[str, Any]]:
    """The alerts that the chart brings, as rendered."""
    found: list[dict[str, Any]] = one(
        objects(rendered(case("everything"))), "PrometheusRule", "ac-alerts"
    )["spec"]["groups"][0]["rules"]
    return found


def panels() -> list[str]:
    """The expressions of the Grafana dashboard."""
    board = json.loads(DASHBOARD.read_text("utf-8"))
    return [
        target["expr"]
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if "expr" in target
    ]


def test_expressions_are_promql() -> None:
    """Alerts and panels of the dashboard are PromQL; Grafana fills its own variables first."""
    filled = [text.replace("$__rate_interval", "5m") for text in panels()]
    assert len(filled) > 5
    assert is_promql([*(rule["expr"] for rule in rules()), *filled]) == []
    assert is_promql(["sum by (pod rate(x[5m])"]) != []


def test_expressions_use_our_metrics() -> None:
    """Each metric that an alert or a panel asks for is one that we export."""
    import re

    from collector import metrics
    from sidecar_api import metrics as sidecar_metrics

    ours = {metric.name for metric in (*metrics.METRICS, *sidecar_metrics.METRICS)}
    texts = [*(rule["expr"] for rule in rules()), *panels()]
    asked = {name for text in texts for name in re.findall(r"activity_center_\w+", text)}
    series = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert len(asked) > 10
    assert series - ours == set()


def test_each_alert_has_its_runbook() -> None:
    """An alert links to a heading of docs/operations.md that tells what to do."""
    page = (CHART.parents[1] / "docs" / "operations.md").read_text("utf-8")
    headings = {line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("###")}
    base = "https://docs.example/operations.html#"
    links = {rule["annotations"]["runbook_url"] for rule in rules()}
    assert len(links) == len(rules()) > 10
    assert {link.removeprefix(base) for link in links} - headings == set()


def test_alerts_look_at_the_pods_of_their_release_alone() -> None:
    """Two releases in one namespace do not mix, also where one's name begins with the other's."""
    import re

    for rule in rules():
        selectors = re.findall(r"activity_center_\w+(\{.*?\})", rule["expr"])
        assert len(selectors) == rule["expr"].count("activity_center_")
        for selector in selectors:
            labels = dict(re.findall(r'(\w+)=~?"([^"]*)"', selector))
            assert labels["namespace"] == NAMESPACE
            assert re.fullmatch(labels["pod"], "ac-collector-0")
            assert re.fullmatch(labels["pod"], "ac-sidecar-6c9f-x2")
            assert not re.fullmatch(labels["pod"], "ac-two-collector-0")


def test_the_table_of_alerts_is_that_of_the_chart() -> None:
    """docs/operations.md has the condition and the time of each alert as helm renders them."""
    import re

    page = (CHART.parents[1] / "docs" / "operations.md").read_text("utf-8")
    own = re.compile(r'namespace="[^"]*"(, pod=~"[^"]*")?')
    for rule in rules():
        expr = own.sub("", rule["expr"]).replace("{}", "").replace("{, ", "{")
        expr = expr.replace("ac-collector", "NAME-collector").replace("|", "\\|")
        name, after = rule["alert"], {"0m": "at once"}.get(rule["for"], rule["for"])
        severity = rule["labels"]["severity"]
        row = f"| [{name}](#{name.lower()}) | {severity} | `{expr}` | {after} |"
        assert row in page.splitlines()


def test_the_dashboard_shows_what_can_fill_and_fall_behind() -> None:
    """Spool, step bus, parked streams and rejected store have a panel each."""
    text = " ".join(panels())
    for metric in ("spool_bytes", "publish_lag_records", "parked_records", "rejected_store_bytes"):
        assert metric in text
    board = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    assert len({one["id"] for one in board}) == len(board)
    assert len({(one["gridPos"]["x"], one["gridPos"]["y"]) for one in board}) == len(board)
