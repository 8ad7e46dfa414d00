"""Parts that several sections of ``activity-center.yml`` have: secrets, sizes, a cluster, TLS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from activity_center.config import Cluster, Tls
from activity_center.errors import ConfigError


def secret(section: Mapping[str, Any], name: str, path: str) -> str:
    """Return ``section[name]``, or the first line of the file in ``section[name + "_file"]``."""
    if name in section:
        return str(section[name])
    if f"{name}_file" not in section:
        return ""
    file = Path(section[f"{name}_file"])
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as wrong:
        raise ConfigError(
            f"cannot read {file}: {wrong.strerror}", where=path, hint=f"see {name}_file"
        ) from wrong


def in_bytes(size: int | str) -> int:
    """``"4GiB"`` -> bytes (the schema has checked the form)."""
    if isinstance(size, int):
        return size
    unit = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}[size[-3:]]
    return int(size[:-3]) * unit


def cluster(section: Mapping[str, Any], path: str) -> Cluster:
    """Address and login of an OpenSearch."""
    return Cluster(
        url=section.get("url", ""),
        username=section.get("username", ""),
        password=secret(section, "password", path),
        api_token=secret(section, "api_token", path),
        ca=section.get("ca", ""),
    )


def tls(section: Mapping[str, Any]) -> Tls | None:
    """The PEM files under the key ``tls`` of a section, if it has one."""
    return Tls(**section["tls"]) if "tls" in section else None
