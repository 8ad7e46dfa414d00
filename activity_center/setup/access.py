"""Which address and login ``install`` and ``doctor`` use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from activity_center.config import Cluster

if TYPE_CHECKING:
    from activity_center.config import Config


def administrator(
    config: Config | None, environment: Mapping[str, str] | None = None
) -> Cluster | None:
    """The account for setting up: the environment's login, else the file's best one.

    ``OPENSEARCH_URL`` decides alone when it is set. A login in the environment without it
    goes with the address of the file, so that an administrator need not repeat that. Else
    the file's ``maintain`` account, else the one that delivers.

    Returns:
        ``None`` where there is no file: then the environment or the embedded node decide.
    """
    values = os.environ if environment is None else environment
    if config is None or values.get("OPENSEARCH_URL"):
        return None
    if values.get("OPENSEARCH_USERNAME") or values.get("OPENSEARCH_API_TOKEN"):
        return Cluster(
            url=config.opensearch.url,
            username=values.get("OPENSEARCH_USERNAME", ""),
            password=values.get("OPENSEARCH_PASSWORD", ""),
            api_token=values.get("OPENSEARCH_API_TOKEN", ""),
            ca=values.get("OPENSEARCH_CA", "") or config.opensearch.ca,
        )
    return config.maintainer
