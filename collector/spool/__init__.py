"""The spool: acknowledged means on disk, in order, exactly what was accepted."""

from collector.spool.adopt import adopt
from collector.spool.layout import Record
from collector.spool.spool import Spool

__all__ = ["Record", "Spool", "adopt"]
