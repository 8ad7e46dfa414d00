"""The rejected store: what was refused, whole, with the reason."""

from collector.rejected.rows import Rejected
from collector.rejected.store import RejectedStore

__all__ = ["Rejected", "RejectedStore"]
