"""Render the chart with the real helm, as the tests and the golden files need it.

python -m tests.chart.rendering        # writes the golden files anew
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.chart.provision import KUBERNETES, program

CHART: Final = Path(__file__).parents[2] / "charts" / "activity-center"
CASES: Final = Path(__file__).with_name("cases")
GOLDEN: Final = Path(__file__).with_name("golden")
NAMES: Final = ("small", "everything", "outer-bus")
RELEASE: Final = "ac"
NAMESPACE: Final = "record"


def helm(*arguments: str, values: str = "") -> subprocess.CompletedProcess[str]:
    """Run helm; ``values`` (YAML) go in by standard input, for ``--values -``."""
    return subprocess.run(
        [str(program("helm")), *arguments],
        input=values,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@cache
def template(values: str) -> subprocess.CompletedProcess[str]:
    """Render the chart with ``values`` (YAML)."""
    where = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--values", "-")
    return helm("template", RELEASE, str(CHART), *where, values=values)


def case(name: str) -> str:
    """The values of a case."""
    return (CASES / f"{name}.yaml").read_text("utf-8")


def rendered(values: str) -> str:
    """The text that helm renders."""
    done = template(values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text: str) -> list[dict[str, Any]]:
    """The objects of a rendered text."""
    return [one for one in yaml.safe_load_all(text) if one]


def one(found: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The object of that kind and name."""
    matching = [it for it in found if (it["kind"], it["metadata"]["name"]) == (kind, name)]
    assert len(matching) == 1, [(it["kind"], it["metadata"]["name"]) for it in found]
    return matching[0]


def pods(found: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """``Kind/name`` and the pod's spec, of every object that makes pods."""
    for it in found:
        name = f"{it['kind']}/{it['metadata']['name']}"
        spec: Mapping[str, Any] = it.get("spec", {})
        if it["kind"] == "Pod":
            yield name, it["spec"]
        elif it["kind"] == "CronJob":
            yield name, spec["jobTemplate"]["spec"]["template"]["spec"]
        elif "template" in spec and "containers" in spec["template"].get("spec", {}):
            yield name, spec["template"]["spec"]


if __name__ == "__main__":
    for wanted in NAMES:
        (GOLDEN / f"{wanted}.yaml").write_text(rendered(case(wanted)), "utf-8")
