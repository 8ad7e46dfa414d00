"""Publish: what happens in running processes, from the spool to the step bus, as it happens."""

from collector.publish.place import PlaceFile
from collector.publish.publisher import Publisher

__all__ = ["PlaceFile", "Publisher"]
