"""Fixtures of the delivery tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector.deliver.gate import Gate
from tests.collector.deliver.rig import Rig, make_stream


@pytest.fixture
def gate(opensearch: Any) -> Iterator[Gate]:
    """A proxy before the shared node."""
    made = Gate(opensearch.url)
    yield made
    made.close()


@pytest.fixture
def stream(opensearch: Any) -> Iterator[str]:
    """A data stream of the test's own."""
    name = make_stream(opensearch.client)
    yield name
    opensearch.client.indices.delete_data_stream(name=name)


@pytest.fixture
def rig(tmp_path: Path, opensearch: Any) -> Iterator[Callable[..., Rig]]:
    """Open rigs in one folder, one after the other; the last is closed at the end."""
    made: list[Rig] = []

    def make(url: str = "", **options: Any) -> Rig:
        made.append(Rig(tmp_path, url or opensearch.url, maintain=opensearch.url, **options))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(Exception):
            one.close(0)
