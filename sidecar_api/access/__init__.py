"""Who may see what: the one place that decides it.

``policy`` turns a reader's roles into what they open (rules over values), ``scope`` turns
that into the clause that every search carries. Nothing here asks OpenSearch or the request.
"""

from __future__ import annotations

from sidecar_api.access.policy import Access
from sidecar_api.access.scope import DENIED, Reach, Scope, Subject

__all__ = ["DENIED", "Access", "Reach", "Scope", "Subject"]
