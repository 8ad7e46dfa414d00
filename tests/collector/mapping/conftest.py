"""Loading mappings that are written in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.mapping import Source, load

HEAD = "name: mine\nversion: 1\ntitle: T\ndescription: D\n"

Mapping = Callable[[str], Source]
Fields = Callable[..., dict[str, Any]]


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    """Load a mapping whose file is the given text after the usual head."""

    def load_text(body: str) -> Source:
        home = tmp_path / "mine"
        home.mkdir(exist_ok=True)
        (home / "source.yml").write_text(HEAD + body, encoding="utf-8")
        return load(home)

    return load_text


@pytest.fixture
def fields(mapping: Mapping) -> Fields:
    """Map one record with rules (lines of ``fields``); give the one activity, less its module."""

    def map_one(rules: str, record: dict[str, Any], more: str = "") -> dict[str, Any]:
        indented = "".join(f"  {line}\n" for line in rules.splitlines())
        result = mapping(f"{more}\nfields:\n{indented}").map(record)
        assert isinstance(result, list)
        assert len(result) == 1
        event = result[0]["event"]
        assert event.pop("module") == "mine"
        if not event:
            del result[0]["event"]
        return result[0]

    return map_one
