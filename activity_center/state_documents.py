"""What is kept in the state index, one document for each thing that is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from activity_center.answers import whole
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.streams import STATE_INDEX

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ARCHIVE: Final = "retention archive"
"""Kind of the documents about the archive of one index."""

_PAGE: Final = 5_000
"""Documents that are read at once."""


def documents(client: OpenSearch, kind: str) -> Iterator[dict[str, Any]]:
    """All documents of a kind, by name and page by page; none where there is no state index.

    Their names must be unique. Each comes as a hit of a search, with its version.

    Raises:
        ClusterError: no answer, or a missing right.
        IncompleteAnswer: not every shard answered.
    """
    query: dict[str, Any] = {
        "size": _PAGE,
        "query": {"term": {"kind": kind}},
        "sort": [{"name": "asc"}],
        "seq_no_primary_term": True,
    }
    while True:
        answer = ask(
            client,
            "POST",
            f"/{STATE_INDEX}/_search",
            params={"allow_partial_search_results": "false"},
            body=query,
            allow=(NOT_FOUND,),
        )
        if not answer.ok:
            return
        whole(answer.body, f"{STATE_INDEX}/_search")
        hits = answer.body["hits"]["hits"]
        yield from hits
        if len(hits) < _PAGE:
            return
        query["search_after"] = hits[-1]["sort"]


def kept_from_ism(client: OpenSearch) -> set[str]:
    """Names of the indices whose archive is known to lie.

    Index State Management would delete such an index after a snapshot that says ``SUCCESS``.
    """
    kept = set()
    for hit in documents(client, ARCHIVE):
        name, known = hit["_source"]["name"], hit["_source"]["data"]
        if not known.get("problem"):
            continue
        path, flat = f"/{name}/_settings", {"flat_settings": "true"}
        answer = ask(client, "GET", path, params=flat, allow=(NOT_FOUND,))
        # An index that was made anew under the same name has another archive, or none.
        if answer.ok and answer.body[name]["settings"]["index.uuid"] == known["uuid"]:
            kept.add(name)
    return kept
