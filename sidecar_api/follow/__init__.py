"""The live tail: new activities to whoever watches, each exactly once, also over a reconnect.

::

    Hub            all watchers of this process, bounded; topics come and go with them
    ├── Topic      one poller for those with the same scope and the same filters: the last
    │              activities in a ring, which everybody reads at their own pace
    └── Watch      one open stream: what it missed by a search of its own, then the ring

A watch carries its place (:mod:`sidecar_api.search.newer`): what it has given out of the last
minute. It joins the ring first and catches up then, and gives out of the ring what its place
does not know; so nothing falls between the two, and nothing comes twice. A watch that the ring
has outrun is ended: its client comes back with its place.

What is delivered later than a place looks back, say by a collector that could not reach OpenSearch
for a while, is not given out one by one. Poller and watch find by a count that there is more than
they know, and the watch says so: read the list again.
"""

from __future__ import annotations

from sidecar_api.follow.hub import Event, Hub, Watch

__all__ = ["Event", "Hub", "Watch"]
