"""The server as a whole: version, plugins, health, room for shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from activity_center.setup.cluster import FORBIDDEN, ask, cluster_settings, server_version
from activity_center.setup.doctor.finding import Finding, fail, ok, unreadable, warn

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

PLUGINS: Final[Mapping[str, tuple[str, str]]] = {
    "opensearch-security": (
        "no login, no roles: everyone who reaches the port can read and delete",
        "install the security plugin before anyone else reaches the port",
    ),
    "opensearch-index-management": (
        "the collector carries out the retention policies itself",
        "keep a collector with opensearch.maintain running; activity-center retention doctor "
        "names what is late",
    ),
    "opensearch-alerting": (
        "the collector evaluates the alert rules itself, where alerts.enabled is true",
        "set alerts.enabled in the configuration of a collector that has opensearch.maintain",
    ),
}
"""Plugin -> what its absence means, and what to do."""

SHARDS_LOW: Final = 0.1
"""Share of free shards below which to warn."""

CLUSTER_BLOCKS: Final = (
    "cluster.blocks.read_only",
    "cluster.blocks.read_only_allow_delete",
    "cluster.blocks.create_index",
)


def check_version(client: OpenSearch) -> Iterator[Finding]:
    """Reachable, OpenSearch, and new enough."""
    answer = ask(client, "GET", "/", allow=(FORBIDDEN,))
    if answer.ok:
        version = server_version(answer.body)
        yield ok("version", f"OpenSearch {version.text}, cluster {answer.body['cluster_name']}")
    else:
        yield unreadable("version", "the server's version")


def check_plugins(client: OpenSearch, *, relied: bool = False) -> Iterator[Finding]:
    """Security, index management, alerting: what their absence means.

    Args:
        relied: the configuration leaves alert rules to the plugin (``alerts.engine``).
    """
    answer = ask(
        client,
        "GET",
        "/_cat/plugins",
        params={"format": "json", "h": "component"},
        allow=(FORBIDDEN,),
    )
    if not answer.ok:
        yield unreadable("plugins", "the list of plugins")
        return
    there = {one["component"] for one in answer.body}
    for name, (meaning, advice) in PLUGINS.items():
        if name in there:
            yield ok("plugins", f"{name} is there")
        elif relied and name == "opensearch-alerting":
            yield fail(
                "plugins",
                f"{name} is absent: alerts.engine: plugin leaves rules to it, and nobody "
                "evaluates them",
                "set alerts.engine: collector",
            )
        else:
            yield warn("plugins", f"{name} is absent: {meaning}", advice)


def check_health(client: OpenSearch) -> Iterator[Finding]:
    """Cluster status and cluster-wide blocks."""
    answer = ask(client, "GET", "/_cluster/health", allow=(FORBIDDEN,))
    if not answer.ok:
        yield unreadable("health", "the cluster's health")
        return
    health: Mapping[str, Any] = answer.body
    nodes = f"{health['number_of_nodes']} nodes" if health["number_of_nodes"] != 1 else "1 node"
    words = f"{health['status']}, {nodes}, {health['unassigned_shards']} unassigned shards"
    if health["status"] == "red":
        yield fail(
            "health",
            words,
            "some data cannot be read or written: GET _cluster/allocation/explain says why",
        )
    elif health["status"] == "yellow":
        yield warn(
            "health",
            words,
            "copies are missing, a lost node can lose data: "
            "GET _cluster/allocation/explain says why",
        )
    else:
        yield ok("health", words)
    for scope in (cluster_settings(client) or {}).values():
        for block in CLUSTER_BLOCKS:
            if str(scope.get(block, "false")) == "true":
                yield fail(
                    "health",
                    f"{block} is set",
                    f"free disk space if that is why, then PUT _cluster/settings "
                    f'{{"persistent": {{"{block}": null}}}}',
                )


def check_shards(client: OpenSearch, needed: int) -> Iterator[Finding]:
    """Whether ``needed`` more shards (one rollover of every stream) fit the limit."""
    health = ask(client, "GET", "/_cluster/health", allow=(FORBIDDEN,))
    settings = cluster_settings(client)
    if not health.ok or settings is None:
        yield unreadable("shards", "the limit of shards")
        return
    name = "cluster.max_shards_per_node"
    limit = int(next(settings[s][name] for s in SCOPES if name in settings[s]))
    room = limit * health.body["number_of_data_nodes"]
    used = sum(
        health.body[kind] for kind in ("active_shards", "initializing_shards", "unassigned_shards")
    )
    words = f"{used} of {room} shards in use"
    advice = f"delete old indices, add data nodes, or raise {name}"
    if room - used < needed:
        yield fail("shards", f"{words}: {needed} more are needed at a rollover", advice)
    elif room - used < room * SHARDS_LOW:
        yield warn("shards", words, advice)
    else:
        yield ok("shards", words)


SCOPES: Final = ("transient", "persistent", "defaults")
"""Of cluster settings, in the order in which they decide."""
