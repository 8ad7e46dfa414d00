"""Loading mappings written in a test, and walking what they give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collector.mapping import Source, load

HEAD = "name: {name}\nversion: 1\ntitle: T\ndescription: D\n"


def mapping(folder: Path, body: str, name: str = "mine") -> Source:
    """Load a mapping whose file is ``body`` after the usual head."""
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "source.yml").write_text(HEAD.format(name=name) + body, encoding="utf-8")
    return load(home)


def fields(folder: Path, rules: str, record: dict[str, Any], more: str = "") -> dict[str, Any]:
    """Map one record with ``rules`` (lines of ``fields``); return the one activity."""
    indented = "".join(f"  {line}\n" for line in rules.splitlines())
    source = mapping(folder, f"{more}\nfields:\n{indented}")
    result = source.map(record)
    assert isinstance(result, list)
    assert len(result) == 1
    result[0]["event"].pop("module")
    if not result[0]["event"]:
        del result[0]["event"]
    return result[0]


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value that is no container."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
        else:
            yield one


def containers(value: Any) -> Iterator[int]:
    """Yield the identity of every dict and list inside ``value``."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, (dict, list)):
            yield id(one)
            stack.extend(one.values() if isinstance(one, dict) else one)
