"""Names of data streams and index patterns: the only place that spells them.

``activity-<lens>-<retention class>``, and for an organization with streams of
its own ``activity-<lens>-<retention class>-<organization>``. Patterns name the
lenses one by one: ``activity-*`` would also match alerts, rejected events and state.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Lens = Literal["audit", "agent", "process"]

LENSES: Final[tuple[Lens, ...]] = ("audit", "agent", "process")
REJECTED_STREAM: Final = "activity-rejected"
ALERTS_STREAM: Final = "activity-alerts"
STATE_INDEX: Final = "activity-center-state"
LENS_PATTERNS: Final = tuple(f"activity-{lens}-*" for lens in LENSES)

ORGANIZATION_ID: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")
"""OpenSearch refuses uppercase in stream names; a hyphen would make names ambiguous."""


def stream_name(lens: str, retention_class: str, organization: str | None = None) -> str:
    """Return the data stream of ``lens`` and ``retention_class``.

    Args:
        organization: only for an organization with streams of its own.
    """
    name = f"activity-{lens}-{retention_class}"
    return f"{name}-{organization}" if organization else name
