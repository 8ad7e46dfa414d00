"""Write the chart's ``values.schema.json`` from ``values.yaml`` and the configuration's schema.

Every value that the chart knows has its type from its default; what a default cannot say
(choices, patterns, Kubernetes' own objects) stands in the tables below. ``config`` is what
``activity-center.yml`` may hold beside the parts that the chart writes itself, so a wrong one is
refused by helm with its path before anything is changed.

Run it as ``python charts/generate_schema.py``; ``--check`` writes nothing and exits with 2 when
the file is stale, as tests/chart does.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).with_name("activity-center")
CONFIG_SCHEMA: Final = CHART.parents[1] / "activity_center" / "config.schema.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_NAME: Final = {"type": "string", "pattern": "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$"}
_NAMES: Final = {"type": "array", "items": {**_NAME, "minLength": 1}, "uniqueItems": True}
_QUANTITY: Final = {"type": ["string", "number"], "pattern": "^[0-9]+(\\.[0-9]+)?[A-Za-z]*$"}
_RESOURCES: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        kind: {"type": "object", "additionalProperties": _QUANTITY}
        for kind in ("requests", "limits")
    },
}
_STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECTS: Final = {"type": "array", "items": {"type": "object"}}
_OBJECT: Final = {"type": "object"}
_DURATION: Final = {"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 100}
_PERCENT_OR_COUNT: Final = {
    "type": ["integer", "string"],
    "minimum": 0,
    "pattern": "^(100|[0-9]{1,2})%$",
}

# By the last part of a value's path: the same name means the same everywhere.
_BY_NAME: Final[dict[str, dict[str, Any]]] = {
    "resources": _RESOURCES,
    "nodeSelector": _STRINGS,
    "podAnnotations": _STRINGS,
    "podLabels": _STRINGS,
    "annotations": _STRINGS,
    "labels": _STRINGS,
    "tolerations": _OBJECTS,
    "affinity": _OBJECT,
    "topologySpreadConstraints": _OBJECTS,
    "existingSecret": _NAME,
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "repository": {"type": "string", "minLength": 1},
    "tag": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,128}$"},
    "maxUnavailable": _PERCENT_OR_COUNT,
    "extraNames": {"type": "array", "items": {"type": "string", "minLength": 1}},
}
_BY_PATH: Final[dict[str, dict[str, Any]]] = {
    "imagePullSecrets": {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"name": {**_NAME, "minLength": 1}},
        },
    },
    "nameOverride": {**_NAME, "maxLength": 63},
    "fullnameOverride": {**_NAME, "maxLength": 40},
    "clusterDomain": {**_NAME, "minLength": 1},
    "opensearch.url": {"type": "string", "pattern": "^https?://[^/?#@\\s]+(/[^?#\\s]*)?$"},
    "opensearch.dashboardsUrl": {
        "type": "string",
        "pattern": "^(https?://[^/?#@\\s]+(/[^?#\\s]*)?)?$",
    },
    "tls.mode": {"enum": ["generated", "certManager", "existing"]},
    "tls.certManager.issuerRef.kind": {"enum": ["Issuer", "ClusterIssuer"]},
    "tls.certManager.duration": _DURATION,
    "tls.certManager.renewBefore": _DURATION,
    "secrets.env": _NAMES,
    "secrets.files": _NAMES,
    "collector.replicas": {**_COUNT, "minimum": 1},
    "collector.persistence.size": {**_QUANTITY, "type": "string"},
    "collector.persistence.storageClass": _NAME,
    "collector.persistence.accessModes": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]},
    },
    "collector.quota": {"type": ["integer", "string"], "pattern": "^[0-9]+(KiB|MiB|GiB)$"},
    "collector.drainSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
    "collector.minReadySeconds": {"type": "integer", "minimum": 0, "maximum": 600},
    "collector.service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "sidecar.service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "sidecar.replicas": {**_COUNT, "minimum": 1},
    "sidecar.autoscaling.minReplicas": {**_COUNT, "minimum": 1},
    "sidecar.autoscaling.maxReplicas": {**_COUNT, "minimum": 1},
    "sidecar.autoscaling.targetCPU": {"type": "integer", "minimum": 1, "maximum": 1000},
    "retention.cronJob.schedule": {"type": "string", "pattern": "^(@[a-z]+|\\S+( \\S+){4})$"},
    "bus.url": {"type": "string", "pattern": "^(rediss://[^/?#@\\s]+(/[0-9]{1,5})?)?$"},
    "bus.bundled.maxMemory": {"type": "string", "pattern": "^[0-9]+(kb|mb|gb)$"},
    "ingress.host": _NAME,
    "httpRoute.parentRefs": _OBJECTS,
    "httpRoute.hostnames": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "httpRoute.timeout": _DURATION,
    "monitoring.serviceMonitor.interval": _DURATION,
    "fluentBit.organization": {"type": "string", "pattern": "^([a-z0-9][a-z0-9_]{0,62})?$"},
    "fluentBit.auditLogs": {"type": "string", "pattern": "^/"},
    "fluentBit.buffer": {"type": "string", "pattern": "^/"},
    **{
        f"networkPolicy.{name}": _OBJECTS
        for name in ("senders", "readers", "monitoring", "opensearch", "bus", "dns", "extraEgress")
    },
}

# What the chart writes itself cannot be set in config: it would contradict the pods.
_NOT_IN_CONFIG: Final = {
    "": ("opensearch", "bus"),
    "collector": (
        *("data_dir", "workers", "quota", "drain_timeout", "digest_key_file"),
        *("forward", "http", "health", "health_public"),
    ),
    "sidecar": ("bind", "tls", "data_dir", "workers", "opensearch", "recording"),
    "redaction": ("hash_key_file",),
}


def values_schema() -> dict[str, Any]:
    """Return the schema of the chart's values."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    schema = _of(values, "")
    config, definitions = _config()
    schema["properties"]["config"] = config
    # Charts above this one set it for all of theirs.
    schema["properties"]["global"] = {"type": "object"}
    return {"$schema": DIALECT, "title": "Values of the chart activity-center", **schema} | {
        "$defs": definitions
    }


def _of(value: Any, path: str) -> dict[str, Any]:
    name = path.rpartition(".")[2]
    for known in (_BY_PATH.get(path), _BY_NAME.get(name)):
        if known is not None:
            return copy.deepcopy(known)
    if isinstance(value, dict):
        properties = {key: _of(child, f"{path}.{key}".lstrip(".")) for key, child in value.items()}
        return {"type": "object", "additionalProperties": False, "properties": properties}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, str):
        return {"type": "string"}
    raise TypeError(f"{path}: its type is not clear from {value!r}; add it to a table above")


def _config() -> tuple[dict[str, Any], dict[str, Any]]:
    document = json.loads(CONFIG_SCHEMA.read_text("utf-8"))
    definitions: dict[str, Any] = document["$defs"]
    for name in _NOT_IN_CONFIG[""]:
        del document["properties"][name]
    for section in ("collector", "sidecar"):
        for name in _NOT_IN_CONFIG[section]:
            del definitions[section]["properties"][name]
    for name in _NOT_IN_CONFIG["redaction"]:
        del definitions["collector"]["properties"]["redaction"]["properties"][name]
    definitions["secret"] |= {
        "pattern": "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$",
        "description": "${NAME} of a key of a Secret in secrets.env; never the secret itself.",
    }
    properties = document["properties"]
    used = _used(properties, definitions)
    kept = {name: definitions[name] for name in sorted(used)}
    config = {"type": "object", "additionalProperties": False, "properties": properties}
    return _without_notes(config), _without_notes(kept)


def _used(part: Any, definitions: dict[str, Any]) -> set[str]:
    """Names of the definitions that ``part`` refers to, and those that these refer to."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            name = str(one.get("$ref", "")).removeprefix("#/$defs/").partition("/")[0]
            if name and name not in found:
                found.add(name)
                waiting.append(definitions[name])
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found


def _without_notes(part: Any) -> Any:
    """Without what only our own checker reads, and with patterns as Go's RE2 writes them."""
    if isinstance(part, dict):
        return {key: _without_notes(value) for key, value in part.items() if key != "x-form"}
    if isinstance(part, list):
        return [_without_notes(one) for one in part]
    if isinstance(part, str):
        return re.sub(r"\\u([0-9a-f]{4})", r"\\x{\1}", part)
    return part


def main() -> int:
    """Write the file, or with ``--check`` compare it."""
    file = CHART / "values.schema.json"
    text = json.dumps(values_schema(), indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        file.write_text(text, "utf-8")
        return 0
    if file.is_file() and file.read_text("utf-8") == text:
        return 0
    print(f"{file.name} is stale: run python charts/generate_schema.py", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
