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
_HOSTS: Final = {
    "type": "array",
    "items": {"type": "string", "pattern": "^(\\*\\.)?[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$"},
}
# A reference to an image without tag and digest, as the distribution project's grammar has it.
_REPOSITORY: Final = {
    "type": "string",
    "maxLength": 255,
    "pattern": (
        "^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?"
        "[a-z0-9]+((\\.|_{1,2}|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_{1,2}|-+)[a-z0-9]+)*)*$"
    ),
}
_SECRET_KEY: Final = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,253}$"}
_PATH: Final = {"type": "string", "pattern": "^(/\\.?[A-Za-z0-9_-][A-Za-z0-9._-]*)+/?$"}
# Units that Kubernetes knows; those in lower case are thousandths, which nobody means.
_BYTES: Final = {
    "type": ["string", "number"],
    "minimum": 1048576,
    "pattern": "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)$",
}
_CPU: Final = {
    "type": ["string", "number"],
    "exclusiveMinimum": 0,
    "pattern": "^([0-9]+m|[0-9]+(\\.[0-9]{1,3})?)$",
}
_QUANTITIES: Final = {"cpu": _CPU, "memory": _BYTES, "ephemeral-storage": _BYTES}
_FREE: Final = {"annotations", "labels", "nodeSelector", "podAnnotations", "podLabels"}
_STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_LABEL: Final = {"type": "string", "pattern": "^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$"}
# Those of the chart select its pods; a second one of the same key would be refused or would win.
_LABELS: Final = {
    "type": "object",
    "patternProperties": {"^(app\\.kubernetes\\.io|helm\\.sh)/": False},
    "additionalProperties": _LABEL,
}
_OBJECTS: Final = {"type": "array", "items": {"type": "object"}}
_OBJECT: Final = {"type": "object"}
_PEERS: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            name: {"type": "object"} for name in ("podSelector", "namespaceSelector", "ipBlock")
        },
    },
}
_DURATION: Final = {"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 100}
# With none nobody could drain a node.
_PERCENT_OR_COUNT: Final = {
    "type": ["integer", "string"],
    "minimum": 1,
    "pattern": "^(100|[1-9][0-9]?)%$",
}


def _cron() -> str:
    """A schedule as the CronJob controller reads it (robfig/cron, five fields or a macro)."""
    months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    fields = []
    for one in (
        "[1-5]?[0-9]|0[0-9]",
        "1?[0-9]|2[0-3]|0[0-9]",
        "[1-9]|[12][0-9]|3[01]|0[1-9]",
        "|".join(("[1-9]|1[0-2]|0[1-9]", *months, *(name.upper() for name in months))),
        "|".join(("[0-6]", *days, *(name.upper() for name in days))),
    ):
        part = f"(\\*|\\?|({one})(-({one}))?)(/[1-9][0-9]?)?"
        fields.append(f"{part}(,{part})*")
    macros = "@(yearly|annually|monthly|weekly|daily|midnight|hourly|every [0-9]+[smh])"
    return f"^({macros}|{' +'.join(fields)})$"


# By the last part of a value's path: the same name means the same everywhere.
_BY_NAME: Final[dict[str, dict[str, Any]]] = {
    "nodeSelector": {"type": "object", "additionalProperties": _LABEL},
    "podAnnotations": {**_STRINGS, "patternProperties": {"^checksum/": False}},
    "podLabels": _LABELS,
    "annotations": _STRINGS,
    "labels": _LABELS,
    "tolerations": _OBJECTS,
    "affinity": _OBJECT,
    "topologySpreadConstraints": _OBJECTS,
    "existingSecret": _NAME,
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "repository": _REPOSITORY,
    "tag": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,128}$"},
    "maxUnavailable": _PERCENT_OR_COUNT,
    "extraNames": _HOSTS,
    "priorityClassName": _NAME,
    "key": _SECRET_KEY,
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
    "tls.certManager.issuerRef.name": _NAME,
    "tls.certManager.issuerRef.kind": {"enum": ["Issuer", "ClusterIssuer"]},
    "tls.certManager.duration": _DURATION,
    "tls.certManager.renewBefore": _DURATION,
    "secrets.env": _NAMES,
    "secrets.files": _NAMES,
    "collector.replicas": {**_COUNT, "minimum": 1},
    "collector.persistence.size": {**_BYTES, "type": "string"},
    "collector.persistence.storageClass": _NAME,
    "collector.persistence.accessModes": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]},
    },
    "install.deadlineSeconds": {"type": "integer", "minimum": 30, "maximum": 7200},
    "collector.quota": {"type": ["integer", "string"], "pattern": "^[0-9]+(KiB|MiB|GiB)$"},
    "collector.drainSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
    "collector.minReadySeconds": {"type": "integer", "minimum": 0, "maximum": 600},
    "collector.service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "sidecar.service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "sidecar.replicas": {**_COUNT, "minimum": 1},
    "sidecar.autoscaling.minReplicas": {**_COUNT, "minimum": 1},
    "sidecar.autoscaling.maxReplicas": {**_COUNT, "minimum": 1},
    "sidecar.autoscaling.targetCPU": {"type": "integer", "minimum": 1, "maximum": 1000},
    "retention.cronJob.schedule": {"type": "string", "pattern": _cron()},
    "bus.url": {"type": "string", "pattern": "^(rediss://[^/?#@\\s]+(/[0-9]{0,5})?)?$"},
    "bus.bundled.maxMemory": {"type": "string", "pattern": "^[0-9]+(kb|mb|gb)$"},
    "ingress.className": _NAME,
    "ingress.host": _NAME,
    "ingress.tlsSecret": _NAME,
    "httpRoute.parentRefs": _OBJECTS,
    "httpRoute.hostnames": _HOSTS,
    "httpRoute.backendCA": _NAME,
    "httpRoute.timeout": _DURATION,
    "monitoring.serviceMonitor.interval": _DURATION,
    "fluentBit.organization": {"type": "string", "pattern": "^([a-z0-9][a-z0-9_]{0,62})?$"},
    "monitoring.prometheusRule.runbookBase": {
        "type": "string",
        "pattern": "^(https?://[!-~]+)?$",
    },
    "fluentBit.auditLogs": _PATH,
    "fluentBit.buffer": _PATH,
    **{
        f"networkPolicy.{name}": _PEERS
        for name in ("senders", "readers", "monitoring", "opensearch", "bus", "dns")
    },
    "networkPolicy.extraEgress": {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"ports": _OBJECTS, "to": _PEERS},
        },
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
    if name == "resources":
        return _closed(
            {
                kind: {
                    "type": "object",
                    "required": sorted(quantities),
                    "properties": copy.deepcopy(_QUANTITIES),
                    "additionalProperties": {
                        "type": ["string", "number"],
                        "pattern": "^[0-9]+[A-Za-z]*$",
                    },
                }
                for kind, quantities in value.items()
            }
        )
    if isinstance(value, dict):
        needed = [key for key, it in value.items() if not _may_be_empty(path, key, it)]
        parts = {key: _of(it, f"{path}.{key}".lstrip(".")) for key, it in value.items()}
        return _closed(parts, needed)
    if isinstance(value, bool):
        return {"type": "boolean"}
    raise TypeError(f"{path}: its type is not clear from {value!r}; add it to a table above")


def _may_be_empty(path: str, key: str, value: Any) -> bool:
    """Whether a key may be left blank: it is empty by default, or only adds to an object.

    Of network policies none may: an empty list is not the same as none. Nor ``config``, which
    templates look into.
    """
    if path.startswith("networkPolicy") or key == "config":
        return False
    return value in ("", [], {}) or key in _FREE


def _closed(properties: dict[str, Any], needed: list[str] | None = None) -> dict[str, Any]:
    """An object of these keys and no others.

    helm takes a value that is null out before it looks at the schema, and a template reads what
    is not there as "off": limits, certificates, network policies.

    Args:
        needed: those that may not be missing; by default all.
    """
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties) if needed is None else needed,
        "properties": properties,
    }


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
