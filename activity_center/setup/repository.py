"""The repository of archives, which ``install`` registers in the embedded node alone.

Where archives of a cluster of one's own belong is not ours to choose: there the person
registers it (docs/retention.md), and ``doctor`` says so as long as it is missing. The
embedded node has a folder for it, below its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import TYPE_CHECKING

from activity_center.setup.cluster import FORBIDDEN, ask
from activity_center.setup.steps import Action, Kind, Step

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.setup.desired import Desired


def read_repositories(client: OpenSearch) -> frozenset[str] | None:
    """Names of the repositories; ``None`` where none is ours to register, or to look at.

    Raises:
        ClusterError: no answer.
    """
    from activity_center.node.settings import EMBEDDED

    only = {"filter_path": "nodes.*.attributes"}
    nodes = ask(client, "GET", "/_nodes", params=only, allow=(FORBIDDEN,))
    if not nodes.ok:
        return None
    attributes = [one.get("attributes", {}) for one in nodes.body.get("nodes", {}).values()]
    if not attributes or any(one.get(EMBEDDED) != "true" for one in attributes):
        return None
    answer = ask(client, "GET", "/_snapshot", allow=(FORBIDDEN,))
    return frozenset(answer.body) if answer.ok else None


def steps(desired: Desired, there: Set[str] | None) -> Iterator[Step]:
    """The step for each repository that a policy archives to."""
    if there is None:
        return
    names = {one.repository for one in desired.policies.values() if one.repository}
    for name in sorted(names):
        if name in there:
            yield Step(Kind.REPOSITORY, name, Action.LEAVE)
            continue
        # A relative location is below path.repo: it holds when the node's folder is moved.
        body = {"type": "fs", "settings": {"location": name}}
        reason = "in the embedded node's own folder"
        yield Step(Kind.REPOSITORY, name, Action.CREATE, reason, body=body)
