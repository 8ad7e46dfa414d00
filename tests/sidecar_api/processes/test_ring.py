"""The ring of last changes: what somebody missed is told exactly, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar_api.access import Subject
from sidecar_api.processes.ring import Change, Ring

NOBODYS = Subject("northwind", "", (), "")
LINES = ("a", "b")


def change(line: str, position: int, size: int = 1) -> Change:
    """A change from a place of the bus."""
    return Change(line, position, "prc", "ssl", NOBODYS, b"x" * size)


@st.composite
def runs(draw: st.DrawFn) -> list[Change]:
    """Changes of two lines as a sidecar takes them: ascending in each, gaps are normal."""
    at = dict.fromkeys(LINES, 0)
    made = []
    for line in draw(st.lists(st.sampled_from(LINES), max_size=25)):
        at[line] += draw(st.integers(1, 3))
        made.append(change(line, at[line], draw(st.integers(1, 5))))
    return made


@given(runs(), st.integers(1, 30), st.integers(1, 60), st.data())
def test_exactly_what_was_missed_or_nothing(
    made: list[Change], most: int, most_bytes: int, data: st.DataObject
) -> None:
    """From any place that a client can have had: all later changes in order, each once; where
    one of them is gone already, that is said instead."""
    ring = Ring(most, most_bytes)
    for one in made:
        ring.put(one)
    now = {line: max((c.position for c in made if c.line == line), default=0) for line in LINES}
    seen = data.draw(st.integers(0, len(made)))
    places = {one.line: one.position for one in made[:seen]}
    kept = made[len(made) - len(ring) :]
    wanted = [one for one in made if one.position > places.get(one.line, 0)]
    missed = ring.missed(places, now)
    if missed is None:
        assert any(one not in kept for one in wanted)
    else:
        assert missed == wanted


@given(runs(), st.integers(1, 30), st.integers(0, 30))
def test_who_lags_behind_reads_on_or_is_told(made: list[Change], most: int, number: int) -> None:
    """By number: exactly the changes from there on, or that they are no longer kept."""
    ring = Ring(most)
    for one in made:
        ring.put(one)
    number = min(number, len(made))
    found = ring.after(number)
    if found is None:
        assert number < len(made) - most
    else:
        assert list(found) == made[number:]


def test_bounded_by_number_and_by_bytes() -> None:
    """Of many small changes and of few large ones only the last are kept."""
    ring = Ring(3, 100)
    for position in range(1, 6):
        ring.put(change("a", position))
    assert len(ring) == 3
    ring.put(change("a", 6, 99))
    assert len(ring) == 2
    ring.put(change("a", 7, 101))
    assert (len(ring), ring.end) == (0, 7)


def test_a_place_that_cannot_be() -> None:
    """A line that is not there now, and a place before which something is void, are no place."""
    ring = Ring()
    ring.put(change("a", 5))
    assert ring.missed({"a": 4}, {"a": 5}) == [change("a", 5)]
    assert ring.missed({"gone": 4}, {"a": 5}) is None
    assert ring.missed({"a": 6}, {"a": 5}) is None
    ring.begins("a", 4)
    assert ring.missed({"a": 3}, {"a": 5}) is None
    assert ring.missed({"a": 4}, {"a": 5}) == [change("a", 5)]


def test_what_is_void_stays_so() -> None:
    """Neither who says it of less, nor what gives way before it, makes a place good again."""
    ring = Ring(3)
    for position in (1, 2, 3):
        ring.put(change("a", position))
    ring.begins("a", 3)
    ring.begins("a", 2)
    assert ring.missed({"a": 2}, {"a": 3}) is None
    ring.put(change("a", 4))
    assert ring.missed({"a": 2}, {"a": 4}) is None
    assert ring.missed({"a": 3}, {"a": 4}) == [change("a", 4)]


def test_what_a_former_line_had_is_not_told() -> None:
    """Its positions began anew, under another name: who comes from there has been told."""
    ring = Ring()
    for one in (change("b", 1), change("former", 9), change("b", 2), change("a", 1)):
        ring.put(one)
    assert ring.missed({"b": 1}, {"a": 1, "b": 2}) == [change("b", 2), change("a", 1)]


def test_what_somebody_began_is_known_as_long_as_its_changes() -> None:
    """Also of who it was before, where that changed; each as often as it stands in a change."""
    mira, jo = (NOBODYS._replace(initiator=name) for name in ("mira", "jo"))
    ring = Ring(3)
    ring.put(change("a", 1)._replace(subject=mira))
    ring.put(change("a", 2)._replace(subject=mira))
    ring.put(change("a", 3)._replace(subject=jo, former=mira))
    assert ring.begun_by("mira") == [(mira, "ssl", "prc")]
    assert ring.begun_by("jo") == [(jo, "ssl", "prc")]
    known = []
    for position in range(4, 7):
        ring.put(change("a", position))
        known.append((bool(ring.begun_by("mira")), bool(ring.begun_by("jo"))))
    assert known == [(True, True), (True, True), (False, False)]
