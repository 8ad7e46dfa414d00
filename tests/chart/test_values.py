"""Every value of values.yaml, one way after the other in which it could do harm.

What helm refuses it names with its path, and it reports all that it refuses at once: so one run
tries many values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from tests.chart.rendering import CHART, NAMESPACE, RELEASE, case, helm, objects, rendered, template

VALUES: Final[dict[str, Any]] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
EVIL: Final = "a\nevil: true\n---\nkind: Evil"
Path = tuple[str, ...]


def inner(values: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each key of the values with its path, those of free maps (labels, selectors) aside."""
    free = {"annotations", "labels", "nodeSelector", "podAnnotations", "podLabels", "config"}
    for key, value in values.items():
        yield (*path, key), value
        if isinstance(value, dict) and key not in free:
            yield from inner(value, (*path, key))


def nested(found: dict[Path, Any]) -> dict[str, Any]:
    """The values that have these at their paths."""
    made: dict[str, Any] = {}
    for path, value in found.items():
        place = made
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return made


def merged(below: Any, above: Any) -> Any:
    """``above`` laid over ``below``, as helm does it."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: merged(below.get(key), value) for key, value in above.items()}


FREE: Final = {"annotations", "labels", "nodeSelector", "podAnnotations", "podLabels"}


def protects(path: Path, value: Any) -> bool:
    """Whether something would be off without it."""
    if path[0] in ("networkPolicy", "config"):
        return True
    return value not in ("", [], {}) and path[-1] not in FREE


def test_what_only_adds_may_be_left_blank() -> None:
    """As values files often are, and as helm drops a default map."""
    blank = {path for path, value in inner(VALUES) if not protects(path, value)}
    assert len(blank) > 20
    done = template(yaml.safe_dump({"fullnameOverride": "ac", **nested(dict.fromkeys(blank))}))
    assert done.returncode == 0, done.stderr
    assert "null" not in re.sub(r"(?m)^\s*(- )?#.*$", "", done.stdout)


DEPTHS: Final = sorted({len(path) for path, _ in inner(VALUES)})


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_value_can_be_taken_away(depth: int) -> None:
    """A key that is null is refused, not read as "off": no limit, policy or certificate goes.

    What is empty by default, or only adds to an object, may be left blank.
    """
    wanted = {path for path, value in inner(VALUES) if len(path) == depth and protects(path, value)}
    done = template(yaml.safe_dump(nested(dict.fromkeys(wanted))))
    assert done.returncode != 0
    said = set()
    for line in done.stderr.splitlines():
        found = re.match(r"\s*- at '(/?[^']*)': missing propert(?:y|ies) (.*)", line)
        if found:
            parent = tuple(found[1].strip("/").split("/")) if found[1] else ()
            said |= {(*parent, key) for key in re.findall(r"'([^']+)'", found[2])}
    assert wanted - said == set()


def strings(values: Any, path: Path = ()) -> Iterator[Path]:
    """Where a text can stand: every string, and an entry of every list and free map."""
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict) and value and here != ("config",):
            yield from strings(value, here)
        elif isinstance(value, (str, list, dict)) and here != ("config",):
            yield here


def with_text(path: Path) -> Any:
    """What stands there when its text has lines of its own."""
    value: Any = VALUES
    for key in path:
        value = value[key]
    if isinstance(value, list):
        return [EVIL]
    return {"probe": EVIL} if isinstance(value, dict) else EVIL


def keys(part: Any) -> Iterator[str]:
    """Every key in an object, and in the files that its texts hold."""
    if isinstance(part, dict):
        yield from part
        for name, value in part.items():
            is_file = isinstance(value, str) and str(name).endswith(".yml")
            yield from keys(yaml.safe_load(value) if is_file else value)
    elif isinstance(part, list):
        for one in part:
            yield from keys(one)


def test_no_text_becomes_an_object_or_a_key() -> None:
    """Lines in a value are refused, or stay inside of one scalar: nothing is put in by them."""
    full = yaml.safe_load(case("everything"))
    paths = set(strings(VALUES))
    assert len(paths) > 80
    tried = {path: with_text(path) for path in paths}
    done = template(yaml.safe_dump(merged(full, nested(tried))))
    assert done.returncode != 0
    refused = {
        tuple(key.replace("~1", "/") for key in at.strip("/").split("/"))
        for at in re.findall(r"- at '([^']*)'", done.stderr)
    }
    taken = {
        path: value
        for path, value in tried.items()
        if not any(one[: len(path)] == path for one in refused)
    }
    # Annotations may be any text, and an affinity is Kubernetes' own object.
    free = {"annotations", "podAnnotations", "affinity", *VALUES["ingress"]["annotations"]}
    assert {path[-1] for path in taken} <= free
    plain = objects(rendered(yaml.safe_dump(full)))
    found = objects(rendered(yaml.safe_dump(merged(full, nested(taken)))))
    assert [(it["kind"], it["metadata"]["name"]) for it in found] == [
        (it["kind"], it["metadata"]["name"]) for it in plain
    ]
    assert "evil" not in set(keys(found))
    assert yaml.safe_dump(found).count("evil") >= len(taken) > 3


def numbers(part: Any, path: str = "") -> Iterator[str]:
    """Where a label, an annotation or a name is anything but text."""
    if isinstance(part, dict):
        for key, value in part.items():
            here = f"{path}/{key}"
            if key in {"labels", "annotations", "matchLabels", "selector"} and isinstance(
                value, dict
            ):
                yield from (f"{here}/{it}" for it in value if isinstance(value[it], (int, float)))
            if key in {"name", "namespace", "secretName", "image"} and not isinstance(value, str):
                yield here
            yield from numbers(value, here)
    elif isinstance(part, list):
        for index, one in enumerate(part):
            yield from numbers(one, f"{path}/{index}")


@pytest.mark.parametrize("word", ["123", "1e5", "true", "on", "null", "0x1f"])
def test_a_word_that_looks_like_a_number_stays_text(word: str) -> None:
    """YAML reads 123, 1e5 and on as other than text: names are quoted wherever they stand."""
    full = yaml.safe_load(case("everything"))
    more = {
        "nameOverride": word,
        "secrets": {"existingSecret": word, "env": [word], "files": [word]},
        "opensearch": {
            "existingSecret": word,
            "ca": {"existingSecret": word, "key": word},
            "accounts": {one: {"existingSecret": word} for one in ("maintain", "search")},
        },
        "tls": {"certManager": {"issuerRef": {"name": word}}},
        "bus": {
            "url": "rediss://valkey.example:6380/1",
            "existingSecret": word,
            "ca": {"existingSecret": word, "key": word},
        },
        "collector": {"persistence": {"storageClass": word}, "priorityClassName": word},
        "ingress": {"className": word, "tlsSecret": word, "host": word},
        "httpRoute": {"backendCA": word},
        "fluentBit": {"organization": word},
        "image": {"repository": word, "digest": "", "tag": word},
    }
    done = helm(
        *("template", word, str(CHART), "--namespace", word, "--values", "-"),
        # As JSON: Python's YAML leaves 1e5 bare, which is a number to Go's.
        values=json.dumps(merged(full, more)),
    )
    assert done.returncode == 0, done.stderr
    found = objects(done.stdout)
    assert [where for it in found for where in numbers(it, it["kind"])] == []
    assert re.findall(r"[ \[]1e5(?=[\s,}\]])", done.stdout) == []
    by = {(it["kind"], it["metadata"]["name"]): it for it in found}
    claim = by["StatefulSet", "ac-collector"]["spec"]["volumeClaimTemplates"][0]["spec"]
    assert claim["storageClassName"] == word
    assert by["Ingress", "ac-sidecar"]["spec"]["ingressClassName"] == word
    text = by["ConfigMap", "ac-collector"]["data"]["activity-center.yml"]
    senders = yaml.safe_load(text)["senders"]
    assert [word] in [one.get("organizations") for one in senders]


def test_a_name_that_a_service_cannot_have_is_refused() -> None:
    """A Service's name begins with a letter and has no dot: said before anything is made."""
    for release in ("123", "a.b"):
        done = helm("template", release, str(CHART), "--namespace", NAMESPACE)
        assert done.returncode != 0
        assert "fullnameOverride" in done.stderr
    assert helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE).returncode == 0
