"""The configuration files of one node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from activity_center.node.folders import NodeFolder

EMBEDDED: Final = "activity_center_embedded"
"""Attribute of the node, ``true``: ``install`` may register a repository in ``path.repo``."""

_LOG4J: Final = """\
status = error
appender.rolling.type = RollingFile
appender.rolling.name = rolling
appender.rolling.fileName = {log_file}
appender.rolling.filePattern = {log_file}.%i
appender.rolling.layout.type = PatternLayout
appender.rolling.layout.pattern = [%d{{ISO8601}}][%-5p][%-25c{{1.}}] [%node_name]%marker %m%n
appender.rolling.policies.type = Policies
appender.rolling.policies.size.type = SizeBasedTriggeringPolicy
appender.rolling.policies.size.size = 20MB
appender.rolling.strategy.type = DefaultRolloverStrategy
appender.rolling.strategy.max = 3
rootLogger.level = info
rootLogger.appenderRef.rolling.ref = rolling
"""


def node_settings(
    name: str, folder: NodeFolder, port: int, more: Mapping[str, str]
) -> dict[str, str]:
    """Return ``opensearch.yml`` as a flat mapping; ``more`` wins over ours."""
    return {
        "cluster.name": f"activity-center-{name}",
        "node.name": name,
        "path.data": str(folder.data),
        "path.logs": str(folder.logs),
        "path.repo": str(folder.archive),
        f"node.attr.{EMBEDDED}": "true",
        # Never beyond this machine; single-node discovery needs no known transport port.
        "network.host": "127.0.0.1",
        "http.port": str(port),
        "transport.port": "0",
        "discovery.type": "single-node",
        # `install` makes our streams and indices: a misspelt name must not become an index.
        "action.auto_create_index": "-activity-*,+*",
        "action.destructive_requires_name": "true",
        # Percentages would block a developer's well-filled disk with plenty of room left.
        "cluster.routing.allocation.disk.watermark.low": "2gb",
        "cluster.routing.allocation.disk.watermark.high": "1gb",
        "cluster.routing.allocation.disk.watermark.flood_stage": "500mb",
        **more,
    }


def write_configuration(folder: NodeFolder, settings: Mapping[str, str | list[str]]) -> None:
    """Write ``opensearch.yml`` and ``log4j2.properties`` (JSON values are YAML)."""
    (folder.config / "opensearch.yml").write_text(
        "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()),
        encoding="utf-8",
    )
    (folder.config / "log4j2.properties").write_text(
        _LOG4J.format(log_file=folder.log_file), encoding="utf-8"
    )
