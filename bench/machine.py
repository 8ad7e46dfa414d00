"""Which machine and which versions figures belong to."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("jsonschema-rs", "msgspec", "orjson", "opensearch-py")


def cpu_model() -> str:
    """Return the processor's name, as the kernel tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine(opensearch: str = "") -> str:
    """Return date, processor, cores and versions in one line."""
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        cpu_model(),
        f"{os.cpu_count()} cores",
        f"Linux {platform.release()}" if platform.system() == "Linux" else platform.system(),
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in _PACKAGES),
    ]
    if opensearch:
        parts.append(f"OpenSearch {opensearch}")
    return ", ".join(parts)
