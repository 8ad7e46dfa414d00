"""How output without line ends is cut into pieces."""

from __future__ import annotations

import pytest

from activity_center.emit.output import PIECE
from tests.activity_center.emit.heard import Heard


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("character", ["é", "€", "𝄞"], ids=["2 bytes", "3 bytes", "4 bytes"])
def test_a_piece_ends_at_the_border_of_a_character(
    heard: Heard, character: str, before: int
) -> None:
    """Wherever in a character the 32 KiB of a piece would end: as late as it can, with the right
    offsets, and nothing is lost."""
    line = "x" * before + character * 40_000
    with heard.emitter.process("git-deploy", "Deploy") as process, process.step("Build") as step:
        step.output(line)
    pieces = [one["activity"]["output"] for one in heard.of("process.output")]
    assert len(pieces) >= 3
    at = 0
    for one in pieces:
        assert one["offset"] == at
        size = len(one["text"].encode())
        assert size <= PIECE
        assert size > PIECE - len(character.encode()) or one is pieces[-1]
        at += size
    assert "".join(one["text"] for one in pieces) == line + "\n"
    assert heard.folded()["output"]["bytes"] == len(line.encode()) + 1
