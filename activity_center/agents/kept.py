"""Since when the entries of a chain are all there, by the class that they are kept in."""

from __future__ import annotations

from datetime import datetime, timedelta

from activity_center.agents.chain import Chain
from activity_center.processes.reading import part, text
from activity_center.vocabulary import retention_classes


def kept_since(chain: Chain, now: datetime) -> datetime | None:
    """Return the time; entries received before it may have been deleted. ``None``: none are.

    A chain has one class; should its entries name several, the shortest counts.
    """
    named = {text(part(one.ours, "retention"), "class") for one in chain.entries}
    classes = retention_classes()
    days = [days for name in named if name in classes and (days := classes[name].days) is not None]
    return now - timedelta(days=min(days)) if days else None
