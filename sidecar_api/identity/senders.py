"""Programs that send activities, known here by the same tokens as at the collector."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Request

from activity_center.config import SenderConfig
from sidecar_api.identity.bearer import bearer, holder_of


class Senders:
    """The tokens of the section ``senders``.

    Args:
        senders: from the configuration; those without a token cannot ask here.
    """

    def __init__(self, senders: Sequence[SenderConfig]) -> None:
        self._senders = tuple(
            (one.token_sha256.replace(":", "").lower(), one) for one in senders if one.token_sha256
        )

    def recognize(self, request: Request) -> SenderConfig | None:
        """Return whose token a request carries; ``None``: none of theirs.

        Raises:
            Unauthenticated: the header ``Authorization`` is of another form.
        """
        value = bearer(request)
        return holder_of(value, self._senders) if value else None
