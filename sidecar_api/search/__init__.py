"""Searching the log: filters, pages, facets, the histogram, readings from end to end.

Every body is built here from a closed set, and carries the reader's wall (``scope.query()``).
A client's text becomes a term's value, an escaped wildcard pattern or a bounded number; no
query syntax, aggregation or field name of a client reaches OpenSearch.

``filters`` declares what can be asked; ``parse`` checks parameters against it; ``clauses``
makes query clauses; ``page``, ``facets``, ``histogram``, ``scan`` and ``newer`` make bodies and
read answers; ``ask`` sends them; ``searching`` ties them together.
"""

from __future__ import annotations

from sidecar_api.search.filters import FACETS, FILTERS, Filter
from sidecar_api.search.order import Position
from sidecar_api.search.page import Page
from sidecar_api.search.parse import Filters
from sidecar_api.search.searching import Search

__all__ = ["FACETS", "FILTERS", "Filter", "Filters", "Page", "Position", "Search"]
