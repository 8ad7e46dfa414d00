"""Each deliberately broken mapping gives the message that its folder demands."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.errors import SourceError
from collector.mapping import load

CASES = sorted(path.parent for path in Path(__file__).with_name("broken").glob("*/source.yml"))


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_message(folder: Path) -> None:
    """The error names file, line, column and rule, and says where to read on."""
    wanted = (folder / "message.txt").read_text().strip()
    with pytest.raises(SourceError) as caught:
        load(folder)
    assert wanted in str(caught.value)
    assert str(folder / "source.yml") in str(caught.value)


def test_every_case_has_its_message() -> None:
    """No broken mapping stands there unchecked."""
    assert len(CASES) > 50
    assert all((folder / "message.txt").is_file() for folder in CASES)


def test_missing_file(tmp_path: Path) -> None:
    """A folder without source.yml is an error that names the file."""
    with pytest.raises(SourceError, match=r"source\.yml: cannot read it"):
        load(tmp_path / "nothing")
