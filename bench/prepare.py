"""The collector's stages between receiving and the spool, as a default configuration has them."""

from __future__ import annotations

from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import Entry, Reject
from collector.redact import Redactor


class _Nowhere:
    """Benches call ``process``, which makes nothing durable."""

    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        raise AssertionError("preparing documents makes nothing durable")


def pipeline() -> Pipeline:
    """Return a pipeline for ``process`` alone."""
    router = Router(load_all().values())
    stages = Stages(
        router, Normalizer({}, {}, "permanent"), Redactor(), Pseudonyms((), b""), Digests(b"")
    )
    return Pipeline(stages, _Nowhere())
