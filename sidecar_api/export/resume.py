"""Where an export can be had again: its ``as_of``, sealed, bound to who asks for what.

The answer's ``Content-Location`` (RFC 9110, section 8.7) is the address of this very export:
asked again it gives the same bytes, and with ``offset`` the bytes from there on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from sidecar_api.cursors import Sealer, binding
from sidecar_api.moments import written
from sidecar_api.search.page import moment

if TYPE_CHECKING:
    from sidecar_api.access import Scope
    from sidecar_api.search import Filters

SETTLED: Final = timedelta(seconds=5)
"""An export holds what was received until so long before it began.

What came in since is perhaps not searchable yet: the first try would miss what a resumption
finds, and the parts would not fit together.
"""


class Tickets:
    """Makes and reads the tokens of exports.

    Args:
        secret: see :class:`sidecar_api.services.Services`.
    """

    def __init__(self, secret: bytes) -> None:
        self._sealer = Sealer(secret, "export", "resume")

    def begin(self) -> datetime:
        """Return ``as_of`` of a new export, in whole milliseconds."""
        return moment(datetime.now(UTC) - SETTLED)

    def seal(self, scope: Scope, filters: Filters, form: str, as_of: datetime) -> str:
        """Return the token of an export."""
        value = written(as_of)
        return self._sealer.seal(value, binding(scope, filters.canonical(), form))

    def open(self, token: str, scope: Scope, filters: Filters, form: str) -> datetime:
        """Return ``as_of`` of the export that a token stands for.

        Raises:
            BadRequest: it is none of ours, or of other filters, another format, another
                reader, or one who may now see more or less.
        """
        value = self._sealer.open(token, binding(scope, filters.canonical(), form))
        return datetime.fromisoformat(value)


def location(path: str, filters: Filters, form: str, token: str) -> str:
    """Return the address at which an export can be had again, below the host."""
    return f"{path}?{urlencode([('format', form), *filters.canonical(), ('resume', token)])}"
