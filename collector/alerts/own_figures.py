"""Figures of this machine's collector, read from the metrics that its workers serve."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from activity_center.config import Config

_LONGEST: Final = 4 * 1024 * 1024
"""Bytes of an answer."""
_TIMEOUT: Final = 5.0
_PREFIX: Final = "activity_center_spool_"


def own_figures(config: Config) -> dict[str, float]:
    """Return the figures that rules may ask for; none where no collector answers here.

    The worst worker counts.
    """
    figures: dict[str, float] = {}
    host, _, port = config.collector.health.rpartition(":")
    for index in range(config.collector.workers):
        for name, value in _of_worker(f"http://{host}:{int(port) + index}/metrics").items():
            figures[name] = max(value, figures.get(name, 0.0))
    return figures


def _of_worker(address: str) -> Mapping[str, float]:
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:  # noqa: S310 - our own
            text = answer.read(_LONGEST).decode("utf-8", "replace")
        values = {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith(_PREFIX)
        }
    except (OSError, HTTPException, ValueError):
        return {}
    oldest = values.get(f"{_PREFIX}oldest_timestamp_seconds", 0.0)
    quota = values.get(f"{_PREFIX}quota_bytes", 0.0)
    return {
        "backlog_seconds": max(0.0, time.time() - oldest) if oldest else 0.0,
        "spool_percent": 100 * values.get(f"{_PREFIX}bytes", 0.0) / quota if quota else 0.0,
    }
