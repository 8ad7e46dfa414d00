"""Names of data streams and index patterns: the only place that spells them.

``activity-<lens>-<retention class>``, and for an organization with streams of
its own ``activity-<lens>-<retention class>-<organization>``. Patterns name the
lenses one by one: ``activity-*`` would also match alerts, rejected events and state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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


def shared_stream(name: str, classes: Iterable[str]) -> str:
    """Return the stream of the same lens and retention class without the organization.

    Args:
        name: of any stream of ours; one without a lens and class is returned as it is.
        classes: names of the retention classes.
    """
    for lens in LENSES:
        for one in classes:
            shared = stream_name(lens, one)
            if name.startswith(f"{shared}-"):
                return shared
    return name


def stream_of(index: str) -> str:
    """Return the data stream of a backing index, by its name (``.ds-<stream>-<generation>``)."""
    return index.removeprefix(".ds-").rpartition("-")[0]
