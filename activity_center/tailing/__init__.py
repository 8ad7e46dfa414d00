"""Following new activities in OpenSearch, in the order in which they were recorded.

``search`` (which activities: a body built from a closed set) -> ``follower`` (each once,
whatever happens to the node) -> ``rows`` (one line for a terminal).
"""

from __future__ import annotations

from activity_center.tailing.follower import Activity, Follower
from activity_center.tailing.rows import printable, row
from activity_center.tailing.search import Selection

__all__ = ["Activity", "Follower", "Selection", "printable", "row"]
