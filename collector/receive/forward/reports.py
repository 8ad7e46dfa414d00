"""What is said about a connection: who, what, and the next step. Never a record's content."""

from __future__ import annotations

from typing import Final

import structlog

from activity_center.errors import SpoolFailed, SpoolFull
from collector.decode import ForwardMessage
from collector.receive.forward.handshake import AuthenticationError

_log: Final = structlog.get_logger("collector.receive.forward")

_MOST: Final = 10
"""Lines about bad chunks of one connection; more are only counted."""
_AGAIN: Final = "nothing of it was acknowledged; the sender may try again"
_REJECTED: Final = "activity-center rejected list"


class Reports:
    """Log lines about one connection.

    Args:
        listener: its listener's address.
        peer: the peer's address.

    Attributes:
        sender: name of the sender, once known.
    """

    __slots__ = ("_bad_chunks", "_log", "sender")

    def __init__(self, listener: str, peer: str) -> None:
        self.sender = ""
        self._bad_chunks = 0
        self._log = _log.bind(listener=listener, peer=peer)

    def chunk(self, message: ForwardMessage) -> None:
        """A chunk, or records of it, went to the rejected store."""
        self._bad_chunks += 1
        if self._bad_chunks > _MOST:
            return
        refused, broken = message.refused, message.decoded.broken
        self._log.warning(
            "chunk refused" if refused is not None else "records refused",
            sender=self.sender,
            tag=message.tag[:200],
            detail=refused.message if refused else f"{broken[0].reason}: {broken[0].detail}",
            records=len(broken),
            hint=(refused.hint if refused else None) or _REJECTED,
            **({"note": "further ones are only counted"} if self._bad_chunks == _MOST else {}),
        )

    def not_understood(self, detail: str, hint: str | None) -> None:
        """The connection is closed for bytes that make no sense."""
        self._log.warning(
            "connection closed: bytes not understood",
            sender=self.sender,
            detail=detail,
            hint=hint or _REJECTED,
        )

    def refused(self, refused: AuthenticationError) -> None:
        """The peer is not who it must be."""
        self._log.warning(
            "connection closed: peer refused", detail=refused.message, hint=refused.hint
        )

    def too_slow(self, what: str, allowed: float) -> None:
        """The connection is closed because something took too long."""
        self._log.warning(
            "connection closed: too slow",
            sender=self.sender,
            detail=f"{what} took more than {allowed:.1f} s",
            hint=_AGAIN,
        )

    def gives_way(self) -> None:
        """The connection is closed because all have too much unfinished."""
        self._log.warning(
            "connection closed: too many unfinished messages", sender=self.sender, hint=_AGAIN
        )

    def truncated(self, size: int) -> None:
        """The peer ended the connection inside a message."""
        self._log.info("connection ended inside a message", sender=self.sender, bytes=size)

    def must_wait(self, full: SpoolFull) -> None:
        """The spool has no room."""
        self._log.warning("sender must wait", sender=self.sender, detail=full.message)

    def spool_failed(self, failed: SpoolFailed) -> None:
        """The disk failed."""
        self._log.error(
            "nothing is acknowledged: the spool failed", sender=self.sender, error=str(failed)
        )

    def crashed(self, wrong: BaseException) -> None:
        """An error of ours."""
        self._log.error(
            "connection closed: error in the collector",
            exc_info=wrong,
            sender=self.sender,
            hint="please report this; the sender may try again",
        )
