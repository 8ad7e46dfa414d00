"""The rejected store: what was refused, whole, with the reason."""

from collector.rejected.store import Rejected, RejectedStore

__all__ = ["Rejected", "RejectedStore"]
