"""The parts of one running sidecar, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from flask import current_app

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.config import Config
    from sidecar_api.access import Access
    from sidecar_api.cursors import Sealer
    from sidecar_api.identity import Identity
    from sidecar_api.metrics import Metrics
    from sidecar_api.recording import Recording
    from sidecar_api.search import Search

EXTENSION: Final = "activity_center"
"""Key in ``app.extensions``."""


@dataclass(frozen=True, slots=True)
class Services:
    """What requests work with.

    Attributes:
        client: connection to OpenSearch, under the sidecar's own account.
        secret: 32 bytes, the same in every worker; each purpose has a label of its own.
        cursors: seals the cursors of lists.
    """

    config: Config
    client: OpenSearch
    identity: Identity
    access: Access
    search: Search
    recording: Recording
    metrics: Metrics
    secret: bytes
    cursors: Sealer


def services() -> Services:
    """Return those of the running application."""
    return cast(Services, current_app.extensions[EXTENSION])
