"""What the stages make of a record, without keeping it: for ``sources try`` and ``test``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from collector.mapping import Router, Source
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import Batch, Entry, Reject, Sender
from collector.redact import Redactor

_SENDER: Final = Sender("preview")


class Preview:
    """All stages up to the spool, with the defaults of an empty configuration.

    Args:
        sources: the mappings to choose from.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        normalizer = Normalizer({}, {}, "permanent")
        stages = Stages(Router(sources), normalizer, Redactor(), Pseudonyms((), b""), Digests(b""))
        self._pipeline = Pipeline(stages, _Nowhere())

    def documents(
        self, record: Any, *, source: str | None = None, tag: str = "", received: int = 0
    ) -> dict[str, Any]:
        """Return what would become of ``record``.

        Args:
            source: the mapping to use; ``None``: routed as in the collector.
            received: Unix time of receipt in ns; 0: now.

        Returns:
            ``{"documents": [...]}``, ``{"ignored": reason}``, or
            ``{"rejected": {"reason", "detail", "path"}}``.
        """
        batch = Batch(_SENDER, [record], None, source, tag, received)
        receipt, entries, rejects = self._pipeline.process(batch)
        if rejects:
            (one,) = rejects
            return {"rejected": {"reason": one.reason, "detail": one.detail, "path": one.path}}
        if receipt.ignored:
            return {"ignored": receipt.ignored[0]}
        return {"documents": [orjson.loads(entry.body) for entry in entries]}


class _Nowhere:
    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        """Keep nothing."""
