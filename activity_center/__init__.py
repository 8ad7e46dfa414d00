"""The activity record: one vocabulary, one emitter, one command line.

Importing this package loads neither Flask nor aiohttp nor any part of the
collector, so that a producer pays only for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Emitter", "__version__"]

if TYPE_CHECKING:
    from activity_center.emit import Emitter


def __getattr__(name: str) -> Any:
    if name == "Emitter":
        from activity_center.emit import Emitter

        return Emitter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
