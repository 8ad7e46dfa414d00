"""docs/sources.md names every key and conversion, and its example works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from collector.mapping import load
from collector.mapping.conversions import CONVERSIONS
from collector.mapping.document import SCHEMA_FILE

PAGE = Path(__file__).parents[3] / "docs" / "sources.md"
TEXT = PAGE.read_text(encoding="utf-8")
SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


def _keys() -> list[str]:
    parts = [SCHEMA, *SCHEMA["$defs"].values()]
    return sorted({key for part in parts for key in part.get("properties", {})})


@pytest.mark.parametrize("key", _keys())
def test_every_key_is_named(key: str) -> None:
    """A key of the language stands in the page, as code."""
    assert re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`", TEXT)


@pytest.mark.parametrize("name", sorted(CONVERSIONS))
def test_every_conversion_is_named(name: str) -> None:
    """A conversion stands in the table of conversions."""
    table = TEXT.partition("### Conversions")[2].partition("###")[0]
    assert re.search(rf"`{name}\b", table)


def test_the_example_works(tmp_path: Path) -> None:
    """The worked example, put together from its pieces, gives what the page says."""
    guide = TEXT.partition("## A worked example")[2].partition("## What happens")[0]
    (tmp_path / "door-log").mkdir()
    file = tmp_path / "door-log" / "source.yml"
    file.write_text("".join(re.findall(r"```yaml\n(.*?)```", guide, re.S)), encoding="utf-8")
    record = json.loads(re.findall(r"```json\n(.*?)```", guide, re.S)[0])
    source = load(tmp_path / "door-log")
    (activity,) = source.map(record)
    assert activity == {
        "@timestamp": "2026-11-24T13:02:31Z",
        "event": {
            "id": "e-1",
            "action": "door.open",
            "outcome": "failure",
            "module": "door-log",
            "provider": "door-controller",
        },
        "user": {"name": "mira"},
        "activity": {"resource": {"type": "door", "name": "Lab 3"}},
        "source": {"ip": "10.0.0.17"},
        "related": {"user": ["jo"]},
        "message": "mira at Lab 3",
        "metadata": {
            "format": "door/2",
            "what": "OPEN",
            "ok": False,
            "badge": {"no": "4711", "pin": "[redacted]"},
            "camera": "10.0.0.17:554",
            "firmware": "2.1",
            "seen": [{"who": "jo", "sure": 0.9}, {"who": "?", "sure": 0.1}],
        },
    }
    assert source.map({**record, "what": "HEARTBEAT"}) == "a sign of life"
