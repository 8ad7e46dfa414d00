"""The words of Active Processes: none is there that no part of the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import sidecar_api
from tests.browser.process_samples import process
from tests.browser.process_stand_in import Processes

if TYPE_CHECKING:
    from tests.browser.conftest import Window

WEB: Final = Path(sidecar_api.__file__).parent / "web"
LEAVES: Final = """async () => {
    const { texts } = await import("/static/process-words.js");
    const leaves = (one, path) => one !== null && typeof one === "object"
        ? Object.entries(one).flatMap(([name, value]) => leaves(value, [...path, name]))
        : [path.join(".")];
    return leaves(texts, []);
}"""


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one process."""
    made = Processes(process("one"))
    yield made
    made.close()


def read(source: str) -> set[str]:
    """What a module reads of the texts, as dotted paths; a name for a part of them is no use."""
    named = re.findall(r"(\w+) = texts\.([\w.]+)[;,]", source)
    rest = re.sub(r"\w+ = texts\.[\w.]+[;,]", "", source)
    found = set(re.findall(r"\btexts\.([\w.]+)", rest))
    for name, path in named:
        found |= {f"{path}.{one}" for one in re.findall(rf"(?<![\w.]){name}\.([\w.]+)", rest)}
        found |= {path} if re.search(rf"(?<![\w.]){name}\[", rest) else set()
    return found


def test_every_text_is_said_somewhere(window: Window, server: Processes) -> None:
    """Each is read by its name, or a group of them by the name that a value has."""
    window.page.goto(f"{server.url}/api/v1/channels")
    leaves = window.page.evaluate(LEAVES)
    assert len(leaves) > 100
    said: set[str] = set()
    for file in WEB.glob("process*.js"):
        said |= read(file.read_text())
    parts = {leaf: leaf.split(".") for leaf in leaves}
    mute = [
        leaf
        for leaf, path in parts.items()
        if not any(".".join(path[:n]) in said for n in range(1, len(path) + 1))
        # a method of the text itself, as in texts.a.toLowerCase()
        and not any(one.startswith(f"{leaf}.") for one in said)
    ]
    assert mute == []
