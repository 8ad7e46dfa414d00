"""What ``tail`` asks and what it prints, without a node."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.errors import ConfigError
from activity_center.tailing import Selection, printable, row
from activity_center.tailing.search import page


@settings(deadline=None)
@given(st.text())
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    """No control, format, surrogate or line-separating character is left."""
    shown = printable(text)
    assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl")]
    assert "\n" not in shown


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=10), lambda inner: st.lists(inner, max_size=2)
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["@timestamp", "event", "user", "activity", "gen_ai", "organization"]),
        anything
        | st.dictionaries(
            st.sampled_from(["action", "email", "agent", "resource", "id", "result"]), anything
        ),
    )
)
def test_any_document_gives_a_row(document: dict[str, Any]) -> None:
    """A document of whatever shape is one line."""
    assert "\n" not in row(document, width=None).plain


@settings(deadline=None)
@given(st.text(), st.integers(70, 300))
def test_a_row_fits_the_terminal(text: str, width: int) -> None:
    """Whatever the text, wide characters among it, the line is not wrapped."""
    document = {"event": {"action": text}, "user": {"name": text}, "organization": {"id": text}}
    assert row(document, width=width).cell_len < width


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_the_action_is_legible_at_any_width(width: int) -> None:
    """Of an action at least 22 cells are there, and the outcome is whole."""
    document = {
        "@timestamp": "2026-11-24T13:00:00Z",
        "event": {"action": "server.resize_disk_now", "outcome": "failure"},
        "user": {"name": "mira.lindqvist@northwind.example"},
        "organization": {"id": "northwind-trading"},
        "activity": {"resource": {"type": "server", "name": "w" * 60}, "result": "denied"},
    }
    line = row(document, width=width).plain
    assert "server.resize_disk_now" in line
    assert line.endswith("failure")
    assert "11-24 " in line


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200))
def test_the_body_is_built_from_a_closed_set(text: str) -> None:
    """A filter's text only ever stands as one value; an action's pattern is literal."""
    body = page(Selection(action=text, actor=text, organization=text), 0, None)
    clauses = body["query"]["bool"]["filter"]
    assert [next(iter(clause)) for clause in clauses] == ["range", "wildcard", "bool", "bool"]
    pattern = clauses[1]["wildcard"]["event.action"]["value"]
    stripped = pattern.replace("\\\\", "").replace("\\*", "").replace("\\?", "")
    assert stripped[0] == stripped[-1] == "*"
    assert not set(stripped[1:-1]) & set("*?\\")


def test_an_empty_filter_is_refused() -> None:
    """An empty text would match everything, or nothing."""
    with pytest.raises(ConfigError, match="--actor"):
        Selection(actor="")
