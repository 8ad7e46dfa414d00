"""Source mappings: how a record becomes activities, as data (docs/sources.md).

A mapping is a folder with ``source.yml``, ``samples/`` and ``expected/``. It is checked
against ``source.schema.json`` and the vocabulary, then compiled once into one Python
function. No text of a mapping is ever executed, and its patterns are RE2: linear time.
"""

from __future__ import annotations

from collector.mapping.load import SHIPPED, load, load_all
from collector.mapping.router import Candidates, Router
from collector.mapping.samples import SampleResult, check_samples, unreached
from collector.mapping.source import Activities, Source

__all__ = [
    "SHIPPED",
    "Activities",
    "Candidates",
    "Router",
    "SampleResult",
    "Source",
    "check_samples",
    "load",
    "load_all",
    "unreached",
]
