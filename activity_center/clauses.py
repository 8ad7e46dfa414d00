"""Clauses of OpenSearch queries, put together; they score nothing."""

from __future__ import annotations

from typing import Any, TypeAlias

Clause: TypeAlias = dict[str, Any]


def all_of(*clauses: Clause) -> Clause:
    """Return the clause of entries that fulfil all of these."""
    return {"bool": {"filter": list(clauses)}}


def any_of(*clauses: Clause) -> Clause:
    """Return the clause of entries that fulfil one of these."""
    if len(clauses) == 1:
        return clauses[0]
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}
